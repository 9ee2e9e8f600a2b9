"""What a person reads: before a preparation, after it, and when it is called again."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import commands
from data_prep import manifest, space, summary
from data_prep.donor import Donor
from data_prep.photos import BAD, EXTRA, GOOD, MISSING
from data_prep.readers.partitions import Partition
from data_prep.request import Request
from paper import stated

SPLITS = {"train": "training", "test": "test"}


def forecast(request: Request, partition: Partition, donor: Donor | None = None) -> str:
    """Counts and disk need; opens no picture."""
    lines = _heading(request.name, partition.rule, partition.notes)
    for split, photos in partition.splits().items():
        labels = Counter(photo.label for photo in photos)
        lines.append(_split_line(split, labels[GOOD], labels[BAD]))
    baseline = summary.majority_baseline(labels[GOOD], labels[BAD])
    lines.append(f"  majority  {baseline:>8.2f}% of the test photos")
    for reason, number in sorted(Counter(reason for _, reason in partition.excluded).items()):
        lines.append(f"  excluded  {number:>9,} {reason}")
    about = "about " if request.encoded else ""
    need = space.size(space.disk_need(request, partition))
    lines.append(f"  disk      {about}{need} in {request.folder}/")
    if donor:
        lines.append(f"            copied out of {donor.folder}/, no photo that is in it is decoded")
    if passing := space.passing_need(request, partition):
        lines.append(f"            {space.size(passing)} more while it grows, for pictures out of parquet files")
    return "\n".join(lines)


def complete(content: dict[str, Any], request: Request) -> str:
    """Counts, the majority baseline, where everything is, and the next command, of a complete dataset."""
    lines = _heading(content["dataset"], content["rule"], content["notes"])
    for split, counts in content["splits"].items():
        line = _split_line(split, counts["good"], counts["bad"])
        if counts["missing"] or counts["corrupt"]:
            line += f" ({counts['missing']:,} missing, {counts['corrupt']:,} corrupt)"
        lines.append(line)
    for reason, number in content["excluded"].items():
        lines.append(f"  excluded  {number:>9,} {reason}")
    if content["enlarged"]:
        small = f"with a side under {stated('views.size')} pixels, for the local view"
        lines.append(f"  enlarged  {content['enlarged']:>9,} {small}")
    baseline = content["majority_baseline"]
    lines.append(f"  majority  {baseline:>8.2f}% of the test photos: the accuracy to beat")
    if donor := content.get("derived_from"):
        lines.append(f"  copied    out of {donor.get('folder')}/")
    lines.append(f"  in        {request.folder}/ (manifest.csv: what became of every photo)")
    return "\n".join([*lines, _next_step(content, request)])


def changes(content: dict[str, Any], request: Request) -> Iterator[str]:
    """A line for each thing that a complete dataset does not show because it came about since, and how to renew it."""
    renew = f"`rm -r {shlex.quote(str(request.folder))}`, then the same command"
    there = content.get("inputs", {})
    for name, path in request.inputs.items():
        if name in there and there[name] != str(path.resolve()):
            yield f"it was made from --{name} {there[name]}, not from {path}; to make it from there: {renew}"
    if not any(counts["missing"] + counts["corrupt"] for counts in content["splits"].values()):
        return
    made = (request.folder / "summary.json").stat().st_mtime
    bad = manifest.bad_photos(request.folder)
    renewed = sum(_is_newer(_path(row, content.get("roots", {})), made, row["status"] == MISSING) for row in bad)
    if renewed:
        yield f"{renewed:,} of the {len(bad):,} bad photos have been replaced since; to add them: {renew}"


def _path(row: dict[str, str], roots: dict[str, str]) -> Path:
    root = "extra" if row["photo_id"].startswith(EXTRA) else "dataset"
    return Path(str(roots.get(root, "")), row["path"] or "")


def _is_newer(path: Path, moment: float, was_missing: bool) -> bool:
    """Whether a bad photo's file is another one now: there, or written after the dataset."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return was_missing or max(status.st_mtime, status.st_ctime) > moment


def _next_step(content: dict[str, Any], request: Request) -> str:
    """The command that trains on the dataset."""
    views = [] if len(content["views"]) > 1 else ["--view", *content["views"]]
    return f"next: {commands.run(request.name, *views, *commands.place('data', request.out))}"


def _heading(name: str, rule: str, notes: Iterable[str]) -> list[str]:
    return [f"{name}: {rule}", *(f"  note      {note}" for note in notes)]


def _split_line(split: str, good: int, bad: int) -> str:
    return f"  {SPLITS[split]:<9} {good + bad:>9,} = {good:,} good + {bad:,} bad"
