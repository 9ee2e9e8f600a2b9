"""Reads CUHKPQ in its own layout, {HighQuality,LowQuality}/<category>/, and the extra photos of its large partition.

A photo's id is its path below the dataset's folder: the files are numbered, and whether a number is
unique across the folders is not documented.
"""

from user_error import UserError

import csv
import os
from pathlib import Path

from data_prep.photos import BAD, EXTRA, GOOD, Photo
from paper import stated

QUALITIES = {"HighQuality": GOOD, "LowQuality": BAD}
CATEGORIES = ("animal", "architecture", "human", "landscape", "night", "plant", "static")
FOLDER = "PhotoQualityDataset"  # what the archive unpacks to
EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
LABELS = {"1": GOOD, "good": GOOD, "0": BAD, "bad": BAD}


def read_cuhkpq(root: Path) -> list[Photo]:
    """The photos of the 7 categories x 2 qualities, by path; raises UserError where a folder is not there or empty."""
    base = next((path for path in (root, root / FOLDER) if (path / "HighQuality").is_dir()), None)
    if base is None:
        raise UserError(
            f"{root} has no HighQuality/: --root is the folder that holds HighQuality/ and LowQuality/, "
            f"each with {', '.join(CATEGORIES)}"
        )
    photos = []
    for quality, label in QUALITIES.items():
        for category in CATEGORIES:
            cell = f"{quality}/{category}"
            names = _pictures(base / cell)
            if not names:
                raise UserError(
                    f"{base / cell} is not there or holds no picture; unpack CUHKPQ anew, all 14 folders are needed"
                )
            photos += [Photo(f"{cell}/{name}", base, f"{cell}/{name}", label, cell=cell) for name in names]
    return photos


def read_extra(folder: Path, known: list[Photo]) -> list[Photo]:
    """The extra photos of CUHKPQ (large): `manifest.csv` (path,label) in `folder`, or its HighQuality/ and LowQuality/.

    Raises UserError where a file is already one of the `known` photos: it could end in training and in test.
    """
    if not folder.is_dir():
        raise UserError(f"--extra {folder} is not a folder")
    manifest = folder / "manifest.csv"
    rows = _manifest_rows(manifest) if manifest.is_file() else _labelled_files(folder)
    if not rows:
        raise UserError(
            f"--extra {folder} has no photos: it needs HighQuality/ and LowQuality/, or manifest.csv with path,label"
        )
    taken = {os.path.realpath(photo.file): photo.photo_id for photo in known}
    photos = []
    for path, label in rows:
        photo = Photo(f"{EXTRA}{path}", folder, path, label, cell=f"{EXTRA}{'good' if label else 'bad'}")
        real = os.path.realpath(photo.file)
        if real in taken:
            raise UserError(
                f"--extra {folder}: {path} is the same file as {taken[real]}, so one photo could be in training and "
                "in test; remove it"
            )
        taken[real] = photo.photo_id
        photos.append(photo)
    return photos


def refuse_without_extra() -> UserError:
    """Why cuhkpq-large cannot be prepared from CUHKPQ alone."""
    large = stated("partitions.cuhkpq-large.train") + stated("partitions.cuhkpq-large.test")
    small = stated("partitions.cuhkpq-small.train") + stated("partitions.cuhkpq-small.test")
    extra = stated("partitions.cuhkpq-large.extra")
    return UserError(
        f"cuhkpq-large needs --extra DIR: the paper's {large:,} photos are CUHKPQ's {small:,} and {extra:,} more "
        "'available in the download pages' (IV-A.1), which it does not name; by their number they may be the 6,000 + "
        "6,000 photos of Ke et al. 2006, unconfirmed. DIR holds HighQuality/ and LowQuality/, or manifest.csv with "
        "path,label"
    )


def _pictures(folder: Path) -> list[str]:
    """The names of the pictures in a folder, sorted; hidden files and those of the system are no pictures."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS)


def _labelled_files(folder: Path) -> list[tuple[str, int]]:
    """(path, label) of the pictures anywhere below HighQuality/ and LowQuality/, by path."""
    rows = []
    for quality, label in QUALITIES.items():
        for where, _, _ in os.walk(folder / quality, followlinks=True):
            inside = Path(where).relative_to(folder)
            rows += [((inside / name).as_posix(), label) for name in _pictures(Path(where))]
    return sorted(rows)


def _manifest_rows(manifest: Path) -> list[tuple[str, int]]:
    """(path, label) of each line of manifest.csv, by path; a label is 1, 0, good or bad."""
    rows = {}
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"path", "label"} <= set(reader.fieldnames or ()):
            raise UserError(f"{manifest}:1: the first line must name the columns path,label")
        for row in reader:
            where = f"{manifest}:{reader.line_num}:"
            label = LABELS.get((row["label"] or "").strip().lower())
            if not row["path"] or label is None:
                raise UserError(f"{where} a line is path,label with the label 1 (good) or 0 (bad)")
            if row["path"] in rows:
                raise UserError(f"{where} {row['path']} stands there twice; remove one of them")
            rows[row["path"]] = label
    return sorted(rows.items())
