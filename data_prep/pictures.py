"""The bytes of a picture: a file of its own, or a part of a file that holds many."""

import os
import stat
from dataclasses import dataclass

import xxhash

from paper import stated

LARGEST_FILE: int = stated("photos.largest_bytes")


class NotRead(Exception):
    """A picture whose bytes cannot be read though something is there; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture's bytes are: `length` bytes from `begin` of the file `path`, all of it where length is None.

    `digest` is that of the bytes that the part was copied with, '' for a whole file.
    """

    path: str
    begin: int = 0
    length: int | None = None
    digest: str = ""


def stamp(place: Place) -> str:
    """What tells a picture from another in its place: its file's size and the time of its last change; '' without one.

    That of a part of a file is the digest of what it was copied with.
    """
    if place.length is not None:
        return place.digest
    try:
        status = os.stat(place.path)
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def digest(data: bytes) -> str:
    """XXH3 (128 bits) of a picture's bytes in hexadecimal."""
    return xxhash.xxh3_128_hexdigest(data)


def is_same(place: Place, stamped: str, digested: str) -> bool:
    """Whether a picture is the one that had this stamp and this digest.

    One that was only moved or touched is known by its digest; one that is gone counts as it was.
    """
    if stamped and stamp(place) == stamped:
        return True
    try:
        return digest(read(place)) == digested
    except (FileNotFoundError, NotADirectoryError, NotRead):
        return True


def read(place: Place) -> bytes:
    """The bytes of a picture.

    Raises FileNotFoundError or NotADirectoryError if there is no such file, NotRead if it cannot be read, is no regular
    file (a FIFO or a device would never end) or is too large to be a picture.
    """
    try:
        descriptor = os.open(place.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotRead("a folder, not a picture" if stat.S_ISDIR(status.st_mode) else "not a regular file")
            length = status.st_size if place.length is None else place.length
            if length > LARGEST_FILE:
                raise NotRead(f"too large: {length:,} bytes")
            with open(descriptor, "rb", closefd=False) as file:
                file.seek(place.begin)
                return file.read() if place.length is None else file.read(length)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise NotRead(f"cannot be read: {error.strerror}") from None
