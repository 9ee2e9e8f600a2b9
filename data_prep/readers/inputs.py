"""Reads the text files that users give, line by line, so that no file takes the memory or hangs."""

from user_error import UserError

from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from files import opened

LONGEST_LINE = 2**16  # characters


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
