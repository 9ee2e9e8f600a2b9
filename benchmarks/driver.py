"""What the driver costs: against stock `caffe train` on the same solver, seed and weights.

The two take turns on the same cores. An iteration's time is read from the timestamps in Caffe's own log, so that
starting up counts for neither; the time from the command to iteration 0 is a row of its own, at full size.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks import stand_in
from benchmarks.table import Row
from experiments.launch import CHILD_ENVIRONMENT
from experiments.plan import Run
from experiments.run_folder import RunFolder
from paper import NETWORKS, ROOT

LINE = re.compile(r"^I\d{4} (\d\d:\d\d:\d\d\.\d+) .*\] Iteration (\d+) .*loss", re.MULTILINE)
PEER = "`caffe train`"
ITERATIONS = 100  # of the demo's nets


@dataclass(frozen=True)
class Timing:
    """Both in seconds."""

    start: float  # from the command to iteration 0
    iteration: float  # mean, from the second to the last displayed one


def rows(rounds: int, copy: Path) -> list[Row]:
    """The rows of the demo's nets, and of full-size AlexNet in a stand-in `copy` of the project."""
    found = []
    for network in NETWORKS:
        ours, theirs = _in_turns(ROOT, Run("demo", network, "global", seed=1), ITERATIONS, rounds)
        found.append(
            Row(
                what=f"fine-tuning the demo's {network}, an iteration",
                unit="s",
                ours=[timing.iteration for timing in ours],
                peer=PEER,
                theirs=[timing.iteration for timing in theirs],
                limit="the net; the driver adds two Python callbacks",
                aim=1.02,
            )
        )
    ours, theirs = _in_turns(copy, Run("ava-large", "alexnet", "global", seed=1), 21, rounds)
    found.append(
        Row(
            what="from the command to iteration 0, full-size AlexNet (aim: under 5 s)",
            unit="s",
            ours=[timing.start for timing in ours],
            peer=PEER,
            theirs=[timing.start for timing in theirs],
            limit="fillers, the first batch of 50; ours also checks the weights' sha256 and shapes",
        )
    )
    return found


def _in_turns(copy: Path, run: Run, iterations: int, rounds: int) -> tuple[list[Timing], list[Timing]]:
    ours, theirs = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as results:
            ours.append(_drive(copy, run, iterations, Path(results)))
            theirs.append(_train(run.folder(Path(results))))
    return ours, theirs


def _drive(copy: Path, run: Run, iterations: int, results: Path) -> Timing:
    command = ["run_experiments.py", "run", "--dataset", run.dataset, "--cpu", "--network", run.network]
    command += ["--view", run.view, "--max-iter", iterations, "--eval-every", iterations, "--results", results]
    begun = datetime.now()
    stand_in.call(copy, *command)
    return _timing(begun, run.folder(results).log.read_text())


def _train(folder: RunFolder) -> Timing:
    """`caffe train` on the texts that the driver left in a run's folder."""
    program = Path(sys.executable).with_name("caffe")
    cores = str(len(os.sched_getaffinity(0)))
    settings = {"OMP_NUM_THREADS": cores, "MKL_NUM_THREADS": cores, **CHILD_ENVIRONMENT}
    command = [program, "train", "--solver=solver.prototxt", f"--weights={folder.record()['weights']}"]
    begun = datetime.now()
    done = subprocess.run(
        command, cwd=folder.path, check=True, capture_output=True, text=True, env=os.environ | settings
    )
    return _timing(begun, done.stderr)


def _timing(begun: datetime, log: str) -> Timing:
    """From the lines that Caffe displays; its clock has no date."""
    times = {
        int(number): datetime.combine(begun.date(), datetime.strptime(clock, "%H:%M:%S.%f").time())
        for clock, number in LINE.findall(log)
    }
    first, second, last = times[0], sorted(times)[1], max(times)
    return Timing(
        start=(first - begun).total_seconds(),
        iteration=(times[last] - times[second]).total_seconds() / (last - second),
    )
