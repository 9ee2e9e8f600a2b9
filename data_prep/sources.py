"""A copy of a dataset on disk and the partition of it that is wanted: what every reader (ava, cuhkpq, own) gives."""

from typing import Protocol

from data_prep.partitions import Partition


class Source(Protocol):
    """A copy of a dataset, and the partition of it that was asked for."""

    def digest(self) -> str:
        """SHA-256 of what decides the lists; reads no picture. Raises UserError where it cannot be read."""

    def partition(self) -> Partition:
        """The training and test lists, their rule and notes. Raises UserError where the copy does not give them."""

    def require_pictures(self) -> None:
        """Raise UserError unless the pictures can be where the lists say, at the cost of a few listings."""
