"""What became of each listed photo so far, on disk, so that a preparation can be killed and resumed at any moment.

The journal is a CSV with one line per photo in record order, training photos before test photos. Lines are added a
checkpoint at a time, after the checkpoint's records are safe in the stores. Lines after the last whole checkpoint (a
torn write) are cut off.
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

WRITTEN, MISSING, CORRUPT, EXCLUDED = "written", "missing", "corrupt", "excluded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo; width and height in pixels of the decoded picture, 0 if there is none."""

    status: str
    reason: str = ""
    width: int = 0
    height: int = 0


def read(path: Path, checkpoints: Sequence[int]) -> list[Outcome]:
    """The outcomes up to the last whole checkpoint (`checkpoints`: numbers of photos, rising)."""
    if not path.exists():
        return []
    outcomes = list(_lines(path))
    whole = max((count for count in checkpoints if count <= len(outcomes)), default=0)
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
    csv.writer(text, lineterminator="\n").writerows(astuple(outcome) for outcome in outcomes)
    return text.getvalue().encode()


def _lines(path: Path) -> Iterator[Outcome]:
    """The whole lines; stops at the first that is damaged."""
    text = path.read_bytes().decode(errors="replace")
    text = text[: text.rfind("\n") + 1]
    try:
        for status, reason, width, height in csv.reader(io.StringIO(text)):
            if status not in (WRITTEN, MISSING, CORRUPT):
                return
            yield Outcome(status, reason, int(width), int(height))
    except (ValueError, csv.Error):
        return
