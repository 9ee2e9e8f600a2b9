"""Files that a program writes and a person may edit: the first line tells what for, and which of the two came last."""

import hashlib
from pathlib import Path

from files import write_atomically

MARK = "# generated for {name}, sha256 of the text below: {digest}\n"


def write_generated(path: Path, name: str, text: str, force: bool = False) -> str:
    """Write `text` for `name` (a variant) below its mark; what came of it: 'written', 'unchanged' or 'kept'.

    'kept': the file there is not one that was written for `name`, so a person made it so, and `force` is off.
    """
    marked = MARK.format(name=name, digest=_digest(text)) + text
    if path.exists():
        content = path.read_bytes()
        if content == marked.encode():
            return "unchanged"
        if not (force or _is_generated(content, name)):
            return "kept"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, marked)
    return "written"


def _is_generated(content: bytes, name: str) -> bool:
    """Whether write_generated wrote this for `name`, and nobody touched it since."""
    mark, _, text = content.partition(b"\n")
    return mark + b"\n" == MARK.format(name=name, digest=hashlib.sha256(text).hexdigest()).encode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
