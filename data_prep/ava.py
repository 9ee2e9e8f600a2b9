"""Reads AVA in its own layout: AVA.txt, aesthetics_image_lists/, images/ -> Photo records.

A line of AVA.txt holds 15 integers: a running number, the photo's id, the counts of the votes 1 to
10, two tags, the challenge (README.txt of the June 2012 release). Labels come from the counts by
integer arithmetic: about 600 photos have a mean of exactly 5, and a rounded mean would mislabel
some of them.
"""

from user_error import UserError

import os
import shlex
import warnings
from pathlib import Path

import numpy as np

from data_prep.photos import Photo
from paper import stated

COLUMNS = 15
VOTES = slice(2, 12)
MAX_VOTES = 2**31  # far above AVA's 549; keeps the integer arithmetic exact
MAX_DIGITS = 30  # of a number in a file of AVA's; int() refuses text of some thousands
LISTS = "aesthetics_image_lists"


def read_ava(root: Path) -> list[Photo]:
    """All photos of AVA.txt in the file's order, labelled good (1) iff their mean score is >= 5 (III-A).

    Raises UserError, which names file and line, if a line is not as it should be.
    """
    table = _read_table(root)
    lowest, highest = stated("labels.lowest_score"), stated("labels.highest_score")
    counts = table[:, VOTES]
    votes = counts.sum(axis=1)
    totals = counts @ np.arange(lowest, highest + 1)
    labels = totals >= stated("labels.threshold") * votes
    files = _image_files(root)
    return [
        Photo(photo_id := str(number), root, files.get(photo_id, f"images/{photo_id}.jpg"), *rest)
        for number, *rest in zip(
            table[:, 1].tolist(),
            labels.astype(int).tolist(),
            totals.tolist(),
            votes.tolist(),
            strict=True,
        )
    ]


def read_test_list(root: Path) -> list[str] | None:
    """The ids of the official test list, or None if the copy does not have it."""
    path = test_list_path(root)
    if not path.exists():
        return None
    ids = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        word = line.strip()
        if not word:
            continue
        if not word.isdecimal() or len(word) > MAX_DIGITS:
            raise UserError(f"{path}:{number}: {word[:40]!r} is not the id of a photo; the list holds one id per line")
        ids.append(str(int(word)))
    if not ids:
        raise UserError(f"{path} is empty: copy it again from AVA, or remove it and a test set is drawn")
    if len(set(ids)) != len(ids):
        raise UserError(f"{path}: some ids are in it twice; copy it again from AVA")
    return ids


def test_list_path(root: Path) -> Path:
    return root / LISTS / stated("partitions.ava-large.test_list")


def table_path(root: Path) -> Path:
    """The path of AVA.txt; raises UserError if it is not there."""
    path = root / "AVA.txt"
    if path.is_file():
        return path
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder: it is the one that holds AVA.txt, {LISTS}/ and images/")
    nested = sorted(root.glob("*/AVA.txt"))
    if nested:
        there = nested[0].parent
        raise UserError(f"{root} has no AVA.txt, but {there} does: --root {shlex.quote(str(there))}")
    raise UserError(f"{root} has no AVA.txt: --root is the folder that holds AVA.txt, {LISTS}/ and images/")


def images_folder(root: Path) -> Path:
    """The folder that holds the pictures; raises UserError if there is none."""
    folder = root / "images"
    if not folder.is_dir():
        raise UserError(f"{folder} is not there: put AVA's pictures (<id>.jpg) into it, or a link to where they are")
    return folder


def _image_files(root: Path) -> dict[str, str]:
    """The path of each picture by photo id; of two files with one id, the shallower wins, then the .jpg."""
    found: dict[str, tuple[int, bool, str]] = {}
    for depth, inner in enumerate(("images", "images/images")):
        try:
            names = os.listdir(root / inner)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            stem, dot, extension = name.rpartition(".")
            if dot and extension.lower() in ("jpg", "jpeg"):
                candidate = (depth, extension != "jpg", f"{inner}/{name}")
                found[stem] = min(found.get(stem, candidate), candidate)
    return {stem: path for stem, (_, _, path) in found.items()}


def _read_table(root: Path) -> np.ndarray:
    """AVA.txt as int64 of shape (photos, 15), checked."""
    path = table_path(root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns about an empty file or '5.0' for an integer
            table = np.loadtxt(path, dtype=np.int64, comments=None, ndmin=2, encoding="utf-8")
    except (ValueError, OverflowError, UserWarning, DeprecationWarning) as error:
        raise _first_bad_line(path) or UserError(f"{path}: {error}") from None
    counts = table[:, VOTES] if table.shape[1] == COLUMNS else None
    if (
        counts is None
        or (table[:, 1] < 0).any()
        or (counts < 0).any()
        or (counts > MAX_VOTES).any()
        or not counts.any(axis=1).all()
        or len(np.unique(table[:, 1])) != len(table)
    ):
        raise _first_bad_line(path) or UserError(f"{path} is not AVA's table")
    return table


def _first_bad_line(path: Path) -> UserError | None:
    """What is wrong with the first line that is not as it should be."""
    first_line_of: dict[int, int] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if not fields:
                continue
            where = f"{path}:{number}:"
            if len(fields) != COLUMNS:
                return UserError(
                    f"{where} {len(fields)} fields where AVA has {COLUMNS}; the file is damaged, copy it again"
                )
            for field in fields:
                if not field.removeprefix("-").isdecimal() or not field.isascii():
                    return UserError(f"{where} {field[:20]!r} is not an integer; copy the file again")
                if len(field) > MAX_DIGITS:
                    return UserError(f"{where} a number is out of range; copy the file again")
            numbers = [int(field) for field in fields]
            photo_id, counts = numbers[1], numbers[VOTES]
            if photo_id < 0 or min(counts) < 0 or max(counts) > MAX_VOTES:
                return UserError(f"{where} a number is out of range; copy the file again")
            if not any(counts):
                return UserError(f"{where} photo {photo_id} has no votes, so no score; remove the line")
            if photo_id in first_line_of:
                return UserError(
                    f"{where} photo {photo_id} is already on line {first_line_of[photo_id]}; remove one of them"
                )
            first_line_of[photo_id] = number
    return None if first_line_of else UserError(f"{path} is empty; copy it again")
