"""What Table III takes with 1, 2 and 4 of its runs at once, worked out from shorter ones on noise.

A run of n iterations with k test passes takes start + n i + k e: three batches of runs give start, i and e, and these
the paper's 10,000 iterations with our test passes over its 20,000 photos. Early test passes are counted too.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.child import call
from benchmarks.stopwatch import seconds
from data_prep.stores import entries
from experiments.course import evaluation_points
from paper import NETWORKS, VIEWS, stated

PASSES = 5


def tables(copy: Path, dataset: str, device: list[str], iterations: int) -> Iterator[str]:
    """A table of one row for each number of runs at once, when it is known."""
    photos = entries(copy / "data" / dataset / "test_global_lmdb")
    full = stated("finetuning.max_iter")
    at_start, at_few, at_many = (_passes(dataset, *each) for each in ((1, 1), (iterations, 1), (iterations, PASSES)))
    passes = len(evaluation_points("ava-large", stated("evaluation.every"), full))
    share = stated("partitions.ava-large.test") / photos
    paper = sum(stated(f"finetuning.minutes.{network}") for network in NETWORKS) * len(VIEWS)
    runs = len(NETWORKS) * len(VIEWS)
    yield f"{runs} runs of {dataset} on noise, {photos:,} photos to test on; the last two columns are extrapolated"
    header = ["runs at once", "1 iteration, s", f"{iterations:,} iterations, s"]
    header += [
        f"with {at_many - at_few} more test passes, s",
        "a test pass, s",
        "Table III, min",
        f"times as fast as the paper's {paper} min",
    ]
    for at_once in (1, 2, 4):
        start = _four_runs(copy, dataset, device, at_once, iterations=1, test_passes=1)
        few = _four_runs(copy, dataset, device, at_once, iterations, test_passes=1)
        many = _four_runs(copy, dataset, device, at_once, iterations, test_passes=PASSES)
        test_pass = (many - few) / (at_many - at_few)
        iteration = (few - start - (at_few - at_start) * test_pass) / (iterations - 1)
        whole = start - at_start * test_pass + (full - 1) * iteration + passes * share * test_pass
        row = [at_once, start, few, many, test_pass, whole / 60, paper * 60 / whole]
        yield tabulate([row], header, "pipe", floatfmt=".1f")


def _every(iterations: int, test_passes: int) -> int:
    return max(1, iterations // test_passes)


def _passes(dataset: str, iterations: int, test_passes: int) -> int:
    """How many test passes a run does that is asked for so many at even distances."""
    return len(evaluation_points(dataset, _every(iterations, test_passes), iterations))


def _four_runs(copy: Path, dataset: str, device: list[str], at_once: int, iterations: int, test_passes: int) -> float:
    """Seconds that all four runs take, from the command to its end."""
    with tempfile.TemporaryDirectory() as results:
        command = ["run_experiments.py", "run", "--dataset", dataset, *device, "--per-gpu", at_once]
        command += ["--max-iter", iterations, "--eval-every", _every(iterations, test_passes), "--results", results]
        return seconds(lambda: call(copy, *command))
