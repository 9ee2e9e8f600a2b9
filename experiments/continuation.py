"""A longer run begins as a copy of the run that it continues, which stays as it is."""

from dataclasses import asdict
from typing import Any

from experiments import snapshots
from experiments.course import kept_iterations
from experiments.job import Job
from experiments.kept_files import Unreadable
from experiments.prototxts import snapshot_prefix
from experiments.run_folder import RunFolder, run_folders, seed_of
from experiments.runs import Run
from files import write_atomically

OF_AN_END = ("failure", "finished", "seconds")  # what run.json says of a run's end


def origin(run: Run, folder: RunFolder, inputs: dict[str, str], max_iter: int) -> RunFolder | None:
    """The run of the same seed and inputs that got furthest, up to `max_iter`; None where none has a snapshot."""
    there = [other for other in run_folders(folder.path.parent) if other != folder and seed_of(other.path) == run.seed]
    reached = {other: other.newest_snapshot() for other in there}
    fit = [other for other in there if 0 < reached[other] <= max_iter and _inputs(other) == inputs]
    return max(fit, key=reached.__getitem__, default=None)


def take_over(job: Job) -> snapshots.Snapshot | None:
    """Copy what a job's origin has up to its newest sound snapshot; that snapshot, or None where it has none.

    The snapshot is copied last: until it is there, the job has not begun. Raises UserError where the origin is at work
    or its files are damaged.
    """
    source = job.origin
    with source.reading():
        last = job.prototxts.max_iter
        snapshot = snapshots.newest(source.snapshots, last)
        if snapshot is None:
            return None
        record = {name: value for name, value in source.record().items() if name not in OF_AN_END}
        at = {"run": source.path.name, "iteration": snapshot.iteration}
        job.folder.write_record(record | {"run": asdict(job.run), "max_iter": last, "continues": at})
        job.folder.write_evaluations([row for row in source.evaluations() if row.iteration <= snapshot.iteration])
        for iteration in kept_iterations(job.run.dataset, last):
            if iteration <= snapshot.iteration and source.predictions(iteration).exists():
                if source.is_part_of_the_result(iteration):
                    source.result(iteration)  # is checked
                write_atomically(job.folder.predictions(iteration), source.predictions(iteration).read_bytes())
        prefix = snapshot_prefix(job.run)
        snapshots.copy(snapshot, source.path / prefix, job.folder.path / prefix)
    return snapshot


def _inputs(folder: RunFolder) -> dict[str, Any] | None:
    try:
        return (folder.record() or {}).get("inputs")
    except Unreadable:
        return None
