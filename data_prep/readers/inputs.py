"""Opens the files that users give: only regular ones, text line by line, so that no file takes the memory or hangs."""

from user_error import UserError

import os
import stat
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 2**16  # characters


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


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file of any editor's; bytes that are not UTF-8 are replaced.

    Raises UserError with the number of the line that is too long for a line.
    """
    with TextIOWrapper(opened(path), encoding="utf-8-sig", errors="replace") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise UserError(f"{path}:{number}: a line of over {LONGEST_LINE:,} characters; copy the file again")
            yield line
