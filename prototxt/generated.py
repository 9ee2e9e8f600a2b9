"""Files that a program writes and a person may edit: the first line tells what for, and which of the two came last."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from files import write_atomically

MARK = "# generated for {name}, sha256 of the text below: {digest}\n"


@dataclass(frozen=True)
class GeneratedFile:
    """One file as the writer gives it."""

    path: str  # from the repository's root
    name: str  # what it is for: <dataset>/<network>_<view>, or a network
    text: str


def write_generated(path: Path, name: str, text: str, force: bool = False) -> str:
    """Write `text` for `name` (a variant) below its mark; what came of it: 'written', 'unchanged' or 'kept'.

    'kept': the file there is not one that was written for `name`, so a person made it so, and `force` is off.
    """
    outcome = outcome_of_writing(path, name, text, force)
    if outcome == "written":
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _marked(name, text))
    return outcome


def outcome_of_writing(path: Path, name: str, text: str, force: bool = False) -> str:
    """What would come of write_generated; nothing is written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "written"
    if content == _marked(name, text).encode():
        return "unchanged"
    return "written" if force or _is_generated(content, name) else "kept"


def without_mark(path: Path) -> str:
    """The text of a file below its mark, where it has one."""
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")  # comments may be in any encoding
    first, newline, rest = text.partition("\n")
    return rest if newline and first.startswith(MARK.partition("{")[0]) else text


def _is_generated(content: bytes, name: str) -> bool:
    """Whether write_generated wrote this for `name`, and nobody touched it since."""
    mark, _, text = content.partition(b"\n")
    return mark + b"\n" == MARK.format(name=name, digest=hashlib.sha256(text).hexdigest()).encode()


def _marked(name: str, text: str) -> str:
    return MARK.format(name=name, digest=hashlib.sha256(text.encode()).hexdigest()) + text
