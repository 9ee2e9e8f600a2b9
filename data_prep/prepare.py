"""Partition -> complete dataset: stores, manifest, summary.

A dataset grows in a folder of its own (unfinished.py). Once every photo is accounted for, the stores
are renamed to where they belong, then comes the manifest, and last the summary: where it is, the
dataset is complete.
"""

from user_error import UserError

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from typing import Any

import lmdb

from data_prep import lmdb_store, manifest, summary, unfinished
from data_prep.journal import CORRUPT, MISSING, WRITTEN, Outcome
from data_prep.lock import locked
from data_prep.partitions import Partition
from data_prep.request import Request, differences, store_name
from data_prep.space import disk_is_full, require_space
from files import sync, write_atomically


def finished(request: Request) -> dict[str, Any] | None:
    """Summary of the dataset if it is complete as asked for, else None; opens no picture.

    Raises UserError where it is complete with other parameters, or one of its stores is gone.
    """
    there = summary.read(request.folder)
    if there is None:
        return None
    if there["parameters"] != request.parameters:
        raise UserError(
            f"{request.folder} is complete with other parameters "
            f"({differences(there['parameters'], request.parameters)}); "
            "choose another --out or --name, or remove that folder"
        )
    for split in there["splits"]:
        for view in request.views:
            store = request.folder / store_name(split, view)
            if not (store / "data.mdb").is_file():
                raise UserError(f"{store} is gone; remove {request.folder} and call again")
    shutil.rmtree(request.unfinished, ignore_errors=True)  # killed at the very end
    return there


def prepare(request: Request, partition: Partition, jobs: int, allow_bad: int) -> dict[str, Any]:
    """Make the dataset, or go on with it; returns its summary.

    Raises UserError where the disk is too small, another call is at work, what is there was made
    otherwise, or more photos than `allow_bad` are bad beside those known to be: then nothing is
    published, and the call that allows them decodes nothing again.
    """
    require_space(request, partition)
    _require_no_strangers(request)
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
        with locked(request.folder):
            if done := finished(request):  # by the call that held the folder until now
                return done
            unfinished.start(request)
            outcomes = unfinished.grow(request, partition, jobs)
            _require_few_bad(request, partition, outcomes, allow_bad)
            return _publish(request, partition, outcomes)
    except (OSError, lmdb.Error) as error:
        why = disk_is_full(request) or str(error)  # LMDB calls a full disk an input/output error
        raise UserError(f"{request.folder}: {why}; once that is mended, the same call goes on from here") from None


def _require_no_strangers(request: Request) -> None:
    """Raise UserError where stores stand in the way that are not ours."""
    if request.unfinished.is_dir() or (request.folder / "summary.json").is_file():
        return
    for store in sorted(request.folder.glob("*_lmdb")):
        raise UserError(f"{store} is there without a summary.json; remove it, or choose another --out or --name")


def _require_few_bad(request: Request, partition: Partition, outcomes: Sequence[Outcome], allow_bad: int) -> None:
    """Raise UserError, and list the bad photos, where there are more than allowed."""
    photos = [*partition.train, *partition.test]
    bad = [
        (photo, outcome)
        for photo, outcome in zip(photos, outcomes, strict=True)
        if outcome.status != WRITTEN and not summary.is_excused(request, photo)
    ]
    if len(bad) <= allow_bad:
        return
    listing = request.folder / "bad_photos.txt"
    lines = [f"{photo.file}: {outcome.status}: {outcome.reason}\n" for photo, outcome in bad]
    write_atomically(listing, "".join(lines))
    kinds = Counter(outcome.status for _, outcome in bad)
    raise UserError(
        f"{request.folder} is not complete: {kinds[MISSING]:,} photos are missing and "
        f"{kinds[CORRUPT]:,} corrupt, see {listing}; put them right and call again, or add "
        f"--allow-bad {len(bad)} (nothing is decoded again)"
    )


def _publish(request: Request, partition: Partition, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Put the stores in place, then the manifest, then the summary; killed, it can be done again."""
    content = summary.summarize(request, partition, outcomes)
    for split, counts in content["splits"].items():
        for view in request.views:
            name = store_name(split, view)
            if (request.unfinished / name).is_dir():
                sync(request.unfinished / name)
                (request.unfinished / name).rename(request.folder / name)
            _require_agreement(request, name, counts["written"])
    manifest.write(request.unfinished / "manifest.csv", partition, outcomes)
    (request.unfinished / "manifest.csv").replace(request.folder / "manifest.csv")
    (request.folder / "bad_photos.txt").unlink(missing_ok=True)
    sync(request.folder)
    write_atomically(request.folder / "summary.json", json.dumps(content, indent=2) + "\n")
    shutil.rmtree(request.unfinished, ignore_errors=True)
    return content


def _require_agreement(request: Request, name: str, written: int) -> None:
    found = lmdb_store.entries(request.folder / name)
    if found != written:
        raise UserError(
            f"{request.folder / name} holds {found:,} records, the manifest says {written:,}; "
            f"remove {request.folder} and call again"
        )
