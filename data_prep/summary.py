"""summary.json, the last file written, and what a person reads at the end."""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from data_prep.journal import CORRUPT, MISSING, WRITTEN, Outcome
from data_prep.partitions import Partition
from data_prep.photos import BAD, EXTRA, GOOD, Photo
from data_prep.request import Request, digest_of_lines
from paper import stated

PACKAGES = ("numpy", "opencv-python-headless", "lmdb", "protobuf")
SPLITS = {"train": "training", "test": "test"}


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


def summarize(request: Request, partition: Partition, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Content of summary.json; `outcomes` are in record order. It does not depend on time or --jobs."""
    remaining = iter(outcomes)
    splits, bad = {}, Counter()
    for split, photos in partition.splits().items():
        own = list(zip(photos, islice(remaining, len(photos)), strict=True))
        splits[split] = _split_counts(own)
        bad.update(
            "known_broken" if is_excused(request, photo) else "other"
            for photo, outcome in own
            if outcome.status != WRITTEN
        )
    return {
        "dataset": request.name,
        "splits": splits,
        "majority_baseline": splits["test"]["majority_baseline"],
        "rule": partition.rule,
        "notes": list(partition.notes),
        "seed": request.parameters["seed"],
        "views": list(request.views),
        "encoded": request.encoded,
        "enlarged": _enlarged(outcomes) if "local" in request.views else 0,
        "excluded": dict(sorted(Counter(reason for _, reason in partition.excluded).items())),
        "bad_photos": {kind: bad[kind] for kind in ("known_broken", "other")},
        "lists_sha256": list_digests(partition),
        "parameters": request.parameters,
        "command": request.command,
        "roots": _roots(partition),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def list_digests(partition: Partition) -> dict[str, str]:
    """SHA-256 of each list: the lines 'photo_id label' in record order."""
    return {
        split: digest_of_lines(f"{photo.photo_id} {photo.label}" for photo in photos)
        for split, photos in partition.splits().items()
    }


def read(folder: Path) -> dict[str, Any] | None:
    """Read the summary of a complete dataset; None where there is none."""
    try:
        return json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def text(summary: dict[str, Any], request: Request) -> str:
    """Closing words: counts, the majority baseline, where things are, the next command."""
    lines = heading(summary["dataset"], summary["rule"], summary["notes"])
    for split, counts in summary["splits"].items():
        line = split_line(split, counts["good"], counts["bad"])
        if counts["missing"] or counts["corrupt"]:
            line += f" ({counts['missing']:,} missing, {counts['corrupt']:,} corrupt)"
        lines.append(line)
    for reason, number in summary["excluded"].items():
        lines.append(f"  excluded  {number:>9,} {reason}")
    if summary["enlarged"]:
        small = f"with a side under {stated('views.size')} pixels, for the local view"
        lines.append(f"  enlarged  {summary['enlarged']:>9,} {small}")
    baseline = summary["majority_baseline"]
    lines.append(f"  majority  {baseline:>8.2f}% of the test photos: the accuracy to beat")
    lines.append(f"  in        {request.folder}/ (manifest.csv: what became of every photo)")
    data = "" if request.out == Path("data") else f" --data {request.out}"
    command = f"python run_experiments.py run --dataset {summary['dataset']}{data}"
    lines.append(f"next: {command} --gpu 0")
    return "\n".join(lines)


def heading(name: str, rule: str, notes: Iterable[str]) -> list[str]:
    return [f"{name}: {rule}", *(f"  note      {note}" for note in notes)]


def split_line(split: str, good: int, bad: int) -> str:
    return f"  {SPLITS[split]:<9} {good + bad:>9,} = {good:,} good + {bad:,} bad"


def _roots(partition: Partition) -> dict[str, str]:
    """Folders that the manifest's paths start from: of the dataset, and of CUHKPQ's extra photos."""
    folders = {photo.cell.startswith(EXTRA): photo.folder for photo in [*partition.train, *partition.test]}
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
