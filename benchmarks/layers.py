"""Where an iteration's time goes, by `caffe time`, which runs the net of the committed prototxt."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tabulate import tabulate

from experiments.launch import environment

LINE = re.compile(r"\]\s+(\S+)\s+(forward|backward): ([\d.]+) ms")
SHOWN = 10


def table(copy: Path, network: str, gpu: int | None, iterations: int) -> str:
    """The layers of a full-size net that take longest."""
    program = Path(sys.executable).with_name("caffe")
    model = f"prototxt/ava-large/{network}_global/train_val.prototxt"
    command = [program, "time", f"--model={model}", f"--iterations={iterations}"]
    command += [] if gpu is None else [f"--gpu={gpu}"]
    own = os.environ | environment(gpu, threads=None)
    log = subprocess.run(command, cwd=copy, env=own, capture_output=True, text=True, check=True).stderr
    times = {(layer, way): float(milliseconds) for layer, way, milliseconds in LINE.findall(log)}
    names = sorted({layer for layer, _ in times}, key=lambda name: -sum(_both(times, name)))
    total = sum(times.values())
    rows = [[name, *_both(times, name), f"{sum(_both(times, name)) / total:.0%}"] for name in names[:SHOWN]]
    return tabulate(rows, [network, "forward, ms", "backward, ms", "share"], "pipe", floatfmt=".2f")


def _both(times: dict[tuple[str, str], float], layer: str) -> tuple[float, float]:
    return times.get((layer, "forward"), 0.0), times.get((layer, "backward"), 0.0)
