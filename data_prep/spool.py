"""The pictures of parquet files, copied into one flat file.

A picture in a parquet file cannot be read alone: with it goes its row group, up to a thousand pictures. Records are
stored in a random order, so the pictures are first copied, in the files' order, into one flat file: the spool.
"""

import json
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash

import files
from data_prep.photos import Photo
from data_prep.pictures import Place
from data_prep.readers.parquet import open_parquet, read_pictures

COMMIT = 2**26  # bytes of pictures; at most so many, or one row group, are copied again after a kill


@dataclass(frozen=True)
class Group:
    """The copied pictures of one row group.

    `lengths` are those of all rows from `row` of a parquet file on, -1 where there is no picture or it is not wanted;
    `begin` is where the first begins in the spool.
    """

    path: str
    row: int
    begin: int
    lengths: list[int]

    @property
    def end(self) -> int:
        return self.begin + sum(length for length in self.lengths if length > 0)


class Spool:
    """The pictures of parquet files, one after the other in one file, and an index with a line for each row group.

    A line is written once its pictures are on the disk. When the copying is resumed, a line that is not whole is cut
    off, and so are the pictures after those of the last whole line.
    """

    def __init__(self, folder: Path) -> None:
        self._pictures = folder / "spool"
        self._index = folder / "spool_index"
        self._nothing = folder / "no picture"  # is never there
        self._places: dict[str, np.ndarray] = {}  # begin and length of each row's picture, by parquet file; -1: none

    def bytes_needed(self, photos: Iterable[Photo]) -> int:
        """About how many bytes the pictures of these photos take: those of their parquet files."""
        return sum(os.stat(path).st_size for path in _rows_by_file(photos))

    def fill(self, photos: Iterable[Photo], show: Callable[[int], None] | None = None) -> None:
        """Copy the pictures of these photos, or resume that; `show` is told how many photos are behind it.

        Starts again where the parquet files, or the photos that are wanted of them, are others than they were. Raises
        UserError if a file is damaged.
        """
        rows = _rows_by_file(photos)
        self._places = {path: np.full((max(wanted) + 1, 2), -1) for path, wanted in rows.items()}
        there = self._resume(_identity(rows))
        passed = sum(self._remember(group, rows) for group in there)
        with self._pictures.open("ab") as pictures, self._index.open("ab") as index:
            uncommitted: list[Group] = []
            for group in _copied(rows, len(there), pictures):
                uncommitted.append(group)
                if group.end - uncommitted[0].begin >= COMMIT:
                    _commit(uncommitted, pictures, index)
                passed += self._remember(group, rows)
                if show:
                    show(passed)
            _commit(uncommitted, pictures, index)

    def place(self, photo: Photo) -> Place:
        """Where the picture of a photo is, once it is copied: its own file, a part of the spool, or nowhere."""
        if photo.row is None:
            return Place(_path(photo))
        begin, length = self._places[_path(photo)][photo.row].tolist()
        return Place(str(self._nothing)) if begin < 0 else Place(str(self._pictures), begin, length)

    def _resume(self, identity: str) -> list[Group]:
        """The row groups that are whole, if they are of the same copying; what is behind them is cut off."""
        self._pictures.parent.mkdir(parents=True, exist_ok=True)
        self._pictures.touch()
        groups: list[Group] = []
        size = self._pictures.stat().st_size
        lines = _whole_lines(self._index)
        if next(lines, None) == identity:
            for line in lines:
                group = Group(**line)
                if group.end > size:
                    break
                groups.append(group)
        files.write_atomically(self._index, b"".join(map(_line, [identity, *map(asdict, groups)])))
        os.truncate(self._pictures, groups[-1].end if groups else 0)
        return groups

    def _remember(self, group: Group, rows: dict[str, list[int]]) -> int:
        """Note where the pictures of a row group are; the number of photos in it that are wanted."""
        end = group.row + len(group.lengths)
        places = self._places[group.path][group.row : end]
        lengths = np.array(group.lengths)
        sizes = np.maximum(lengths, 0)
        begins = group.begin + np.cumsum(sizes) - sizes
        places[:] = np.column_stack([np.where(lengths < 0, -1, begins), lengths])[: len(places)]
        wanted = rows[group.path]
        return bisect_left(wanted, end) - bisect_left(wanted, group.row)


def _copied(rows: dict[str, list[int]], skipped: int, spool: BinaryIO) -> Iterator[Group]:
    """Copy the wanted pictures, a row group at a time, all but the first `skipped` row groups."""
    for path, wanted in rows.items():
        with open_parquet(Path(path)) as parquet:
            begin = 0
            for number in range(parquet.num_row_groups):
                end = begin + parquet.metadata.row_group(number).num_rows
                own = set(wanted[bisect_left(wanted, begin) : bisect_left(wanted, end)])
                if own and skipped:
                    skipped -= 1
                elif own:
                    start, lengths = spool.tell(), []
                    for row, picture in enumerate(read_pictures(Path(path), parquet, number), begin):
                        lengths.append(-1 if picture is None or row not in own else spool.write(picture))
                    yield Group(path, begin, start, lengths)
                begin = end


def _rows_by_file(photos: Iterable[Photo]) -> dict[str, list[int]]:
    """The rows that hold these photos, ascending, by parquet file in the order of their paths."""
    rows: dict[str, list[int]] = defaultdict(list)
    for photo in photos:
        if photo.row is not None:
            rows[_path(photo)].append(photo.row)
    return {path: sorted(own) for path, own in sorted(rows.items())}


def _path(photo: Photo) -> str:
    return os.path.join(photo.folder, photo.path)


def _identity(rows: dict[str, list[int]]) -> str:
    """What tells the parquet files as they are, and the rows that are wanted of them, from others."""
    total = xxhash.xxh3_128()
    for path, wanted in rows.items():
        status = os.stat(path)
        total.update(f"{path!r} {status.st_size} {status.st_mtime_ns}\n".encode())
        total.update(np.array(wanted).tobytes())
    return total.hexdigest()


def _commit(groups: list[Group], pictures: BinaryIO, index: BinaryIO) -> None:
    """Make the pictures of these row groups survive a power cut, then their lines of the index; empties the list."""
    for file, lines in ((pictures, []), (index, map(asdict, groups))):
        file.writelines(map(_line, lines))
        file.flush()
        os.fsync(file.fileno())
    groups.clear()


def _line(content: object) -> bytes:
    """A line of the index, with a hash that tells whether it is whole."""
    text = json.dumps(content).encode()
    return xxhash.xxh3_64_hexdigest(text).encode() + b" " + text + b"\n"


def _whole_lines(index: Path) -> Iterator[Any]:
    """What the lines of an index hold, up to the first that is not whole."""
    try:
        lines = index.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines[:-1]:
        digest, _, text = line.partition(b" ")
        if digest != xxhash.xxh3_64_hexdigest(text).encode():
            return
        yield json.loads(text)
