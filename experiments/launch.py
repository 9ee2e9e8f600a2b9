"""Runs side by side, one child process each; what they say while they work, and how each ends."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from experiments import gpus
from experiments.failures import last_words
from experiments.job import STOPPED, STOPS, Job
from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder
from experiments.runs import Run
from paper import ROOT

Listener = Callable[[Job, dict[str, Any]], None]


@dataclass
class Child:
    """A run in progress."""

    job: Job
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
class Endings:
    """How the runs ended, by their names: completed, stopped on request, or failed and why."""

    done: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def environment(gpu: int | None, threads: int | None) -> dict[str, str]:
    """The variables that a process that runs Caffe gets beside ours; stock Caffe too, where it is compared."""
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "GLOG_log_year_in_prefix": "0",  # as in all logs of Caffe until glog 0.5
        "GLOG_minloglevel": "0",  # caffe.log is whole, whatever the user's shell says, and plain
        "GLOG_log_prefix": "1",
        "GLOG_colorlogtostderr": "0",
        **gpus.NUMBERING,
    }
    if gpu is None:
        own["CUDA_VISIBLE_DEVICES"] = ""  # or Caffe makes a context on GPU 0 all the same
    else:
        own["LD_LIBRARY_PATH"] = gpus.library_path()
    if threads:
        own["OPENBLAS_NUM_THREADS"] = str(threads)
    return own


def launch(jobs: list[Job], slots: list[int | None], endings: Endings, listen: Listener) -> None:
    """Do all jobs, at most one on each slot (the number of a GPU; None: the CPU); `listen` hears every message.

    SIGINT and SIGTERM are passed on to the children, which take a snapshot and stop. A second Ctrl-C ends them at once;
    SIGTERM may come again and again: Slurm sends it to every process of a job.
    A child that fails takes no other with it. Where `listen` raises, the children are stopped in the same way first.
    """
    waiting, free = list(jobs), list(slots)
    children: dict[int, Child] = {}
    signals: list[int] = []
    with _signals() as wakeup, selectors.DefaultSelector() as selector:
        selector.register(wakeup, selectors.EVENT_READ)
        try:
            while waiting or children:
                while waiting and free:
                    job = replace(waiting.pop(0), gpu=free.pop(0))
                    try:
                        child = _start(job)
                    except OSError as error:  # its folder cannot be made or written
                        free.append(job.gpu)
                        _fail(job, f"{error.filename}: {error.strerror}", endings, listen)
                        continue
                    children[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                for key, _ in selector.select() if children else ():
                    if key.fd == wakeup:
                        for number in os.read(wakeup, 64):
                            signals.append(number)
                            waiting.clear()
                            if len(signals) == 1:
                                _send(children, number)
                            elif number == signal.SIGINT and signals.count(number) > 1:
                                _send(children, signal.SIGKILL)
                        continue
                    child = children[key.fd]
                    messages = child.read()
                    for message in messages or ():
                        listen(child.job, message)
                    if messages is None:
                        selector.unregister(child.pipe)
                        del children[key.fd]
                        free.append(child.job.gpu)
                        _finish(child, endings, listen, stop_asked=bool(signals))
        except BaseException:
            _send(children, signal.SIGTERM)
            for child in children.values():
                child.process.wait()
            raise


def noted_failure(run: Run, folder: RunFolder, inputs: dict[str, str], reason: str) -> str:
    """Note in its run.json why a run on these inputs failed, unless the folder holds another's work; the reason."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        record = folder.record()
        if folder.holds_work() and (record is None or record["inputs"] != inputs):
            return reason
        if not folder.in_use():
            folder.write_record((record or {"run": asdict(run), "inputs": inputs}) | {"failure": reason})
    except (OSError, Unreadable) as error:  # the disk that the run failed on
        return f"{reason} (not noted in its run.json: {error})"
    return reason


def _start(job: Job) -> Child:
    job.folder.path.mkdir(parents=True, exist_ok=True)
    with job.folder.log.open("ab") as log, tempfile.TemporaryFile() as text:
        reading, writing = os.pipe()
        log_start = log.tell()
        text.write(job.to_json().encode())
        text.seek(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # the child's too, until it can hear them
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "experiments.finetuning", str(writing)],
                cwd=ROOT,
                env=os.environ | environment(job.gpu, job.threads),
                stdin=text,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                start_new_session=True,  # a terminal's Ctrl-C reaches the driver alone, which passes it on once
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            os.close(writing)
    return Child(job, process, reading, log_start)


def _finish(child: Child, endings: Endings, listen: Listener, stop_asked: bool) -> None:
    """Learn how a child ended; keep the reason of a failure in its run.json."""
    status = child.process.wait()
    os.close(child.pipe)
    job, name = child.job, child.job.run.name
    if status == 0:
        endings.done.append(name)
        listen(job, {"end": "done"})
    elif status == STOPPED or (stop_asked and not child.error):
        endings.stopped.append(name)
        listen(job, {"end": "stopped"})
    else:
        _fail(job, child.error or _reason(child, status), endings, listen)


def _fail(job: Job, reason: str, endings: Endings, listen: Listener) -> None:
    endings.failed[job.run.name] = noted_failure(job.run, job.folder, job.inputs, reason)
    listen(job, {"end": "failed", "reason": endings.failed[job.run.name]})


def _reason(child: Child, status: int) -> str:
    path = child.job.folder.log
    with path.open("rb") as file:
        file.seek(child.log_start)
        return f"{last_words(file.read().decode('utf-8', errors='replace'), status)} ({path})"


def _send(children: dict[int, Child], number: int) -> None:
    for child in children.values():
        child.process.send_signal(number)


@contextmanager
def _signals() -> Iterator[int]:
    """Within it SIGINT and SIGTERM do nothing by themselves: their numbers can be read, a byte each."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in STOPS}
    wakeup = signal.set_wakeup_fd(writing)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
