"""Files that a program writes and a person may edit: the first line tells which of the two came last."""

import hashlib
from pathlib import Path

from files import write_atomically

MARK = "# generated, sha256 of the text below: "


def write_generated(path: Path, text: str, force: bool = False) -> str:
    """Write `text` below its mark; what came of it: 'written', 'unchanged' or 'kept'.

    'kept': a person edited the file, and `force` is off.
    """
    marked = MARK + _hash(text) + "\n" + text
    if path.exists():
        if path.read_text(encoding="utf-8") == marked:
            return "unchanged"
        if is_edited(path) and not force:
            return "kept"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, marked)
    return "written"


def is_edited(path: Path) -> bool:
    """Whether the text is another than the one last written by write_generated."""
    mark, _, text = path.read_text(encoding="utf-8").partition("\n")
    return mark != MARK + _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
