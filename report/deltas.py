"""Deltas compared (III-A): each variant after training without photos close to the threshold, on the same test photos.

The deltas of `ava-large` are the datasets ava-large-delta-1 and so on. What is missing stays empty; delta_commands.py
says how to make it, delta_table.py prints it all.
"""

from user_error import UserError

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from data_prep import deltas, summary
from data_prep.readers.lists import plain
from dataset import own_table
from paper import Row
from report import datasets
from report.comparison import Difference, of_groups
from report.evidence import Variant
from report.line import Line
from report.results import SeedResult, found
from report.tables import line_of

USUAL = "ava-large"


@dataclass(frozen=True)
class DeltaLine:
    """One variant after training with one delta; `against` compares it with delta 0, or `lacking` says why not."""

    delta: Decimal
    dataset: str
    variant: Variant
    line: Line
    train: int | None  # photos
    left_out: int | None  # of the training photos of delta 0
    against: Difference | None
    lacking: str

    @property
    def is_missing(self) -> bool:
        """Whether a call of `run` would make the result."""
        return not self.line.seeds and "running" not in self.line.status


@dataclass(frozen=True)
class Deltas:
    """What there is of some deltas of a dataset, the first of which is 0."""

    base: str
    lines: list[DeltaLine]
    prepared: dict[Decimal, dict[str, Any] | None]  # the summaries of their datasets
    remarks: list[str]  # a line for each thing that cannot be read, is not what its name says, or is left out


def compare(
    base: str, asked: Sequence[Decimal], networks: Sequence[str], views: Sequence[str], data: Path, results: Path
) -> Deltas:
    """Each variant on the dataset `base`, which has delta 0, and on those with the other deltas that are asked for.

    Raises UserError where `base` is unknown, or has no deltas.
    """
    values = sorted({Decimal(0), *asked})
    prepared, remarks = {}, []
    for value in values:
        try:
            prepared[value] = _prepared(base, value, data)
        except UserError as error:
            prepared[value] = None
            remarks.append(f"Unreadable: {error}.")
    if base != USUAL:
        _require_deltas(base, prepared[values[0]], data, results)
    lines = []
    for row in own_table(base).rows:
        if row.network not in networks or row.view not in views:
            continue
        others, whole = [], None
        for value in values:
            name = deltas.named(base, value)
            line, group, further = _results(name, row, results)
            remarks += further
            train = _training_photos(group, prepared[value])
            if not value:
                others, whole = group, train
            left_out = None if train is None or whole is None else whole - train
            against, lacking = _compared(group, others) if value and group and others else (None, "")
            lines.append(DeltaLine(value, name, (row.network, row.view), line, train, left_out, against, lacking))
    return Deltas(base, lines, prepared, remarks)


def _prepared(base: str, value: Decimal, data: Path) -> dict[str, Any] | None:
    """The summary of the dataset with a delta; None where it is not prepared, UserError where it is another."""
    folder = data / deltas.named(base, value)
    content = summary.read(folder, summary.FOR_RUNS | {"parameters": dict})
    there = content and content["parameters"].get("delta")
    if content and value and there != plain(value):
        raise UserError(f"{folder} has delta {there}, not the one of its name; prepare it with another --name")
    return content


def _require_deltas(base: str, content: dict[str, Any] | None, data: Path, results: Path) -> None:
    """Raise UserError unless a dataset other than the paper's may have deltas: AVA (large) under another name."""
    table = datasets.of_dataset(base, data, results)
    is_ava = content is None or content["parameters"].get("delta") == "0"
    if table.source or base == "demo" or not is_ava:
        raise UserError(
            f"--dataset {base} has no deltas: give {USUAL}, or AVA (large) as you prepared it with --name, without "
            "--delta"
        )


def _results(name: str, row: Row, results: Path) -> tuple[Line, list[SeedResult], list[str]]:
    """The line of a row on a dataset, the results that it is of, and what has to be said of others."""
    table = own_table(name)
    there = found(table, row, results)
    remarks = [f"Unreadable: {line}." for line in there.unreadable]
    if not there.groups:
        return Line(row.label, None, status=", ".join(sorted(set(there.states))) or "missing"), [], remarks
    if len(there.groups) > 1:
        kinds = "runs with another net, solver or length are not in this row; `table` shows them"
        remarks.append(f"{name}, {row.label}: {kinds}.")
    return line_of(table, row, row.label, there.groups[0]), there.groups[0], remarks


def _training_photos(group: list[SeedResult], content: dict[str, Any] | None) -> int | None:
    """How many photos the runs saw, else how many are prepared."""
    if group:
        return group[0].record["dataset"]["photos"]["train"]
    return content["splits"]["train"]["written"] if content else None


def _compared(group: list[SeedResult], others: list[SeedResult]) -> tuple[Difference | None, str]:
    """How the results of a delta differ from those of delta 0, or why they are not compared."""
    if group[0].record.get("edited") != others[0].record.get("edited"):
        return None, "not edited alike"
    return of_groups(group, others, "delta 0")
