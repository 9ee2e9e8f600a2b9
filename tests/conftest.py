"""Datasets in AVA's and CUHKPQ's own layouts, made small, and the command line that prepares them."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from harness import CODE, EVALUATE_EVERY, MAX_ITER, SNAPSHOT_EVERY, TEST, TRAIN, edit, write_ava

from data_prep.datums import Datum
from data_prep.photos import Photo
from data_prep.readers.cuhkpq import CATEGORIES
from data_prep.readers.partitions import Partition
from data_prep.request import Request
from data_prep.stores import checkpoint

ROOT = Path(__file__).resolve().parents[1]
REAL_PHOTOS = ROOT.parent / "shared" / "photos"


for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # of the `make test` that runs us: no part of what tests call
    os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def hear_ctrl_c() -> None:
    """Let the processes that tests start hear SIGINT; where a shell runs the tests in the background, it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def as_nobody() -> tuple[str, ...]:
    """The words before a command that run it as another user, who may read this checkout and owns nothing."""
    words = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if os.geteuid() or subprocess.run([*words, "test", "-r", ROOT / "paper.toml"]).returncode:
        pytest.skip("takes root, and a checkout that others may read")
    return words


@pytest.fixture(scope="session")
def draw_picture() -> Callable[..., np.ndarray]:
    """draw_picture(seed, width, height): a smooth random picture, height x width x 3 BGR uint8."""

    def draw(seed: int, width: int = 300, height: int = 280) -> np.ndarray:
        coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)

    return draw


@pytest.fixture(scope="session")
def ava_line() -> Callable[..., str]:
    """ava_line(number, photo_id, counts): a line of AVA.txt."""

    def line(number: int, photo_id: int, counts: Sequence[int]) -> str:
        return f"{number} {photo_id} {' '.join(map(str, counts))} 1 22 1396\n"

    return line


@pytest.fixture
def make_ava(tmp_path, ava_line, draw_picture) -> Callable[..., Path]:
    """make_ava(photos, test_list=...): a copy of AVA with that many photos, ids 1000, 1001, ..."""

    def make(photos: int, test_list: Sequence[int] | None = None, pictures: bool = True) -> Path:
        root = tmp_path / "ava"
        random = np.random.default_rng(photos)
        counts = random.integers(0, 60, (photos, 10))
        lines = [ava_line(number + 1, 1000 + number, counts[number]) for number in range(photos)]
        sizes = [random.integers(200, 400, 2).tolist() for _ in range(photos if pictures else 0)]
        write_ava(root, lines, [draw_picture(number, *size) for number, size in enumerate(sizes)], test_list)
        return root

    return make


@pytest.fixture
def make_cuhkpq(tmp_path) -> Callable[..., Path]:
    """make_cuhkpq({'HighQuality': (7 counts), ...}): a copy of CUHKPQ with empty files as photos."""

    def make(counts: dict[str, Sequence[int]], name: str = "cuhkpq") -> Path:
        root = tmp_path / name
        for quality, numbers in counts.items():
            for category, number in zip(CATEGORIES, numbers, strict=True):
                folder = root / quality / category
                folder.mkdir(parents=True)
                for index in range(number):
                    (folder / f"{index}.jpg").touch()
        return root

    return make


@pytest.fixture
def data_prep() -> Callable[..., subprocess.CompletedProcess]:
    """data_prep(*arguments): run python -m data_prep to its end."""

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "data_prep", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def request_(tmp_path) -> Request:
    """A request for a dataset of one's own that nobody has made."""
    return Request(
        "mine", tmp_path / "data", {"root": tmp_path / "photos"}, ("global", "local"), False, {"dataset": "ava"}
    )


@pytest.fixture
def partition() -> Partition:
    """100 photos train, of which 90 are good; 50 test, of which 10 are good."""
    labels = [1] * 90 + [0] * 10 + [1] * 10 + [0] * 40
    photos = [Photo(str(n), Path(), "", label) for n, label in enumerate(labels)]
    return Partition(photos[:100], photos[100:], [(photos[0], "not drawn"), (photos[1], "not drawn")], "the rule")


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A dataset in the harness's own layout: noise, brighter where it is good."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = []
    for split, count in (("train", TRAIN), ("test", TEST)):
        labels = rng.integers(0, 2, count)
        for view in ("global", "local"):
            with checkpoint(root / "demo" / f"{split}_{view}_lmdb", count) as put:
                for i, label in enumerate(labels):
                    planes = rng.integers(0, 180 + 20 * label, (3, 256, 256), dtype=np.uint8)
                    datum = Datum(channels=3, height=256, width=256, data=planes.tobytes(), label=int(label))
                    put(i, datum.SerializeToString())
        rows += [[f"{split}{i}", split, i, label, "written"] for i, label in enumerate(labels)]
    with (root / "demo" / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_id", "split", "position", "label", "status"])
        writer.writerows(rows)
    summary = {
        "splits": {"train": {"written": TRAIN}, "test": {"written": TEST}},
        "views": ["global", "local"],
        "rule": "noise, brighter where it is good",
        "command": "",
        "lists_sha256": {},
    }
    (root / "demo" / "summary.json").write_text(json.dumps(summary))
    return root


@pytest.fixture
def checkout(tmp_path, data) -> Path:
    """A copy of the code whose prototxts and solvers a test may edit."""
    root = tmp_path / "a checkout 我的"
    for name in CODE:
        ignore = shutil.ignore_patterns("__pycache__", "bvlc_*", "VGG_*")
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*.toml")]:
        shutil.copy(path, root)
    for path in (root / "prototxt" / "demo").glob("*/train_val.prototxt"):
        edit(path, r"batch_size: \d+", "batch_size: 4")
    for path in (root / "solvers" / "demo").glob("*.prototxt"):
        edit(path, r"max_iter: \d+", f"max_iter: {MAX_ITER}")
        edit(path, r"snapshot: \d+", f"snapshot: {SNAPSHOT_EVERY}")
        edit(path, r"test_interval: \d+", f"test_interval: {EVALUATE_EVERY}")
        edit(path, r"display: \d+", "display: 1")
    (root / "data").symlink_to(data)
    return root
