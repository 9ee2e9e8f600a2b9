"""A copy of a dataset on disk and the partition of it that is wanted: what every reader gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from data_prep import space
from data_prep.readers.partitions import Partition
from data_prep.request import Request
from paper import VIEWS, stated


class Source(Protocol):
    """A copy of a dataset, and the partition of it that was asked for."""

    def digest(self) -> str:
        """SHA-256 of what decides the lists; reads no picture. Raises UserError where it cannot be read."""

    def partition(self) -> Partition:
        """The training and test lists, their rule and notes. Raises UserError where the copy does not give them."""

    def require_pictures(self) -> None:
        """Raise UserError unless the pictures can be where the lists say, at the cost of a few listings."""


def source_of(dataset: str, inputs: Mapping[str, Path]) -> Source:
    """The reader of one of the paper's datasets, or of the demo, with the paper's options.

    `inputs` are the folders by option: root, and for cuhkpq-large extra. Raises UserError if one is missing.
    """
    from data_prep.readers import ava, cuhkpq

    seed = stated("partitions.seed")
    if dataset == "demo":
        return ava.Copy(inputs["root"], "large", seed)
    reader, _, size = dataset.partition("-")
    if reader == "ava":
        return ava.Copy(inputs["root"], size, seed)
    if size == "large" and "extra" not in inputs:
        raise cuhkpq.refuse_without_extra()
    return cuhkpq.Copy(inputs["root"], size, seed, inputs.get("extra"))


def foresee(dataset: str, inputs: Mapping[str, Path], out: Path) -> tuple[Partition, int]:
    """What a preparation of one of the paper's datasets would give: its lists, and the bytes of its stores.

    Raises UserError for all that would stop the preparation before it decodes a picture.
    """
    source = source_of(dataset, inputs)
    partition = source.partition()
    source.require_pictures()
    request = Request(dataset, out, dict(inputs), VIEWS, False, {})
    space.require_space(request, partition)
    return partition, space.disk_need(request, partition)
