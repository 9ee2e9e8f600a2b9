"""Runs side by side, one child process each; what they say while they work, and how each ends."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from experiments import gpus
from experiments.job import STOPPED, Job
from experiments.last_words import last_words
from paper import ROOT

CHILD_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "GLOG_log_year_in_prefix": "0",  # as in all logs of Caffe until glog 0.5
    "GLOG_minloglevel": "0",  # caffe.log is whole, whatever the user's shell says
    **gpus.NUMBERING,
}

Listener = Callable[[Job, dict[str, Any]], None]


@dataclass(frozen=True)
class Slot:
    """A place where one run at a time can be: a GPU, or some of the CPU's cores."""

    gpu: int | None
    threads: int | None  # BLAS threads; None leaves them alone


@dataclass
class Child:
    """A run in progress."""

    job: Job
    slot: Slot
    process: subprocess.Popen
    pipe: int
    log_start: int  # where in caffe.log this process begins
    unread: bytes = b""
    error: str | None = None

    def read(self) -> list[dict[str, Any]] | None:
        """The messages that have come, or None at the end."""
        data = os.read(self.pipe, 1 << 16)
        *lines, self.unread = (self.unread + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self.error = message.get("error", self.error)
        return messages if data else None


@dataclass
class Outcome:
    """How the runs ended, by their names: completed, stopped on request, or failed and why."""

    done: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def cpu_slots(runs: int) -> list[Slot]:
    """As many runs side by side as there are cores, the cores shared out evenly."""
    cores = len(os.sched_getaffinity(0))
    side_by_side = max(1, min(runs, cores))
    return [Slot(gpu=None, threads=cores // side_by_side)] * side_by_side


def gpu_slots(gpus: list[int], per_gpu: int) -> list[Slot]:
    """`per_gpu` runs on each GPU, the first of each GPU before the second of any."""
    return [Slot(gpu=gpu, threads=None) for _ in range(per_gpu) for gpu in gpus]


def environment(slot: Slot) -> dict[str, str]:
    """The variables that a process on `slot` runs with; stock Caffe too, where it is compared."""
    threads = {"OPENBLAS_NUM_THREADS": str(slot.threads)} if slot.threads else {}
    return CHILD_ENVIRONMENT | threads


def launch(jobs: list[Job], unfit: dict[str, str], slots: list[Slot], listen: Listener) -> Outcome:
    """Do all jobs, at most one on each slot; `listen` hears every message of every child.

    `unfit` tells of jobs, by their runs' names, why they cannot be done: they count as failed.
    SIGINT and SIGTERM are passed on to the children, which take a snapshot and stop; a second one ends them at once.
    A child that fails takes no other with it.
    """
    outcome = Outcome()
    waiting, free = [job for job in jobs if job.run.name not in unfit], list(slots)
    for job in jobs:
        if job.run.name in unfit:
            _fail(job, unfit[job.run.name], outcome, listen)
    children: dict[int, Child] = {}
    selector = selectors.DefaultSelector()
    with _passing_signals_on(children, waiting) as stop_asked:
        while waiting or children:
            while waiting and free:
                child = _start(waiting.pop(0), free.pop(0))
                children[child.pipe] = child
                selector.register(child.pipe, selectors.EVENT_READ)
            for key, _ in selector.select():
                child = children[key.fd]
                messages = child.read()
                for message in messages or ():
                    listen(child.job, message)
                if messages is None:
                    selector.unregister(child.pipe)
                    del children[key.fd]
                    free.append(child.slot)
                    _finish(child, outcome, listen, bool(stop_asked))
    return outcome


def _start(job: Job, slot: Slot) -> Child:
    job.folder.path.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with job.folder.log.open("ab") as log:
        log_start = log.tell()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "experiments.finetune",
                replace(job, gpu=slot.gpu).to_json(),
                str(writing),
            ],
            cwd=ROOT,
            env=os.environ | environment(slot),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writing],
            start_new_session=True,  # a terminal's Ctrl-C reaches the driver alone, which passes it on once
        )
    os.close(writing)
    return Child(job, slot, process, reading, log_start)


def _finish(child: Child, outcome: Outcome, listen: Listener, stop_asked: bool) -> None:
    """Learn how a child ended; keep the reason of a failure in its run.json."""
    status = child.process.wait()
    os.close(child.pipe)
    job, name = child.job, child.job.run.name
    if status == 0:
        outcome.done.append(name)
        listen(job, {"end": "done"})
    elif status == STOPPED or (stop_asked and not child.error):
        outcome.stopped.append(name)
        listen(job, {"end": "stopped"})
    else:
        _fail(job, child.error or _reason(child, status), outcome, listen)


def _fail(job: Job, reason: str, outcome: Outcome, listen: Listener) -> None:
    """Note a failure, in the run's folder too."""
    outcome.failed[job.run.name] = reason
    try:
        job.folder.path.mkdir(parents=True, exist_ok=True)
        if not job.folder.is_locked():  # by another process, whose run it is
            job.folder.write_record((job.folder.record() or {}) | {"failure": reason})
    except OSError as error:  # the disk that the run failed on
        reason = f"{reason} (not noted in its run.json: {error})"
    listen(job, {"end": "failed", "reason": reason})


def _reason(child: Child, status: int) -> str:
    path = child.job.folder.log
    with path.open("rb") as file:
        file.seek(child.log_start)
        return f"{last_words(file.read().decode('utf-8', errors='replace'), status)} ({path})"


@contextmanager
def _passing_signals_on(children: dict[int, Child], waiting: list[Job]) -> Iterator[list[int]]:
    """Within it a SIGINT or SIGTERM starts no more runs and goes on to those in progress; yields those that came."""
    came: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        came.append(number)
        waiting.clear()
        for child in children.values():
            child.process.send_signal(number if len(came) == 1 else signal.SIGKILL)

    earlier = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
