"""Writes and reads LMDBs of Datums as Caffe's Data layer reads them; `caffe` itself is not needed.

A record is Caffe's Datum (caffe.proto) under the key %08d: 3x256x256 uint8, planes in the order blue, green,
red, or with `encoded` a JPEG of it. A store grows in checkpoints, one transaction each, every one with a freshly
opened environment: LMDB then reuses no page of an earlier transaction, with its old content, and the file depends
only on the records and the checkpoints. So a store that was interrupted and resumed is the same, byte for byte, as
one that was not (tests/test_prepare.py).
"""

from user_error import UserError

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import lmdb
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from paper import stated

CHANNELS = 3
SIZE: int = stated("views.size")
RAW_BYTES = CHANNELS * SIZE * SIZE
RECORD_BYTES = RAW_BYTES + 64  # a raw record with its fields; no record is larger
PAGE = 4096
ENCODED_ESTIMATE = 40 * 1024  # bytes of a JPEG record, quality 95: 29 KB on average over 200 photos, 90 % under 40 KB
MAP_SLACK = 1 << 24
AGAIN = "remove the dataset's folder and prepare it again"


class StoreDiffers(Exception):
    """A store holds another record at this place than the one put into it."""


def _datum_class() -> type:
    """Caffe's Datum as a message class of our own pool, so that Caffe's can be loaded too."""
    field = descriptor_pb2.FieldDescriptorProto
    fields = [
        ("channels", 1, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("height", 2, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("width", 3, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("data", 4, field.TYPE_BYTES, field.LABEL_OPTIONAL),
        ("label", 5, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("float_data", 6, field.TYPE_FLOAT, field.LABEL_REPEATED),
        ("encoded", 7, field.TYPE_BOOL, field.LABEL_OPTIONAL),
    ]
    file = descriptor_pb2.FileDescriptorProto(name="datum.proto", package="caffe", syntax="proto2")
    message = file.message_type.add(name="Datum")
    for name, number, kind, label in fields:
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.Datum"))


Datum = _datum_class()


def encoded_record(jpeg: bytes, label: int) -> bytes:
    """Datum of a 256x256 view that is encoded as a JPEG, serialized."""
    return Datum(channels=CHANNELS, height=SIZE, width=SIZE, data=jpeg, label=label, encoded=True).SerializeToString()


@cache
def raw_frame(label: int) -> tuple[bytes, bytes]:
    """Bytes before and after the pixels in the serialized Datum of a raw 3x256x256 view."""
    pixels = bytes(RAW_BYTES)
    datum = Datum(channels=CHANNELS, height=SIZE, width=SIZE, data=pixels, label=label)
    before, after = datum.SerializeToString().split(pixels)
    return before, after


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
    photos changed in between), lmdb.Error if the disk is full.
    """
    with _opened(folder, capacity) as environment:
        have = environment.stat()["entries"]
        with environment.begin(write=True) as transaction:

            def put(position: int, record: memoryview) -> None:
                if position >= have:
                    transaction.put(key(position), record, append=True)
                elif transaction.get(key(position)) != record:
                    raise StoreDiffers(folder)

            yield put


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


def read_records(folder: Path) -> Iterator[tuple[int, int, np.ndarray]]:
    """(position, label, view 256x256x3 BGR uint8) of each record of a complete store, in order.

    Raises UserError if the store is damaged or no LMDB, or if a record is no view.
    """
    with _reading(folder) as environment, environment.begin(buffers=True) as transaction:
        for name, record in transaction.cursor():
            try:
                datum = Datum.FromString(bytes(record))
                position, view = int(bytes(name[:8])), pixels(datum)
            except (DecodeError, ValueError) as error:
                raise UserError(f"{folder}: record {bytes(name)!r} is not a view ({error}); {AGAIN}") from None
            yield position, datum.label, view


def pixels(datum: Datum) -> np.ndarray:
    """Pixels of a Datum, 256x256x3 BGR uint8; raises ValueError if it holds something else."""
    data = np.frombuffer(datum.data, np.uint8)
    if datum.encoded:
        import cv2  # only needed here: the process that writes does not load it

        view = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    else:
        view = data.reshape(datum.channels, datum.height, datum.width).transpose(1, 2, 0)
    if view is None or view.shape != (SIZE, SIZE, CHANNELS):
        raise ValueError("its JPEG cannot be decoded" if view is None else f"its shape is {view.shape}")
    return view


@contextmanager
def _reading(folder: Path) -> Iterator[lmdb.Environment]:
    """A store for reading; raises UserError if it is damaged or no LMDB, OSError if it may not be read."""
    file = folder / "data.mdb"
    with file.open("rb"):
        size = file.stat().st_size
    try:
        with lmdb.open(os.fsencode(folder), readonly=True, lock=False) as environment:
            if size < (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]:
                raise UserError(f"{file} is cut off; {AGAIN}")  # LMDB would end the process with a bus error
            yield environment
    except lmdb.Error as error:
        raise UserError(f"{folder} cannot be read as an LMDB: {_reason(error)}; {AGAIN}") from None


def _reason(error: lmdb.Error) -> str:
    """What LMDB said, without the path that it begins with."""
    return str(error).rpartition(": ")[2]


def _opened(folder: Path, capacity: int) -> lmdb.Environment:
    """A writable environment; the map is address space, not disk space, and large enough for raw records."""
    folder.mkdir(parents=True, exist_ok=True)
    size = disk_need(capacity, encoded=False) + MAP_SLACK
    return lmdb.open(os.fsencode(folder), map_size=size, lock=False, max_spare_txns=0)
