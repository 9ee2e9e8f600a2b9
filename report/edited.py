"""A named edit in a table: what was changed, and whether that gives more right photos than without it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset import one_line
from paper import Row, Table
from report.comparison import of_groups
from report.results import SeedResult, found
from report.rows import origin

SHOWN = 3  # changes in a row of a table; edits.diff has all


def changes(record: dict[str, Any]) -> str:
    """What a person changed, in a few words: 'base_lr 0.0005'; '' where nothing is known of it."""
    said = [one_line(str(change)) for change in record.get("changes", ())]
    more = len(said) - SHOWN
    return ", ".join(said[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def beside_its_origin(table: Table, row: Row, group: Sequence[SeedResult], results: Path) -> dict[str, Any]:
    """The fields of a line that set an edit beside the net that it is an edit of."""
    of = origin(row)
    others = next(iter(found(table, of, results).groups), [])
    told, lacking = of_groups(group, others, "that") if others else (None, "that was not run")
    return {
        "changes": changes(group[0].record) or None,
        "origin": of.label,
        "origin_difference": told and told.points,
        "origin_p": told and told.p,
        "beside_origin": f"{told.text}; {told.how}" if told else lacking,
    }
