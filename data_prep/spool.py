"""The pictures of parquet files, copied into one flat file.

A picture in a parquet file cannot be read alone: with it goes its row group, up to a thousand pictures. Records are
stored in a random order, so the pictures are first copied, in the files' order, into one flat file: the spool.
"""

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import xxhash

from data_prep import spool_index
from data_prep.photos import Photo
from data_prep.pictures import LARGEST_FILE, Place
from data_prep.readers.parquet import changed, mean_size, open_parquet, read_ids, read_pictures
from data_prep.spool_index import Group

COMMIT = 2**26  # bytes of pictures; at most so many, or one row group, are copied again after a kill
PIECE = 2**20  # bytes that are read at a time

Wanted = dict[str, dict[int, str]]  # the ids of the photos by row, ascending, by parquet file


class Spool:
    """The pictures of parquet files, one after the other in one file, and an index with a line for each row group.

    A line is written once its pictures are on the disk. When the copying is resumed, all that was copied is read and
    compared with its hashes; the first row group that is not as it was written, and all behind it, is copied again.
    """

    def __init__(self, folder: Path) -> None:
        self._pictures = folder / "spool"
        self._index = folder / "spool_index"
        self._nothing = folder / "no picture"  # is never there
        self._places: dict[str, np.ndarray] = {}  # begin and length of each row's picture, by parquet file; -1: none
        self._digests: dict[str, list[tuple[int, str]]] = {}  # first row and digest of each row group, by parquet file

    def bytes_needed(self, photos: Iterable[Photo]) -> int:
        """About how many bytes the pictures of these photos take."""
        return round(sum(len(ids) * mean_size(Path(path)) for path, ids in _wanted(photos).items()))

    def fill(self, photos: Iterable[Photo], show: Callable[[int], None] = lambda copied: None) -> None:
        """Copy the pictures of these photos, or resume that; `show` is told how many photos are behind it.

        Starts again where the parquet files, or the photos that are wanted of them, are others than they were. Raises
        UserError if a file is damaged, or no longer the one that the photos were read from.
        """
        wanted = _wanted(photos)
        identity = _identity(wanted)
        self._digests = {path: [] for path in wanted}
        self._places = {path: np.full((max(ids) + 1, 2), -1) for path, ids in wanted.items()}
        self._pictures.parent.mkdir(parents=True, exist_ok=True)
        passed = 0
        with self._pictures.open("a+b") as pictures:
            whole: list[Group] = []
            for group in _held(spool_index.read(self._index, identity), pictures):
                whole.append(group)
                passed += self._remember(group, wanted)
                show(passed)
            spool_index.write(self._index, identity, whole)
            pictures.truncate(whole[-1].end if whole else 0)
            pictures.seek(0, os.SEEK_END)
            with self._index.open("ab") as index:
                uncommitted: list[Group] = []
                for group in _copied(wanted, len(whole), pictures):
                    uncommitted.append(group)
                    if group.end - uncommitted[0].begin >= COMMIT:
                        _commit(uncommitted, pictures, index)
                    passed += self._remember(group, wanted)
                    show(passed)
                _commit(uncommitted, pictures, index)

    def place(self, photo: Photo) -> Place:
        """Where the picture of a photo is, once it is copied: its own file, a part of the spool, or nowhere.

        One that is too large to be a picture has its true length there, by which readers refuse it.
        """
        if photo.row is None:
            return Place(_path(photo))
        begin, length = self._places[_path(photo)][photo.row].tolist()
        if begin < 0:
            return Place(str(self._nothing))
        digests = self._digests[_path(photo)]
        _, digest = digests[bisect_right(digests, photo.row, key=itemgetter(0)) - 1]
        return Place(str(self._pictures), begin, length, digest)

    def _remember(self, group: Group, wanted: Wanted) -> int:
        """Note where the pictures of a row group are; the number of photos in it that are wanted."""
        end = group.row + len(group.lengths)
        places = self._places[group.path][group.row : end]
        lengths, copied = np.array(group.lengths), group.copied
        begins = group.begin + np.cumsum(copied) - copied
        self._digests[group.path].append((group.row, group.digest))
        places[:] = np.column_stack([np.where(lengths < 0, -1, begins), lengths])[: len(places)]
        return len(wanted[group.path].keys() & range(group.row, end))


def _wanted(photos: Iterable[Photo]) -> Wanted:
    """The rows that hold these photos, by parquet file in the order of their paths."""
    ids: Wanted = defaultdict(dict)
    for photo in photos:
        if photo.row is not None:
            ids[_path(photo)][photo.row] = photo.photo_id
    return {path: dict(sorted(own.items())) for path, own in sorted(ids.items())}


def _path(photo: Photo) -> str:
    return os.path.join(photo.folder, photo.path)


def _identity(wanted: Wanted) -> str:
    """What tells the parquet files as they are, and the photos that are wanted of them, from others."""
    total = xxhash.xxh3_128()
    for path, ids in wanted.items():
        status = os.stat(path)
        total.update(f"{path!r} {status.st_size} {status.st_mtime_ns} {ids}\n".encode())
    return total.hexdigest()


def _held(groups: Iterable[Group], spool: BinaryIO) -> Iterator[Group]:
    """The row groups whose pictures the spool holds as they were copied, up to the first that it does not."""
    spool.seek(0)
    for group in groups:
        total = xxhash.xxh3_128()
        while piece := spool.read(min(PIECE, group.end - spool.tell())):
            total.update(piece)
        if total.hexdigest() != group.digest:
            return
        yield group


def _copied(wanted: Wanted, skipped: int, spool: BinaryIO) -> Iterator[Group]:
    """Copy the wanted pictures, a row group at a time, all but the first `skipped` row groups."""
    number = 0
    for name, ids in wanted.items():
        path = Path(name)
        with open_parquet(path) as parquet:
            there = map(str, read_ids(path, parquet).tolist())
            if not ids.items() <= dict(enumerate(there)).items():
                raise changed(path)
            begin = 0
            for place in range(parquet.num_row_groups):
                end = begin + parquet.metadata.row_group(place).num_rows
                if own := ids.keys() & range(begin, end):
                    if number >= skipped:
                        start = spool.tell()
                        lengths, digest = _copy(enumerate(read_pictures(path, parquet, place), begin), own, spool)
                        yield Group(number, name, begin, start, lengths, digest)
                    number += 1
                begin = end


def _copy(pictures: Iterable[tuple[int, pa.Buffer | None]], own: set[int], spool: BinaryIO) -> tuple[list[int], str]:
    """Copy the pictures of some of these rows; returns the lengths and the digest of a Group."""
    lengths, total = [], xxhash.xxh3_128()
    for row, picture in pictures:
        is_wanted = picture is not None and row in own
        lengths.append(picture.size if is_wanted else -1)
        if is_wanted and picture.size <= LARGEST_FILE:
            spool.write(picture)
            total.update(picture)
    return lengths, total.hexdigest()


def _commit(groups: list[Group], pictures: BinaryIO, index: BinaryIO) -> None:
    """Make the pictures of these row groups survive a power cut, then their lines of the index; empties the list."""
    for file, lines in ((pictures, b""), (index, spool_index.lines(groups))):
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    groups.clear()
