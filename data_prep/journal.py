"""What became of each photo of a split so far, on disk, so that a preparation can be killed and resumed at any moment.

The journal is a CSV with one line per photo in record order. Lines are added a checkpoint at a time, after the
checkpoint's records are safe in the stores. Lines after the last whole checkpoint (a torn write) are cut off.
"""

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.photos import CORRUPT, EXCLUDED, MISSING, WRITTEN, Outcome

DIGEST = re.compile(r"([0-9a-f]{32})?")
RECORDS = re.compile(r"([0-9a-f]{16}(\+[0-9a-f]{16})*)?")


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
    csv.writer(text, lineterminator="\n").writerows(
        (each.status, each.reason, each.width, each.height, each.digest, "+".join(each.records)) for each in outcomes
    )
    return os.fsencode(text.getvalue())


def _lines(path: Path) -> Iterator[Outcome]:
    """The whole lines; stops at the first that is damaged."""
    text = os.fsdecode(path.read_bytes())
    text = text[: text.rfind("\n") + 1]
    try:
        for status, reason, width, height, digest, records in csv.reader(io.StringIO(text)):
            is_known = status in (WRITTEN, MISSING, CORRUPT, EXCLUDED)
            if not (is_known and DIGEST.fullmatch(digest) and RECORDS.fullmatch(records)):
                return
            yield Outcome(status, reason, int(width), int(height), digest, tuple(records.split("+")) if records else ())
    except (ValueError, csv.Error):
        return
