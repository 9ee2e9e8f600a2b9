"""What makes the results that a comparison of deltas lacks: commands that work when they are pasted."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import commands
from data_prep import deltas
from data_prep.readers.lists import plain
from data_prep.request import Request
from paper import NETWORKS, VIEWS
from report.deltas import USUAL, Deltas


def missing(found: Deltas, data: Path, results: Path) -> Iterator[str]:
    """The commands, the datasets first: that of delta 0, which the others are copied out of (data_prep/donor.py)."""
    lacking = {value: [each.variant for each in found.lines if each.delta == value and each.is_missing]
               for value in found.prepared}  # fmt: skip
    for value, content in found.prepared.items():
        if lacking[value] and content is None:
            yield _preparation(found.base, value, found.prepared[Decimal(0)], data)
    for value, variants in lacking.items():
        if variants:
            options = [*_chosen("network", NETWORKS, variants), *_chosen("view", VIEWS, variants)]
            places = [*commands.place("data", data), *commands.place("results", results)]
            yield commands.run(deltas.named(found.base, value), *options, *places)


def _chosen(option: str, names: tuple[str, ...], variants: list[tuple[str, str]]) -> list[str]:
    """The option that names those of the networks or views that are among the variants; none where all are."""
    chosen = [name for name in names if any(name in variant for variant in variants)]
    return [] if len(chosen) == len(names) else [f"--{option}", *chosen]


def _preparation(base: str, value: Decimal, content: dict[str, Any] | None, data: Path) -> str:
    """The command that prepares the dataset with a delta: as that of delta 0 was, where it is there."""
    name, delta = deltas.named(base, value), plain(value)
    if content and content.get("inputs"):
        inputs = {option: Path(path) for option, path in content["inputs"].items()}
        views, encoded = tuple(content["views"]), bool(content.get("encoded"))
        request = Request(name, data, inputs, views, encoded, content["parameters"] | {"delta": delta})
        return request.command(content.get("bad_photos", {}).get("other", 0))
    words = ["ava", "--root", "AVA", "--partition", "large", *(["--delta", delta] if value else [])]
    words += ["--name", name] if base != USUAL else []
    out = ["--out", data.resolve()] if commands.place("data", data) else []
    return f"{commands.module('data_prep', *words, *out)}    # AVA: the folder of your copy"
