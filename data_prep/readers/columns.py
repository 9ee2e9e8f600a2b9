"""Which columns of a list hold the path, the score, the label, the split and the votes of a photo."""

from user_error import UserError

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_prep.photos import BAD, GOOD
from data_prep.readers.folders import is_picture
from data_prep.readers.sheets import SAVE_AGAIN, Sheet

USUAL = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name",
             "imagename", "img", "img_path", "img_name", "photo", "name"),
    "score": ("score", "mean_score", "mos", "mean", "rating", "aesthetic", "aesthetic_score"),
    "label": ("label", "class"),
    "split": ("split", "set", "subset"),
    "votes": ("votes", "num_votes", "n_votes", "total_votes"),
}  # fmt: skip
LABELS = dict.fromkeys(("1", "1.0", "good", "high", "yes", "true"), GOOD)
LABELS |= dict.fromkeys(("0", "0.0", "bad", "low", "no", "false"), BAD)


@dataclass(frozen=True)
class Columns:
    """The places of the columns in a row, by what they hold; whether the first row only names them."""

    places: dict[str, int]
    has_header: bool
    first_row: list[str]

    def title(self, noun: str) -> str:
        """The column for people: its name, or its number from 1."""
        place = self.places[noun]
        return f"column {self.first_row[place].strip()[:40]!r}" if self.has_header else f"column {place + 1}"


def find(sheet: Sheet, asked: Mapping[str, str], advice: str) -> Columns:
    """The columns of a list, by the usual names in its first row or as `asked` for: a name or a number from 1.

    Raises UserError, which ends with the advice, if the path is not found, or if a name is in the first row twice or
    not at all.
    """
    if not sheet.rows:
        raise UserError(f"{sheet.path} is empty; a list has a line for each photo: its path and its score or label")
    line, first = sheet.rows[0]
    where = f"{sheet.path}:{line}:"
    names = [_plain(cell) for cell in first]
    places, named = {}, False
    for noun, usual in USUAL.items():
        wanted = asked.get(noun)
        if wanted is not None and (place := _number(wanted, first)) is not None:
            places[noun] = place
            continue
        found = [place for place, name in enumerate(names) if name in (usual if wanted is None else (_plain(wanted),))]
        if len(found) > 1:
            titles = " and ".join(repr(first[place].strip()[:40]) for place in found)
            raise UserError(f"{where} {titles} may both be the {noun}: {advice}")
        if found:
            places[noun], named = found[0], True
        elif wanted is not None:
            raise UserError(f"{where} no column is {wanted[:40]!r}; the first row is {_described(first)}: {advice}")
    if "path" not in places:
        raise UserError(
            f"{where} no column is named path, image, file or the like; the first row is {_described(first)}: {advice}"
        )
    return Columns(places, named or not _is_photo(first, places), first)


def shown(row: Sequence[str]) -> str:
    """A row for people, cut where it is long."""
    text = ", ".join(repr(cell[:40]) for cell in row[:6])
    return text if len(row) <= 6 else f"{text}, ..."


def _described(row: Sequence[str]) -> str:
    """The first row for people who look for a column in it."""
    text = f"one column, {shown(row)}" if len(row) == 1 else shown(row)
    return f"{text} (not UTF-8: {SAVE_AGAIN})" if any("\ud800" <= sign <= "\udfff" for sign in "".join(row)) else text


def _is_photo(row: Sequence[str], places: dict[str, int]) -> bool:
    """Whether the first row of a list whose columns are numbered is a photo: a picture, or any name with a score."""
    path = row[places["path"]]
    others = [row[place].strip().lower() for noun, place in places.items() if noun != "path"]
    is_judged = any(cell in LABELS or any(map(str.isdigit, cell)) for cell in others)
    return is_picture(path.strip()) or (is_judged and _plain(path) not in USUAL["path"])


def _number(wanted: str, first: Sequence[str]) -> int | None:
    """The place of a column that is given by its number from 1, None if there is none."""
    is_number = wanted.isascii() and wanted.isdecimal() and len(wanted) < 6
    return int(wanted) - 1 if is_number and 1 <= int(wanted) <= len(first) else None


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
