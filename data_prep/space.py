"""The disk space that a dataset takes, computed before anything is written."""

from user_error import UserError

import shutil
from collections import Counter
from dataclasses import replace

from data_prep import lmdb_store, summary
from data_prep.partitions import Partition
from data_prep.photos import BAD, GOOD
from data_prep.request import Request

FULL = 100_000_000  # bytes; a checkpoint takes a quarter


def disk_need(request: Request, partition: Partition) -> int:
    """Bytes that the stores take in all (encoded: an estimate)."""
    return len(request.views) * sum(
        lmdb_store.disk_need(len(photos), request.encoded) for photos in partition.splits().values()
    )


def require_space(request: Request, partition: Partition) -> None:
    """Raise UserError if the disk is too small for what is still to be written."""
    written = sum(path.stat().st_size for path in request.unfinished.glob("*_lmdb/data.mdb"))
    need = max(0, disk_need(request, partition) - written)
    free = _free(request)
    if free < need:
        fix = "choose another disk with --out"
        if not request.encoded:
            smaller = disk_need(replace(request, encoded=True), partition)
            fix += f", or take --encoded (JPEG inside, about {_gigabytes(smaller)})"
        raise UserError(f"{request.out}: {_gigabytes(need)} are needed, {_gigabytes(free)} are free; {fix}")


def forecast(request: Request, partition: Partition) -> str:
    """Counts and disk need in words; opens no picture."""
    lines = summary.heading(request.name, partition.rule, partition.notes)
    for split, photos in partition.splits().items():
        labels = Counter(photo.label for photo in photos)
        lines.append(summary.split_line(split, labels[GOOD], labels[BAD]))
    baseline = summary.majority_baseline(labels[GOOD], labels[BAD])
    lines.append(f"  majority  {baseline:>8.2f}% of the test photos")
    for reason, number in sorted(Counter(reason for _, reason in partition.excluded).items()):
        lines.append(f"  excluded  {number:>9,} {reason}")
    about = "about " if request.encoded else ""
    need = _gigabytes(disk_need(request, partition))
    lines.append(f"  disk      {about}{need} in {request.folder}/")
    return "\n".join(lines)


def disk_is_full(request: Request) -> str:
    """Say that the disk is full, or "" if there is still room for a checkpoint."""
    free = _free(request)
    return f"the disk is full, {_gigabytes(free)} are free" if free < FULL else ""


def _free(request: Request) -> int:
    folder = request.folder.absolute()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:,.1f} GB"
