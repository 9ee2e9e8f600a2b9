"""What a reader has to know of a table: the notes printed under it, from paper.toml and from the runs' records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.run_folder import seed_folders
from paper import Table, stated, statements
from report.line import DASH, Line

Record = dict[str, Any]


def notes(table: Table, lines: list[Line], results: Path) -> list[str]:
    """The notes that apply to the lines of a table, made from the runs below `results`."""
    records = _records(table, results)
    found = [
        f"{DASH}: there is no such number. Majority: always saying the more frequent label."
        " Interval: Wilson's, of ours, from the n test photos."
    ]
    if table.source is None:
        text = "Drawn photos, drawn votes and narrow networks: these numbers say nothing of AVA or CUHKPQ."
        found.insert(0, text)
    if any(line.seeds > 1 for line in lines):
        found.append("Several seeds: mean ± standard deviation; the interval is that of the mean.")
    found += _of_the_records(records)
    if table.source is not None:
        found += [*_sizes(table, records), *_sufficient(lines), *_assumptions(table)]
    return found


def _records(table: Table, results: Path) -> list[tuple[str, Record]]:
    """The label of its row and the record of each completed run."""
    variants = [(row.label, results / table.dataset / f"{row.network}_{row.view}") for row in table.rows if row.network]
    return [
        (label, folder.record())
        for label, variant in variants
        for folder in seed_folders(variant)
        if folder.state() == "done"
    ]


def _of_the_records(records: list[tuple[str, Record]]) -> Iterator[str]:
    """What sets runs apart from the generated ones, or from each other."""
    for label, record in records:
        edited = [name for name, is_edited in record["edited"].items() if is_edited]
        if edited:
            files = " and ".join(f"{name}.prototxt".replace("solver.prototxt", "the solver") for name in edited)
            yield f"{label}, seed {record['run']['seed']}: {files} edited by hand; the run folder keeps what ran."
        places = {str((attempt["gpu"], attempt["caffe"], attempt["machine"]["cpu"])) for attempt in record["attempts"]}
        if len(places) > 1:
            yield f"{label}, seed {record['run']['seed']}: went on under another Caffe, GPU or CPU; run.json has them."
    if len({record["inputs"]["dataset"] for _, record in records}) > 1:
        yield "The runs are not all on the same preparation of the dataset; run.json has its lists' sha256."
    for rule in dict.fromkeys(record["dataset"]["rule"] for _, record in records):
        yield f"Photos: {rule}."


def _sizes(table: Table, records: list[tuple[str, Record]]) -> Iterator[str]:
    paper = tuple(stated(f"partitions.{table.dataset}.{split}") for split in ("train", "test"))
    for ours in dict.fromkeys(
        (record["dataset"]["photos"]["train"], record["dataset"]["photos"]["test"]) for _, record in records
    ):
        if ours != paper:
            yield f"The paper names {paper[0]:,} + {paper[1]:,} photos; here there are {ours[0]:,} + {ours[1]:,}."


def _sufficient(lines: list[Line]) -> Iterator[str]:
    there = [f"{line.method} {line.ours_sufficient:.2f}%" for line in lines if line.ours_sufficient is not None]
    if there:
        yield f"At iteration {stated('finetuning.sufficient_iter'):,}, sufficient by IV-D: {'; '.join(there)}."


def _assumptions(table: Table) -> Iterator[str]:
    """Our choices where the paper is silent: the dataset's with their reasons, all others by value."""
    ours = [statement for statement in statements().values() if statement.assumption]
    for statement in ours:
        if statement.name.startswith(f"partitions.{table.dataset}."):
            yield f"Ours: {statement.name.rpartition('.')[2]} {_shown(statement.value)}: {statement.assumption}."
    others = [
        f"{statement.name.partition('.')[2]} {_shown(statement.value)}"
        for statement in ours
        if statement.name.startswith(("views.", "finetuning.", "networks.", "evaluation.crop"))
    ]
    yield f"Ours too, where the paper is silent (reasons: paper.toml): {', '.join(others)}."


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
