"""What a call asks for: a dataset's name, its place, and the parameters that decide its content."""

from user_error import UserError

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands
from paper import DATASETS, NETWORKS, stated, tables


@dataclass(frozen=True)
class Request:
    """What a call asks for.

    `parameters` decide the records; two calls with equal ones make the same lists and stores. `inputs` are the folders
    and files that were given, by option (root, images, extra, list, ...); `out` is the folder with the datasets.
    """

    name: str
    out: Path
    inputs: dict[str, Path]
    views: tuple[str, ...]
    encoded: bool
    parameters: dict[str, Any]

    @property
    def root(self) -> Path:
        """The folder of the photos, or of the good ones."""
        return self.inputs.get("root") or self.inputs["good"]

    @property
    def folder(self) -> Path:
        """Where the finished dataset is."""
        return self.out / self.name

    @property
    def unfinished(self) -> Path:
        """Where it grows."""
        return self.folder / ".unfinished"

    @property
    def drops_same_pictures(self) -> bool:
        """Whether a training photo that is byte for byte a test photo is left out."""
        kind = "ava" if self.parameters["dataset"] == "ava" else "others"
        return stated(f"partitions.same_picture.{kind}") == "drop"

    def command(self, bad: int) -> str:
        """The command line that makes this dataset again, from any folder; `bad` photos have to be allowed."""
        words = []
        for name, path in self.inputs.items():
            words += [_option(name), path.resolve()]
        for name, value in self.parameters.items():
            if name in ("dataset", "lists") or value is False:
                continue
            words.append(_option(name))
            if value is not True:
                words += value if isinstance(value, list) else [value]
        words += ["--out", self.out.resolve(), "--name", self.name]
        words += ["--allow-bad", bad] if bad else []
        return commands.module_from_anywhere("data_prep", self.parameters["dataset"], *words)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def store_name(split: str, view: str) -> str:
    return f"{split}_{view}_lmdb"


def checked_name(name: str) -> str:
    """The dataset's name if it is a plain folder's; raises UserError otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UserError(f"--name {name!r}: letters, digits, '-', '_' and '.', beginning with a letter or digit")
    if name in NETWORKS or name.endswith(".py"):
        raise UserError(f"--name {name} is that of a file or folder in prototxt/, where the nets of a dataset go")
    return name


def checked_own_name(name: str, usual: str) -> str:
    """The name for a dataset whose name would be `usual`; UserError where the paper has it for another dataset."""
    is_demo = (name, usual) == ("demo", "ava-large")  # its photos are drawn in AVA's layout
    if name != usual and (name in DATASETS or name in tables()) and not is_demo:
        raise UserError(f"--name {name} is the paper's, for other photos or another rule: give another name")
    return checked_name(name)


def differences(there: dict[str, Any], asked: dict[str, Any]) -> str:
    """The parameters that differ, in words: 'seed 1 there, 2 asked for; ...'."""
    return "; ".join(
        "the photos' list has changed"
        if key == "lists"
        else f"{key} {_shown(there.get(key))} there, {_shown(asked.get(key))} asked for"
        for key in sorted({*there, *asked})
        if there.get(key) != asked.get(key)
    )


def digest_of_files(files: Iterable[Path]) -> str:
    """The SHA-256 of the contents of files that decide a dataset; a missing file counts as missing."""
    total = hashlib.sha256()
    for path in files:
        if path.exists():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        else:
            total.update(b"absent")
    return total.hexdigest()


def digest_of_lines(lines: Iterable[str]) -> str:
    """The SHA-256 of lines of text."""
    total = hashlib.sha256()
    for line in lines:
        total.update(os.fsencode(line))
        total.update(b"\n")
    return total.hexdigest()


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
