"""Which tables there are: the paper's, the demo's, and one of every other dataset that is prepared or has results."""

from user_error import UserError

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dataset import find, listed, may_be, own_table, prepared
from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder
from paper import DATASETS, Table, tables, variant_parts


def table(name: str, data: Path, results: Path) -> Table:
    """The table called `name`, or that of the dataset; UserError where there is neither."""
    return tables()[name] if name in tables() else of_dataset(name, data, results)


def of_dataset(name: str, data: Path, results: Path) -> Table:
    """The table of a dataset; UserError unless it is the paper's, is prepared in `data`, or has results.

    The title of one that is not the paper's shows the rule of the photos that its runs saw; `data` is only looked at
    where there is no run. So a colleague's results can be shown without the photos.
    """
    for paper in tables().values():
        if name == paper.dataset:
            return paper
    if has_results(name, results) and (rule := next(_rules(results / name), None)):
        return own_table(name, rule)
    if name in prepared(data):
        return find(name, data).table
    if has_results(name, results):
        return own_table(name)
    names = f"tables are {', '.join(tables())}; {listed(data)}"
    raise UserError(f"there is no dataset {name!r}, prepared or with results: {names}")


def all_tables(data: Path, results: Path) -> list[Table]:
    """The paper's tables and the demo's, then those of all other datasets, by name."""
    others = {*prepared(data), *_with_results(results)} - {*DATASETS}
    return [*tables().values(), *(own_table(name) for name in sorted(others))]


def has_results(name: str, results: Path) -> bool:
    """Whether there are runs of a dataset of this name, by the names of the folders."""
    return may_be(name) and any(map(variant_parts, _folders(results / name)))


def _with_results(results: Path) -> Iterator[str]:
    yield from (name for name in _folders(results) if has_results(name, results))


def _folders(place: Path) -> list[str]:
    """The names of the folders in one; none where it cannot be listed."""
    try:
        return [name for name in os.listdir(place) if os.path.isdir(place / name)]
    except OSError:
        return []


def _rules(folder: Path) -> Iterator[str]:
    """The rules by which the photos of a dataset's runs were chosen, as far as their records can be read."""
    for path in sorted(folder.glob("*/seed-*/run.json")):
        with suppress(Unreadable):
            rule = ((RunFolder(path.parent).record() or {}).get("dataset") or {}).get("rule")
            if isinstance(rule, str):
                yield rule
