"""What a report costs: that of Table III, with 20,000 test photos and three seeds of each variant, all made up.

The photos are the demo's, over and over; the predictions are drawn.
"""

import csv
import sys
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.child import call
from benchmarks.stopwatch import seconds
from benchmarks.table import Comparison, in_turns
from data_prep import manifest, stores
from data_prep.datums import encoded_record
from data_prep.photos import WRITTEN
from experiments.course import evaluation_points
from experiments.run_folder import Evaluation, Prediction, RunFolder
from files import write_atomically
from paper import NETWORKS, ROOT, VIEWS, reported_iteration, stated

DATASET, TABLE, SEEDS = "ava-large", "III", (1, 2, 3)
AIM = 30  # seconds
QUALITY = 30  # of the photos' JPEGs, so that the store stays under 200 MB
CHECKPOINT = 1000
# The peak of a process counts its parent's memory at its start, so the parent is a small one.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def rows(rounds: int, data: Path, scratch: Path) -> list[Comparison]:
    """`data` has the demo's dataset; `scratch` is for the made-up one and its results."""
    photos = stated(f"partitions.{DATASET}.test")
    _dataset(scratch / "data" / DATASET, photos, data / "demo")
    _results(scratch / "results", photos)
    out, memory = scratch / "pages", []

    def report() -> float:
        return seconds(lambda: memory.append(_call("report", TABLE, scratch, "--out", str(out))))

    ours, theirs = in_turns(rounds, report, lambda: seconds(lambda: _call("table", TABLE, scratch)))
    page = (out / f"table-{TABLE}.html").stat().st_size
    return [
        Comparison(
            what=f"report of Table {TABLE}, {photos:,} test photos, {len(SEEDS)} seeds (aim: {AIM} s, 1 GB)",
            unit="s",
            ours=ours,
            peer="`table` on the same results",
            theirs=theirs,
            limit=f"the results are read and scored as for `table`, then claims and figures; {max(memory):.0f} MiB,"
            f" a page of {page / 1e6:.1f} MB",
        )
    ]


def _call(command: str, table: str, scratch: Path, *options: str) -> float:
    """Run a command to its end; MiB that it took at most."""
    program = [sys.executable, str(ROOT / "run_experiments.py"), command, table, *options]
    places = ["--data", str(scratch / "data"), "--results", str(scratch / "results")]
    return float(call(ROOT, "-c", PEAK, *program, *places)) / 1024


def _name(position: int) -> str:
    return str(100_000 + position)


def _dataset(folder: Path, photos: int, demo: Path) -> None:
    """A dataset with the lines of all of AVA, and with its test LMDBs alone; both views are one store."""
    views = [(label, view) for _, label, view in stores.read_records(demo / "test_global_lmdb")]
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    records = [encoded_record(cv2.imencode(".jpg", view, quality)[1].tobytes(), label) for label, view in views]
    for begin in range(0, photos, CHECKPOINT):
        with stores.checkpoint(folder / "test_global_lmdb", photos) as put:
            for position in range(begin, min(begin + CHECKPOINT, photos)):
                put(position, records[position % len(records)])
    (folder / "test_local_lmdb").symlink_to("test_global_lmdb")
    labels = list(islice(cycle(label for label, _ in views), photos))
    random = np.random.default_rng(0)
    train = stated("partitions.ava.photos") - photos
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(manifest.COLUMNS)
        for split, count in (("train", train), ("test", photos)):
            totals = random.integers(200, 950, count)
            for position, total in enumerate(totals.tolist()):
                name = _name(position + (photos if split == "train" else 0))
                label = labels[position] if split == "test" else int(total >= 600)
                writer.writerow(
                    [name, f"{name}.jpg", split, position, label, f"{total}/120", 120, 640, 480, WRITTEN, ""]
                )
    summary = (demo / "summary.json").read_text(encoding="utf-8")
    write_atomically(folder / "summary.json", summary)


def _results(results: Path, photos: int) -> None:
    """Three finished runs of each variant that are right in some four cases of five."""
    last = reported_iteration(DATASET)
    for variant in (f"{network}_{view}" for network in NETWORKS for view in VIEWS):
        for seed in SEEDS:
            folder = RunFolder(results / DATASET / variant / f"seed-{seed}")
            folder.path.mkdir(parents=True)
            _run(folder, photos, last, np.random.default_rng([seed, *variant.encode()]))


def _run(folder: RunFolder, photos: int, last: int, random: np.random.Generator) -> None:
    labels = np.random.default_rng(0).permutation(photos) % 10 < 7  # the same in all runs
    p_good = 1 / (1 + np.exp(-(1.6 * (labels - 0.5) + random.normal(0, 1, photos))))
    predictions = [
        Prediction(_name(position), int(label), p, int(p > 0.5))
        for position, (label, p) in enumerate(zip(labels, p_good.tolist(), strict=True))
    ]
    points = sorted(evaluation_points(DATASET, stated("evaluation.every"), last))
    folder.write_evaluations(
        [Evaluation(point, 0.7 - 3e-5 * point, 0.6 - 1e-5 * point, 0.7 + 1e-5 * point, 0.3 * point) for point in points]
    )
    for iteration in (stated("finetuning.sufficient_iter"), last):
        folder.write_predictions(iteration, predictions)
    folder.write_record(
        {
            "run": {}, "inputs": {"dataset": "made up"}, "attempts": [], "max_iter": last,
            "dataset": {"photos": {"train": 0, "test": photos}, "rule": "made up", "notes": []},
        }
    )  # fmt: skip
    folder.finish(last)
