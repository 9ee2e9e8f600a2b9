"""Reads a list of photos that a person wrote: paths below a folder, with scores or labels, splits and votes."""

from user_error import UserError

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from data_prep.readers import columns, sheets
from data_prep.readers.folders import Listing

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
LONGEST_NUMBER = 40
MOST_VOTES = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A photo of a list: its line in the file, its path below the folder, its other cells as they are written."""

    line: int
    path: str
    score: str
    label: str
    split: str
    votes: str


@dataclass(frozen=True)
class PhotoList:
    """A list of different photos; `columns` are those that it has, `digest` is SHA-256 of the file."""

    file: Path
    columns: columns.Columns
    entries: list[Entry]
    digest: str

    def where(self, entry: Entry) -> str:
        return f"{self.file}:{entry.line}:"


def read(file: Path, folder: Path, asked: Mapping[str, str], advice: str) -> PhotoList:
    """Read the list of photos below `folder`.

    `asked` names columns ({'path': 'name'}) that are not called as usual, `advice` says how a person does that.

    A path is taken as it is written if there is such a file, else without spaces around it and with slashes for the
    backslashes of Windows. Raises UserError, with file and line, for a row that is not whole, a path that leaves the
    folder, or a photo that is in the list twice, under whichever names.
    """
    sheet = sheets.read(file)
    found = columns.find(sheet, asked, advice)
    listing = Listing(folder)
    places = [found.places.get(noun) for noun in ("score", "label", "split", "votes")]
    needed = max(found.places.values())
    width = len(found.first_row)
    line_of: dict[str, int] = {}
    entries = []
    for line, row in sheet.rows[found.has_header :]:
        where = f"{file}:{line}:"
        if len(row) <= needed or (len(row) > width and any(map(str.strip, row[width:]))):
            raise UserError(
                f"{where} {len(row)} columns where the first row has {width}: {columns.shown(row)}; a path with a "
                "separator in it needs quotation marks"
            )
        path = _path(row[found.places["path"]], listing, where)
        real = listing.real(path)
        if real in line_of:
            raise UserError(f"{where} {path} is the photo of line {line_of[real]} again; remove one of them")
        line_of[real] = line
        entries.append(Entry(line, path, *["" if place is None else row[place].strip() for place in places]))
    if not entries:
        raise UserError(f"{file} names its columns, but no photo")
    _require_readable_names(file, entries, listing)
    return PhotoList(file, found, entries, sheet.digest)


def label(text: str) -> int | None:
    """The label that a cell stands for, None if it is none."""
    return columns.LABELS.get(text.strip().lower())


def number(text: str) -> Decimal | None:
    """The exact value of a decimal number, with a point or a comma; None if the text is none."""
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


def plain(value: Decimal) -> str:
    """A number as it is written without an exponent and without zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def votes(text: str) -> int | None:
    """How many people voted, 0 for an empty cell; None if the text is no such number."""
    value = number(text or "0")
    if value is None or not 0 <= value <= MOST_VOTES or value % 1:
        return None
    return int(value)


def _path(text: str, listing: Listing, where: str) -> str:
    """The normal form of the path in a cell: below the folder, with /."""
    if not text.strip():
        raise UserError(f"{where} the path is empty")
    plain = text.strip()
    path = _below(text, listing)
    if text != plain or "\\" in text:
        spellings = (path, _below(plain, listing), _below(plain.replace("\\", "/"), listing))
        path = next((spelling for spelling in spellings if spelling and spelling in listing), spellings[-1])
    if not path or (plain[1:2] == ":" and plain[2:3] in ("\\", "/")):
        raise UserError(f"{where} {text[:200]!r} is no path below {listing.root}; write it relative to it")
    return path


def _below(path: str, listing: Listing) -> str:
    """A path relative to the listed folder in its normal form, '' if it is not below it."""
    normal = posixpath.normpath(path)
    if normal.startswith("/"):
        return next((normal.removeprefix(place) for place in listing.places if normal.startswith(place)), "")
    return "" if normal in (".", "..") or normal.startswith("../") else normal


def _require_readable_names(file: Path, entries: list[Entry], listing: Listing) -> None:
    """Raise UserError if paths are not UTF-8 and are not the bytes of names of files either, as those of a GBK list."""
    odd = [entry for entry in entries if not entry.path.isprintable() and _has_surrogates(entry.path)]
    if odd and not any(entry.path in listing for entry in odd):
        raise UserError(
            f"{file}:{odd[0].line}: the path is not UTF-8, and no file has these bytes as its name; {sheets.SAVE_AGAIN}"
        )


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
