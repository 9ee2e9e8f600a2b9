"""The complete dataset of delta 0 that records are copied out of, so that no photo is decoded a second time.

A delta only leaves out training photos (III-A): the records of ava-large-delta-1 are records of ava-large, under keys
of their own. One is copied where it is what decoding would give: both datasets have the same lists and options, the
same packages make them, the photo's picture is the one that was decoded, and the record has the digest that it was
stored with. The photo of any other is decoded. So a derived dataset is, byte for byte, one that is prepared from the
photos. A photo that is gone since counts as it was, as where a preparation is resumed.

The test split, which is the same in both, is copied too. A hard link would save its disk space, and would make one
file of two datasets: whoever overwrites it, or whichever disk block dies, changes the results of both, and no
preparation could be checked or repaired without the other.
"""

from user_error import UserError

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import commands
from data_prep import deltas, journal, manifest, stores, summary
from data_prep.photos import WRITTEN, Outcome, Photo
from data_prep.pictures import Place, is_same, stamp
from data_prep.request import Request, differences, digest_of_lines, store_name
from data_prep.workers import Result
from files import write_atomically

BATCH = 64  # photos whose records are looked at before those that are lacking are decoded, side by side
NOTE = "derived_from.json"  # in .unfinished, so that the summary names the donor whichever call completes it
Get = Callable[[int], memoryview | None]  # a record by its key
Decode = Callable[[Sequence[Photo]], Iterator[Result]]


@dataclass(frozen=True)
class Donor:
    """A complete dataset and what it holds: by split and photo's id the key of a record, and what became of the photo.

    `views` are those asked for; the outcomes have the digests of their records alone.
    """

    folder: Path
    views: tuple[str, ...]
    splits: dict[str, dict[str, tuple[int, Outcome]]]

    def results(self, split: str, photos: Sequence[Photo], place: Callable[[Photo], Place], decode: Decode
                ) -> Iterator[Result]:  # fmt: skip
        """What became of each photo, in order, with its record for each view; as `decode`, which makes what we lack."""
        damaged: list[Photo] = []
        with ExitStack() as stack:
            views = [stack.enter_context(stores.reading(self.folder / store_name(split, view))) for view in self.views]
            for first in range(0, len(photos), BATCH):
                batch = photos[first : first + BATCH]
                copied = [self._copied(split, photo, place(photo), views, damaged) for photo in batch]
                decoded = decode([photo for photo, each in zip(batch, copied, strict=True) if each is None])
                yield from (each or next(decoded) for each in copied)
        if damaged:
            lost = f"{self.folder} lost or changed records of {len(damaged):,} {split} photos, which were decoded"
            options = ("--dataset", self.folder.name, "--deep", "--data", self.folder.parent.resolve())
            print(f"{lost}; `{commands.experiments('doctor', *options)}` reads all of it", file=sys.stderr)

    def _copied(self, split: str, photo: Photo, place: Place, views: Sequence[Get], damaged: list[Photo]
                ) -> Result | None:  # fmt: skip
        """What became of a photo, with its records; None where they are not those of its picture, or are `damaged`."""
        position, outcome = self.splits[split].get(photo.photo_id, (0, None))
        if outcome is None or not is_same(place, outcome.stamp, outcome.digest):
            return None
        records = [get(position) for get in views]
        if tuple(record and stores.record_digest(record) for record in records) != outcome.records:
            damaged.append(photo)
            return None
        return replace(outcome, stamp=stamp(place) or outcome.stamp), records


def find(request: Request) -> Donor | None:
    """The dataset of delta 0 beside the one asked for; None where there is none, or where it cannot give records.

    In the second case it says why.
    """
    value = Decimal(request.parameters.get("delta", "0"))
    if not value:
        return None
    folder = request.out / deltas.base_of(request.name, value, f"ava-{request.parameters['partition']}")
    if not folder.is_dir():
        return None
    try:
        return _donor(folder, request)
    except (UserError, OSError) as why:
        print(f"{request.name}: the photos are decoded, for {folder} gives no records: {why}", file=sys.stderr)
        return None


def note(request: Request, donor: Donor) -> None:
    """Keep, with the growing dataset, which one its records are copied out of."""
    content = {"dataset": donor.folder.name, "folder": str(donor.folder.resolve())}
    write_atomically(request.unfinished / NOTE, json.dumps(content) + "\n")


def noted(request: Request) -> dict[str, Any]:
    """What the summary says of the dataset that records were copied out of; {} where there was none."""
    path = request.unfinished / NOTE
    return {"derived_from": json.loads(path.read_text(encoding="utf-8"))} if path.exists() else {}


def _donor(folder: Path, request: Request) -> Donor:
    """The dataset in `folder` as a donor; raises UserError that says why it is none."""
    content = summary.read(folder, summary.KEYS)
    if content is None:
        raise UserError("it is not complete")
    views = {"views": request.parameters["views"]}
    if content["parameters"] | views != request.parameters | {"delta": "0"}:
        raise UserError(differences(content["parameters"] | views, request.parameters | {"delta": "0"}))
    if lacking := [view for view in request.views if view not in content["views"]]:
        raise UserError(f"it has no {' and no '.join(lacking)} view")
    there, here = content.get("versions", {}), summary.versions()
    if changed := [f"{name} {there.get(name)}" for name in here if there.get(name) != here[name]]:
        raise UserError(f"it was made by {', '.join(changed)}, not by {', '.join(f'{n} {here[n]}' for n in here)}")
    wanted = [content["views"].index(view) for view in request.views]
    return Donor(folder, request.views, {split: _kept(folder, split, content, wanted) for split in summary.SPLITS})


def _kept(folder: Path, split: str, content: dict[str, Any], wanted: Sequence[int]) -> dict[str, tuple[int, Outcome]]:
    """Key and outcome of the photos of a split that were written, by their ids; `wanted` are the places of the views.

    Raises UserError unless the manifest, the journal and the stores are those that the summary tells of.
    """
    path = journal.kept(folder, split)
    if not path.exists():
        raise UserError("it keeps no digests of its records, for an earlier version made it")
    try:
        listed = [(row["photo_id"], row["label"]) for row in manifest.read(folder / "manifest.csv")
                  if row["split"] == split]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"its manifest.csv cannot be read ({error})") from None
    if digest_of_lines(f"{name} {label}" for name, label in listed) != content["lists_sha256"].get(split):
        raise UserError("its manifest.csv is damaged, or not its own")
    outcomes = journal.read(path, len(listed), checkpoint=1)
    for number, view in enumerate(content["views"]):
        name = store_name(split, view)
        digests = (each.records[number] for each in outcomes if each.status == WRITTEN)
        if stores.store_digest(digests) != content.get("stores_xxh3", {}).get(name):
            raise UserError(f"{path} is damaged, or not its own")
        if stores.entries(folder / name) != content["splits"][split]["written"]:
            raise UserError(f"{folder / name} is not whole")
    kept: dict[str, tuple[int, Outcome]] = {}
    for (photo_id, _), outcome in zip(listed, outcomes, strict=True):
        if outcome.status == WRITTEN:
            records = tuple(outcome.records[number] for number in wanted)
            kept[photo_id] = len(kept), replace(outcome, records=records)
    return kept
