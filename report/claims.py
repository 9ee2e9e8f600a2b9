"""What the paper claims of its results, and what our runs say of it."""

from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from paper import Table

HOLDS, FAILS, OPEN, NOT_RUN = VERDICTS = ("holds", "does not hold", "cannot be told", "not run")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper's, put to the runs of one dataset."""

    name: str  # of [claims.NAME] in paper.toml
    section: str  # of the paper, e.g. IV-B
    text: str  # the claim, in our words
    dataset: str
    is_the_papers: bool  # whether the paper claims it of this dataset; else it is asked of other photos
    verdict: str  # one of VERDICTS
    number: str  # behind the verdict; a dash where nothing was run
    how: str  # how it was told


def claims(table: Table, results: Path) -> list[Claim]:
    """The claims that can be put to the dataset of a table, told from the runs below `results`."""
    return []


def render(told: list[Claim]) -> str:
    """Claims as a table for a terminal, without a final newline."""
    return tabulate([[each.section, each.text, each.dataset, each.verdict, each.number] for each in told])
