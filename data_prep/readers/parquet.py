"""Reads parquet files that hold pictures and what is known of them; a page of a file at a time is in memory."""

from user_error import UserError

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_prep.readers.folders import names_in
from files import opened

ID = "image_id"
PICTURE = "image"  # bytes, or a struct with the field `bytes`
BUFFER = 2**20  # bytes; makes pyarrow read a row group page by page
MOST_PACKED = 100  # bytes of pictures for each byte that a row group takes of the file; photos hardly shrink
SMALL = 10**6  # bytes; a row group that takes less may hold as many bytes of pictures as one of this size
LFS = b"version https://git-lfs"  # how the file begins that stands for one that Git LFS has not fetched


def files_in(folder: Path) -> list[str]:
    """The paths, relative to a folder, of the parquet files in it, or else in its data/, sorted."""
    for inside in ("", "data"):
        names = names_in(folder / inside)
        paths = sorted(os.path.join(inside, name) for name in names if name.endswith(".parquet"))
        if paths:
            return paths
    return []


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """A parquet file; raises UserError if it is none, or not whole, or changes while it is open."""
    with opened(path) as file:
        if file.peek(len(LFS)).startswith(LFS):
            raise UserError(f"{path} stands for a file that Git LFS has not fetched: `git lfs pull` in its folder")
        version = _version(file)
        try:
            parquet = pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError):  # the last: of a column's name
            raise UserError(f"{path} is no parquet file, or its end was cut off: download it again") from None
        try:
            yield parquet
        finally:  # what looks like damage may be another file that was written into this one
            if _version(file) != version:
                raise changed(path) from None


def changed(path: Path) -> UserError:
    """Somebody replaced a parquet file, or wrote into it, while we read it."""
    return UserError(f"{path} changed while it was read: give the same command again")


def read_ids(path: Path, parquet: pq.ParquetFile) -> np.ndarray:
    """Which photo each row's picture is: the ids, which may be text, as int64; raises UserError if they are none."""
    what = f"{ID} is no number of a photo"
    column = read_column(path, parquet, ID)
    if column is None:
        raise UserError(
            f"{path} has no column {ID}, so nothing tells which photo of AVA a picture is: take a copy that has it, or "
            "one with the pictures as <id>.jpg"
        )
    try:
        numbers = column.cast(pa.int64())
    except pa.ArrowException as error:
        raise UserError(f"{path}: {what} ({first_line(error)}); download it again") from None
    require_all(path, pc.greater_equal(pc.fill_null(numbers, -1), 0), what)
    return numbers.to_numpy()


def read_column(path: Path, parquet: pq.ParquetFile, name: str) -> pa.ChunkedArray | None:
    """A column, None if there is none; no other is read from the disk."""
    if not _has(path, parquet, name):
        return None
    with _damage_named(path):
        return parquet.read(columns=[name], use_threads=False).column(0)


def require_all(path: Path, is_right: pa.Array | pa.ChunkedArray, what: str) -> None:
    """Raise UserError that names the first row for which something is not right."""
    row = pc.index(is_right, False).as_py()
    if row >= 0:
        raise UserError(f"{path}#{row}: {what}; download it again")


def require_pictures(path: Path) -> None:
    """Raise UserError unless a parquet file has a column of pictures, of a size that photos have; reads none."""
    with open_parquet(path) as parquet:
        for chunk in _chunks_of_pictures(path, parquet):
            packed, size = chunk.total_compressed_size, chunk.total_uncompressed_size
            if size > MOST_PACKED * max(packed, SMALL):
                raise UserError(
                    f"{path} holds no photos: {size:,} bytes of pictures in {packed:,} bytes; take another copy"
                )


def mean_size(path: Path) -> float:
    """About how many bytes a picture of a parquet file has on average; reads none."""
    with open_parquet(path) as parquet:
        total = sum(chunk.total_uncompressed_size for chunk in _chunks_of_pictures(path, parquet))
        return total / max(1, parquet.metadata.num_rows)


def read_pictures(path: Path, parquet: pq.ParquetFile, group: int) -> Iterator[pa.Buffer | None]:
    """The pictures of a row group, one at a time in memory beside the page that it is on; None where a row has none."""
    columns = [_column_of_pictures(path, parquet)]
    with _damage_named(path):
        for batch in parquet.iter_batches(1, row_groups=[group], columns=columns, use_threads=False):
            pictures = batch.column(0)
            if pa.types.is_struct(pictures.type):
                (pictures,) = pictures.flatten()
            yield pictures[0].as_buffer() if pictures[0].is_valid else None


def _chunks_of_pictures(path: Path, parquet: pq.ParquetFile) -> Iterator[pq.ColumnChunkMetaData]:
    """What is known of the pictures of each row group."""
    name = _column_of_pictures(path, parquet)
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        columns = map(group.column, range(group.num_columns))
        yield from (chunk for chunk in columns if chunk.path_in_schema == name)


def _column_of_pictures(path: Path, parquet: pq.ParquetFile) -> str:
    """The column, or the field of a column, that holds the pictures' bytes; raises UserError if there is none."""
    name = PICTURE
    kind = parquet.schema_arrow.field(name).type if _has(path, parquet, name) else None
    if kind and pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        name, kind = f"{name}.bytes", kind.field("bytes").type
    if kind is None or not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise UserError(f"{path} has no pictures: a column {PICTURE!r} of bytes is needed, or of bytes and path")
    return name


def _has(path: Path, parquet: pq.ParquetFile, name: str) -> bool:
    """Whether there is such a column; raises UserError if there are several."""
    number = parquet.schema_arrow.names.count(name)
    if number > 1:
        raise UserError(f"{path} has {number} columns {name}, so nothing tells which is right: take another copy")
    return number == 1


def _version(file: BinaryIO) -> tuple[int, int]:
    """What tells a file from itself after somebody wrote into it."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say of which file it is that pyarrow cannot read a part."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is damaged: download it again ({first_line(error)})") from None


def first_line(error: Exception) -> str:
    """What pyarrow says, short enough for a line."""
    return str(error).partition("\n")[0][:100]
