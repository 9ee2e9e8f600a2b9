"""All that is to be measured on a GPU, in one go: `.venv/bin/python -m benchmarks.gpu`.

After `make setup CUDA=1`, `make demo` and `.venv/bin/pip install -r benchmarks/requirements.txt`; some 20 minutes on a
data centre's card. In this order: CPU against GPU, the demo's four runs, full-size iterations against PyTorch and
without cuDNN, where an iteration's time goes, and what Table III takes with one to four runs side by side.
`--cpu` tries the same on the CPU, with few iterations.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from benchmarks import agreement, stand_in, step
from benchmarks.child import call
from benchmarks.table import machine, markdown, seconds
from data_prep.stores import entries
from paper import NETWORKS, ROOT, VIEWS, stated

LAYER = re.compile(r"\]\s+(\S+)\s+(forward|backward): ([\d.]+) ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--gpu", type=int, default=0, metavar="ID")
    where.add_argument("--cpu", action="store_true", help="only to try this program")
    parser.add_argument("--iterations", type=int, default=1000, metavar="N", help="of a run of Table III")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    arguments = parser.parse_args()
    gpu = None if arguments.cpu else arguments.gpu
    print(machine(gpu))
    with tempfile.TemporaryDirectory() as folder:
        copy = stand_in.make(Path(folder), "ava-large", ROOT / "data" / "demo-photos" / "ava")
        print("\nCPU against GPU, one batch forward and backward\n\n" + agreement.table(copy, gpu))
        print("\n" + _demo(Path(folder), gpu))
        print("\n" + markdown(step.rows(arguments.rounds, copy, gpu)))
        for network in NETWORKS:
            print(f"\nwhere an iteration of {network} spends its time\n\n" + _layers(copy, network, gpu))
        print("\n" + _table_III(copy, gpu, arguments.iterations))


def _device(gpu: int | None) -> list[str]:
    return ["--cpu"] if gpu is None else ["--gpu", str(gpu)]


def _demo(folder: Path, gpu: int | None) -> str:
    """The demo's four runs and their table."""
    results = ["--results", folder / "results"]
    call(ROOT, "run_experiments.py", "run", "--dataset", "demo", *_device(gpu), *results)
    return call(ROOT, "run_experiments.py", "table", "demo", "--format", "markdown", *results)


def _layers(copy: Path, network: str, gpu: int | None) -> str:
    """The layers that take longest, by `caffe time`, which runs the net of the committed prototxt."""
    program = Path(sys.executable).with_name("caffe")
    model = f"prototxt/ava-large/{network}_global/train_val.prototxt"
    command = [program, "time", f"--model={model}", f"--iterations={1 if gpu is None else 50}"]
    command += [] if gpu is None else [f"--gpu={gpu}"]
    environment = os.environ | {"GLOG_minloglevel": "0"}
    log = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True).stderr
    times = {(layer, way): float(milliseconds) for layer, way, milliseconds in LAYER.findall(log)}
    names = sorted({layer for layer, _ in times}, key=lambda name: -sum(_both(times, name)))
    total = sum(times.values())
    rows = [[name, *_both(times, name), f"{sum(_both(times, name)) / total:.0%}"] for name in names[:8]]
    return tabulate(rows, ["layer", "forward, ms", "backward, ms", "share"], "pipe", floatfmt=".2f")


def _both(times: dict[tuple[str, str], float], layer: str) -> tuple[float, float]:
    return times.get((layer, "forward"), 0.0), times.get((layer, "backward"), 0.0)


def _table_III(copy: Path, gpu: int | None, iterations: int) -> str:
    """What the four runs of Table III take with 1, 2 and 4 at once, worked out from shorter ones.

    A run of n iterations with k test passes takes start + n i + k e: three batches of runs give start, i and e, and
    these the paper's 10,000 iterations with our test passes over its 20,000 photos.
    """
    photos = entries(copy / "data" / "ava-large" / "test_global_lmdb")
    full, passes = stated("finetuning.max_iter"), stated("finetuning.max_iter") // stated("evaluation.every")
    share = stated("partitions.ava-large.test") / photos
    paper = sum(stated(f"finetuning.minutes.{network}") for network in NETWORKS) * len(VIEWS)
    rows = []
    for at_once in (1, 2, 4):
        start = _four_runs(copy, gpu, at_once, iterations=1, test_passes=1)
        few = _four_runs(copy, gpu, at_once, iterations, test_passes=1)
        many = _four_runs(copy, gpu, at_once, iterations, test_passes=5)
        test_pass = (many - few) / 4
        iteration = (few - start) / (iterations - 1)
        whole = start - test_pass + full * iteration + passes * share * test_pass
        rows.append([at_once, start, few, many, whole / 60, paper * 60 / whole])
    header = ["runs at once", "1 iteration, s", f"{iterations:,} iterations, s", "with 5 test passes, s"]
    header += ["Table III, min (extrapolated)", f"times as fast as the paper's {paper} min"]
    title = f"The {len(NETWORKS) * len(VIEWS)} runs of Table III on drawn photos ({photos:,} to test on)"
    return f"{title}\n\n" + tabulate(rows, header, "pipe", floatfmt=".1f")


def _four_runs(copy: Path, gpu: int | None, at_once: int, iterations: int, test_passes: int) -> float:
    """Seconds that all four runs take, from the command to its end."""
    with tempfile.TemporaryDirectory() as results:
        command = ["run_experiments.py", "run", "--dataset", "ava-large", *_device(gpu), "--per-gpu", at_once]
        command += ["--max-iter", iterations, "--eval-every", max(1, iterations // test_passes), "--results", results]
        return seconds(lambda: call(copy, *command))


if __name__ == "__main__":
    main()
