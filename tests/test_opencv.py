"""OpenCV, which reads Caffe's files itself, predicts what our runs wrote."""

import csv
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("caffe")

from benchmarks.opencv_reader import P_TOLERANCE, opencv_p_good
from data_prep.views import MAKE_VIEW
from paper import NETWORKS, ROOT, VIEWS

ITERATIONS = 2


@pytest.fixture
def finetuned(make_ava, data_prep, tmp_path):
    """The folder with the results of all four variants of the demo, each fine-tuned for an instant."""
    root = make_ava(20, test_list=range(1000, 1020, 3))
    done = data_prep("ava", "--root", root, "--partition", "large", "--name", "demo", "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "run_experiments.py", "run", "--dataset", "demo", "--cpu", "--data", tmp_path / "data"]
    command += ["--results", tmp_path / "results", "--max-iter", str(ITERATIONS)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return tmp_path / "results" / "demo"


def test_opencv_predicts_from_a_photos_file_what_the_run_wrote_of_it(finetuned, tmp_path):
    """From the JPEG to p(good): view, LMDB, crop, mean, snapshot, deploy.prototxt, and which photo is which."""
    with (tmp_path / "data" / "demo" / "manifest.csv").open(newline="") as file:
        paths = {row["photo_id"]: tmp_path / "ava" / row["path"] for row in csv.DictReader(file)}
    for network in NETWORKS:
        for view in VIEWS:
            folder = finetuned / f"{network}_{view}" / "seed-1"
            with (folder / "predictions.csv").open(newline="") as file:
                ours = {row["photo_id"]: float(row["p_good"]) for row in csv.DictReader(file)}
            views = np.stack([MAKE_VIEW[view](cv2.imread(str(paths[photo_id]))) for photo_id in ours])
            caffemodel = folder / "snapshots" / f"demo_{network}_{view}_iter_{ITERATIONS}.caffemodel"
            theirs = opencv_p_good("demo", network, caffemodel, views)
            assert len(set(ours.values())) == len(ours) > 1
            assert theirs == pytest.approx(list(ours.values()), abs=P_TOLERANCE)
