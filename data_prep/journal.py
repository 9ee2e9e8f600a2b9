"""What became of each photo of a split so far, on disk, so that a preparation can be killed and resumed at any moment.

The journal is a CSV with one line per photo in record order. Lines are added a checkpoint at a time, after the
checkpoint's records are safe in the stores. A line ends with a hash of the others of its cells; what is behind the
last whole checkpoint, or behind a line that is not whole (a torn write), is cut off. A complete dataset keeps its
journals: they hold the digests by which its records can serve another dataset (donor.py).
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import xxhash

from data_prep.photos import Outcome


def kept(folder: Path, split: str) -> Path:
    """Where a complete dataset keeps the journal of a split."""
    return folder / ".journal" / f"{split}.csv"


def read(path: Path, photos: int, checkpoint: int) -> list[Outcome]:
    """The outcomes up to the last whole checkpoint of `checkpoint` photos; the last one of all `photos` is shorter."""
    if not path.exists():
        return []
    outcomes = list(_lines(path))[:photos]
    whole = len(outcomes) if len(outcomes) == photos else len(outcomes) // checkpoint * checkpoint
    return outcomes[:whole]


def cut(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Cut the journal down to these outcomes, which are its beginning."""
    with path.open("ab") as file:
        file.truncate(len(_text(outcomes)))
        os.fsync(file.fileno())


def add(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Add one checkpoint, synced to the disk."""
    with path.open("ab") as file:
        file.write(_text(outcomes))
        file.flush()
        os.fsync(file.fileno())


def _text(outcomes: Sequence[Outcome]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for each in outcomes:
        numbers = (str(each.width), str(each.height))
        cells = [each.status, each.reason, *numbers, each.stamp, each.digest, "+".join(each.records)]
        writer.writerow([*cells, _hash(cells)])
    return os.fsencode(text.getvalue())


def _lines(path: Path) -> Iterator[Outcome]:
    """The whole lines; stops at the first that is damaged."""
    text = os.fsdecode(path.read_bytes())
    text = text[: text.rfind("\n") + 1]
    try:
        for *cells, check in csv.reader(io.StringIO(text)):
            if check != _hash(cells):
                return
            status, reason, width, height, stamp, digest, records = cells
            yield Outcome(
                status, reason, int(width), int(height), stamp, digest, tuple(filter(None, records.split("+")))
            )
    except (ValueError, csv.Error):
        return


def _hash(cells: Sequence[str]) -> str:
    return xxhash.xxh3_64_hexdigest(os.fsencode("\0".join(cells)))
