"""Links from a page to the raw files of a run."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from experiments.run_folder import RunFolder

FILES = (
    "metrics.csv",
    "predictions.csv",
    "run.json",
    "train_val.prototxt",
    "solver.prototxt",
    "edits.diff",
    "caffe.log",
)


@dataclass(frozen=True)
class Link:
    """A file by its name; `address` is None where the page is too far from it for a link that lasts."""

    name: str
    address: str | None


def to_files(folder: RunFolder, out: Path, results: Path) -> list[Link]:
    """The raw files that are in a run's folder, as a page in `out` names them.

    A page in or beside the folder of results has relative links, which hold when both are moved together.
    """
    near = _placed(out).is_relative_to(_placed(results).parent)
    there = [folder.path / name for name in FILES if (folder.path / name).exists()]
    return [Link(path.name, _relative(path, out) if near else None) for path in there]


def _relative(path: Path, out: Path) -> str:
    return quote(os.fsencode(os.path.relpath(_placed(path), _placed(out))))


def _placed(path: Path) -> Path:
    return Path(os.path.realpath(path))
