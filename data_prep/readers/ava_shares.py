"""Reads ground_truth_dataset.csv, which copies of AVA on Kaggle have in AVA.txt's place.

Its columns are image_num,vote_1,...,vote_10, and the votes are shares of all votes, rounded to some decimals. The
means are computed from the decimals exactly. A mean of at most 549 votes, AVA's most, is 5 or differs from it by 1/549
or more, so a mean that rounding could have moved off 5 was 5.
"""

from user_error import UserError

import csv
from collections.abc import Iterator
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from fractions import Fraction
from math import gcd
from operator import itemgetter, mul
from pathlib import Path
from typing import NamedTuple

from data_prep.readers.ava_table import MAX_DIGITS, MAX_VOTES, Votes
from data_prep.readers.inputs import lines
from paper import stated

NAME = "ground_truth_dataset.csv"
FLOAT32_DECIMALS = 7  # of a share that was computed in 32 bits, however many are written
SCORES = range(stated("labels.lowest_score"), stated("labels.highest_score") + 1)
EXACT = Context(prec=4 * MAX_DIGITS, traps=[InvalidOperation, Inexact])


class Row(NamedTuple):
    """A line's photo: its exact mean is total / divisor, its shares add up to `whole`; `votes` is 0 if unknown."""

    line: int
    photo_id: str
    total: int
    divisor: int
    votes: int
    whole: Decimal
    decimals: int


def read_votes(path: Path) -> Votes:
    """The votes of the CSV; raises UserError, which names file and line, if a line is not as it should be."""
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path} holds no photo; copy it again")
    unit = Fraction(1, 10 ** min(FLOAT32_DECIMALS, max(row.decimals for row in rows)))
    threshold = stated("labels.threshold")
    error_of_sum = len(SCORES) * Decimal(unit.numerator) / unit.denominator
    error_of_mean = sum(abs(score - threshold) for score in SCORES) * unit
    numerator, denominator = error_of_mean.as_integer_ratio()
    labels, near = [], 0
    for row in rows:
        if not row.votes and abs(row.whole - 1) > error_of_sum:
            raise UserError(f"{path}:{row.line}: the shares add up to {row.whole}, not to 1; copy the file again")
        above = row.total - threshold * row.divisor
        is_near = not row.votes and abs(above) * denominator <= numerator * row.divisor
        near += is_near
        labels.append(int(above >= 0 or is_near))
    return Votes(
        [row.photo_id for row in rows],
        labels,
        [row.total for row in rows],
        [row.divisor for row in rows],
        [row.votes for row in rows],
        _notes(near, error_of_mean) if not all(row.votes for row in rows) else (),
    )


def _notes(near: int, error_of_mean: Fraction) -> tuple[str, ...]:
    threshold = stated("labels.threshold")
    return (
        f"{NAME} has shares of votes, rounded: {near:,} photos have a mean within {float(error_of_mean):g} of "
        f"{threshold}, where rounding hides on which side it is, and are labelled good, as a mean of exactly "
        f"{threshold} is; how many people voted is not known",
        "for the votes themselves and the official test list put AVA.txt and aesthetics_image_lists/ (release of June "
        "2012; the repository imfing/ava_downloader has them) into --root",
    )


def _rows(path: Path) -> Iterator[Row]:
    first_line_of: dict[str, int] = {}
    reader = csv.reader(lines(path))
    try:
        with localcontext(EXACT):
            fields = _fields(next(reader, []))
            for values in reader:
                if not values:
                    continue
                row = _row(reader.line_num, values, fields)
                if row.photo_id in first_line_of:
                    first = first_line_of[row.photo_id]
                    raise ValueError(f"photo {row.photo_id} is already on line {first}; remove one of them")
                first_line_of[row.photo_id] = row.line
                yield row
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not a line of a CSV file ({error}); copy it again") from None
    except ValueError as error:
        raise UserError(f"{path}:{reader.line_num}: {error}") from None


def _fields(header: list[str]) -> itemgetter:
    """Takes the id and the ten shares out of a line; raises ValueError if they have no columns."""
    names = [name.strip().lower() for name in header]
    wanted = ["image_num", *(f"vote_{score}" for score in SCORES)]
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise ValueError(f"no column {lacking[0]}; the first line names {wanted[0]},{wanted[1]},...")
    return itemgetter(*map(names.index, wanted))


def _row(line: int, values: list[str], fields: itemgetter) -> Row:
    """The photo of a line; raises ValueError that says what is wrong with it."""
    try:
        number, *texts = fields(values)
    except IndexError:
        raise ValueError(f"only {len(values)} fields; the file is damaged, copy it again") from None
    if not number.strip().isdecimal() or len(number) > MAX_DIGITS:
        raise ValueError(f"{number[:20]!r} is not the number of a photo; copy the file again")
    if max(map(len, texts)) > 2 * MAX_DIGITS:
        raise ValueError("a number is out of range; copy the file again")
    try:
        shares = list(map(Decimal, texts))
        if min(shares) < 0 or max(shares) > MAX_VOTES:
            raise ValueError("a number is out of range; copy the file again")
        whole, total = sum(shares), sum(map(mul, SCORES, shares))
    except (InvalidOperation, Inexact):
        bad = next((text for text in texts if not _is_plain(text)), texts[0])
        raise ValueError(f"{bad[:20]!r} is not a share of the votes; copy the file again") from None
    if not whole:
        raise ValueError(f"photo {number} has no votes, so no score; remove the line")
    decimals = max(0, -whole.as_tuple().exponent)
    if whole >= 2 and all(share == int(share) for share in shares):
        return Row(line, str(int(number)), int(total), int(whole), int(whole), whole, decimals)
    numerator, denominator = int(total.scaleb(decimals)), int(whole.scaleb(decimals))
    common = gcd(numerator, denominator)
    return Row(line, str(int(number)), numerator // common, denominator // common, 0, whole, decimals)


def _is_plain(text: str) -> bool:
    """Whether a text is a number of a size that shares have."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number.as_tuple().exponent) <= 2 * MAX_DIGITS
