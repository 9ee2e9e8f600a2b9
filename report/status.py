"""All runs of some tables, and how far each is."""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from experiments import slurm
from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder, run_folders, seed_and_end, strangers
from experiments.runs import Run, runs
from experiments.slurm import Queue, QueuedJob
from paper import PRETRAINED, STARTS, Table, reported_iteration, stated
from report.results import NO_RUN
from report.rows import edits
from report.starts import learnt_nothing

NOTHING = Queue(is_known=False)  # where there is no Slurm


def status(tables: Iterable[Table], results: Path, starts: Sequence[str] | None = None, queue: Queue = NOTHING) -> str:
    """One line a run: those of the tables, seed 1, and whatever else is there.

    With `starts` those that begin so, alone. `queue` tells which of them have a job of Slurm.
    """
    rows = []
    for table in tables:
        for run in runs(table.dataset, seeds=[stated("finetuning.seed")], starts=starts or STARTS):
            if starts or run.start == PRETRAINED or os.path.isdir(results / run.variant):
                rows += [[table.name, *row] for row in _variant(table, run, results, queue)]
            for edit in edits(results / table.dataset, (run.network, run.view, run.start)):
                rows += [[table.name, *row] for row in _variant(table, replace(run, edit=edit), results, queue)]
    return tabulate(rows, ["table", "run", "state", "iteration", "note"], "simple")


def _variant(table: Table, run: Run, results: Path, queue: Queue) -> Iterator[list[str]]:
    """The rows of one variant: its first seed and all others that are there, then what is no run."""
    variant = results / run.variant
    try:
        numbers = {(run.seed, None), *(seed_and_end(folder.path) for folder in run_folders(variant))}
        others = strangers(variant)
    except Unreadable as error:
        yield [run.variant, "unreadable", "", str(error)]
        return
    for seed, end in sorted(numbers, key=lambda each: (each[0], each[1] or 0)):
        each = replace(run, seed=seed, to=end)
        folder = each.folder(results)
        job = queue.of_run(each.name, folder)
        ended = slurm.noted_job(folder) if queue.is_known and not job else None
        yield [each.name, *_state(table, each, folder, job, ended)]
    for path in others:
        yield [f"{run.variant}/{path.name}", "ignored", "", NO_RUN]


def _state(table: Table, run: Run, folder: RunFolder, job: QueuedJob | None, ended: str | None) -> list[str]:
    """State, iteration of how many, and why or what next; `ended` is the last job of Slurm's, if it is gone."""
    try:
        run.check_place(folder)
        return _readable_state(table, folder, job, ended)
    except Unreadable as error:
        return ["unreadable", "", str(error)]


def _readable_state(table: Table, folder: RunFolder, job: QueuedJob | None, ended: str | None) -> list[str]:
    state = folder.state()
    record = folder.record() or {}
    total = record.get("max_iter") or reported_iteration(table.dataset)
    if job and state not in ("done", "running"):
        where = f"waits: {job.reason}" if job.waits else f"on {job.nodes}, starting"
        return [slurm.state(job, folder), _iteration(folder, total) if record else "", f"job {job.id} {where}"]
    if state == "missing":
        return ["failed", "", f"job {ended}: {slurm.last_words(folder)}"] if ended else [state, "", ""]
    if state == "done":
        result = folder.result()
        right = sum(p.label == p.predicted for p in result.predictions)
        said = "; ".join(filter(None, (f"accuracy {right / len(result.predictions):.2%}", learnt_nothing([result]))))
        return [state, f"{result.iteration:,} of {total:,}", said]
    reached = folder.newest_snapshot()
    notes = {
        "failed": record.get("failure", ""),
        "stopped": f"type the same `{'submit' if ended else 'run'}` command"
        + (f" to resume from iteration {reached:,}" if reached else ""),
        "running": ", ".join(filter(None, (_time_left(folder, total), _place(folder, job)))),
    }
    return [state, _iteration(folder, total), notes[state]]


def _iteration(folder: RunFolder, total: int) -> str:
    progress = folder.progress()
    iteration = max(progress.iteration if progress else 0, folder.newest_snapshot())
    return f"{iteration:,} of {total:,}"


def _place(folder: RunFolder, job: QueuedJob | None) -> str:
    """Where the run is at work, unless it is here."""
    if job:
        limit = f"time limit in {job.left}" if job.left[:1].isdecimal() else "no time limit"
        return f"job {job.id} on {job.nodes}, {limit}"
    holder = folder.holder()
    return f"on {holder}" if holder and holder.host != platform.node() else ""


def _time_left(folder: RunFolder, total: int) -> str:
    """Worked out from the pace of the present attempt."""
    progress = folder.progress()
    if progress is None or progress.iteration <= progress.from_iteration:
        return "starting"
    pace = progress.seconds / (progress.iteration - progress.from_iteration)
    minutes, seconds = divmod(round(pace * (total - progress.iteration)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"
