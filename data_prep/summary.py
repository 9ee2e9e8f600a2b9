"""summary.json, the last file written, and the text that a person reads at the end."""

from user_error import UserError

import json
import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import commands
from data_prep.journal import CORRUPT, MISSING, WRITTEN, Outcome
from data_prep.partitions import Partition
from data_prep.photos import BAD, EXTRA, GOOD, Photo
from data_prep.request import Request, digest_of_lines
from paper import DATASETS, ROOT, stated

PACKAGES = ("numpy", "opencv-python-headless", "lmdb", "protobuf")
SPLITS = {"train": "training", "test": "test"}
FOR_RUNS = {"splits": dict, "views": list, "rule": str, "command": str, "lists_sha256": dict}
KEYS = FOR_RUNS | {
    "dataset": str, "notes": list, "majority_baseline": float, "excluded": dict, "enlarged": int, "parameters": dict,
}  # fmt: skip
COUNTS = ("written", "good", "bad", "missing", "corrupt")


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
    """Content of summary.json; `outcomes` are in record order. It does not depend on the time or on --jobs."""
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
        "command": request.command(bad["other"]),
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


def read(folder: Path, keys: Mapping[str, type] = FOR_RUNS) -> dict[str, Any] | None:
    """Read the summary of a complete dataset; None if there is none.

    `keys` are those that the caller needs, with their types. Raises UserError if the file is damaged or lacks one.
    """
    path = folder / "summary.json"
    again = f"remove {folder} and prepare it again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (IsADirectoryError, ValueError, RecursionError):
        raise UserError(f"{path} is damaged; {again}") from None
    found = content if isinstance(content, dict) else {}
    lacking = [name for name, kind in keys.items() if not isinstance(found.get(name), kind)]
    if lacking:
        raise UserError(f"{path} is damaged, it lacks {', '.join(lacking)}; {again}")
    wanted = COUNTS if "notes" in keys else ("written",)
    for split in SPLITS:
        counts = found["splits"].get(split)
        if not isinstance(counts, dict) or not all(isinstance(counts.get(name), int) for name in wanted):
            raise UserError(f"{path} is damaged, it lacks the counts of the {split} split; {again}")
    return content


def text(summary: dict[str, Any], request: Request) -> str:
    """Counts, the majority baseline, where everything is, and the next command."""
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
    return "\n".join([*lines, _next_step(request)])


def _next_step(request: Request) -> str:
    """The command that trains on the dataset, on a GPU if there is one."""
    if request.name not in DATASETS:
        return f"note: solvers are written for {', '.join(DATASETS)}; under another name a dataset has none yet"
    data = [] if request.out.resolve() == ROOT / "data" else ["--data", request.out.resolve()]
    device = ["--gpu", 0] if shutil.which("nvidia-smi") else ["--cpu"]
    return f"next: {commands.experiments('run', '--dataset', request.name, *data, *device)}"


def heading(name: str, rule: str, notes: Iterable[str]) -> list[str]:
    return [f"{name}: {rule}", *(f"  note      {note}" for note in notes)]


def split_line(split: str, good: int, bad: int) -> str:
    return f"  {SPLITS[split]:<9} {good + bad:>9,} = {good:,} good + {bad:,} bad"


def _roots(partition: Partition) -> dict[str, str]:
    """The folders that the manifest's paths start from: the dataset's, and that of CUHKPQ's extra photos."""
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
