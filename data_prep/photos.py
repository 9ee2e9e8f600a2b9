"""The record of one photo, what became of it, and the random order of photos."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

GOOD, BAD = 1, 0
EXTRA = "extra/"  # how the ids and cells of CUHKPQ's extra photos begin
WRITTEN, MISSING, CORRUPT, EXCLUDED = "written", "missing", "corrupt", "excluded"
SAME_PICTURE = "the same picture as a test photo"  # why a training photo is excluded


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of a dataset, before anyone has looked at its pixels.

    `path` is relative to `folder`, a file of its own or, with `row`, a parquet file that holds many; both are names of
    the file system, with surrogates where they are not UTF-8. `total / divisor` is the exact mean score (divisor 0: the
    dataset has no scores); `votes` is how many people voted (0: unknown); `cell` is the group within which a partition
    is balanced ("" if there is none).
    """

    photo_id: str
    folder: Path
    path: str
    label: int
    total: int = 0
    divisor: int = 0
    votes: int = 0
    cell: str = ""
    row: int | None = None

    @property
    def file(self) -> Path:
        return self.folder / self.path

    @property
    def score(self) -> str:
        """The mean score as the fraction 'sum/votes', or '' if the dataset has no scores."""
        return f"{self.total}/{self.divisor}" if self.divisor else ""

    @property
    def place(self) -> str:
        """The path for people: 'part.parquet#17' for a row of a file."""
        return self.path if self.row is None else f"{self.path}#{self.row}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo.

    width and height are in pixels of the decoded picture, 0 if there is none. `stamp` tells its file from another in
    its place; `digest` is XXH3 (128 bits) of the picture's bytes, `records` XXH3 (64 bits) of its record in the store
    of each view, both in hexadecimal.
    """

    status: str
    reason: str = ""
    width: int = 0
    height: int = 0
    stamp: str = ""
    digest: str = ""
    records: tuple[str, ...] = ()


def by_digest(photos: Sequence[Photo], outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The ids of the photos that were decoded, by the digest of their picture."""
    return {outcome.digest: photo.photo_id for photo, outcome in zip(photos, outcomes, strict=True) if outcome.digest}


def shuffled(photos: Iterable[Photo], seed: int, purpose: str) -> list[Photo]:
    """The photos in a random order that depends on their ids, the seed and the purpose alone.

    The order is that of SHA-256("seed/purpose/photo_id"). It does not depend on the order of the
    input, on a file system's listing, or on the version of any random generator, and anyone can
    recompute it in any language.
    """
    start = hashlib.sha256(f"{seed}/{purpose}/".encode())

    def ticket(photo: Photo) -> bytes:
        drawn = start.copy()
        drawn.update(os.fsencode(photo.photo_id))
        return drawn.digest()

    return sorted(photos, key=ticket)
