"""The paper's tables beside ours: the same rows as text, markdown, csv and json."""

import csv
import io
import json
import statistics
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

from experiments.kept_files import Unreadable
from paper import Row, Table, reported_iteration, stated, tables
from report.edited import beside_its_origin, changes
from report.line import DASH, Line
from report.measures import Measures, mean_interval, measures
from report.notes import notes
from report.results import SeedResult, found
from report.starts import learnt_nothing

FORMATS = ("text", "markdown", "csv", "json")
COLUMNS = ("", "paper", "ours", "diff.", "95 % interval", "n", "majority", "balanced", "AUC", "seeds", "time", "status")
OF_THE_PAPER = ("paper", "diff.")  # columns that the table of another dataset does without


def lines(table: Table, results: Path) -> list[Line]:
    """The lines of a table from the runs below `results`, of all seeds found there."""
    return [line for row in table.rows for line in _lines(table, row, results)]


def render(table: Table, results: Path, form: str, width: int | None = None) -> str:
    """The table in one of FORMATS, without a final newline; as text and markdown with the notes that apply.

    Text is folded to `width` columns: what does not fit stands in a second block. None folds nothing.
    """
    table_lines = lines(table, results)
    if form == "json":
        return json.dumps([asdict(line) for line in table_lines], indent=2, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(asdict(table_lines[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in table_lines)
        return text.getvalue().rstrip("\n")
    columns, cells = _columns(table), [cells_of(line) for line in table_lines]
    below = [f"- {note}" for note in notes(table, table_lines, results)]
    if form == "markdown" or width is None:
        style = "pipe" if form == "markdown" else "simple"
        return "\n\n".join([title_of(table), _block(cells, columns, style), "\n".join(below)])
    folded = [textwrap.fill(note, width, subsequent_indent="  ", break_on_hyphens=False) for note in below]
    return "\n\n".join([title_of(table), *_blocks(cells, columns, width), "\n".join(folded)])


def _columns(table: Table) -> list[int]:
    """The numbers of the COLUMNS that a table is printed with."""
    is_known = table.name in tables()
    return [number for number, name in enumerate(COLUMNS) if is_known or name not in OF_THE_PAPER]


def printed(table: Table, table_lines: list[Line]) -> list[list[str]]:
    """The table as text, cell by cell: its header, then its lines."""
    columns = _columns(table)
    return [[row[column] for column in columns] for row in (COLUMNS, *map(cells_of, table_lines))]


def title_of(table: Table) -> str:
    """The title of a table, with its number where it is one of the paper's."""
    return table.title if table.source is None else f"Table {table.name}. {table.title}"


def _lines(table: Table, row: Row, results: Path) -> Iterator[Line]:
    if row.network is None:
        yield Line(row.label, row.accuracy, status="cited in the paper")
        return
    there = found(table, row, results)
    for number, group in enumerate(there.groups):
        seeds = f" (seed {', '.join(str(each.seed) for each in group)})" if number else ""
        line = line_of(table, row, row.label + seeds, group)
        yield replace(line, **beside_its_origin(table, row, group, results)) if row.edit else line
    if not there.groups:
        yield Line(row.label, row.accuracy, status=", ".join(sorted(set(there.states))) or "missing")


def line_of(table: Table, row: Row, method: str, group: list[SeedResult]) -> Line:
    """The line of some results that are alike, one for each seed."""
    each = [measures(seed.result.predictions) for seed in group]
    ours = 100 * statistics.fmean(s.accuracy for s in each)
    of_mean = mean_interval([seed.result.predictions for seed in group])
    return Line(
        method=method,
        paper=row.accuracy,
        ours=ours,
        sd=100 * statistics.stdev(s.accuracy for s in each) if len(each) > 1 else None,
        difference=None if row.accuracy is None else ours - row.accuracy,
        low=of_mean and 100 * of_mean.low,
        high=of_mean and 100 * of_mean.high,
        n=each[0].n,
        majority=100 * each[0].majority,
        balanced=100 * statistics.fmean(s.balanced_accuracy for s in each),
        auc=None if each[0].auc is None else statistics.fmean(s.auc for s in each),
        **_confusion(each),
        ours_sufficient=_at_sufficient_iteration(group),
        iterations=group[0].result.iteration,
        minutes=_minutes(group),
        seeds=len(group),
        status=_status(table, row, group),
        interval=of_mean and of_mean.kind,
    )


def _status(table: Table, row: Row, group: list[SeedResult]) -> str:
    """'done', or what sets the line apart from the generated variant at the paper's iteration."""
    marks = list(filter(None, [learnt_nothing([seed.result for seed in group])]))
    if any(any(seed.record.get("edited", {}).values()) for seed in group):
        marks.append((row.edit and changes(group[0].record)) or "edited")
    elif row.edit:
        marks.append("not edited yet")
    if any(seed.record.get("marks") for seed in group):
        marks.append("see notes")
    wanted, iteration = reported_iteration(table.dataset), group[0].result.iteration
    if iteration != wanted:
        marks.append(f"{iteration:,} of {wanted:,} iterations" if iteration < wanted else f"at iteration {iteration:,}")
    return ", ".join(marks) or "done"


def _confusion(each: list[Measures]) -> dict[str, float]:
    mean = np.mean([s.confusion for s in each], axis=0)
    names = ("bad", "good")
    return {f"{names[i]}_as_{names[j]}": float(mean[i, j]) for i in (1, 0) for j in (1, 0)}


def _at_sufficient_iteration(group: list[SeedResult]) -> float | None:
    """The mean accuracy at iteration 5,000, in percent; None unless all runs were evaluated there."""
    wanted, found = stated("finetuning.sufficient_iter"), []
    for seed in group:
        try:
            kept = seed.folder.result(wanted)
            found += [measures(kept.predictions).accuracy] if kept else []
        except Unreadable:
            return None
    return 100 * statistics.fmean(found) if len(found) == len(group) else None


def _minutes(group: list[SeedResult]) -> float | None:
    """The mean minutes of work up to the result; None where a run does not say."""
    seconds = []
    for seed in group:
        try:
            rows = seed.folder.evaluations()
        except Unreadable:
            rows = []
        seconds += [row.seconds for row in rows if row.iteration == seed.result.iteration]
    return statistics.fmean(seconds) / 60 if len(seconds) == len(group) else None


def _blocks(cells: list[list[str]], columns: list[int], width: int) -> Iterator[str]:
    """The table in as many blocks of columns as `width` asks for; each begins with the rows' labels."""
    label, *left = columns
    while left:
        taken = len(left)
        while taken > 1 and len(_block(cells, [label, *left[:taken]], "simple").partition("\n")[0]) > width:
            taken -= 1
        yield _block(cells, [label, *left[:taken]], "simple")
        left = left[taken:]


def _block(cells: list[list[str]], columns: list[int], style: str) -> str:
    align = ["left" if column in (0, len(COLUMNS) - 1) else "right" for column in columns]
    header = [COLUMNS[column] for column in columns]
    body = [[row[column] for column in columns] for row in cells]
    if style == "pipe":
        body = [[cell.replace("|", "\\|") for cell in row] for row in body]
    return tabulate(body, header, style, colalign=align, disable_numparse=True)


def cells_of(line: Line) -> list[str]:
    """The line as it is printed, by the COLUMNS."""
    return [
        line.method,
        _percent(line.paper),
        _percent(line.ours) + (f" ± {line.sd:.2f}" if line.sd is not None else ""),
        DASH if line.difference is None else f"{line.difference:+.2f}",
        DASH if line.low is None else f"{line.low:.2f} to {line.high:.2f}",
        DASH if line.n is None else f"{line.n:,}",
        _percent(line.majority),
        _percent(line.balanced),
        DASH if line.auc is None else f"{line.auc:.3f}",
        str(line.seeds or DASH),
        DASH if line.minutes is None else f"{line.minutes:.1f} min",
        line.status,
    ]


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}%"
