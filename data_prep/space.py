"""The disk space that a dataset takes, computed before anything is written."""

from user_error import UserError

import shutil
from dataclasses import replace
from pathlib import Path

from data_prep import stores
from data_prep.readers.partitions import Partition
from data_prep.request import Request

FULL = 100_000_000  # bytes; a checkpoint takes a quarter


def disk_need(request: Request, partition: Partition) -> int:
    """Bytes that the stores take in all (encoded: an estimate)."""
    return len(request.views) * sum(
        stores.disk_need(len(photos), request.encoded) for photos in partition.splits().values()
    )


def passing_need(request: Request, partition: Partition) -> int:
    """Bytes of the pictures that are copied out of parquet files while the dataset grows."""
    packed = [photo for photo in partition.photos if photo.row is not None]
    if not packed:
        return 0
    from data_prep.spool import Spool  # which loads pyarrow

    return Spool(request.unfinished).bytes_needed(packed)


def require_space(request: Request, partition: Partition) -> None:
    """Raise UserError if the disk is too small for what is still to be written."""
    growing = (request.unfinished.rglob("*"), request.folder.glob("*_lmdb/data.mdb"))
    written = sum(path.stat().st_size for paths in growing for path in paths if path.is_file())
    passing = passing_need(request, partition)
    need = max(0, disk_need(request, partition) + passing - written)
    left = free(request.folder)
    if left < need:
        fix = "choose another disk with --out"
        if not request.encoded:
            smaller = disk_need(replace(request, encoded=True), partition) + passing
            fix += f", or take --encoded (JPEG inside, about {size(smaller)})"
        raise UserError(f"{request.out}: {size(need)} are needed, {size(left)} are free; {fix}")


def disk_is_full(request: Request) -> str:
    """Say that the disk is full, or "" if there is still room for a checkpoint."""
    left = free(request.folder)
    return f"the disk is full, {size(left)} are free" if left < FULL else ""


def size(number: float) -> str:
    """A number of bytes for people."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def free(folder: Path) -> int:
    """Bytes that are free on the disk where a folder is, or will be."""
    folder = folder.absolute()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free
