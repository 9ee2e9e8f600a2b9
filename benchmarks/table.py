"""What a benchmark says: rows, each the ratio of our time to that of a named peer in the same run."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from experiments import gpus
from experiments.provenance import provenance


@dataclass(frozen=True)
class Comparison:
    """One comparison; `ours` and `theirs` are the times of each round, in `unit`, measured in turns."""

    what: str
    unit: str
    ours: Sequence[float]
    peer: str
    theirs: Sequence[float]
    limit: str  # what limits ours
    aim: float | None = None  # the ratio's upper bound

    @property
    def ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]


HEADER = ("", "ours", "peer", "peer's", "ratio", "spread", "aim", "what limits ours")


def markdown(rows: list[Comparison], header: bool = True) -> str:
    """The table of all rows: medians over the rounds, and the spread of the ratio."""
    lines = [HEADER, ["---"] * len(HEADER)] if header else []
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*lines, *map(_cells, rows)])


def _cells(row: Comparison) -> list[str]:
    return [
        row.what,
        f"{statistics.median(row.ours):.4g} {row.unit}",
        row.peer,
        f"{statistics.median(row.theirs):.4g} {row.unit}",
        f"{statistics.median(row.ratios):.3f}",
        f"{min(row.ratios):.3f} to {max(row.ratios):.3f}",
        "" if row.aim is None else f"<= {row.aim}",
        row.limit,
    ]


def machine(gpu: int | None = None) -> str:
    """The machine and the Caffe that the rows were measured with, in one line."""
    facts = provenance(gpu)
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total / 2**30
    parts = [facts["machine"]["cpu"], f"{cores} cores", f"{memory:.0f} GiB", facts["machine"]["system"]]
    if gpu is not None:
        parts.append(str(gpus.listed()[gpu]))
    built = facts["caffe"]
    caffe = ", ".join(built[name] for name in ("variant", "blas", "flags", "patches") if name in built)
    return f"{', '.join(parts)}; Caffe: {caffe}"


def in_turns(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Measure each work once a round, one after the other; the times of each work."""
    times = [[work() for work in works] for _ in range(rounds)]
    return [list(column) for column in zip(*times, strict=True)]
