"""What is to be done: the job of each run that was asked for, its threads, and whether it is done already."""

from user_error import UserError

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep import summary
from experiments import continuation, prototxts, weights
from experiments.job import Job, changed
from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder
from experiments.runs import Run
from files import sha256
from paper import stated
from prototxt import messages
from prototxt.messages import caffe_pb2

THREADS = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Options:
    """How the runs are to be done; None is the default of each."""

    data: Path
    results: Path
    gpus: list[int] | None  # None: on the CPU
    command: str  # as it was typed, ready to be pasted
    per_gpu: int = 1
    threads: int | None = None
    max_iter: int | None = None
    evaluate_every: int | None = None
    stage: Path | None = None  # where this machine keeps a copy of the stores


def job(run: Run, options: Options, threads: int | None) -> Job:
    """The job of a run; `threads` is for one that has not begun. Raises UserError where it cannot be done."""
    folder, origin = run.folder(options.results.resolve()), None
    if reason := folder.in_use():
        raise UserError(f"{folder.path}: {reason}; `status` shows how far it is")
    run.check_place(folder)
    texts = prototxts.resolve(run, options.data, options.max_iter, options.evaluate_every)
    model = weights.of_start(run.dataset, run.network, run.start)
    decisive = inputs(texts, model and model.sha256, options.data / run.dataset)
    reached = folder.newest_snapshot()
    if reached > texts.max_iter and folder.result(texts.max_iter) is None:
        raise UserError(
            f"{folder.path}: the run is at iteration {reached:,} already, beyond the {texts.max_iter:,} asked for:"
            " give a larger --max-iter, or move the folder away"
        )
    if folder.holds_work():
        record = folder.record()
        if record is None:
            raise UserError(f"{folder.path} holds a run without its run.json: move it away")
        _check_same(folder, record["inputs"], decisive, texts.max_iter)
        threads = record.get("threads", threads)
    elif run.to and (origin := continuation.origin(run, folder, decisive, texts.max_iter)):
        with origin.reading():
            threads = origin.record().get("threads", threads)
    return Job(
        run=run,
        folder=folder,
        data=options.data.resolve(),
        weights=model and model.path,
        prototxts=texts,
        inputs=decisive,
        command=options.command,
        threads=threads,
        origin=origin,
    )


def lasting(runs: Iterable[Run], options: Options) -> list[Run]:
    """The runs with the last iteration that is asked for: by --max-iter, or by a person in the solver."""
    return [run.lasting(options.max_iter or _max_iter(run)) for run in runs]


def _max_iter(run: Run) -> int:
    """What the solver says; 0 where it cannot be read, or is to be written: what comes next finds out."""
    try:
        return messages.read(run.solver, caffe_pb2.SolverParameter()).max_iter
    except UserError:
        return 0


def is_done(job: Job) -> bool:
    """Whether the result that the job asks for is there; UserError where it is damaged."""
    last = job.prototxts.max_iter
    try:
        return job.folder.result(last) is not None
    except Unreadable as error:
        path = job.folder.predictions(last)
        if not path.exists():
            return False
        fix = "remove it, and the same command makes it again from the last snapshot"
        fix = fix if str(error).startswith(str(path)) else f"move {job.folder.path} away"
        raise UserError(f"{error}: {fix}") from None


def default_threads(runs: Sequence[Run], options: Options) -> int | None:
    """The BLAS threads of each run that begins now; None leaves them to BLAS (on a GPU).

    They decide the last bits of a result, so they depend on the runs that were asked for and not on those that are
    left: a batch that is stopped and called again ends in the bits of an undisturbed one.
    """
    if options.threads:
        return options.threads
    named = os.environ.get(THREADS, "")
    if named.isdecimal() and int(named):
        return int(named)
    if options.gpus is not None:
        return None
    if all(run.dataset == "demo" for run in runs):
        return stated("demo.threads")
    cores = len(os.sched_getaffinity(0))
    return cores // max(1, min(len(runs), cores))


def slots(jobs: Sequence[Job], options: Options) -> list[int | None]:
    """Where runs can be side by side: `per_gpu` on each GPU, the first of each before the second of any.

    On the CPU as many as have the threads that they ask for.
    """
    if options.gpus is not None:
        return [gpu for _ in range(options.per_gpu) for gpu in options.gpus]
    cores, threads = len(os.sched_getaffinity(0)), max(job.threads or 1 for job in jobs)
    return [None] * max(1, min(len(jobs), cores // threads))


def inputs(texts: prototxts.Prototxts, weights_sha256: str | None, dataset: Path) -> dict[str, str]:
    """The SHA-256 of all that decides a result: two runs with equal inputs are one run. From scratch no weights do."""
    weights = {"weights": weights_sha256} if weights_sha256 else {}
    return texts.inputs | weights | {"dataset": dataset_digest(dataset)}


def dataset_digest(folder: Path) -> str:
    """SHA-256 of what decides a dataset, by its summary and manifest: not where its photos or its stores lie."""
    content = summary.read(folder) or {}
    versions = {name: number for name, number in content.get("versions", {}).items() if name != "python"}
    facts = [content.get(name) for name in ("lists_sha256", "parameters", "splits", "views")]
    manifest = folder / "manifest.csv"
    facts.append(sha256(manifest) if manifest.is_file() else None)
    return hashlib.sha256(json.dumps([*facts, versions], sort_keys=True).encode()).hexdigest()


def of_another_dataset(runs: Iterable[Run], options: Options) -> dict[str, str]:
    """By the names of the runs whose folders hold work on another preparation of their dataset: what to do."""
    found = {}
    for run in runs:
        folder = run.folder(options.results.resolve())
        record = folder.record() if folder.holds_work() else None
        if record and record["inputs"].get("dataset") != dataset_digest(options.data / run.dataset):
            text = f"{folder.path} holds a run from before the dataset changed"
            found[run.name] = f"{text}: move it away, or give another --results"
    return found


def _check_same(folder: RunFolder, held: dict[str, str], asked: dict[str, str], max_iter: int) -> None:
    """Raise UserError where a folder holds work on other inputs."""
    if "train_val" in held:  # of version 0.1, which hashed whole files, comments and paths included
        if folder.done_at() != max_iter:
            raise UserError(f"{folder.path} holds an unfinished run of an earlier version: move it away")
        return
    if names := changed(held, asked):
        text = f"{folder.path} holds a run from before {names} changed"
        raise UserError(f"{text}: move it away, or give another --results")
