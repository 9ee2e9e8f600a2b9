"""Files that are either whole or not there, their hashes, and locks that end with the process that holds them."""

from user_error import UserError

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class Held(Exception):
    """Another process holds the lock."""


def write_atomically(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one whole.

    Where it is `durable`, so does a power cut.
    """
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        sync(path.parent)


def opened(path: Path) -> BinaryIO:
    """A user's file, open for reading; UserError if it cannot be read or is no file (a FIFO would never end)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UserError(f"{path} is a {'folder' if stat.S_ISDIR(mode) else 'special file'}, not a file: replace it")
    return os.fdopen(descriptor, "rb")


def remove_partials(folder: Path) -> None:
    """Remove what killed calls of write_atomically left in a folder; only for the one that holds its lock."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder (new, renamed, removed), survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path, shared: bool = False, patience: float = 0) -> Iterator[BinaryIO]:
    """Hold the lock file `path` for this process; the kernel frees it when the process ends, however it ends.

    Yields the open file. An exclusive lock makes the file where there is none. A `shared` one only reads it: it is for
    those who want to know whether somebody works there, who may have no right to write, and who do not hinder each
    other. Raises Held where another process holds the lock for longer than `patience` seconds; FileNotFoundError where
    a shared lock finds no file; UserError where an exclusive one would be on a link, to a
    file that is none of ours, or on what is no file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        if shared:
            raise FileNotFoundError(path)
        raise UserError(f"{path} is a link, a folder or a special file, not a lock: remove it")
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + patience
    with os.fdopen(os.open(path, flags, 0o666), "rb" if shared else "r+b", buffering=0) as file:
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Held(path) from None
                time.sleep(0.05)
        yield file
