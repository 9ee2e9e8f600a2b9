"""A copy of the project that tests may edit, with a small dataset; the driver and stock Caffe are called in it."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from data_prep.stores import read_records
from experiments.launch import environment

CODE = ("caffe_build", "data_prep", "experiments", "prototxt", "solvers", "report", "models")
TRAIN, TEST = 40, 23  # photos; 23 is no multiple of the test batch
MAX_ITER, SNAPSHOT_EVERY, EVALUATE_EVERY = 12, 3, 4
LONG = 399  # iterations of a run that is stopped in between; a longer one has another folder
ALEXNET = "demo/alexnet_global"


def write_ava(root: Path, lines: list[str], pictures: list[np.ndarray], test_list: Sequence[int] | None) -> None:
    """A copy of AVA: its table, pictures with the ids 1000, 1001, ..., and the official test list if there is one."""
    (root / "images").mkdir(parents=True)
    (root / "AVA.txt").write_text("".join(lines))
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(root / "images" / f"{1000 + number}.jpg"), picture)
    if test_list is not None:
        (root / "aesthetics_image_lists").mkdir()
        (root / "aesthetics_image_lists" / "generic_test.jpgl").write_text("\n".join(map(str, test_list)))


def edit(path, pattern, replacement, flags=0, count=0):
    text = path.read_text()
    edited = re.sub(pattern, replacement, text, count=count, flags=flags)
    assert edited != text
    path.write_text(edited)


def start(checkout, *arguments, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "run_experiments.py", *arguments],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def call(checkout, *arguments, status=0) -> str:
    """What a command printed; it has to end with this exit status."""
    process = start(checkout, *arguments)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output
    return output


RUN_ALL = ("run", "--dataset", "demo", "--cpu")
RUN = (*RUN_ALL, "--network", "alexnet", "--view", "global")


def run_folder(checkout, variant=ALEXNET, seed=1):
    return checkout / "results" / variant / f"seed-{seed}"


def final_weights(checkout, variant=ALEXNET, seed=1) -> dict[str, list[bytes]]:
    snapshots = run_folder(checkout, variant, seed) / "snapshots"
    return weights_in(snapshots / f"{variant.replace('/', '_')}_iter_{MAX_ITER}.caffemodel")


def weights_in(caffemodel) -> dict[str, list[bytes]]:
    """The bits of all blobs by layer."""
    from prototxt.messages import caffe_pb2

    net = caffe_pb2.NetParameter.FromString(caffemodel.read_bytes())
    return {layer.name: [np.array(blob.data).tobytes() for blob in layer.blobs] for layer in net.layer if layer.blobs}


def record(checkout, variant=ALEXNET, seed=1) -> dict:
    return json.loads((run_folder(checkout, variant, seed) / "run.json").read_text())


def wait_for_iteration(checkout, iteration: int, process: subprocess.Popen, name="seed-1") -> None:
    """Until Caffe's log says that it is there, or the process has ended."""
    log = run_folder(checkout).with_name(name) / "caffe.log"
    while process.poll() is None and not (log.exists() and f"Iteration {iteration} " in log.read_text()):
        time.sleep(0.01)


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stock_weights(checkout, variant=ALEXNET, model="models/demo/alexnet.caffemodel") -> dict[str, list[bytes]]:
    """What `caffe train` makes of the same solver, seed and weights, from the repository's root."""
    start_from = [f"--weights={model}"] if model else []
    caffe_program("train", f"--solver=solvers/{variant}.prototxt", *start_from, cwd=checkout)
    return weights_in(checkout / f"solvers/{variant}_iter_{MAX_ITER}.caffemodel")


def caffe_program(*arguments: str, cwd) -> subprocess.CompletedProcess:
    """Stock Caffe's command line, with as many threads as the driver gives to one run alone."""
    program = shutil.which("caffe", path=os.path.dirname(sys.executable))
    command, settings = [program, *arguments], environment(gpu=None, threads=1)
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, env=os.environ | settings)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(child) for child in done.stdout.split()]


def photos_from_files(checkout: Path, net: str) -> None:
    """Have a net read its training photos from files, in the same order, by an ImageData layer."""
    (checkout / "photos").mkdir()
    lines = []
    for position, label, view in read_records(checkout / "data/demo/train_global_lmdb"):
        cv2.imwrite(str(checkout / f"photos/{position}.png"), view)
        lines.append(f"photos/{position}.png {label}\n")
    (checkout / "list.txt").write_text("".join(lines))
    edit(
        checkout / net,
        r'type: "Data"(.*?TRAIN.*?)data_param \{.*?\}',
        r'type: "ImageData"\1image_data_param { source: "list.txt" batch_size: 4 }',
        flags=re.DOTALL,
        count=1,
    )
