"""A dataset while it grows, in <dataset>/.unfinished; it may be killed and resumed at any moment.

Photos are taken in record order, training before test, a checkpoint at a time: a checkpoint's records go into the
store of every view, then its outcomes into the journal, each synced to the disk. The next call resumes after the
journal's last checkpoint.
"""

from user_error import UserError

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep import journal, lmdb_store
from data_prep.journal import WRITTEN, Outcome
from data_prep.partitions import Partition
from data_prep.photos import Photo
from data_prep.progress import progress
from data_prep.records import Wanted
from data_prep.request import Request, differences, store_name
from data_prep.workers import decoded, keep_freed_memory
from files import remove_partials, sync, write_atomically
from paper import stated

CHECKPOINT = 64  # photos; at most so many are decoded again after a kill
WARPED_SAMPLE = 32  # pictures that are enough to recognise a copy that was warped to one size
WARPED_SHARE = 0.9


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: the photos begin..end (numbers in record order), all of one split."""

    split: str
    begin: int
    end: int


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


def _parameters(path: Path) -> dict[str, Any]:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (IsADirectoryError, ValueError, RecursionError):
        there = None
    if not isinstance(there, dict):
        raise UserError(f"{path} is damaged; remove {path.parent} and give the same command again")
    return there


def grow(request: Request, partition: Partition, jobs: int) -> list[Outcome]:
    """Decode and store what is not there yet; returns the outcomes of all photos in record order."""
    keep_freed_memory()
    _restart_what_is_damaged(request, partition, jobs)
    try:
        _grow(request, partition, jobs)
    except lmdb_store.StoreDiffers:
        # killed between a checkpoint's stores and its journal, and the photos changed since
        _restart(request, partition, _split_at(partition, len(_outcomes(request, partition))))
        _grow(request, partition, jobs)
    return _outcomes(request, partition)


def _grow(request: Request, partition: Partition, jobs: int) -> None:
    photos = [*partition.train, *partition.test]
    outcomes = _outcomes(request, partition)
    done = len(outcomes)
    if done == len(photos):
        return
    journal.cut(_journal(request), outcomes)
    stored = _written_by_split(partition, outcomes)
    status = Counter(outcome.status for outcome in outcomes)
    warped = sum(map(_is_warped, outcomes))
    resumed = f", resuming after {done:,}" if done else ""
    print(f"{request.name}: {len(photos):,} photos, {jobs} processes{resumed}", file=sys.stderr)
    with (
        decoded(photos[done:], Wanted(request.views, request.encoded), jobs) as results,
        progress(len(photos), done, done - status[WRITTEN]) as show,
    ):
        for step in _steps(partition):
            if step.begin < done:
                continue
            batch = []
            with _checkpoint(request, partition, step.split) as puts:
                for number in range(step.begin, step.end):
                    outcome, records = next(results)
                    for put, record in zip(puts, records, strict=False):
                        put(stored[step.split], record)
                    stored[step.split] += outcome.status == WRITTEN
                    status[outcome.status] += 1
                    warped += _is_warped(outcome)
                    batch.append(outcome)
                    show(number + 1, number + 1 - status[WRITTEN])
            journal.add(_journal(request), batch)
            if status[WRITTEN] >= WARPED_SAMPLE or step.end == len(photos):
                _require_unwarped(request, warped, status[WRITTEN])


@contextmanager
def _checkpoint(request: Request, partition: Partition, split: str) -> Iterator[list]:
    """Open one transaction for each view's store of the split."""
    capacity = len(partition.splits()[split])
    with ExitStack() as stack:
        yield [
            stack.enter_context(lmdb_store.checkpoint(_store(request, split, view), capacity)) for view in request.views
        ]


