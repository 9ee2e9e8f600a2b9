"""A small dataset with scores, and runs of it, for what is reported of them."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from data_prep.datums import encoded_record, raw_frame
from data_prep.manifest import COLUMNS
from data_prep.stores import checkpoint
from experiments.run_folder import Evaluation, Prediction, RunFolder
from paper import variant_parts

PHOTOS = 60
LISTS = {"train": "a" * 64, "test": "b" * 64}
RULE = "the first <b>half</b>"


def names(count: int = PHOTOS) -> list[str]:
    """Ids of test photos; the first are as bad as they can be."""
    return ["<script>alert(1)</script>.jpg", "夜 & 'day'/1.jpg", *(f"{1000 + n}" for n in range(count - 2))]


def dataset(folder: Path, encoded: bool = False, scores: bool = True) -> None:
    """A prepared dataset, with its test photos alone: rectangles of other proportions each; a third is bad."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for position, name in enumerate(names()):
        label = int(position % 3 > 0)
        total = (6 if label else 4) * 100 + position
        width, height = random.integers(200, 800, 2).tolist()
        score = [f"{total}/100", 100] if scores else ["", ""]
        rows.append([name, f"{position}.jpg", "test", position, label, *score, width, height, "written", ""])
    for view in ("global", "local"):
        with checkpoint(folder / f"test_{view}_lmdb", PHOTOS) as put:
            for position, (row, colour) in enumerate(zip(rows, random.integers(0, 256, (PHOTOS, 3)), strict=True)):
                picture = np.full((256, 256, 3), colour, np.uint8)
                picture[100:150, 60:200] = 255 - picture[0, 0]
                put(position, _record(picture, row[4], encoded))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    summary = {
        "splits": {"train": {"written": 100}, "test": {"written": PHOTOS}},
        "views": ["global", "local"], "rule": RULE, "command": "", "lists_sha256": LISTS,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))


def _record(picture: np.ndarray, label: int, encoded: bool) -> bytes:
    if encoded:
        return encoded_record(cv2.imencode(".jpg", picture)[1].tobytes(), label)
    before, after = raw_frame(label)
    return before + picture.transpose(2, 0, 1).tobytes() + after


def predictions(seed: int, count: int = PHOTOS) -> list[Prediction]:
    """What a run says: right in four of five cases."""
    random = np.random.default_rng(seed)
    found = []
    for position, name in enumerate(names(count)):
        label = int(position % 3 > 0)
        p = float(np.clip(0.5 + (label - 0.4) * 0.8 * random.random() + random.normal(0, 0.12), 0, 1))
        found.append(Prediction(name, label, p, int(p > 0.5)))
    return found


def run_of(variant: str, seed: int) -> dict:
    """What run.json says of the run of a variant, <dataset>/<variant>."""
    dataset, _, name = variant.partition("/")
    return {"dataset": dataset, "seed": seed} | dict(
        zip(("network", "view", "start", "edit"), variant_parts(name), strict=True)
    )


def run(results: Path, variant: str, seed: int = 1, iteration: int = 400, edited: bool = False, rows=None) -> RunFolder:
    """A finished run that was resumed once."""
    folder = RunFolder(results / variant / f"seed-{seed}")
    folder.path.mkdir(parents=True)
    rows = rows or predictions(seed)
    accuracy = float(np.mean([row.label == row.predicted for row in rows]))
    step = iteration // 4
    folder.write_evaluations(
        [Evaluation(0, float("nan"), 0.7, 0.4, 1.0)]
        + [Evaluation(n * step, 0.7 / n, 0.6 / n, accuracy - 0.02 * (4 - n), 60.0 * n) for n in range(1, 5)]
    )
    folder.write_predictions(iteration, rows)
    attempt = {
        "git": {"commit": "0123456789abcdef", "dirty": True},
        "caffe": {"caffe": "1.0.0", "source": "upstream at 99bd99795dcd", "variant": "cpu", "blas": "OpenBLAS 0.3.34"},
        "gpu": {"name": "NVIDIA H200"}, "machine": {"cpu": "a CPU"},
    }  # fmt: skip
    folder.write_record(
        {
            "run": run_of(variant, seed),
            "inputs": {"net": "edited" if edited else "generated", "weights": "c" * 64},
            "edited": {"train_val": edited, "solver": False},
            "dataset": {"photos": {"train": 100, "test": len(rows)}, "rule": RULE, "lists_sha256": LISTS},
            "attempts": [attempt | {"from_iteration": 0}, attempt | {"from_iteration": step}],
            "max_iter": iteration,
        }
    )
    if edited:
        (folder.path / "edits.diff").write_text("-  lr_mult: 1\n+  lr_mult: <0>\n")
    folder.finish(iteration)
    return folder
