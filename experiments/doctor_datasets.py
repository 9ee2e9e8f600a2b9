"""What `doctor` says of a dataset: whether it is prepared, whole and has the views asked for, or how to prepare it."""

from user_error import UserError

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import commands
from data_prep import check, space, summary
from data_prep.progress import INTERVAL
from data_prep.readers.sources import foresee
from data_prep.stores import entries
from dataset import preparation_notes
from experiments.finding import Finding
from paper import ROOT


def examine(folder: Path, views: Sequence[str], photos: Mapping[str, Path]) -> Iterator[Finding]:
    """What there is to say of one dataset before runs on these views.

    `photos` are the folders that it will be prepared from, by data_prep's option; {}: it has to be prepared already.
    """
    name = folder.name
    try:
        content = summary.read(folder)
        if content is None:
            yield _unprepared(folder, photos)
            return
        if lacking := [view for view in views if view not in content["views"]]:
            text = f"{folder} has no {' and no '.join(lacking)} view"
            there = f"give --view {' '.join(content['views'])}, or " if content["views"] else ""
            yield Finding(name, f"{text}: {there}remove {folder}, and prepare it again with both", True)
        for split, counts in content["splits"].items():
            for view in content["views"]:
                store = folder / f"{split}_{view}_lmdb"
                there = entries(store)
                if there != counts["written"] or not there:
                    text = f"{store} holds {there:,} photos" + (f", not {counts['written']:,}" if there else "")
                    yield Finding(name, f"{text}: remove {folder}, and prepare it again", True)
    except UserError as error:
        yield Finding(name, str(error), True)
        return
    yield from _other_photos(name, content, photos)
    counts = " + ".join(f"{counts['written']:,} {split}" for split, counts in content["splits"].items())
    yield Finding(name, f"{counts} photos, views {' and '.join(content['views'])}")
    for note in preparation_notes(content):
        yield Finding(name, f"note: {note}")


def _other_photos(name: str, content: dict[str, Any], photos: Mapping[str, Path]) -> Iterator[Finding]:
    """Whether the photos that are named now are those that the dataset was prepared from."""
    for option, path in photos.items():
        there = content.get("inputs", {}).get(option)
        if not path.is_dir():
            yield Finding(name, f"{path} is not a folder: it has to hold the photos of {name}", True)
        elif there and there != str(path.resolve()):
            yield Finding(name, f"note: prepared already, from {there}: {path} is not looked at")


def deep(folder: Path) -> Iterator[Finding]:
    """Read every record of a prepared dataset, and say whether they are those that were prepared."""
    try:
        content = summary.read(folder)
    except UserError:
        return  # said already
    if content is None:
        return
    number, found = check.records(content), []
    for problem in check.problems(folder, content, _counted(f"{folder.name}: reading", number)):
        found.append(problem)
        yield Finding(folder.name, problem, True)
    if not found:
        how = (
            "as they were prepared" if "stores_xxh3" in content else "views (no digests: an earlier version made them)"
        )
        yield Finding(folder.name, f"all {number:,} records are {how}")


def _counted(what: str, total: int) -> Callable[[], None]:
    """A function to call for each of `total` things done: every ten seconds it prints how far that is."""
    done, shown = 0, time.monotonic()

    def show() -> None:
        nonlocal done, shown
        done += 1
        if time.monotonic() - shown >= INTERVAL:
            shown = time.monotonic()
            print(f"{what} {done:,} of {total:,} records", file=sys.stderr, flush=True)

    return show


def _unprepared(folder: Path, photos: Mapping[str, Path]) -> Finding:
    name = folder.name
    if not photos:
        return Finding(name, f"{folder} is not prepared: {_preparation(name, folder.parent)}", True)
    try:
        partition, need = foresee(name, photos, folder.parent)
    except UserError as error:
        return Finding(name, str(error), True)
    counts = f"{len(partition.train):,} training and {len(partition.test):,} test photos, {space.size(need)}"
    return Finding(name, f"to be prepared from {photos['root']}: {counts}")


def _preparation(dataset: str, data: Path) -> str:
    """How to prepare a dataset."""
    out = () if data.resolve() == ROOT / "data" else ("--out", data)
    if dataset == "demo":
        if not out:
            return f"type `{commands.make('demo-data')}`"
        photos = ROOT / "data" / "demo-photos" / "ava"
        words = ("ava", "--root", photos, "--partition", "large", "--name", "demo", "--allow-bad", 2, *out)
        return f"type `{commands.make('demo-data')}`, then `{commands.module('data_prep', *words)}`"
    reader, _, partition = dataset.partition("-")
    extra = ("--extra", "PHOTOS") if dataset == "cuhkpq-large" else ()
    words = (reader, "--root", reader.upper(), "--partition", partition, *extra, *out)
    more = ", PHOTOS the additional ones" if extra else ""
    copy = f"{reader.upper()} being the folder of your copy{more}"
    return f"type `{commands.module('data_prep', *words)}` (with make: {reader.upper()}_ROOT={reader.upper()}), {copy}"
