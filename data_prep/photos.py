"""The record of one photo, and the random order of photos."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

GOOD, BAD = 1, 0
EXTRA = "extra/"  # how the ids and cells of CUHKPQ's extra photos begin


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of a dataset, before anyone has looked at its pixels.

    `path` is relative to `folder`; `total / votes` is the exact mean score (votes 0: the dataset has
    no scores); `cell` is the group within which a partition is balanced ("" if there is none).
    """

    photo_id: str
    folder: Path
    path: str
    label: int
    total: int = 0
    votes: int = 0
    cell: str = ""

    @property
    def file(self) -> Path:
        return self.folder / self.path

    @property
    def score(self) -> str:
        """The mean score as the fraction 'sum/votes', or '' if the dataset has no scores."""
        return f"{self.total}/{self.votes}" if self.votes else ""


def shuffled(photos: Iterable[Photo], seed: int, purpose: str) -> list[Photo]:
    """The photos in a random order that depends on their ids, the seed and the purpose alone.

    The order is that of SHA-256("seed/purpose/photo_id"). It does not depend on the order of the
    input, on a file system's listing, or on the version of any random generator, and anyone can
    recompute it in any language.
    """
    start = hashlib.sha256(f"{seed}/{purpose}/".encode())

    def place(photo: Photo) -> bytes:
        ticket = start.copy()
        ticket.update(photo.photo_id.encode())
        return ticket.digest()

    return sorted(photos, key=place)
