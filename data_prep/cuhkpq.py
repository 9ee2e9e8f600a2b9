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
    """The photos of the 7 categories x 2 qualities, by path; raises UserError if a folder is missing or empty."""
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder: it is the one that holds HighQuality/ and LowQuality/")
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
                    f"{base / cell} is missing or holds no picture; unpack CUHKPQ again, all 14 folders are needed"
                )
            photos += [Photo(f"{cell}/{name}", base, f"{cell}/{name}", label, cell=cell) for name in names]
    return photos


def read_extra(folder: Path, known: list[Photo]) -> list[Photo]:
    """The extra photos of CUHKPQ (large): `manifest.csv` (path,label) in `folder`, or its HighQuality/ and LowQuality/.

    Raises UserError if a file is already one of the `known` photos: it could end up in training and in test.
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
        "'available in the download pages' (IV-A.1), which it does not name; judging by their number they may be the "
        "6,000 + 6,000 photos of Ke et al. 2006, unconfirmed. DIR holds HighQuality/ and LowQuality/, or manifest.csv "
        "with path,label"
    )


def _pictures(folder: Path) -> list[str]:
    """The names of the pictures in a folder, sorted; hidden files and those of the system are no pictures.

    [] if there is no such folder. Raises UserError for a name that no list can hold.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    pictures = [name for name in names if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS]
    for name in pictures:
        if any("\ud800" <= character <= "\udfff" for character in name):  # bytes that are not UTF-8
            raise UserError(f"{folder} holds a picture whose name is not UTF-8, {name!r}: rename it")
    return sorted(pictures)


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
        try:
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                raise UserError(f"{manifest}:1: the first line must name the columns path,label")
            for row in reader:
                where = f"{manifest}:{reader.line_num}:"
                path, label = row["path"], LABELS.get((row["label"] or "").strip().lower())
                if not path or "\0" in path or label is None:
                    raise UserError(f"{where} a line is path,label with the label 1 (good) or 0 (bad)")
                if path in rows:
                    raise UserError(f"{where} {path} is there twice; remove one of them")
                rows[path] = label
        except (csv.Error, UnicodeDecodeError) as error:
            raise UserError(f"{manifest} is not a CSV file in UTF-8: {error}") from None
    return sorted(rows.items())
