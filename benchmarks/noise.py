"""A stand-in project whose datasets are noise, brighter where it is good: no photo has to be drawn, read or resized.

`python -m benchmarks.noise FOLDER TRAIN TEST` makes it there, with that many photos to train and to test on; it holds
Caffe, which makes the models, and sees no GPU.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from benchmarks import stand_in
from benchmarks.child import call
from data_prep.datums import Datum
from data_prep.stores import checkpoint
from experiments.launch import environment
from paper import ROOT, VIEWS, stated

DATASETS = ("demo", "ava-large")
BRIGHTER = 20  # of 255


def make(folder: Path, train: int, test: int) -> Path:
    """The copy of the project, made in a process of its own."""
    call(ROOT, "-m", "benchmarks.noise", folder, train, test, env=os.environ | environment(None, threads=None))
    return folder / "project"


def dataset(folder: Path, splits: dict[str, int]) -> None:
    """Write what data_prep writes: stores, manifest and summary of that many photos of each split."""
    random, side = np.random.default_rng(0), stated("views.size")
    rows = []
    for split, count in splits.items():
        labels = random.integers(0, 2, count).tolist()
        for view in VIEWS:
            with checkpoint(folder / f"{split}_{view}_lmdb", count) as put:
                for number, label in enumerate(labels):
                    planes = random.integers(0, 256 - BRIGHTER * (1 - label), (3, side, side), dtype=np.uint8)
                    datum = Datum(channels=3, height=side, width=side, data=planes.tobytes(), label=label)
                    put(number, datum.SerializeToString())
        rows += [f"{split}{number},{split},{number},{label},written" for number, label in enumerate(labels)]
    (folder / "manifest.csv").write_text("\n".join(["photo_id,split,position,label,status", *rows, ""]))
    summary = {
        "splits": {split: {"written": count} for split, count in splits.items()},
        "views": list(VIEWS),
        "rule": "noise, brighter where it is good",
        "command": "",
        "lists_sha256": {},
    }
    (folder / "summary.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    place, train, test = sys.argv[1:]
    copy = stand_in.project(Path(place))
    for name in DATASETS:
        dataset(copy / "data" / name, {"train": int(train), "test": int(test)})