def _restart_what_is_damaged(request: Request, partition: Partition, jobs: int) -> None:
    """Discard a split that cannot be resumed, and the one after it.

    That is a split of which a bad photo has been replaced since, or whose store holds fewer records than the journal
    says (the disk lost what it had confirmed).
    """
    outcomes = _outcomes(request, partition)
    photos = [*partition.train, *partition.test]
    replaced = {_split_at(partition, number) for number in _replaced(request, photos, outcomes, jobs)}
    for split, written in _written_by_split(partition, outcomes).items():
        lost = any(_entries(_store(request, split, view)) < written for view in request.views)
        if split in replaced or lost:
            why = "its stores are damaged" if lost else "bad photos have been replaced"
            print(f"{request.name}: preparing the {split} split again, {why}", file=sys.stderr)
            _restart(request, partition, split)
            return


def _restart(request: Request, partition: Partition, split: str) -> None:
    """Discard the records of a split and of the one after it."""
    splits = list(partition.splits())
    for later in splits[splits.index(split) :]:
        for view in request.views:
            shutil.rmtree(_store(request, later, view), ignore_errors=True)
    begin = 0 if split == "train" else len(partition.train)
    journal.cut(_journal(request), _outcomes(request, partition)[:begin])


def _replaced(request: Request, photos: Sequence[Photo], outcomes: Sequence[Outcome], jobs: int) -> list[int]:
    """Numbers of the photos that were bad and can be decoded now."""
    bad = [
        number for number, outcome in enumerate(outcomes) if outcome.status != WRITTEN and photos[number].file.exists()
    ]
    if not bad:
        return []
    wanted = Wanted(request.views, request.encoded)
    with decoded([photos[number] for number in bad], wanted, jobs) as results:
        return [number for number, (outcome, _) in zip(bad, results, strict=True) if outcome.status == WRITTEN]


def _require_unwarped(request: Request, warped: int, written: int) -> None:
    """Raise UserError if nearly all pictures have exactly the size of a view."""
    if "local" not in request.views or not written or warped <= WARPED_SHARE * written:
        return
    size = stated("views.size")
    shutil.rmtree(request.unfinished)
    raise UserError(
        f"{request.root}: {warped:,} of {written:,} pictures are {size}x{size}, so this copy was "
        "already warped to that size and the central patch of a picture is all of it: there is no "
        "local view. Take the original pictures, or the global view alone with --views global"
    )


def _is_warped(outcome: Outcome) -> bool:
    size = stated("views.size")
    return outcome.status == WRITTEN and (outcome.width, outcome.height) == (size, size)


def _steps(partition: Partition) -> list[Checkpoint]:
    steps, offset = [], 0
    for split, photos in partition.splits().items():
        end = offset + len(photos)
        steps += [Checkpoint(split, begin, min(begin + CHECKPOINT, end)) for begin in range(offset, end, CHECKPOINT)]
        offset = end
    return steps


def _outcomes(request: Request, partition: Partition) -> list[Outcome]:
    """Outcomes so far, up to the last whole checkpoint."""
    return journal.read(_journal(request), [step.end for step in _steps(partition)])


def _written_by_split(partition: Partition, outcomes: Sequence[Outcome]) -> dict[str, int]:
    train = len(partition.train)
    parts = {"train": outcomes[:train], "test": outcomes[train:]}
    return {split: sum(outcome.status == WRITTEN for outcome in part) for split, part in parts.items()}


def _split_at(partition: Partition, number: int) -> str:
    return "train" if number < len(partition.train) else "test"


def _journal(request: Request) -> Path:
    return request.unfinished / "journal.csv"


def _store(request: Request, split: str, view: str) -> Path:
    """Path of a store: where it grows, or its final place if a killed call had got that far."""
    place = request.folder / store_name(split, view)
    return place if place.is_dir() else request.unfinished / place.name


def _entries(store: Path) -> int:
    """How many records a store holds; -1 if it is damaged."""
    try:
        return lmdb_store.entries(store)
    except (UserError, IsADirectoryError):
        return -1
