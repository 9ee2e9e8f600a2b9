"""run.json: what a run is, what ran, and each attempt at it."""

from user_error import UserError

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from data_prep import summary
from dataset import preparation_notes
from experiments.edits import changes, differences
from experiments.job import Job, changed
from experiments.planning import inputs
from experiments.prototxts import resolve
from experiments.provenance import provenance
from experiments.run_folder import RunFolder
from experiments.snapshots import Snapshot
from files import sha256, write_atomically


def begin(job: Job, snapshot: Snapshot | None, report: Callable[..., None]) -> dict[str, str]:
    """Note one more attempt at a run, and say what a person edited; the diffs (edits.differences)."""
    run, texts = job.run, job.prototxts
    diffs = differences(run, texts, job.data)
    earlier = job.folder.record() or {}
    if earlier.get("inputs") != job.inputs:  # a start that came to nothing
        earlier = {}
    earlier.pop("failure", None)
    attempt = {
        "from_iteration": snapshot.iteration if snapshot else 0,
        "started": _now(),
        "command": job.command,
        "threads": job.threads,
    }
    marks = [*texts.marks, *(texts.unrepeatable if snapshot else ())]
    record = earlier | {
        "run": asdict(run),
        "inputs": job.inputs,
        "edited": {name: name in diffs for name in ("train_val", "solver")},
        "changes": changes(run, texts, job.data) if diffs else [],
        "overridden": texts.overridden,
        "marks": sorted({*earlier.get("marks", ()), *marks}),
        "weights": job.weights and str(job.weights),
        "data": str(job.data),
        "dataset": _dataset(job),
        "max_iter": texts.max_iter,
        "threads": job.threads,
        "attempts": [*earlier.get("attempts", []), attempt | provenance(job.gpu)],
    }
    job.folder.write_record(record)
    diff = "\n".join(diffs.values())
    path = job.folder.path / "edits.diff"
    if diff:
        write_atomically(path, diff + "\n")
    else:
        path.unlink(missing_ok=True)
    for line in (*texts.overridden, *(texts.unrepeatable if snapshot else ())):
        report(warning=line)
    return diffs


def add(folder: RunFolder, **facts: Any) -> None:
    """Add to the record; UserError where somebody removed it."""
    record = folder.record()
    if record is None:
        raise UserError(f"{folder.path / 'run.json'} was removed while the run was at work")
    folder.write_record(record | facts)


def mark(folder: RunFolder, text: str) -> None:
    """Add a line that a reader of the result has to know."""
    add(folder, marks=sorted({*(folder.record() or {}).get("marks", ()), text}))


def finish(job: Job, seconds: float) -> None:
    """Note that the run is at its end, after so many seconds of work."""
    add(job.folder, finished=_now(), seconds=seconds)


def check_unchanged(job: Job) -> None:
    """Raise UserError where a file that decides the result is not what it was when `run` was called.

    To be called once all of them are read: what changes later does not matter.
    """
    texts = resolve(job.run, job.data, job.prototxts.max_iter)
    if names := changed(job.inputs, inputs(texts, job.weights and sha256(job.weights), job.data / job.run.dataset)):
        raise UserError(f"{names} changed while this run waited: call again, to run what is there now")


def _dataset(job: Job) -> dict[str, Any]:
    """What the tables have to know of the dataset, whose summary may be gone or another by then."""
    content = summary.read(job.data / job.run.dataset)
    photos = {split: counts["written"] for split, counts in content["splits"].items()}
    return {"photos": photos, "notes": preparation_notes(content)} | {
        name: content[name] for name in ("rule", "command", "lists_sha256")
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
