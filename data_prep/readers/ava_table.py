"""Reads AVA.txt and AVA's lists of ids.

A line of AVA.txt holds 15 integers: a running number, the photo's id, the counts of the votes 1 to
10, two tags, the challenge (README.txt of the June 2012 release). Labels come from the counts by
integer arithmetic: about 600 photos have a mean of exactly 5, and a rounded mean would mislabel
some of them.
"""

from user_error import UserError

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.readers.inputs import lines
from paper import stated

NAME = "AVA.txt"
COLUMNS = 15
COUNTS = slice(2, 12)
MAX_VOTES = 2**31  # far above AVA's 549; keeps the integer arithmetic exact
MAX_DIGITS = 30  # of a number in a file of AVA's; int() refuses text of some thousands


@dataclass(frozen=True)
class Votes:
    """What people voted on each photo, in a table's order: columns of equal length.

    The exact mean of a photo is total / divisor; `votes` is how many voted (0: unknown). `notes` are for those who
    read results.
    """

    ids: Sequence[str]
    labels: Sequence[int]
    totals: Sequence[int]
    divisors: Sequence[int]
    votes: Sequence[int]
    notes: tuple[str, ...] = ()


def read_votes(path: Path) -> Votes:
    """The votes of AVA.txt; raises UserError, which names file and line, if a line is not as it should be."""
    table = _read_table(path)
    return from_counts(table[:, 1], table[:, COUNTS])


def from_counts(ids: np.ndarray, counts: np.ndarray) -> Votes:
    """Votes from the counts of each score, int64 of shape (photos, 10); good (1) iff the mean is >= 5 (III-A)."""
    votes = counts.sum(axis=1)
    totals = counts @ np.arange(stated("labels.lowest_score"), stated("labels.highest_score") + 1)
    labels = (totals >= stated("labels.threshold") * votes).astype(int)
    return Votes(list(map(str, ids.tolist())), labels.tolist(), totals.tolist(), votes.tolist(), votes.tolist())


def read_ids(path: Path) -> list[str]:
    """The ids of a list, one a line; raises UserError where a line is none, or for an id that is there twice."""
    first_line_of: dict[str, int] = {}
    for number, line in enumerate(lines(path), 1):
        word = line.strip()
        if not word:
            continue
        if not word.isdecimal() or len(word) > MAX_DIGITS:
            raise UserError(f"{path}:{number}: {word[:40]!r} is not the id of a photo; the list holds one id per line")
        photo_id = str(int(word))
        if photo_id in first_line_of:
            raise UserError(
                f"{path}:{number}: id {photo_id} is there twice, first on line {first_line_of[photo_id]}; "
                "copy it again from AVA"
            )
        first_line_of[photo_id] = number
    if not first_line_of:
        raise UserError(f"{path} is empty: copy it again from AVA, or remove it and a test set is drawn")
    return list(first_line_of)


def _read_table(path: Path) -> np.ndarray:
    """AVA.txt as int64 of shape (photos, 15), checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns about an empty file or '5.0' for an integer
            table = np.loadtxt(lines(path), dtype=np.int64, comments=None, ndmin=2)
    except (ValueError, OverflowError, UserWarning, DeprecationWarning) as error:
        raise _first_bad_line(path) or UserError(f"{path}: {error}") from None
    counts = table[:, COUNTS] if table.shape[1] == COLUMNS else None
    if (
        counts is None
        or (table[:, 1] < 0).any()
        or (counts < 0).any()
        or (counts > MAX_VOTES).any()
        or not counts.any(axis=1).all()
        or len(np.unique(table[:, 1])) != len(table)
    ):
        raise _first_bad_line(path) or UserError(f"{path} is not AVA's table")
    return table


def _first_bad_line(path: Path) -> UserError | None:
    """What is wrong with the first line that is not as it should be."""
    first_line_of: dict[int, int] = {}
    for number, line in enumerate(lines(path), 1):
        fields = line.split()
        if not fields:
            continue
        where = f"{path}:{number}:"
        if len(fields) != COLUMNS:
            return UserError(
                f"{where} {len(fields)} fields where AVA has {COLUMNS}; the file is damaged, copy it again"
            )
        for field in fields:
            if not field.removeprefix("-").isdecimal() or not field.isascii():
                return UserError(f"{where} {field[:20]!r} is not an integer; copy the file again")
            if len(field) > MAX_DIGITS:
                return UserError(f"{where} a number is out of range; copy the file again")
        numbers = [int(field) for field in fields]
        photo_id, counts = numbers[1], numbers[COUNTS]
        if photo_id < 0 or min(counts) < 0 or max(counts) > MAX_VOTES:
            return UserError(f"{where} a number is out of range; copy the file again")
        if not any(counts):
            return UserError(f"{where} photo {photo_id} has no votes, so no score; remove the line")
        if photo_id in first_line_of:
            return UserError(
                f"{where} photo {photo_id} is already on line {first_line_of[photo_id]}; remove one of them"
            )
        first_line_of[photo_id] = number
    return None if first_line_of else UserError(f"{path} is empty; copy it again")
