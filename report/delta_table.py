"""A comparison of deltas as text, markdown, csv and json, a row for each variant and delta."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tabulate import tabulate

from data_prep.readers.lists import plain
from paper import stated
from report.deltas import DeltaLine, Deltas
from report.line import DASH
from report.tables import COLUMNS, cells_of

BEFORE, AFTER = ("ours", "95 % interval"), ("seeds", "time", "status")  # of the COLUMNS of a table
HEADER = ("", "delta", "training", "left out", *BEFORE, "against delta 0", *AFTER)
TO_THE_LEFT = ("", "against delta 0", "status")


def render(found: Deltas, missing: Sequence[str], form: str) -> str:
    """The rows in one of the FORMATS of a table, without a final newline.

    As text and markdown with what a reader has to know, and the commands that make what is missing.
    """
    rows = [_row(line) for line in found.lines]
    if form == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().rstrip("\n")
    align = ["left" if name in TO_THE_LEFT else "right" for name in HEADER]
    style = "pipe" if form == "markdown" else "simple"
    table = tabulate(map(_cells, found.lines), HEADER, style, colalign=align, disable_numparse=True)
    threshold = stated("labels.threshold")
    title = f"{found.base}, trained without photos whose mean score is within delta of {threshold} (III-A)"
    blocks = [title, table, "\n".join(f"- {note}" for note in _notes(found))]
    if missing:
        blocks.append("\n".join(["What is missing is made by", *(f"    {command}" for command in missing)]))
    return "\n\n".join(blocks)


def _notes(found: Deltas) -> Iterator[str]:
    yield (
        f"{DASH}: not measured; the paper has no number with a delta. Left out: of the training photos of delta 0. "
        "Test photos are never left out."
    )
    tested = [(each.line.n, each.line.majority) for each in found.lines if each.line.seeds]
    for n, majority in dict.fromkeys(tested):
        yield f"{n:,} test photos; always answering their more frequent label scores {majority:.2f}%."
    told = [each.against for each in found.lines if each.against]
    yield from (f"Against delta 0: {how}." for how in dict.fromkeys(each.how for each in told))
    if len(told) > 1:
        level = stated("evidence.level")
        yield f"Each p is of its row alone; by chance one in {1 / level:.0f} rows without a difference has p < {level}."
    yield from dict.fromkeys(found.remarks)


def _cells(each: DeltaLine) -> list[str]:
    cells = dict(zip(COLUMNS, cells_of(each.line), strict=True))
    numbers = [DASH if number is None else f"{number:,}" for number in (each.train, each.left_out)]
    against = each.against.text if each.against else each.lacking or DASH
    return [each.line.method, plain(each.delta), *numbers, *(cells[name] for name in BEFORE), against,
            *(cells[name] for name in AFTER)]  # fmt: skip


def _row(each: DeltaLine) -> dict[str, Any]:
    """The line by columns, for programs; what is not known is None."""
    line, against = each.line, each.against
    return {
        "method": line.method,
        "delta": plain(each.delta),
        "dataset": each.dataset,
        "train": each.train,
        "left_out": each.left_out,
        "ours": line.ours,
        "sd": line.sd,
        "low": line.low,
        "high": line.high,
        "n": line.n,
        "majority": line.majority,
        "difference": against and against.points,
        "p": against and against.p,
        "how": against.how if against else each.lacking or None,
        "iterations": line.iterations,
        "minutes": line.minutes,
        "seeds": line.seeds,
        "status": line.status,
        "interval": line.interval,
    }
