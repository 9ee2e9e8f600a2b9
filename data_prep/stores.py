"""Writes and reads LMDBs of Datums (datums.py) under the keys %08d, as Caffe's Data layer reads them.

A store grows in checkpoints, one transaction each, every one with a freshly opened environment: LMDB then reuses no
page of an earlier transaction, with its old content, and the file depends only on the records and the checkpoints. So a
store that was interrupted and resumed is the same, byte for byte, as one that was not (tests/test_prepare.py).
"""

from user_error import UserError

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import numpy as np
import xxhash
from google.protobuf.message import DecodeError

from data_prep.datums import RECORD_BYTES, Datum, pixels

PAGE = 4096
ENCODED_ESTIMATE = 40 * 1024  # bytes of a JPEG record, quality 95: 29 KB on average over 200 photos, 90 % under 40 KB
MAP_SLACK = 1 << 24
AGAIN = "remove the dataset's folder and prepare it again"


DAMAGE = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError)


class StoreDiffers(Exception):
    """A growing store is damaged, or does not hold what it should: another record than the one put, or one too many."""


def key(position: int) -> bytes:
    return b"%08d" % position


def disk_need(records: int, encoded: bool) -> int:
    """Bytes that a store of so many records takes (encoded: an estimate): whole pages, 1 % for the tree above them."""
    record = ENCODED_ESTIMATE if encoded else RECORD_BYTES
    pages = -(-(record + 16) // PAGE)
    return int(records * pages * PAGE * 1.01) + 16 * PAGE


@contextmanager
def checkpoint(folder: Path, capacity: int) -> Iterator[Callable[[int, memoryview], None]]:
    """Add one checkpoint to a store: yields put(position, record); committed and synced to the disk at the end.

    `capacity` is the number of records that the store is planned for. A record that the store already has is
    skipped: the process was killed between two stores' commits. Raises StoreDiffers if the two are not the same (the
    photos changed in between) or the store is damaged, lmdb.Error if the disk is full.
    """
    try:
        with _opened(folder, capacity) as environment:
            if not _is_whole(folder, environment):
                raise StoreDiffers(f"{folder} is cut off")
            have = environment.stat()["entries"]
            with environment.begin(write=True) as transaction:

                def put(position: int, record: memoryview) -> None:
                    if position >= have:
                        transaction.put(key(position), record, append=True)
                    elif transaction.get(key(position)) != record:
                        raise StoreDiffers(folder)

                yield put
    except DAMAGE as error:
        raise StoreDiffers(f"{folder}: {_reason(error)}") from None


def entries(folder: Path) -> int:
    """How many records a store holds; 0 if there is none. Raises UserError if it is damaged or no LMDB."""
    if not (folder / "data.mdb").exists():
        return 0
    with _reading(folder) as environment:
        return environment.stat()["entries"]


def fingerprint(folder: Path) -> str:
    """SHA-256 of what tells two stores apart at a glance: the size, the count, the first, middle and last records."""
    total = hashlib.sha256(b"%d" % (folder / "data.mdb").stat().st_size)
    with _reading(folder) as environment, environment.begin(buffers=True) as transaction:
        count = transaction.stat()["entries"]
        total.update(b" %d" % count)
        cursor = transaction.cursor()
        for found in (cursor.first(), cursor.set_range(key(count // 2)), cursor.last()):
            if found:
                total.update(cursor.value())
    return total.hexdigest()


def record_digest(record: memoryview | bytes) -> str:
    """XXH3 (64 bits) of a record in hexadecimal: it tells damage, at the speed of the memory."""
    return xxhash.xxh3_64_hexdigest(record)


def digests(folder: Path) -> Iterator[tuple[bytes, str]]:
    """Key and digest of each record of a store, in order, at the speed of the disk; UserError if it is damaged."""
    with _reading(folder) as environment, environment.begin(buffers=True) as transaction:
        for name, record in transaction.cursor():
            yield bytes(name), record_digest(record)


def store_digest(records: Iterable[str]) -> str:
    """The digest of a whole store from those of its records, in order."""
    total = xxhash.xxh3_128()
    for record in records:
        total.update(record.encode())
    return total.hexdigest()


def read_records(folder: Path) -> Iterator[tuple[int, int, np.ndarray]]:
    """(position, label, view 256x256x3 BGR uint8) of each record of a complete store, in order.

    Raises UserError if the store is damaged or no LMDB, or if a record is no view.
    """
    with _reading(folder) as environment, environment.begin(buffers=True) as transaction:
        for name, record in transaction.cursor():
            yield _view(folder, bytes(name), record)


def views_at(folder: Path, positions: Iterable[int]) -> dict[int, np.ndarray]:
    """The views (256x256x3 BGR uint8) at some positions of a complete store; no other record is read.

    Raises UserError if the store is not there, may not be read, is damaged or no LMDB, or if a record is no view, or is
    not there.
    """
    found = {}
    try:
        with _reading(folder) as environment, environment.begin(buffers=True) as transaction:
            for position in positions:
                record = transaction.get(key(position))
                if record is None:
                    raise UserError(f"{folder} has no record {position:,}; {AGAIN}")
                found[position] = _view(folder, key(position), record)[2]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from None
    return found


@contextmanager
def reading(folder: Path) -> Iterator[Callable[[int], memoryview | None]]:
    """Read a complete store: yields get(position), a record that is valid within the context, None where it is lost.

    Raises UserError if the store is damaged as a whole, or no LMDB.
    """
    with _reading(folder) as environment, environment.begin(buffers=True) as transaction:

        def get(position: int) -> memoryview | None:
            try:
                return transaction.get(key(position))
            except DAMAGE:
                return None

        yield get


def _view(folder: Path, name: bytes, record: memoryview) -> tuple[int, int, np.ndarray]:
    """Position, label and view of a record; UserError if it is no view."""
    try:
        datum = Datum.FromString(bytes(record))
        return int(name[:8]), datum.label, pixels(datum)
    except (DecodeError, ValueError) as error:
        raise UserError(f"{folder}: record {name!r} is not a view ({error}); {AGAIN}") from None


@contextmanager
def _reading(folder: Path) -> Iterator[lmdb.Environment]:
    """A store for reading; raises UserError if it is damaged or no LMDB, OSError if it may not be read."""
    with (folder / "data.mdb").open("rb"):
        pass
    try:
        with lmdb.open(os.fsencode(folder), readonly=True, lock=False) as environment:
            if not _is_whole(folder, environment):
                raise UserError(f"{folder / 'data.mdb'} is cut off; {AGAIN}")
            yield environment
    except lmdb.Error as error:
        raise UserError(f"{folder} cannot be read as an LMDB: {_reason(error)}; {AGAIN}") from None


def _opened(folder: Path, capacity: int) -> lmdb.Environment:
    """A writable environment; the map is address space, not disk space, and large enough for raw records."""
    folder.mkdir(parents=True, exist_ok=True)
    size = disk_need(capacity, encoded=False) + MAP_SLACK
    return lmdb.open(os.fsencode(folder), map_size=size, lock=False, max_spare_txns=0)


def _is_whole(folder: Path, environment: lmdb.Environment) -> bool:
    """Whether the file has all pages that it names: where it lacks one, LMDB would end the process with a bus error."""
    size = (folder / "data.mdb").stat().st_size
    return size >= (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]


def _reason(error: lmdb.Error) -> str:
    """What LMDB said, without the path that it begins with."""
    return str(error).rpartition(": ")[2]
