"""Seconds and memory that a full-size net takes, step by step: `python -m benchmarks.footprint JSON`, in rows of JSON.

The memory is that of the process, or of the GPU with all its users.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import cuda, step
from benchmarks.stopwatch import seconds


def rows(trial: step.Trial) -> Iterator[tuple[str, float, float]]:
    """What was done, the seconds that it took, MiB in use after it."""
    made = []
    yield "solver built, weights copied", seconds(lambda: made.append(step.solver(trial))), _mebibytes(trial.gpu)
    (solver,) = made
    yield "first iteration", seconds(lambda: step.advance(solver, 1)), _mebibytes(trial.gpu)
    yield "second iteration", seconds(lambda: step.advance(solver, 1)), _mebibytes(trial.gpu)
    solver.test_nets[0].share_with(solver.net)
    yield "a batch of the test net", seconds(solver.test_nets[0].forward), _mebibytes(trial.gpu)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.caffemodel")
        yield "weights written, half a snapshot", seconds(lambda: solver.net.save(str(path))), _mebibytes(trial.gpu)


def _mebibytes(gpu: int | None) -> float:
    if gpu is None:
        return psutil.Process().memory_info().rss / 2**20
    free, total = cuda.memory()
    return (total - free) / 2**20


if __name__ == "__main__":
    for row in rows(step.Trial(**json.loads(sys.argv[1]))):
        print(json.dumps(row), flush=True)
