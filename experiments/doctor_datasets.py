"""What `doctor` says of a dataset: whether it is prepared, whole and has the views asked for, or how to prepare it."""

from user_error import UserError

from collections.abc import Iterator, Sequence
from pathlib import Path

import commands
from data_prep import summary
from data_prep.stores import entries
from dataset import preparation_notes
from experiments.finding import Finding
from paper import ROOT


def examine(folder: Path, views: Sequence[str], photos: Path | None) -> Iterator[Finding]:
    """What there is to say of one dataset before runs on these views; `photos` is where it will be prepared from."""
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
                if there != counts["written"]:
                    text = f"{store} holds {there:,} photos, not {counts['written']:,}"
                    yield Finding(name, f"{text}: remove {folder}, and prepare it again", True)
    except UserError as error:
        yield Finding(name, str(error), True)
        return
    counts = " + ".join(f"{counts['written']:,} {split}" for split, counts in content["splits"].items())
    yield Finding(name, f"{counts} photos, views {' and '.join(content['views'])}")
    for note in preparation_notes(content):
        yield Finding(name, f"note: {note}")


def _unprepared(folder: Path, photos: Path | None) -> Finding:
    name = folder.name
    if photos is None:
        return Finding(name, f"{folder} is not prepared: {_preparation(name, folder.parent)}", True)
    if not photos.is_dir():
        return Finding(name, f"{photos} is not a folder: it has to hold the photos of {name}", True)
    return Finding(name, f"to be prepared from {photos}")


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
