"""Finds AVA's pictures, <id>.jpg, in the folders that copies have them in, or says what is there in their place."""

from user_error import UserError

import os
import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from data_prep.photos import Photo
from data_prep.readers import folders

FOLDERS = ("images", "ava_images", "image")  # ava_images: pyiqa's
DEPTH = 3  # levels of folders below that one; archives nest images/images/
EXTENSIONS = ("jpg", "jpeg")
PARTS = 64  # of the archive of pictures, images.7z.001 and so on
ENOUGH = 0.5  # of the lists' photos; a copy with fewer pictures was not unpacked, or they are not where we look
MOST = 0.9  # of the numbers in a row, or of the pictures; AVA's ids are a quarter of the numbers up to the last


@dataclass(frozen=True)
class Pictures:
    """The pictures by their names without extension (photos' ids): the path of each in `folder`.

    Where that is a parquet file, `rows` has its row.
    """

    folder: Path
    paths: dict[str, str]
    rows: dict[str, int]

    def photo(self, photo_id: str, *rest: int) -> Photo:
        """The photo with this id; if there is no picture of it, with the path that it would have."""
        path = self.paths.get(photo_id) or f"{FOLDERS[0]}/{photo_id}.jpg"
        return Photo(photo_id, self.folder, path, *rest, row=self.rows.get(photo_id))


def find(root: Path, home: Path, images: Path | None) -> Pictures:
    """The picture files of a copy, from a few listings; `home` is the folder of its table, `images` as asked for.

    They are in or below `images`; else in a folder of the usual name in `home`, in `root`, or one level below that;
    else in `home` itself. Raises UserError if several folders could be meant.
    """
    if images is not None:
        if not images.is_dir():
            raise UserError(f"--images {images} is not a folder: it is the one that holds AVA's pictures, <id>.jpg")
        return Pictures(images, _listing(images, "", DEPTH), {})
    for base in dict.fromkeys((home, root)):
        for inside in _usual_folders(base):
            if paths := _listing(base, inside, DEPTH):
                return Pictures(base, paths, {})
    nested = [
        os.path.join(folder.name, inside) for folder in folders.subfolders(root) for inside in _usual_folders(folder)
    ]
    listings = {inside: paths for inside in nested if (paths := _listing(root, inside, DEPTH))}
    if len(listings) > 1:
        first, second, *_ = (shlex.quote(str(root / inside)) for inside in listings)
        raise UserError(f"{root} has several folders of pictures: name AVA's, --images {first} or --images {second}")
    for paths in listings.values():
        return Pictures(root, paths, {})
    return Pictures(home, _listing(home, "", 0), {})


def require_enough(pictures: Pictures, photos: Collection[Photo], ids: Iterable[str], places: Iterable[Path]) -> None:
    """Raise UserError unless most photos of the lists have a picture, and one that can be theirs.

    `ids` are those of all photos of AVA; in `places` there may be archives that were not unpacked.
    """
    _require_names_are_ids(pictures, set(ids))
    lacking = [photo for photo in photos if photo.photo_id not in pictures.paths]
    there = len(photos) - len(lacking)
    if there >= ENOUGH * len(photos):
        return
    found = f"only {there:,} of the {len(photos):,} photos of the lists have a picture in {pictures.folder}"
    for place in dict.fromkeys(places):
        if advice := _how_to_unpack(place):
            raise UserError(f"{found}{advice}")
    if not pictures.paths:
        raise UserError(
            f"{pictures.folder} holds no pictures: put AVA's pictures (<id>.jpg) into {pictures.folder / FOLDERS[0]}, "
            "or name their folder, --images DIR"
        )
    raise UserError(
        f"{found}: {lacking[0].path} is one that is not there, {min(pictures.paths.values())} is one of the "
        f"{len(pictures.paths):,} that are; name the folder of the others, --images DIR, or give as --root a "
        "folder whose AVA.txt has the lines of your photos alone"
    )


def _require_names_are_ids(pictures: Pictures, ids: set[str]) -> None:
    """Raise UserError if the pictures are numbered 0 or 1 to n: each would get another photo's label."""
    numbers = [int(name) for name in pictures.paths if name.isdecimal() and len(name) < 20]
    if not numbers:
        return
    first, last = min(numbers), max(numbers)
    own = sum(str(number) in ids for number in numbers)
    if first <= 1 and len(numbers) >= MOST * (last - first + 1) and own < MOST * len(numbers):
        raise UserError(
            f"{pictures.folder}: the {len(numbers):,} pictures are numbered {first} to {last}, and only {own:,} of "
            "these are ids of AVA's, as many as chance gives: the numbers do not tell which photo a picture is, it "
            "would get another one's label. Take a copy with the pictures as <id>.jpg"
        )


def _how_to_unpack(folder: Path) -> str:
    """What to do with an archive in a folder, "" if there is none."""
    advice = folders.how_to_unpack(folder)
    parts = sum(".7z.0" in name for name in folders.names_in(folder))
    if advice and parts:
        advice += f"; AVA's archive has {PARTS} parts and needs them all, {parts} are there"
    return advice


def _listing(folder: Path, inside: str, depth: int) -> dict[str, str]:
    """The paths in `folder` of the pictures in its folder `inside` and so many levels below it, by photo id.

    Of two files with one id, the shallower wins, then the .jpg. No file is looked at.
    """
    found: dict[str, str] = {}
    level = [inside]
    for _ in range(depth + 1):
        here: dict[str, tuple[bool, str]] = {}
        deeper = []
        for place in level:
            prefix = os.path.join(place, "")
            with _scanned(folder / place) as entries:
                for entry in entries:
                    stem, dot, extension = entry.name.rpartition(".")
                    path = prefix + entry.name
                    if dot and extension.lower() in EXTENSIONS:
                        candidate = (extension != "jpg", path)
                        here[stem] = min(here.get(stem, candidate), candidate)
                    elif folders.is_folder(entry):
                        deeper.append(path)
        found = {stem: path for stem, (_, path) in here.items()} | found
        level = deeper
    return found


def _usual_folders(base: Path) -> list[str]:
    """The names of the folders in a folder that usually hold the pictures, the most usual first."""
    names = [folder.name for folder in folders.subfolders(base) if folder.name.lower() in FOLDERS]
    return sorted(names, key=lambda name: FOLDERS.index(name.lower()))


def _scanned(folder: Path) -> "os.ScandirIterator[str]":
    try:
        return os.scandir(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be listed: {error.strerror}") from None
