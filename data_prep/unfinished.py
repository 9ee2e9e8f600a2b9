"""A dataset while it grows, in <dataset>/.unfinished; it may be killed and resumed at any moment.

The test split grows first, so that a training photo that is byte for byte a test photo is known when its turn comes.
Photos are taken in record order, a checkpoint at a time: a checkpoint's records go into the store of every view, then
its outcomes into the split's journal, each synced to the disk. The next call resumes after the journal's last
checkpoint, once it has read that the stores hold the records that the journal names.
"""

from user_error import UserError

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from data_prep import journal, stores
from data_prep.donor import Donor
from data_prep.photos import CORRUPT, EXCLUDED, MISSING, SAME_PICTURE, WRITTEN, Outcome, Photo, by_digest
from data_prep.pictures import Place, is_same
from data_prep.progress import progress
from data_prep.readers.partitions import Partition
from data_prep.records import Wanted
from data_prep.request import Request, differences, store_name
from data_prep.sizes import require_local_view
from data_prep.workers import Pool, Result, keep_freed_memory, pool
from files import opened, remove_partials, sync, write_atomically

CHECKPOINT = 64  # photos; at most so many are decoded again after a kill


def start(request: Request) -> None:
    """Make the folder, or make sure that the one there belongs to the same request."""
    parameters = request.unfinished / "parameters.json"
    if parameters.exists():
        there = _parameters(parameters)
        if there != request.parameters:
            raise UserError(
                f"{request.folder} is half done with other parameters "
                f"({differences(there, request.parameters)}); finish it with those, "
                "choose another --out or --name, or remove that folder"
            )
        remove_partials(request.unfinished)
        return
    shutil.rmtree(request.unfinished, ignore_errors=True)
    request.unfinished.mkdir()
    write_atomically(parameters, json.dumps(request.parameters, indent=2) + "\n")
    sync(request.folder)


def grow(request: Request, partition: Partition, jobs: int, donor: Donor | None = None) -> dict[str, list[Outcome]]:
    """Decode, or copy out of the donor, and store what is not there yet.

    Returns the outcomes of each split in record order.
    """
    keep_freed_memory()
    photos = len(partition.photos)
    with pool(Wanted(request.views, request.encoded), jobs, photos) as workers:
        place = _places(request, partition)
        train, test = (
            GrowingSplit(request, split, listed, workers, place, donor) for split, listed in partition.splits().items()
        )
        tally, done = Tally(), {}
        for split in (test, train):
            done[split.split] = split.take_up()
            tally.begin(split.split, done[split.split])
        if tally.photos < photos:
            resumed = f", resuming after {tally.photos:,}" if tally.photos else ""
            how = f"{jobs} processes" if donor is None else f"records copied out of {donor.folder}"
            print(f"{request.name}: {photos:,} photos, {how}{resumed}", file=sys.stderr)
        with progress(photos, tally.photos, tally.bad) as tally.show:
            tested = test.grow(done["test"], tally, {})
            known = by_digest(partition.test, tested) if request.drops_same_pictures else {}
            trained = train.grow(done["train"], tally, known)
    _require_local_view(request, tally)
    return {"train": trained, "test": tested}


