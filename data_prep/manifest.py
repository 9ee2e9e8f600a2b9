"""manifest.csv: what became of every photo of the dataset, one line each."""

from user_error import UserError

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from data_prep.photos import CORRUPT, EXCLUDED, MISSING, WRITTEN, Outcome
from data_prep.readers.partitions import Partition

COLUMNS = (
    "photo_id", "path", "split", "position", "label", "score", "votes", "width", "height", "status", "reason",
)  # fmt: skip


def rows(partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[tuple]:
    """The lines of the manifest: training and test photos in record order, then the excluded ones by id.

    `position` is the record's key in the stores of its split; `outcomes` are those of each split in record order.
    """
    for split, photos in partition.splits().items():
        position = 0
        for photo, outcome in zip(photos, outcomes[split], strict=True):
            written = outcome.status == WRITTEN
            yield (
                photo.photo_id, photo.place, split, position if written else "", photo.label, photo.score,
                photo.votes or "", outcome.width or "", outcome.height or "", outcome.status, outcome.reason,
            )  # fmt: skip
            position += written
    for photo, reason in partition.excluded:
        yield (
            photo.photo_id, photo.place, "", "", photo.label, photo.score, photo.votes or "", "", "", EXCLUDED, reason,
        )  # fmt: skip


def write(path: Path, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    """Write the manifest, synced to the disk; names keep their bytes, also where they are not UTF-8."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(partition, outcomes))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a manifest as dictionaries by column."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        yield from csv.DictReader(file)


def bad_photos(folder: Path) -> list[dict[str, str]]:
    """The lines of the photos of a dataset that are missing or corrupt; UserError where it cannot be read."""
    with _damage_named(folder):
        return [row for row in read(folder / "manifest.csv") if row["status"] in (MISSING, CORRUPT)]


def test_photos(folder: Path) -> list[tuple[str, int]]:
    """Id and label of the test photos of a dataset, in the order of their LMDBs; UserError where it cannot be read."""
    path = folder / "manifest.csv"
    with _damage_named(folder):
        found = [
            (int(row["position"]), row["photo_id"], int(row["label"]))
            for row in read(path)
            if row["split"] == "test" and row["status"] == WRITTEN
        ]
    if not found:
        raise UserError(f"{path} names no test photo that was written: remove {folder}, and prepare it again")
    return [(photo_id, label) for _, photo_id, label in sorted(found)]


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """Say of which manifest it is that it cannot be read, and what to do."""
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        path = folder / "manifest.csv"
        raise UserError(f"{path} cannot be read ({error}): remove {folder}, and prepare it again") from None
