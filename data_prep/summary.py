"""summary.json: what a complete dataset holds; the last file written."""

from user_error import UserError

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_prep import stores
from data_prep.photos import (
    BAD,
    CORRUPT,
    EXCLUDED,
    EXTRA,
    GOOD,
    MISSING,
    SAME_PICTURE,
    WRITTEN,
    Outcome,
    Photo,
    by_digest,
)  # fmt: skip
from data_prep.readers.partitions import Partition
from data_prep.request import Request, digest_of_lines, store_name
from files import opened
from paper import stated

PACKAGES = ("numpy", "opencv-python-headless", "lmdb", "protobuf")
SPLITS = ("train", "test")
FOR_RUNS = {"splits": dict, "views": list, "rule": str, "command": str, "lists_sha256": dict}
KEYS = FOR_RUNS | {
    "dataset": str, "notes": list, "majority_baseline": float, "excluded": dict, "enlarged": int, "parameters": dict,
}  # fmt: skip
OPTIONAL = {"inputs": dict, "roots": dict, "stores_xxh3": dict, "derived_from": dict}  # earlier versions have none
COUNTS = ("written", "good", "bad", "missing", "corrupt")


def versions() -> dict[str, str]:
    """The versions of the packages that decide the records."""
    return {name: version(name) for name in PACKAGES}


