"""Datasets by name: the paper's five, whether prepared or not, and any other that is prepared in a folder of data."""

from user_error import UserError

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import commands
from data_prep import summary
from data_prep.photos import SAME_PICTURE
from data_prep.request import checked_name
from paper import DATASETS, VIEWS, Table, stated, tables


@dataclass(frozen=True)
class Dataset:
    """What the writer of nets and solvers has to know of a dataset."""

    name: str
    test_photos: int
    test_batch: int  # divides test_photos, so that stock `caffe train` covers them exactly
    table: Table  # in which its accuracies stand

    @property
    def is_demo(self) -> bool:
        return self.name == "demo"


def find(name: str, data: Path) -> Dataset:
    """A dataset of the paper's, as paper.toml has it, or one that is prepared in `data`, as its summary has it.

    Raises UserError where it is neither, or where its summary is damaged.
    """
    if name in DATASETS:
        (table,) = (table for table in tables().values() if table.dataset == name)
        return Dataset(name, stated(f"partitions.{name}.test"), stated(f"evaluation.batch_size.{name}"), table)
    content = summary.read(data / known(name, data))
    if content is None:
        raise _unknown(name, data)
    photos = content["splits"]["test"]["written"]
    if photos < 1:
        raise UserError(f"{data / name} has no test photo: remove it, and prepare it with some")
    return Dataset(name, photos, largest_batch(photos), own_table(name, content["rule"]))


def known(name: str, data: Path) -> str:
    """The name itself; UserError unless it is one of the paper's or prepared in `data`."""
    if name not in DATASETS and name not in prepared(data):
        raise _unknown(name, data)
    return name


def prepared(data: Path) -> list[str]:
    """The names of all datasets that are prepared in `data`."""
    try:
        names = sorted(os.listdir(data))
    except OSError:
        return []
    return [name for name in names if may_be(name) and _is_prepared(data / name)]


def _is_prepared(folder: Path) -> bool:
    """Whether a folder holds a dataset, be it damaged; one that may not be read does not."""
    path = folder / "summary.json"
    return os.path.isfile(path) and os.access(path, os.R_OK) and summary.is_ours(folder)


def may_be(name: str) -> bool:
    """Whether a dataset may have this name: that of a plain folder, and none of the paper's tables'."""
    try:
        return checked_name(name) in DATASETS or name not in tables()
    except UserError:
        return False


def views(name: str, data: Path) -> tuple[str, ...]:
    """The views that a dataset is prepared with; all where it is not, or where its summary is damaged."""
    try:
        content = summary.read(data / name) or {"views": VIEWS}
    except UserError:
        return VIEWS
    return tuple(view for view in VIEWS if view in content["views"])


def largest_batch(photos: int) -> int:
    """The largest divisor of a number of test photos that is small enough for a batch."""
    return max(batch for batch in range(1, stated("evaluation.largest_batch") + 1) if photos % batch == 0)


def own_table(name: str, rule: str | None = None) -> Table:
    """The table of a dataset that the paper does not know: its rows, without a number of the paper's."""
    title = f"Accuracy of {name}" if rule is None else f"Accuracy of {name} ({one_line(rule)})"
    return replace(tables()["demo"], name=name, title=title, dataset=name)


def preparation_notes(content: dict[str, Any]) -> list[str]:
    """What a preparation noted, a line each, by its summary or by a run's record; early ones have none.

    A summary's counts of photos that could not be used, or were left out, are among them.
    """
    kept = content.get("notes")
    texts = [one_line(str(note)) for note in kept] if isinstance(kept, list) else []
    for split, counts in content.get("splits", {}).items():
        if bad := counts.get("missing", 0) + counts.get("corrupt", 0):
            kind = "training" if split == "train" else split
            texts.append(f"{bad:,} of the {counts['written'] + bad:,} {kind} photos were missing or corrupt")
    if dropped := content.get("excluded", {}).get(SAME_PICTURE):
        texts.append(f"{dropped:,} training photos are {SAME_PICTURE}, and left out")
    return texts


def one_line(text: str) -> str:
    """A text of somebody else's in one line that any file and terminal can hold."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def listed(data: Path) -> str:
    """Which names there are, and how there come to be more, for a line that refuses another."""
    return (
        f"the paper's are {', '.join(DATASETS)}; prepared in {data}: {', '.join(prepared(data)) or 'none'};"
        f" `{commands.module('data_prep', '--help')}` says how to prepare one"
    )


def _unknown(name: str, data: Path) -> UserError:
    if may_be(name) and (data / name / ".unfinished").is_dir():
        return UserError(f"{data / name} is half prepared: give the same data_prep command again to complete it")
    return UserError(f"there is no dataset {name!r}: {listed(data)}")
