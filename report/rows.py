"""The rows of a table: the paper's, and below each what was run beside it: longer, edited, from other starts."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.run_folder import ends
from paper import PRETRAINED, STARTS, Row, Table, variant_parts
from report.starts import LABELS


def with_ours(table: Table, results: Path, starts: Sequence[str] | None = None) -> Table:
    """The table with a row for whatever else there are runs of, below the row that it belongs to.

    Such a row has no number of the paper's. With `starts` the rows of these alone, whether there are runs or not.
    """
    return replace(table, rows=tuple(row for each in table.rows for row in _rows(table, each, results, starts)))


def origin(row: Row) -> Row:
    """The row of the net that a row's is an edit of."""
    length = f", to {row.to:,}" if row.to else ""
    return replace(row, edit="", label=row.label.removesuffix(length).removesuffix(f", {row.edit}") + length)


def edits(folder: Path, of: tuple[str, str, str]) -> list[str]:
    """The names of the edits of a network, view and start that have runs below a dataset's folder."""
    try:
        there = [variant_parts(name) for name in os.listdir(folder) if os.path.isdir(folder / name)]
    except OSError:
        return []
    return sorted(parts[3] for parts in there if parts and parts[3] and parts[:3] == of)


def _rows(table: Table, row: Row, results: Path, starts: Sequence[str] | None) -> Iterator[Row]:
    if not row.network:
        if starts is None or PRETRAINED in starts:
            yield row
        return
    folder = results / table.dataset
    for start in STARTS:
        own = row if start == PRETRAINED else _further(row, LABELS[start], start=start)
        is_there = start == PRETRAINED or os.path.isdir(folder / own.variant)
        if start in starts if starts else is_there:
            yield own
            yield from _longer(own, folder)
        if not starts or start in starts:
            for edit in edits(folder, (row.network, row.view, start)):
                edited = _further(own, edit, edit=edit)
                yield edited
                yield from _longer(edited, folder)


def _longer(row: Row, folder: Path) -> Iterator[Row]:
    """A row for each length of the runs that went beyond the iteration that is reported."""
    for end in ends(folder / row.variant):
        yield _further(row, f"to {end:,}", to=end)


def _further(row: Row, label: str, **changes) -> Row:
    return replace(row, label=f"{row.label}, {label}", accuracy=None, **changes)
