"""The paper's tables beside ours: the same rows as text, markdown, csv and json."""

import csv
import io
import json
import statistics
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tabulate import tabulate

from experiments.plan import Run, max_iter
from experiments.run_folder import RunFolder, seed_folders
from paper import Row, Table, stated
from report.line import DASH, Line
from report.notes import notes
from report.scores import Scores, interval, scores

FORMATS = ("text", "markdown", "csv", "json")


def lines(table: Table, results: Path) -> list[Line]:
    """The lines of a table from the runs below `results`, of all seeds found there."""
    return [_line(table, row, results) for row in table.rows]


def render(table: Table, results: Path, form: str) -> str:
    """The table in one of FORMATS, without a final newline; as text and markdown with the notes that apply."""
    table_lines = lines(table, results)
    if form == "json":
        return json.dumps([asdict(line) for line in table_lines], indent=2, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(asdict(table_lines[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in table_lines)
        return text.getvalue().rstrip("\n")
    style = "pipe" if form == "markdown" else "simple"
    columns = ["", "paper", "ours", "diff.", "95 % interval", "n", "majority", "balanced", "AUC", "seeds", "time"]
    columns += ["status"]
    align = ["left"] + ["right"] * (len(columns) - 2) + ["left"]
    body = tabulate([_cells(line) for line in table_lines], columns, style, colalign=align, disable_numparse=True)
    title = table.title if table.source is None else f"Table {table.name}. {table.title}"
    below = "\n".join(f"- {note}" for note in notes(table, table_lines, results))
    return f"{title}\n\n{body}\n\n{below}"


def _line(table: Table, row: Row, results: Path) -> Line:
    if row.network is None:
        return Line(row.label, row.accuracy, status="cited in the paper")
    folders = seed_folders(results / table.dataset / f"{row.network}_{row.view}")
    done = [folder for folder in folders if folder.state() == "done"]
    if not done:
        states = {folder.state() for folder in folders} or {"missing"}
        return Line(row.label, row.accuracy, status=", ".join(sorted(states)))

    each = [scores(folder.read_predictions()) for folder in done]
    records = [folder.record() for folder in done]
    ours = 100 * statistics.fmean(s.accuracy for s in each)
    low, high = interval(round(ours / 100 * each[0].n), each[0].n)
    return Line(
        method=row.label,
        paper=row.accuracy,
        ours=ours,
        sd=100 * statistics.stdev(s.accuracy for s in each) if len(each) > 1 else None,
        difference=None if row.accuracy is None else ours - row.accuracy,
        low=100 * low,
        high=100 * high,
        n=each[0].n,
        majority=100 * each[0].majority,
        balanced=100 * statistics.fmean(s.balanced_accuracy for s in each),
        auc=statistics.fmean(s.auc for s in each),
        **_confusion(each),
        ours_sufficient=_at_sufficient_iteration(done),
        iterations=min(folder.done_at() for folder in done),
        minutes=statistics.fmean(record["seconds"] for record in records) / 60,
        seeds=len(done),
        status=_status(table, row, done, records),
    )


def _status(table: Table, row: Row, done: list[RunFolder], records: list[dict]) -> str:
    """'done', or what sets the line apart from the generated variant at its full length."""
    marks = []
    if any(any(record["edited"].values()) for record in records):
        marks.append("edited")
    wanted = max_iter(Run(table.dataset, row.network, row.view, seed=1))
    if any(folder.done_at() < wanted for folder in done):
        marks.append(f"short of {wanted:,} iterations")
    return ", ".join(marks) or "done"


def _confusion(each: list[Scores]) -> dict[str, float]:
    mean = np.mean([s.confusion for s in each], axis=0)
    names = ("bad", "good")
    return {f"{names[i]}_as_{names[j]}": float(mean[i, j]) for i in (1, 0) for j in (1, 0)}


def _at_sufficient_iteration(done: list[RunFolder]) -> float | None:
    """The mean accuracy at iteration 5,000, in percent; None unless all runs were evaluated there."""
    wanted = stated("finetuning.sufficient_iter")
    found = [e.test_accuracy for folder in done for e in folder.evaluations() if e.iteration == wanted]
    return 100 * statistics.fmean(found) if len(found) == len(done) else None


def _cells(line: Line) -> list[str]:
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
