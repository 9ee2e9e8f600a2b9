"""What a call asks for: a dataset's name, its place, and the parameters that decide its content."""

from user_error import UserError

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """`parameters` decide every byte of the result; two calls with equal ones make the same dataset."""

    name: str
    out: Path
    root: Path
    views: tuple[str, ...]
    encoded: bool
    parameters: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the finished dataset is."""
        return self.out / self.name

    @property
    def unfinished(self) -> Path:
        """Where it grows."""
        return self.folder / ".unfinished"

    @property
    def command(self) -> str:
        """Command line that makes the same dataset from the same photos."""
        words = ["python -m data_prep", self.parameters["dataset"]]
        for name, value in self.parameters.items():
            if name in ("dataset", "lists", "extra") or value is False:
                continue
            words.append("--" + name.replace("_", "-"))
            if value is not True:
                words.append(" ".join(value) if isinstance(value, list) else str(value))
        return " ".join(words)


def store_name(split: str, view: str) -> str:
    return f"{split}_{view}_lmdb"


def checked_name(name: str) -> str:
    """The dataset's name if it is a plain folder's; raises UserError otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UserError(f"--name {name!r}: letters, digits, '-', '_' and '.', beginning with a letter or digit")
    return name


def differences(there: dict[str, Any], asked: dict[str, Any]) -> str:
    """The parameters that differ, in words: 'seed 1 there, 2 asked for; ...'."""
    return "; ".join(
        f"{key} {_short(there.get(key))} there, {_short(asked.get(key))} asked for"
        for key in sorted({*there, *asked})
        if there.get(key) != asked.get(key)
    )


def digest_of_files(files: Iterable[Path]) -> str:
    """The SHA-256 of the contents of files that decide a dataset; a file that is not there counts as such."""
    total = hashlib.sha256()
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        else:
            total.update(b"absent")
    return total.hexdigest()


def digest_of_lines(lines: Iterable[str]) -> str:
    """The SHA-256 of lines of text."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode())
        total.update(b"\n")
    return total.hexdigest()


def _short(value: Any) -> str:
    text = "+".join(value) if isinstance(value, list) else str(value)
    return text if len(text) < 40 else text[:12] + "…"