class Tally:
    """What became of the photos so far: how many, how many of them bad, and the sizes of those that are written."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[str]] = {}
        self.sizes_by_split: dict[str, Counter[tuple[int, int]]] = {}
        self.show: Callable[[int, int], None] = lambda photos, bad: None

    @property
    def photos(self) -> int:
        return sum(status.total() for status in self.statuses.values())

    @property
    def bad(self) -> int:
        return sum(status[MISSING] + status[CORRUPT] for status in self.statuses.values())

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        return sum(self.sizes_by_split.values(), Counter())

    def begin(self, split: str, outcomes: Sequence[Outcome]) -> None:
        """Count a split from its beginning; `outcomes` are there already."""
        self.statuses[split] = Counter(outcome.status for outcome in outcomes)
        self.sizes_by_split[split] = Counter(
            (outcome.width, outcome.height) for outcome in outcomes if outcome.status == WRITTEN
        )

    def add(self, split: str, outcome: Outcome) -> None:
        self.statuses[split][outcome.status] += 1
        if outcome.status == WRITTEN:
            self.sizes_by_split[split][outcome.width, outcome.height] += 1
        self.show(self.photos, self.bad)


@dataclass(frozen=True)
class GrowingSplit:
    """One split: its photos in record order, its journal, and the stores of its views."""

    request: Request
    split: str
    photos: list[Photo]
    workers: Pool
    place: Callable[[Photo], Place]
    donor: Donor | None

    @property
    def journal(self) -> Path:
        return self.request.unfinished / f"{self.split}.csv"

    def store(self, view: str) -> Path:
        """Where a store grows, or its final place if a killed call had got that far."""
        place = self.request.folder / store_name(self.split, view)
        return place if place.is_dir() else self.request.unfinished / place.name

    def take_up(self) -> list[Outcome]:
        """What became of the photos so far; nothing, and all is discarded, where that cannot be resumed.

        That is where the stores lost records, or a photo has been replaced since.
        """
        outcomes = journal.read(self.journal, len(self.photos), CHECKPOINT)  # up to the last whole checkpoint
        if outcomes and not self._is_whole(outcomes):
            self._restart("its stores are damaged")
        elif self._has_replaced(outcomes):
            self._restart("bad photos have been replaced")
        elif self._has_changed(outcomes):
            self._restart("photos have been replaced")
        else:
            return outcomes
        return []

    def grow(self, outcomes: Sequence[Outcome], tally: Tally, test_photos: Mapping[str, str]) -> list[Outcome]:
        """Store what comes after the outcomes that were taken up; returns those of all photos.

        `test_photos` are the ids of the test photos by the digest of their picture: such a picture is left out.
        """
        if any((each.status == EXCLUDED) != (each.digest in test_photos) for each in outcomes if each.digest):
            self._restart("test photos have been replaced")
            outcomes = []
        try:
            return self._grow(outcomes, tally, test_photos)
        except stores.StoreDiffers:
            # killed between a checkpoint's stores and its journal, and the photos changed since; or a damaged store
            self._restart("its stores do not hold what the photos give")
            return self._grow([], tally, test_photos)

    def _grow(self, done: Sequence[Outcome], tally: Tally, test_photos: Mapping[str, str]) -> list[Outcome]:
        """Store what comes after the outcomes that are there already; returns all."""
        outcomes = list(done)
        journal.cut(self.journal, outcomes)
        tally.begin(self.split, outcomes)
        stored = sum(outcome.status == WRITTEN for outcome in outcomes)
        left = len(self.photos) - len(outcomes)
        with closing(self._results(self.photos[len(outcomes) :])) as results:
            for number in range(1, -(-left // CHECKPOINT) + 1):
                batch = []
                with self._checkpoint() as puts:
                    for outcome, records in islice(results, CHECKPOINT):
                        if outcome.digest in test_photos:
                            reason = f"{SAME_PICTURE}: {test_photos[outcome.digest]}"
                            outcome = replace(outcome, status=EXCLUDED, reason=reason, records=())
                        if outcome.status == WRITTEN:
                            for put, record in zip(puts, records, strict=True):
                                put(stored, record)
                            stored += 1
                        batch.append(outcome)
                        tally.add(self.split, outcome)
                journal.add(self.journal, batch)
                outcomes += batch
                if number.bit_count() == 1:  # soon, and not so often that it takes time
                    _require_local_view(self.request, tally)
        if any(stores.entries(self.store(view)) != stored for view in self.request.views):
            raise stores.StoreDiffers(self.split)
        return outcomes

    def _results(self, photos: Sequence[Photo]) -> Iterator[Result]:
        """What becomes of each photo, in order, with its records."""

        def decode(photos: Sequence[Photo]) -> Iterator[Result]:
            return self.workers.decoded(photos, self.place)

        return self.donor.results(self.split, photos, self.place, decode) if self.donor else decode(photos)

    @contextmanager
    def _checkpoint(self) -> Iterator[list[Callable[[int, memoryview], None]]]:
        """Open one transaction for each view's store."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(stores.checkpoint(self.store(view), len(self.photos)))
                for view in self.request.views
            ]

    def _is_whole(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether the stores hold the records that the journal names; reads all of them."""
        for number, view in enumerate(self.request.views):
            wanted = [outcome.records[number] for outcome in outcomes if outcome.status == WRITTEN]
            try:
                held = [digest for _, digest in islice(stores.digests(self.store(view)), len(wanted))]
            except (UserError, FileNotFoundError, IsADirectoryError):
                return False
            if held != wanted:
                return False
        return True

    def _has_replaced(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether a photo that was bad can be decoded now."""
        bad = [
            photo
            for photo, outcome in zip(self.photos, outcomes, strict=False)
            if outcome.status in (MISSING, CORRUPT) and os.path.exists(photo.file)
        ]
        return bool(bad) and any(outcome.status == WRITTEN for outcome, _ in self.workers.decoded(bad, self.place))

    def _has_changed(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether the picture of a photo that was decoded is another one now."""
        return any(
            outcome.digest and not is_same(self.place(photo), outcome.stamp, outcome.digest)
            for photo, outcome in zip(self.photos, outcomes, strict=False)
        )

    def _restart(self, why: str) -> None:
        """Discard the split's records."""
        print(f"{self.request.name}: preparing the {self.split} split again, {why}", file=sys.stderr)
        for view in self.request.views:
            shutil.rmtree(self.store(view), ignore_errors=True)
        journal.cut(self.journal, [])


def _require_local_view(request: Request, tally: Tally) -> None:
    """Raise UserError, and discard all, if the pictures so far show that the copy has no local view."""
    if "local" in request.views:
        try:
            require_local_view(request.root, tally.sizes, request.parameters["dataset"] == "photos")
        except UserError:
            shutil.rmtree(request.unfinished)
            raise


def _places(request: Request, partition: Partition) -> Callable[[Photo], Place]:
    """Where each photo's bytes are; pictures in parquet files are copied first, into a file that a row is found in."""
    packed = [photo for photo in partition.photos if photo.row is not None]
    if not packed:
        return lambda photo: Place(os.path.join(photo.folder, photo.path))
    from data_prep.spool import Spool  # which loads pyarrow

    spool = Spool(request.unfinished)
    print(f"{request.name}: copying {len(packed):,} pictures out of parquet files", file=sys.stderr)
    with progress(len(packed), 0, 0) as show:
        spool.fill(packed, lambda copied: show(copied, 0))
    return spool.place


def _parameters(path: Path) -> dict[str, Any]:
    try:
        with opened(path) as file:
            there = json.load(file)
    except (UserError, ValueError, RecursionError):
        there = None
    if not isinstance(there, dict):
        raise UserError(f"{path} is damaged; remove {path.parent} and give the same command again")
    return there
