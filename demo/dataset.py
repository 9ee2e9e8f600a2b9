"""Draws the demo dataset: photos of seven scenes with votes, in AVA's own layout and in CUHKPQ's own layout.

<out>/ava/     AVA.txt tags.txt challenges.txt images/<id>.jpg aesthetics_image_lists/generic_test.jpgl
<out>/cuhkpq/  {HighQuality,LowQuality}/<scene>/<n>.jpg, hard links to the photos that most viewers agree on
<out>/demo.json  what was drawn

A photo depends on the seed and its index alone, not on the number of photos or jobs. (Processors of another kind, for
which OpenCV has other code, round differently: a few pixels are then a grey level or two lighter or darker.)
Everything is drawn into a hidden folder next to <out>, which is renamed at the end.
"""

from user_error import UserError

import json
import multiprocessing
import operator
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import track

import files
from data_prep.workers import interrupts_deferred
from demo.camera import take_photo
from demo.layout import encode, photo_id, write_ava, write_cuhkpq
from demo.score import generators, rate

MIN_PHOTOS, MAX_PHOTOS = 20, 100_000
STAMP = "demo.json"
# Raise it when the same seed gives other photos, votes or lists than before: tests/test_demo.py fails until then.
DRAWING_VERSION = 1
# Stamps used to hold a hash of the drawing code instead. The last one stood for the drawings of version 1.
HASHED_VERSIONS = {"f759388317bb3d5e002501f39fe4663dcee39b121fb303c0316b834fa71023a6": 1}
CHUNK = 16  # photos a job takes at a time


@dataclass(frozen=True)
class DemoSummary:
    """What was drawn: photos in AVA, good ones and ties among them, test photos, photos in CUHKPQ."""

    photos: int
    seed: int
    good: int
    ties: int
    test: int
    cuhkpq_high: int
    cuhkpq_low: int


def draw_dataset(out: Path, photos: int, seed: int, jobs: int) -> DemoSummary:
    """Draw `photos` photos into `out` with `jobs` processes; a set that is already there is left as it is.

    Raises UserError for a number of photos out of range, for a folder that holds something else, or if writing fails.
    """
    if not MIN_PHOTOS <= photos <= MAX_PHOTOS:
        raise UserError(f"--photos {photos}: give a number from {MIN_PHOTOS} to {MAX_PHOTOS}")
    out = out.resolve()
    try:
        if (out / STAMP).is_file():
            summary = read_stamp(out, photos, seed)
            print(f"{out} is already drawn")
            return summary
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise UserError(f"{out} exists and holds no demo dataset: choose another --out")
        with hidden_folder(out) as folder:
            summary = draw_into(folder, photos, seed, jobs)
            folder.rename(out)
    except OSError as error:
        raise UserError(
            f"cannot draw into {out}: {error.strerror or error}: make room or choose another --out"
        ) from error
    return summary


def read_stamp(out: Path, photos: int, seed: int) -> DemoSummary:
    """The summary of the set in `out`, which must be the one that `photos` and `seed` would draw now."""
    advice = f"remove {out} or choose another --out"
    try:
        stamp = json.loads((out / STAMP).read_text(encoding="utf-8"))
        drawing = stamp.pop("drawing")
        version = HASHED_VERSIONS.get(drawing, drawing)
        summary = DemoSummary(**{name: operator.index(value) for name, value in stamp.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{out / STAMP} is damaged: {advice}") from error
    if (summary.photos, summary.seed) != (photos, seed):
        there = f"--photos {summary.photos} --seed {summary.seed}"
        raise UserError(f"{out} holds the set of {there}, not of --photos {photos} --seed {seed}: {advice}")
    if version != DRAWING_VERSION:
        raise UserError(f"{out} was drawn by another version of this program: {advice}")
    return summary


@contextmanager
def hidden_folder(out: Path) -> Iterator[Path]:
    """An empty hidden folder next to `out` that only we use; it is removed at the end unless it was renamed."""
    folder = out.with_name(f".{out.name}.drawing")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.locked(out.with_name(f".{out.name}.lock")):
            shutil.rmtree(folder, ignore_errors=True)  # left by a killed call
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except files.Held:
        raise UserError(f"{out} is being drawn by another process: wait for it to end") from None


def draw_into(folder: Path, photos: int, seed: int, jobs: int) -> DemoSummary:
    """Draw everything into an empty folder."""
    images = folder / "ava" / "images"
    images.mkdir(parents=True)
    draw_photos(images, photos, seed, jobs)
    ratings = [rate(seed, index) for index in range(photos)]
    test = write_ava(folder / "ava", seed, ratings)
    high, low = write_cuhkpq(folder / "cuhkpq", images, seed, ratings)
    good = sum(rating.good for rating in ratings)
    ties = sum(rating.margin == 0 for rating in ratings)
    summary = DemoSummary(photos, seed, good, ties, test, high, low)
    stamp = asdict(summary) | {"drawing": DRAWING_VERSION}
    (folder / STAMP).write_text(json.dumps(stamp, indent=2) + "\n")
    return summary


def draw_photos(images: Path, photos: int, seed: int, jobs: int) -> None:
    """Draw the pictures in `jobs` processes, with a progress line on stderr."""
    pool = ProcessPoolExecutor(min(jobs, photos), multiprocessing.get_context("spawn"), start_worker)
    try:
        with interrupts_deferred():  # map starts the processes
            drawn = pool.map(partial(draw_photo, images, seed), range(photos), chunksize=CHUNK)
        for _ in track(drawn, f"drawing {photos} photos", photos, console=Console(stderr=True)):
            pass
    except BrokenProcessPool as error:
        raise UserError("a drawing process was killed, perhaps because memory ran out: try fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def start_worker() -> None:
    """Set up a drawing process: it uses one core and ends when its parent does."""
    cv2.setNumThreads(1)

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def draw_photo(images: Path, seed: int, index: int) -> None:
    """Draw photo `index`."""
    _, rng = generators(seed, index)
    encode(take_photo(rate(seed, index), rng), index, images / f"{photo_id(seed, index)}.jpg")
