"""Datasets in AVA's and CUHKPQ's own layouts, made small, and the command line that prepares them."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.cuhkpq import CATEGORIES

ROOT = Path(__file__).resolve().parents[1]
REAL_PHOTOS = ROOT.parent / "shared" / "photos"


@pytest.fixture(scope="session", autouse=True)
def hear_ctrl_c() -> None:
    """Let the processes that tests start hear SIGINT; where a shell runs the tests in the background, it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
        (root / "images").mkdir(parents=True)
        random = np.random.default_rng(photos)
        counts = random.integers(0, 60, (photos, 10))
        with (root / "AVA.txt").open("w") as table:
            for number in range(photos):
                table.write(ava_line(number + 1, 1000 + number, counts[number]))
                if pictures:
                    width, height = random.integers(200, 400, 2).tolist()
                    picture = draw_picture(number, width, height)
                    cv2.imwrite(str(root / "images" / f"{1000 + number}.jpg"), picture)
        if test_list is not None:
            (root / "aesthetics_image_lists").mkdir()
            lines = "\n".join(map(str, test_list))
            (root / "aesthetics_image_lists" / "generic_test.jpgl").write_text(lines)
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
