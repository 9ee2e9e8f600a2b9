"""What the driver costs: seconds per iteration against stock `caffe train` on the same solver, seed and weights.

`.venv/bin/python -m benchmarks.driver`, after `make demo`. The two take turns on the same cores; an iteration's time is
read from the timestamps in Caffe's own log, so that starting up counts for neither. The time from the command to the
first iteration is given beside it.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from tabulate import tabulate

from experiments.plan import Run
from experiments.weights import pretrained
from paper import NETWORKS, ROOT
from user_error import UserError, exit_with_status

LINE = re.compile(r"^I\d{4} (\d\d:\d\d:\d\d\.\d+) .*\] Iteration (\d+) .*loss", re.MULTILINE)


def iteration_times(log: str) -> dict[int, datetime]:
    """When Caffe displayed which iteration."""
    return {int(number): datetime.strptime(clock, "%H:%M:%S.%f") for clock, number in LINE.findall(log)}


def seconds_per_iteration(log: str) -> float:
    """Between the second and the last displayed iteration."""
    times = sorted(iteration_times(log).items())
    (first, begin), (last, end) = times[1], times[-1]
    return (end - begin).total_seconds() / (last - first)


def ours(run: Run, iterations: int, results: Path) -> tuple[float, float]:
    """Seconds per iteration of the driver, and from its start to its first displayed iteration."""
    command = [sys.executable, "run_experiments.py", "run", "--dataset", run.dataset, "--cpu"]
    command += ["--network", run.network, "--view", run.view, "--results", str(results)]
    command += ["--max-iter", str(iterations), "--eval-every", str(iterations)]
    started = datetime.now()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    log = run.folder(results).log.read_text()
    first = iteration_times(log)[0]
    return seconds_per_iteration(log), (first - started.replace(1900, 1, 1)).total_seconds()


def stock(run: Run, folder: Path) -> float:
    """Seconds per iteration of `caffe train` on the texts that the driver left in a run's folder."""
    program = Path(sys.executable).with_name("caffe")
    cores = str(len(os.sched_getaffinity(0)))
    threads = {"OMP_NUM_THREADS": cores, "MKL_NUM_THREADS": cores, "GLOG_log_year_in_prefix": "0"}
    weights = pretrained(run.dataset, run.network).path
    command = [program, "train", "--solver=solver.prototxt", f"--weights={weights}"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=os.environ | threads)
    return seconds_per_iteration(done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.driver", description=__doc__)
    parser.add_argument("--iterations", type=int, default=100, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    arguments = parser.parse_args()
    if not (ROOT / "data" / "demo" / "summary.json").exists():
        raise UserError("data/demo is not prepared: type `make demo` first")
    rows = []
    for network in NETWORKS:
        run = Run("demo", network, "global", seed=1)
        rounds = []
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as results:
                mine, start = ours(run, arguments.iterations, Path(results))
                rounds.append((mine, stock(run, run.folder(Path(results)).path), start))
                time.sleep(1)
        mine, theirs, start = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [a / b for a, b, _ in rounds]
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        rows.append(
            [network, f"{mine:.4f}", f"{theirs:.4f}", f"{statistics.median(ratios):.3f}", spread, f"{start:.1f}"]
        )
    header = ["demo, global view", "driver s/it", "caffe train s/it", "ratio", "spread", "start to iteration 0, s"]
    print(tabulate(rows, header, "pipe"))


if __name__ == "__main__":
    exit_with_status(main)
