"""Partition -> complete dataset: stores, manifest, summary.

A dataset grows in a folder of its own (unfinished.py). Once every photo is accounted for, the stores are renamed to
their final place, then the manifest and the journals are written, and the summary last: if it is there, the dataset is
complete.
"""

from user_error import UserError

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

import files
from data_prep import donor as donors
from data_prep import journal, manifest, stores, summary, unfinished
from data_prep.donor import Donor
from data_prep.photos import CORRUPT, GOOD, MISSING, WRITTEN, Outcome
from data_prep.readers.partitions import Partition
from data_prep.request import Request, differences, store_name
from data_prep.space import disk_is_full, require_space


def finished(request: Request) -> dict[str, Any] | None:
    """Summary of the dataset if it is complete as asked for, else None; opens no picture.

    Raises UserError if it is complete with other parameters, or if its summary or a store is missing or damaged.
    """
    there = summary.read(request.folder, summary.KEYS)
    if there is None:
        return None
    if there["parameters"] != request.parameters:
        raise UserError(
            f"{request.folder} is complete with other parameters "
            f"({differences(there['parameters'], request.parameters)}); "
            "choose another --out or --name, or remove that folder"
        )
    for split, counts in there["splits"].items():
        if not counts["written"]:
            raise UserError(f"{request.folder} has no {split} photo; remove that folder and prepare it again")
        for view in request.views:
            _require_agreement(request, store_name(split, view), counts["written"])
    if not (request.folder / "manifest.csv").is_file():
        raise UserError(f"{request.folder} has no manifest.csv; remove that folder and prepare it again")
    shutil.rmtree(request.unfinished, ignore_errors=True)  # killed at the very end
    return there


def prepare(
    request: Request, partition: Partition, jobs: int, allow_bad: int, donor: Donor | None = None
) -> dict[str, Any]:
    """Make the dataset, out of the donor's records where there is one, or resume it; returns its summary.

    Raises UserError if the disk is too small, another call is at work on it, the folder holds a dataset with other
    parameters, or more than `allow_bad` photos are bad that are not known to be. In the last case nothing is
    published, and a call that allows them decodes nothing again.
    """
    require_space(request, partition)
    _require_no_strangers(request)
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
        with locked(request.folder):
            if done := finished(request):  # by the call that held the lock until now
                return done
            unfinished.start(request)
            if donor:
                donors.note(request, donor)
            outcomes = unfinished.grow(request, partition, jobs, donor)
            _require_few_bad(request, partition, outcomes, allow_bad)
            _require_both_labels(request, partition, outcomes)
            return _publish(request, partition, outcomes)
    except stores.StoreDiffers as error:
        raise UserError(f"{error} is damaged again and again: look at the disk, or choose another --out") from None
    except (OSError, lmdb.Error) as error:
        why = disk_is_full(request) or str(error).partition("] ")[2] or str(error)  # LMDB's say input/output error
        raise UserError(f"{request.folder}: {why}; once that is fixed, the same command resumes from here") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock for this process; raises UserError with the pid of the process that holds it."""
    lock = folder / ".lock"
    try:
        with files.locked(lock) as file:
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
            files.remove_partials(folder)
            yield
    except files.Held:
        holder = lock.read_text(errors="replace").strip()[:20] or "unknown"
        raise UserError(
            f"{folder}: another call is at work on it (process {holder}); wait for it, or choose another --out"
        ) from None


def _require_no_strangers(request: Request) -> None:
    """Raise UserError if there are stores that are not ours."""
    if request.unfinished.is_dir() or (request.folder / "summary.json").is_file():
        return
    for store in sorted(request.folder.glob("*_lmdb")):
        raise UserError(f"{store} exists, but no summary.json; remove it, or choose another --out or --name")


def _require_few_bad(
    request: Request, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]], allow_bad: int
) -> None:
    """Raise UserError, and list the bad photos, if there are more than allowed."""
    bad = [
        (photo, outcome)
        for split, photos in partition.splits().items()
        for photo, outcome in zip(photos, outcomes[split], strict=True)
        if outcome.status in (MISSING, CORRUPT) and not summary.is_excused(request, photo)
    ]
    if len(bad) <= allow_bad:
        return
    listing = request.folder / "bad_photos.txt"
    lines = [f"{photo.folder / photo.place}: {outcome.status}: {outcome.reason}\n" for photo, outcome in bad]
    files.write_atomically(listing, "".join(lines))
    kinds = Counter(outcome.status for _, outcome in bad)
    raise UserError(
        f"{request.folder} is not complete: {kinds[MISSING]:,} photos are missing and "
        f"{kinds[CORRUPT]:,} corrupt, see {listing}; replace them and give the same command again, or add "
        f"--allow-bad {len(bad)} to it (nothing is decoded again)"
    )


def _require_both_labels(request: Request, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
    """Raise UserError if a split has no photo that could be read, or none of one label though the lists have some."""
    for split, photos in partition.splits().items():
        listed = {photo.label for photo in photos}
        pairs = zip(photos, outcomes[split], strict=True)
        written = Counter(photo.label for photo, outcome in pairs if outcome.status == WRITTEN)
        for label in sorted(listed - set(written)):
            kind = "good" if label == GOOD else "bad"
            raise UserError(
                f"{request.folder} is not complete: of its {kind} {split} photos none could be used "
                f"({written.total():,} of {len(photos):,} written); replace them and give the same command again"
            )


def _publish(request: Request, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    """Put the stores in place, then the manifest, then the summary; may be killed and repeated."""
    content = summary.summarize(request, partition, outcomes) | donors.noted(request)
    for split, counts in content["splits"].items():
        for view in request.views:
            name = store_name(split, view)
            if (request.unfinished / name).is_dir():
                files.sync(request.unfinished / name)
                (request.unfinished / name).rename(request.folder / name)
            _require_agreement(request, name, counts["written"])
    manifest.write(request.unfinished / "manifest.csv", partition, outcomes)
    (request.unfinished / "manifest.csv").replace(request.folder / "manifest.csv")
    for split in content["splits"]:
        kept = journal.kept(request.folder, split)
        kept.parent.mkdir(exist_ok=True)
        files.write_atomically(kept, (request.unfinished / f"{split}.csv").read_bytes())
    (request.folder / "bad_photos.txt").unlink(missing_ok=True)
    files.sync(request.folder)
    files.write_atomically(request.folder / "summary.json", json.dumps(content, indent=2) + "\n")
    shutil.rmtree(request.unfinished, ignore_errors=True)
    return content


def _require_agreement(request: Request, name: str, written: int) -> None:
    """Raise UserError if a store is missing or damaged, or does not hold the records that it should."""
    found = stores.entries(request.folder / name)
    if found != written:
        raise UserError(f"{request.folder / name} holds {found:,} records, not {written:,}; {stores.AGAIN}")
