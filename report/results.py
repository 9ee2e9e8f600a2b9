"""The results of one row of a table: those that are alike are averaged, the others stand by themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.kept_files import Unreadable
from experiments.run_folder import Result, RunFolder, seed_folders, seed_of, strangers
from experiments.runs import Run
from paper import Row, Table, reported_iteration

NO_RUN = "its name is not seed-<number>, nor seed-<number>-to-<iteration>"


@dataclass(frozen=True)
class SeedResult:
    """The result of one run."""

    seed: int
    folder: RunFolder
    result: Result

    @property
    def record(self) -> dict[str, Any]:
        return self.result.record


@dataclass(frozen=True)
class Found:
    """What there is of a row: its results in groups, the usual group first; states of the other runs; complaints."""

    groups: list[list[SeedResult]]
    states: list[str]
    unreadable: list[str]  # a line for each file that cannot be read

    def at(self, iteration: int) -> list[SeedResult]:
        """The usual group, if its results are those of this iteration; else none."""
        return self.groups[0] if self.groups and self.groups[0][0].result.iteration == iteration else []


def found(table: Table, row: Row, results: Path) -> Found:
    """The results of a row below `results`."""
    variant = results / table.dataset / row.variant
    wanted, done, states = row.to or reported_iteration(table.dataset), [], []
    try:
        folders = seed_folders(variant, row.to)
        unreadable = [] if row.to else [f"{path}: {NO_RUN}" for path in strangers(variant)]
    except Unreadable as error:
        return Found([], ["unreadable"], [str(error)])
    for folder in folders:
        try:
            run_of(table, row, folder).check_place(folder)
            result = folder.result(wanted) or folder.result()
            if result is None:
                states.append(folder.state())
                continue
        except Unreadable as error:
            states.append("unreadable")
            unreadable.append(str(error))
            continue
        done.append(SeedResult(seed_of(folder.path), folder, result))
        unreadable += _of_the_course(folder)
    return Found(list(_groups(done, wanted)), states, unreadable)


def run_of(table: Table, row: Row, folder: RunFolder) -> Run:
    """The run whose place a folder of a row is, by its name."""
    return Run(table.dataset, row.network, row.view, seed_of(folder.path), row.start, row.edit, row.to)


def _of_the_course(folder: RunFolder) -> Iterator[str]:
    """A line where a run that is done has no course that can be read; its result is shown without it."""
    try:
        if not folder.evaluations():
            yield f"{folder.path / 'metrics.csv'}: is missing or empty"
    except Unreadable as error:
        yield str(error)


def _groups(done: list[SeedResult], wanted: int) -> Iterator[list[SeedResult]]:
    """Seeds of the same net, rules, weights, photos and iteration; the unedited at full length first."""
    groups: dict[tuple, list[SeedResult]] = {}
    for each in done:
        groups.setdefault((each.result.iteration, *sorted(each.record["inputs"].items())), []).append(each)
    yield from sorted(
        groups.values(),
        key=lambda group: (
            group[0].result.iteration != wanted,
            any(group[0].record.get("edited", {}).values()),
            -len(group),
            group[0].seed,
        ),
    )