@cache
def known_broken() -> frozenset[str]:
    """Ids of AVA's photos that are broken in common copies, from known_broken.txt."""
    text = Path(__file__).with_name("known_broken.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def is_excused(request: Request, photo: Photo) -> bool:
    """Whether a photo may be bad without --allow-bad."""
    return request.parameters["dataset"] == "ava" and photo.photo_id in known_broken()


def majority_baseline(good: int, bad: int) -> float:
    """Accuracy, in %, of always naming the more frequent label."""
    return float(Fraction(100 * max(good, bad), good + bad)) if good + bad else 0.0


def summarize(request: Request, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    """Content of summary.json; `outcomes` are those of each split in record order.

    It does not depend on the time or on --jobs.
    """
    pairs = {split: list(zip(photos, outcomes[split], strict=True)) for split, photos in partition.splits().items()}
    both = [pair for split in SPLITS for pair in pairs[split]]
    splits = {split: _split_counts(pairs[split]) for split in SPLITS}
    bad = Counter(
        "known_broken" if is_excused(request, photo) else "other"
        for photo, outcome in both
        if outcome.status in (MISSING, CORRUPT)
    )
    excluded = Counter(reason for _, reason in partition.excluded)
    if dropped := sum(outcome.status == EXCLUDED for _, outcome in both):
        excluded[SAME_PICTURE] = dropped
    return {
        "dataset": request.name,
        "splits": splits,
        "majority_baseline": splits["test"]["majority_baseline"],
        "rule": partition.rule,
        "notes": [*partition.notes, *_same_pictures(request, partition, outcomes)],
        "seed": request.parameters["seed"],
        "views": list(request.views),
        "encoded": request.encoded,
        "enlarged": _enlarged(outcome for _, outcome in both) if "local" in request.views else 0,
        "excluded": dict(sorted(excluded.items())),
        "bad_photos": {kind: bad[kind] for kind in ("known_broken", "other")},
        "lists_sha256": list_digests(partition),
        "stores_xxh3": _store_digests(request, outcomes),
        "parameters": request.parameters,
        "command": request.command(bad["other"]),
        "inputs": {name: str(path.resolve()) for name, path in request.inputs.items()},
        "roots": _roots(partition),
        "versions": {"python": platform.python_version(), **versions()},
    }


def list_digests(partition: Partition) -> dict[str, str]:
    """SHA-256 of each list: the lines 'photo_id label' in record order."""
    return {
        split: digest_of_lines(f"{photo.photo_id} {photo.label}" for photo in photos)
        for split, photos in partition.splits().items()
    }


def read(folder: Path, keys: Mapping[str, type] = FOR_RUNS) -> dict[str, Any] | None:
    """Read the summary of a complete dataset; None if there is none.

    `keys` are those that the caller needs, with their types. Raises UserError if the file is damaged or lacks one.
    """
    path = folder / "summary.json"
    again = f"remove {folder} and prepare it again"
    if not os.path.lexists(path):
        return None
    content = _content(path)
    if _is_strangers(content):
        raise UserError(f"{path} is not that of a dataset of ours: choose another name or folder")
    found = content if isinstance(content, dict) else {}
    if not found:
        raise UserError(f"{path} is damaged; {again}")
    lacking = [name for name, kind in keys.items() if not isinstance(found.get(name), kind)]
    lacking += [name for name, kind in OPTIONAL.items() if not isinstance(found.get(name, {}), kind)]
    if not all(isinstance(number, int) for number in dict(found.get("excluded") or {}).values()):
        lacking.append("numbers in excluded")
    if lacking:
        raise UserError(f"{path} is damaged, it lacks {', '.join(lacking)}; {again}")
    wanted = COUNTS if "notes" in keys else ("written",)
    for split in SPLITS:
        counts = found["splits"].get(split)
        if not isinstance(counts, dict) or not all(isinstance(counts.get(name), int) for name in wanted):
            raise UserError(f"{path} is damaged, it lacks the counts of the {split} split; {again}")
    return content


def is_ours(folder: Path) -> bool:
    """Whether a summary is a dataset's, be it damaged, and not a stranger's; UserError if it may not be read."""
    return not _is_strangers(_content(folder / "summary.json"))


def _is_strangers(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and FOR_RUNS.keys().isdisjoint(content)


def _content(path: Path) -> Any:
    """What a JSON file holds; None if it is damaged."""
    try:
        with opened(path) as file:
            return json.load(file)
    except (ValueError, RecursionError):
        return None


def _same_pictures(request: Request, partition: Partition, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Notes on training photos that are byte for byte a test photo, where they stay, or have both labels."""
    known = by_digest(partition.test, outcomes["test"])
    found = sum(outcome.digest in known for outcome in outcomes["train"])
    if found and not request.drops_same_pictures:
        yield f"{found:,} training photos are {SAME_PICTURE}, byte for byte; they stay, as the lists have them"
    labels: dict[str, set[int]] = {}
    for photo, outcome in zip(partition.train, outcomes["train"], strict=True):
        if outcome.status == WRITTEN:
            labels.setdefault(outcome.digest, set()).add(photo.label)
    if torn := sum(len(each) > 1 for each in labels.values()):
        yield f"{torn:,} pictures are in training under several names, as good and as bad"


def _store_digests(request: Request, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, str]:
    """The digest of each store's records, which `doctor --deep` compares with what is there."""
    return {
        store_name(split, view): stores.store_digest(each.records[number] for each in outcomes[split] if each.records)
        for split in SPLITS
        for number, view in enumerate(request.views)
    }


def _roots(partition: Partition) -> dict[str, str]:
    """The folders that the manifest's paths start from: the dataset's, and that of CUHKPQ's extra photos."""
    folders = {photo.cell.startswith(EXTRA): photo.folder for photo in partition.photos}
    return {("extra" if is_extra else "dataset"): str(folder.resolve()) for is_extra, folder in sorted(folders.items())}


def _split_counts(photos: list[tuple[Photo, Outcome]]) -> dict[str, Any]:
    listed = Counter(photo.label for photo, _ in photos)
    status = Counter(outcome.status for _, outcome in photos)
    written = Counter(photo.label for photo, outcome in photos if outcome.status == WRITTEN)
    return {
        "listed": len(photos),
        "listed_good": listed[GOOD],
        "listed_bad": listed[BAD],
        "written": status[WRITTEN],
        "good": written[GOOD],
        "bad": written[BAD],
        "missing": status[MISSING],
        "corrupt": status[CORRUPT],
        "majority_baseline": majority_baseline(written[GOOD], written[BAD]),
    }


def _enlarged(outcomes: Iterable[Outcome]) -> int:
    size = stated("views.size")
    return sum(outcome.status == WRITTEN and min(outcome.width, outcome.height) < size for outcome in outcomes)
