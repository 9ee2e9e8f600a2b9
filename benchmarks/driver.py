"""What the driver costs: against stock `caffe train` on the same solver, seed and weights.

The two take turns. An iteration's time is read from the timestamps in Caffe's own log, so that starting up counts for
neither, and measured on one core: all that the driver's processes do counts there, and no thread waits for another.
The time from the command to the end of the first iteration is a row of its own, at full size and on all cores.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.child import call
from benchmarks.table import Comparison
from experiments.launch import environment
from experiments.run_folder import RunFolder
from experiments.runs import Run
from paper import NETWORKS, ROOT

LINE = re.compile(r"^I\d{4} (\d\d:\d\d:\d\d\.\d+) .*\] Iteration (\d+) .*loss", re.MULTILINE)
PEER = "`caffe train`"
ITERATIONS = 60  # of the demo's nets

Times = dict[int, float]  # iteration -> seconds from the command to the line that Caffe displays of it


def rows(rounds: int, copy: Path) -> list[Comparison]:
    """The rows of the demo's nets, and of full-size AlexNet in a stand-in `copy` of the project."""
    found = []
    for network in NETWORKS:
        with _one_core():
            ours, theirs = _in_turns(ROOT, Run("demo", network, "global", seed=1), ITERATIONS, rounds)
        found.append(
            Comparison(
                what=f"fine-tuning the demo's {network} on one core, an iteration",
                unit="s",
                ours=[_pace(times) for times in ours],
                peer=PEER,
                theirs=[_pace(times) for times in theirs],
                limit="the net; the driver adds two Python callbacks",
                aim=1.02,
            )
        )
    ours, theirs = _in_turns(copy, Run("ava-large", "alexnet", "global", seed=1), 2, rounds)
    found.append(
        Comparison(
            what="from the command to the end of iteration 0, full-size AlexNet",
            unit="s",
            ours=[times[0] for times in ours],
            peer=PEER,
            theirs=[times[0] for times in theirs],
            limit="the first iteration itself; ours also checks the weights and scores the test photos",
        )
    )
    return found


@contextmanager
def _one_core() -> Iterator[None]:
    """Within it this process and its children have one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _pace(times: Times) -> float:
    """Seconds per iteration, from the second to the last displayed one."""
    first, last = sorted(times)[1], max(times)
    return (times[last] - times[first]) / (last - first)


def _in_turns(copy: Path, run: Run, iterations: int, rounds: int) -> tuple[list[Times], list[Times]]:
    ours, theirs = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as results:
            ours.append(_drive(copy, run, iterations, Path(results)))
            theirs.append(_train(run.folder(Path(results))))
    return ours, theirs


def _drive(copy: Path, run: Run, iterations: int, results: Path) -> Times:
    command = ["run_experiments.py", "run", "--dataset", run.dataset, "--cpu", "--network", run.network]
    command += ["--view", run.view, "--max-iter", iterations, "--eval-every", iterations, "--results", results]
    begun = datetime.now()
    call(copy, *command)
    return _times(begun, run.folder(results).log.read_text())


def _train(folder: RunFolder) -> Times:
    """`caffe train` on the texts that the driver left in a run's folder."""
    program = Path(sys.executable).with_name("caffe")
    settings = environment(gpu=None, threads=folder.record()["threads"])
    command = [program, "train", "--solver=solver.prototxt", f"--weights={folder.record()['weights']}"]
    begun = datetime.now()
    done = subprocess.run(
        command, cwd=folder.path, check=True, capture_output=True, text=True, env=os.environ | settings
    )
    return _times(begun, done.stderr)


def _times(begun: datetime, log: str) -> Times:
    """From the timestamps in Caffe's log, which have no date."""
    today = begun.date()
    return {
        int(number): (datetime.combine(today, datetime.strptime(clock, "%H:%M:%S.%f").time()) - begun).total_seconds()
        for clock, number in LINE.findall(log)
    }
