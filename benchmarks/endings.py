"""How runs end on a GPU: by themselves, stopped and resumed, and on a card that is full.

`python -m benchmarks.endings COPY GPU` is the process that fills the card, and fails.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cuda, step
from benchmarks.stopwatch import seconds
from experiments.failures import last_words
from experiments.launch import environment
from experiments.runs import Run
from files import sha256
from paper import ROOT

RUN = Run("demo", "alexnet", "global", 1)
ITERATIONS, STOP_AT = 100, 60
LEFT_FREE = 64 * 2**20  # bytes


def finished_and_resumed(copy: Path, results: Path, device: list[str]) -> Iterator[str]:
    """A run that nothing disturbs, then one that is stopped in the middle and called again; compares their weights."""
    undisturbed, stopped = results / "undisturbed", results / "stopped"
    whole = _start(copy, undisturbed, device)
    taken = seconds(whole.wait)
    yield f"{ITERATIONS} iterations: exit status {whole.returncode} after {taken:.1f} s"
    run = _start(copy, stopped, device)
    log = RUN.folder(stopped).log
    while run.poll() is None and not (log.exists() and f"Iteration {STOP_AT} " in log.read_text(errors="replace")):
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    taken = seconds(run.wait)
    yield f"stopped at about iteration {STOP_AT}: exit status {run.returncode} after {taken:.1f} s (130 is right)"
    again = _start(copy, stopped, device)
    yield f"called again: exit status {again.wait()}"
    hashes = {sha256(_weights(place)) for place in (undisturbed, stopped)}
    yield f"the weights at iteration {ITERATIONS} are {'the same bits' if len(hashes) == 1 else 'not the same bits'}"


def out_of_memory(copy: Path, gpu: int) -> str:
    """What is said of a net that does not fit."""
    command = [sys.executable, "-m", "benchmarks.endings", copy, str(gpu)]
    own = os.environ | environment(gpu, threads=None)
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, errors="replace")
    return f"a full card: exit status {done.returncode}: {last_words(done.stderr, done.returncode)}"


def _start(copy: Path, results: Path, device: list[str]) -> subprocess.Popen:
    words = ["run", "--dataset", RUN.dataset, "--network", RUN.network, "--view", RUN.view, *device]
    words += ["--max-iter", str(ITERATIONS), "--eval-every", str(ITERATIONS // 2), "--results", results]
    command = [sys.executable, "run_experiments.py", *words]
    return subprocess.Popen(command, cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _weights(results: Path) -> Path:
    return next(RUN.folder(results).snapshots.glob(f"*_iter_{ITERATIONS}.caffemodel"))


def _fill(gpu: int) -> None:
    """Take the card's memory but for a little."""
    import caffe

    caffe.set_device(gpu)
    caffe.set_mode_gpu()
    taken = ctypes.c_void_p()
    size = ctypes.c_size_t(cuda.memory()[0] - LEFT_FREE)
    cuda.check(cuda.library("libcudart.so").cudaMalloc(ctypes.byref(taken), size))


if __name__ == "__main__":
    _fill(int(sys.argv[2]))
    step.advance(step.solver(step.Trial("caffe", "vgg16", sys.argv[1], int(sys.argv[2]))), 1)
