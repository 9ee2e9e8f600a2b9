"""Paths of photos -> views, in order, by the processes that make a dataset's records."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from data_prep.datums import Datum, pixels
from data_prep.photos import WRITTEN, Photo
from data_prep.pictures import Place
from data_prep.records import Wanted
from data_prep.workers import CHUNK, Pool, pool

LARGEST_BLOCK = 1024  # photos that are handed to the processes together


@dataclass(frozen=True)
class Viewed:
    """What became of one photo: its views, each 3 x 256 x 256 BGR uint8, or the reason why there are none."""

    path: str
    views: list[np.ndarray]
    reason: str = ""


def viewed(
    paths: Iterable[str | None], names: Sequence[str], encoded: bool, count: int | None = None
) -> Iterator[Viewed | None]:
    """The views of each photo by their `names`, byte for byte those of a dataset that is prepared so.

    `encoded` views were JPEGs on the way; `count` is that of the photos where it is known. A None among the paths, a
    pause, is passed on once all before it are done.
    """
    jobs = len(os.sched_getaffinity(0))
    first = jobs * CHUNK
    with pool(Wanted(tuple(names), encoded), jobs, first if count is None else min(count, first)) as workers:
        for block, pauses in _blocks(iter(paths), first):
            yield from _of_block(workers, block)
            if pauses:
                yield None


def _of_block(workers: Pool, paths: list[str]) -> Iterator[Viewed]:
    photos = [Photo(path, Path(), path, label=0) for path in paths]
    for path, (outcome, records) in zip(paths, workers.decoded(photos, lambda photo: Place(photo.path)), strict=True):
        if outcome.status == WRITTEN:
            views = [pixels(Datum.FromString(record)).transpose(2, 0, 1) for record in records]
            yield Viewed(path, views)
        else:
            yield Viewed(path, [], outcome.reason)


def _blocks(paths: Iterator[str | None], size: int) -> Iterator[tuple[list[str], bool]]:
    """Paths in growing blocks, so that the first is soon done; and whether a pause follows."""
    while True:
        block: list[str] = []
        pauses = False
        for path in islice(paths, size):
            if pauses := path is None:
                break
            block.append(path)
        if not block and not pauses:
            return
        yield block, pauses
        size = min(2 * size, LARGEST_BLOCK)
