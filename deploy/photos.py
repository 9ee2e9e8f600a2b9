"""Which photos are meant: files, folders, and a list on standard input, as a stream of paths."""

from user_error import UserError

import os
import select
from collections.abc import Callable, Iterator, Sequence

from data_prep.decoder import is_picture

LIST = "-"  # names the list on standard input
PIECE = 2**16  # bytes that are read of it at a time
PATIENCE = 0.2  # seconds without a new name after which those that came are scored
START = 32  # bytes by which a picture is known
MARK = b"\xef\xbb\xbf"  # with which some editors begin a text


class Photos:
    """The paths of the photos that some names stand for, in order; to be iterated once.

    A folder stands for the pictures in it and its subfolders, sorted by name, known by their content; what is hidden is
    passed over, links to folders are not followed. Where the list on standard input pauses, None comes between paths.
    What cannot be listed is said to `report`.
    """

    def __init__(self, names: Sequence[str], report: Callable[[str], None], descriptor: int = 0) -> None:
        if names.count(LIST) > 1:
            raise UserError("the list on standard input, -, was given twice: a file of that name is ./-")
        if "" in names:
            raise UserError("one PHOTO is empty: name a file, or a folder (. is this one)")
        self.names, self.report, self.descriptor = names, report, descriptor
        self.others = 0  # files in folders that are no pictures

    @property
    def count(self) -> int | None:
        """How many there are, where it is known before they are listed."""
        is_known = LIST not in self.names and not any(map(os.path.isdir, self.names))
        return len(self.names) if is_known else None

    def __iter__(self) -> Iterator[str | None]:
        for name in self.names:
            for path in listed(self.descriptor) if name == LIST else (name,):
                if path is not None and os.path.isdir(path):
                    yield from self._below(path)
                else:
                    yield path

    def _below(self, folder: str) -> Iterator[str]:
        """The pictures in a folder and its subfolders; only the names of the folders on the way are held."""
        open_folders = [self._entries(folder)]
        while open_folders:
            path, is_folder = next(open_folders[-1], (None, False))
            if path is None:
                open_folders.pop()
            elif is_folder:
                open_folders.append(self._entries(path))
            elif _may_be_picture(path):
                yield path
            else:
                self.others += 1

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        """What is in a folder and not hidden, sorted, and whether it is a folder."""
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            self.report(f"{folder}: {error.strerror}")
            return
        for name, is_folder in sorted(found, key=lambda entry: os.fsencode(entry[0])):
            if not name.startswith("."):
                yield os.path.join(folder, name), is_folder


def listed(descriptor: int) -> Iterator[str | None]:
    """The paths on a list, each ended by a NUL byte or by the end of its line; None where the list pauses."""
    rest = os.read(descriptor, PIECE)
    separator = b"\0" if b"\0" in rest else b"\n"
    rest, is_open = rest.removeprefix(MARK), bool(rest)
    while is_open:
        *whole, rest = rest.split(separator)
        yield from _paths(whole, separator)
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            yield None
        piece = os.read(descriptor, PIECE)
        rest, is_open = rest + piece, bool(piece)
    yield from _paths([rest], separator)


def _paths(names: list[bytes], separator: bytes) -> Iterator[str]:
    for name in names:
        path = name if separator == b"\0" else name.removesuffix(b"\r")
        if b"\0" in path:
            raise UserError(
                "the list on standard input has lines and NUL bytes: give one path a line, or `find -print0`"
            )
        if path:
            yield os.fsdecode(path)


def _may_be_picture(path: str) -> bool:
    """Whether a file is a picture by its first bytes; one that may not be read may be one."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb", buffering=0) as file:
            return is_picture(file.read(START))
    except OSError:
        return True
