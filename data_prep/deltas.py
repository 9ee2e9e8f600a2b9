"""A delta (III-A: training photos with 5 - delta <= mean <= 5 + delta are left out): its text, and datasets' names."""

import argparse
from decimal import Decimal

from data_prep.readers.lists import number, plain
from paper import stated

SMALLEST = Decimal("0.000001")  # names the dataset


def delta(text: str) -> Decimal:
    """The delta that an option names."""
    value, threshold = number(text), stated("labels.threshold")
    if value is None or not 0 <= value < threshold or value % SMALLEST:
        limit = f"0 <= D < {threshold}, with at most 6 decimals"
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not in {limit}")
    return value


def named(base: str, value: Decimal) -> str:
    """The name of the dataset that is `base` with this delta."""
    return f"{base}-delta-{plain(value)}" if value else base


def base_of(name: str, value: Decimal, usual: str) -> str:
    """The name of the dataset that the one called `name` is with delta 0; `usual`, where the name does not say."""
    ending = named("", value)
    return name.removesuffix(ending) if name.endswith(ending) and name != ending else usual
