"""Reads a table that a person wrote or a spreadsheet saved as text: comma, semicolon or tab, in the usual encodings."""

from user_error import UserError

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from data_prep.readers.inputs import LONGEST_LINE, opened

SEPARATORS = "\t;,"
SAVE_AGAIN = "save it as 'CSV UTF-8'"


@dataclass(frozen=True)
class Sheet:
    """The rows of a table that are not empty, each with its line in the file; `digest` is SHA-256 of the file.

    Bytes that are not UTF-8 become surrogates, as in names of the file system.
    """

    path: Path
    rows: list[tuple[int, list[str]]]
    digest: str


def read(path: Path) -> Sheet:
    """Read a table.

    Raises UserError, which names file and line, if it cannot be read or is no table: it is looked at line by line, so
    the largest foreign file is refused at its first line.
    """
    try:
        with opened(path) as file:
            encoding = "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
            errors = "strict" if encoding == "utf-16" else "surrogateescape"
            file.seek(0)
            text = io.TextIOWrapper(file, encoding, errors)
            rows = list(_rows(path, text))
            file.seek(0)
            return Sheet(path, rows, hashlib.file_digest(file, "sha256").hexdigest())
    except UnicodeError:
        raise UserError(f"{path} begins as UTF-16 but is not; {SAVE_AGAIN}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _rows(path: Path, text: TextIO) -> Iterator[tuple[int, list[str]]]:
    lines = _lines(path, text)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    reader = csv.reader(chain(head, lines), delimiter=_separator(head[-1]) if head else ",", strict=True)
    begin = 1
    try:
        for cells in reader:
            if reader.line_num > begin:
                raise csv.Error
            if any(map(str.strip, cells)):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error:
        raise UserError(
            f"{path}:{begin}: a quotation mark is out of place: a cell that begins with one ends with one on the same "
            "line, and marks inside it are doubled"
        ) from None


def _lines(path: Path, text: TextIO) -> Iterator[str]:
    number = 1
    while line := text.readline(LONGEST_LINE):
        if "\0" in line:
            raise UserError(f"{path}:{number}: holds NUL characters, so it is not a text; {SAVE_AGAIN}")
        if len(line) == LONGEST_LINE:
            raise UserError(f"{path}:{number}: longer than {LONGEST_LINE:,} characters; a line holds one photo")
        yield line
        number += 1


def _separator(line: str) -> str:
    """Tab, semicolon or comma, the first of them that is in the line outside quotation marks."""
    outside = re.sub(r'"[^"]*"', "", line)
    return next((mark for mark in SEPARATORS if mark in outside), ",")
