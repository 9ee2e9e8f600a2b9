"""Reads parquet files that hold pictures and what is known of them; a page of a file at a time is in memory."""

from user_error import UserError

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.readers.folders import names_in
from data_prep.readers.inputs import opened

COLUMN = "image"  # of pictures: bytes, or a struct with the field `bytes`
BATCH = 8  # pictures in memory
BUFFER = 2**20  # bytes; makes pyarrow read a row group page by page
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
    """A parquet file; raises UserError if it is none, or not whole, also where its reading fails later."""
    with opened(path) as file:
        if file.peek(len(LFS)).startswith(LFS):
            raise UserError(f"{path} stands for a file that Git LFS has not fetched: `git lfs pull` in its folder")
        try:
            parquet = pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True)
        except (pa.ArrowException, OSError):
            raise UserError(f"{path} is no parquet file, or its end was cut off: download it again") from None
        yield parquet


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Those of the named columns that a parquet file has; no other is read from the disk."""
    with open_parquet(path) as parquet:
        there = [name for name in names if name in parquet.schema_arrow.names]
        with _damage_named(path):
            return parquet.read(columns=there, use_threads=False)


def require_pictures(path: Path) -> None:
    """Raise UserError unless a parquet file has a column of pictures; reads none."""
    with open_parquet(path) as parquet:
        _column_of_pictures(path, parquet)


def read_pictures(path: Path, parquet: pq.ParquetFile, group: int) -> Iterator[pa.Buffer | None]:
    """The pictures of a row group, a few at a time in memory; None where a row has none."""
    columns = [_column_of_pictures(path, parquet)]
    with _damage_named(path):
        for batch in parquet.iter_batches(BATCH, row_groups=[group], columns=columns, use_threads=False):
            pictures = batch.column(0)
            if pa.types.is_struct(pictures.type):
                (pictures,) = pictures.flatten()
            for picture in pictures:
                yield picture.as_buffer() if picture.is_valid else None


def _column_of_pictures(path: Path, parquet: pq.ParquetFile) -> str:
    """The column, or the field of a column, that holds the pictures' bytes; raises UserError if there is none."""
    schema, name = parquet.schema_arrow, COLUMN
    kind = schema.field(name).type if name in schema.names else None
    if kind and pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        name, kind = f"{name}.bytes", kind.field("bytes").type
    if kind is None or not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise UserError(f"{path} has no pictures: a column {COLUMN!r} of bytes is needed, or of bytes and path")
    return name


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
