"""Verdicts on a claim, and how those on its parts become one."""

from collections.abc import Sequence
from dataclasses import dataclass

HOLDS, FAILS, OPEN, NOT_RUN = VERDICTS = ("holds", "does not hold", "cannot be told", "not run")


@dataclass(frozen=True)
class Part:
    """A claim put to one variant, or to one pair of them."""

    subject: str  # e.g. "global view"; empty where a claim has one part
    verdict: str  # one of VERDICTS
    number: str = ""  # behind the verdict, or why there is none
    how: str = ""  # it was told


def of_difference(difference: float, p: float, level: float) -> str:
    """The verdict on a claim that something is greater, from our difference and its two-sided p."""
    if p >= level:
        return OPEN
    return HOLDS if difference > 0 else FAILS


def of_interval(low: float, high: float, constant: float) -> str:
    """The verdict on a claim that something is above a constant, from our interval of it."""
    if low > constant:
        return HOLDS
    return FAILS if high < constant else OPEN


def of_all(parts: Sequence[Part]) -> str:
    """The verdict on a claim that has to hold in every part: one that fails refutes it, an open one keeps it open."""
    verdicts = {part.verdict for part in parts}
    for alone in (HOLDS, NOT_RUN):
        if verdicts == {alone}:
            return alone
    return FAILS if FAILS in verdicts else OPEN


def of_those_run(parts: Sequence[Part]) -> str:
    """The verdict on a claim of every run: as of_all, but parts that were not run leave it as it is."""
    return of_all([part for part in parts if part.verdict != NOT_RUN] or parts)


def of_any(parts: Sequence[Part]) -> str:
    """The verdict on a claim that something may happen: it has to hold in one of the parts that were run."""
    verdicts = {part.verdict for part in parts} - {NOT_RUN}
    if not verdicts:
        return NOT_RUN
    return HOLDS if HOLDS in verdicts else FAILS if verdicts == {FAILS} else OPEN
