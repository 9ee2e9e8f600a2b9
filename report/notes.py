"""What a reader has to know of a table: the notes printed under it, from paper.toml and from the runs' records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset import one_line, preparation_notes
from paper import DATASETS, PRETRAINED, Table, stated, statements
from report.line import DASH, Line
from report.measures import BOOTSTRAP, WILSON
from report.results import found
from report.starts import explained

LONGEST = 2_000  # characters of a note

Record = dict[str, Any]


def notes(table: Table, lines: list[Line], results: Path) -> list[str]:
    """The notes that apply to the lines of a table, made from the runs below `results`."""
    there = [(row, found(table, row, results)) for row in table.rows if row.network]
    seeds = [(f"{row.label}, seed {each.seed}", each) for row, f in there for group in f.groups for each in group]
    records = [each.record for _, each in seeds]
    texts = [
        f"{DASH}: not measured, or not in the paper. Majority: accuracy of always answering the more frequent label."
    ]
    if table.dataset == "demo":
        text = "Drawn photos, drawn votes and narrow networks: these numbers say nothing of AVA or CUHKPQ."
        texts.insert(0, text)
    texts += [f"Unreadable: {line}" for _, f in there for line in f.unreadable]
    texts += explained({row.start for row, _ in there} - {PRETRAINED})
    texts += _edits(lines)
    texts += _intervals(lines)
    for name, each in seeds:
        texts += _of_a_run(name, each.record)
    if any(len(f.groups) > 1 for _, f in there):
        texts.append(
            "Runs with different nets, solvers, photos or lengths are not averaged; each kind has its own row."
        )
    if len({record["inputs"].get("dataset") for record in records}) > 1:
        texts.append("The runs are not all on the same preparation of the dataset; run.json has its lists' sha256.")
    texts += _of_the_photos(table, records)
    if table.source is not None:
        texts += _sizes(table, records)
    if table.dataset != "demo":
        missing = f"{stated('partitions.ava-large.test_list')} is missing"
        noted = [note for record in records for note in preparation_notes(record["dataset"])]
        has_own_test = any(note.startswith(missing) for note in noted)
        texts += [*_sufficient(lines), *_assumptions(table, has_own_test)]
    return [shortened(text, LONGEST, " ... (the rest is in run.json)") for text in texts]


def _edits(lines: list[Line]) -> Iterator[str]:
    """How each named edit does beside the net that it is an edit of."""
    for line in lines:
        if line.origin:
            yield f"{line.method} ({line.changes or line.status}), beside {line.origin}: {line.beside_origin}."


def shortened(text: str, longest: int, end: str) -> str:
    """A text; of one that is too long to be shown the beginning, and then `end`."""
    return text if len(text) <= longest else text[:longest] + end


def _intervals(lines: list[Line]) -> Iterator[str]:
    """Which interval is shown, and of what."""
    kinds = {line.interval for line in lines if line.seeds}
    if WILSON in kinds:
        yield "Interval of one run: Wilson's over the n test photos. It does not say how other seeds would do."
    if BOOTSTRAP in kinds:
        yield (
            "Several seeds: mean ± standard deviation, and the interval of that mean: a bootstrap of"
            f" {stated('evaluation.bootstrap.draws'):,} draws of seeds, then of photos, so that it holds the variance"
            " of both. Of two or three seeds it is still too narrow where seeds differ much."
        )
    for line in lines:
        if line.seeds and line.interval is None:
            yield f"{line.method}: no interval, for its seeds were tested on other photos."


def _of_a_run(name: str, record: Record) -> Iterator[str]:
    """What sets a run apart from the generated one, or one attempt at it from another."""
    edited = [file for file, is_edited in record.get("edited", {}).items() if is_edited]
    if edited:
        files = " and ".join(f"{file}.prototxt".replace("solver.prototxt", "the solver") for file in edited)
        yield f"{name}: {files} edited by hand (see edits.diff in the run folder)."
    yield from (f"{name}: {mark}." for mark in record.get("marks", ()))
    places = {
        str((attempt.get("gpu"), attempt.get("caffe"), attempt.get("machine", {}).get("cpu")))
        for attempt in record.get("attempts", ())
    }
    if len(places) > 1:
        yield f"{name}: resumed under another Caffe, GPU or CPU; run.json has them."


def _of_the_photos(table: Table, records: list[Record]) -> Iterator[str]:
    """By which rule the photos were chosen, unless the title says so, and what their preparation noted."""
    rules = dict.fromkeys(one_line(str(record["dataset"]["rule"])) for record in records)
    yield from (f"Photos: {rule}." for rule in rules if not table.title.endswith(f"({rule})"))
    noted = dict.fromkeys(note for record in records for note in preparation_notes(record["dataset"]))
    yield from (f"Photos: {note.removesuffix('.')}." for note in noted)
    if table.source is None and table.dataset not in DATASETS:
        yield from (f"Photos: {train:,} for training, {test:,} for test." for train, test in _counts(records))


def _sizes(table: Table, records: list[Record]) -> Iterator[str]:
    paper = tuple(stated(f"partitions.{table.dataset}.{split}") for split in ("train", "test"))
    for ours in _counts(records):
        if ours != paper:
            yield f"The paper names {paper[0]:,} + {paper[1]:,} photos; here there are {ours[0]:,} + {ours[1]:,}."


def _counts(records: list[Record]) -> dict[tuple[int, int], None]:
    """The numbers of training and of test photos, each pair once."""
    photos = (record["dataset"]["photos"] for record in records)
    return dict.fromkeys((each["train"], each["test"]) for each in photos)


def _sufficient(lines: list[Line]) -> Iterator[str]:
    there = [f"{line.method} {line.ours_sufficient:.2f}%" for line in lines if line.ours_sufficient is not None]
    if there:
        yield f"At iteration {stated('finetuning.sufficient_iter'):,}, sufficient by IV-D: {'; '.join(there)}."


def _assumptions(table: Table, has_own_test: bool) -> Iterator[str]:
    """Our choices where the paper is silent: the dataset's with their reasons, all others by value.

    With `has_own_test` the official test list was not there, and nothing is said of it.
    """
    ours = [statement for statement in statements().values() if statement.assumption]
    for statement in ours:
        is_of_the_dataset = table.dataset in DATASETS and statement.name.startswith(f"partitions.{table.dataset}.")
        if is_of_the_dataset and not (statement.name.endswith(".test_list") and has_own_test):
            yield f"Ours: {statement.name.rpartition('.')[2]} {_shown(statement.value)}: {statement.assumption}."
    others = [
        f"{statement.name.partition('.')[2]} {_shown(statement.value)}"
        for statement in ours
        if statement.name.startswith(("views.", "finetuning.", "networks.", "evaluation.crop"))
    ]
    yield f"Ours too, where the paper is silent (reasons: paper.toml): {', '.join(others)}."


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
