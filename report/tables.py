"""The paper's tables beside ours: the same rows as text, markdown, csv and json."""

import csv
import io
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from experiments.plan import Run, max_iter
from experiments.run_folder import RunFolder
from paper import Row, Table, stated
from report.scores import interval, scores

DASH = "–"
FORMATS = ("text", "markdown", "csv", "json")


@dataclass(frozen=True)
class Line:
    """One line of a printed table. Rates are in percent; what is not known is None."""

    method: str
    paper: float | None
    ours: float | None = None  # mean over seeds
    sd: float | None = None  # over two or more seeds
    difference: float | None = None  # ours - paper, in points
    low: float | None = None  # of the 95 % interval of ours
    high: float | None = None
    n: int | None = None  # test photos
    majority: float | None = None
    balanced: float | None = None  # balanced accuracy
    iterations: int | None = None
    minutes: float | None = None  # mean over seeds
    seeds: int = 0
    status: str = ""


def lines(table: Table, results: Path, seeds: list[int] | None = None) -> list[Line]:
    """The lines of a table from the runs below `results`: of all seeds found there, or of `seeds`."""
    return [_line(table, row, results, seeds) for row in table.rows]


def render(table: Table, table_lines: list[Line], form: str) -> str:
    """The table in one of FORMATS, without a final newline."""
    if form == "json":
        return json.dumps([asdict(line) for line in table_lines], indent=2, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(asdict(table_lines[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in table_lines)
        return text.getvalue().rstrip("\n")
    style = "pipe" if form == "markdown" else "simple"
    columns = ["", "paper", "ours", "diff.", "95 % interval", "n", "majority", "balanced"]
    columns += ["iterations", "time", "status"]
    align = ["left"] + ["right"] * 9 + ["left"]
    body = tabulate([_cells(line) for line in table_lines], columns, style, colalign=align)
    title = table.title if table.source is None else f"Table {table.name}. {table.title}"
    notes = "\n".join(f"- {note}" for note in _notes(table, table_lines))
    return f"{title}\n\n{body}\n\n{notes}"


def _line(table: Table, row: Row, results: Path, seeds: list[int] | None) -> Line:
    if row.network is None or row.view is None:
        return Line(row.label, row.accuracy, status="cited in the paper")
    variant = results / table.dataset / f"{row.network}_{row.view}"
    found = sorted(variant.glob("seed-*"), key=lambda path: int(path.name.removeprefix("seed-")))
    folders = [RunFolder(path) for path in found if not seeds or int(path.name[len("seed-") :]) in seeds]
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
        DASH if line.iterations is None else f"{line.iterations:,}",
        DASH if line.minutes is None else f"{line.minutes:.1f} min",
        line.status + (f" ({line.seeds} seeds)" if line.seeds > 1 else ""),
    ]


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}%"


def _notes(table: Table, table_lines: list[Line]) -> list[str]:
    """What a reader of the table has to know."""
    notes = []
    if table.dataset == "demo":
        notes.append("Drawn photos, drawn votes and narrow networks: these numbers say nothing of AVA or CUHKPQ.")
    notes.append(
        f"{DASH}: there is no such number. Majority: always saying the more frequent label."
        f" Interval: Wilson's, of ours, from the n test photos."
    )
    if any(line.seeds > 1 for line in table_lines):
        notes.append("Several seeds: mean ± standard deviation; the interval is that of the mean.")
    if table.source is not None:
        paper_n = stated(f"partitions.{table.dataset}.test")
        ours_n = sorted({line.n for line in table_lines if line.n})
        if ours_n and ours_n != [paper_n]:
            counts = " and ".join(f"{n:,}" for n in ours_n)
            notes.append(f"The paper names {paper_n:,} test photos; here there are {counts}.")
    return notes
