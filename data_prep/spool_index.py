"""The index of a spool: which row groups of parquet files were copied into it, and where each picture is.

Its first line names the copying, each other one a row group. A line begins with a hash that tells whether it is whole.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from data_prep.pictures import LARGEST_FILE
from files import write_atomically


@dataclass(frozen=True)
class Group:
    """The copied pictures of one row group; `number` counts the row groups that are copied, from 0.

    `lengths` are those of all rows from `row` of a parquet file on, -1 where there is no picture or it is not wanted;
    one that is too large to be a picture is not copied. `begin` is where the first begins in the spool, `digest` XXH3
    (128 bits) of the bytes of all.
    """

    number: int
    path: str
    row: int
    begin: int
    lengths: list[int]
    digest: str

    @property
    def copied(self) -> np.ndarray:
        """How many bytes of each row are in the spool."""
        lengths = np.array(self.lengths)
        return np.where((lengths < 0) | (lengths > LARGEST_FILE), 0, lengths)

    @property
    def end(self) -> int:
        return self.begin + int(self.copied.sum())


def read(path: Path, identity: str) -> Iterator[Group]:
    """The row groups up to the first line that is damaged or lost; none if the index is of another copying."""
    found = _whole_lines(path)
    if next(found, None) != identity:
        return
    for number, line in enumerate(found):
        group = Group(**line)
        if group.number != number:
            return
        yield group


def write(path: Path, identity: str, groups: Iterable[Group]) -> None:
    """Write the index, whole or not at all."""
    write_atomically(path, _line(identity) + lines(groups))


def lines(groups: Iterable[Group]) -> bytes:
    """The lines of these row groups."""
    return b"".join(_line(asdict(group)) for group in groups)


def _line(content: object) -> bytes:
    text = json.dumps(content).encode()
    return xxhash.xxh3_64_hexdigest(text).encode() + b" " + text + b"\n"


def _whole_lines(path: Path) -> Iterator[Any]:
    """What the lines hold, up to the first that is not whole."""
    try:
        found = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in found[:-1]:
        digest, _, text = line.partition(b" ")
        if digest != xxhash.xxh3_64_hexdigest(text).encode():
            return
        yield json.loads(text)
