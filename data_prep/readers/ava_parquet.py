"""Reads AVA's ids and votes from parquet files as they are on Hugging Face: image_id, image, rating_counts."""

from user_error import UserError

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.readers.ava_table import MAX_VOTES, Votes, from_counts
from data_prep.readers.parquet import first_line, open_parquet, read_column, read_ids, require_all, require_pictures
from paper import stated

COUNTS = "rating_counts"
MAX_ROWS = 2**20  # four times AVA's; what a tiny file can claim to hold would take all memory
SCORES = stated("labels.highest_score") - stated("labels.lowest_score") + 1


@dataclass(frozen=True)
class Rows:
    """The photos of parquet files: path in `folder` and row of each, by id, and its votes (None: they have none)."""

    folder: Path
    places: dict[str, tuple[str, int]]
    votes: Votes | None


def read_rows(folder: Path, paths: list[str]) -> Rows:
    """The photos of parquet files, given by their paths in a folder; no picture is read.

    Raises UserError if a file does not say which photo a picture is, or a row is not as it should be.
    """
    places: dict[str, tuple[str, int]] = {}
    ids, counts = [], []
    for path in paths:
        with open_parquet(folder / path) as parquet:
            if len(places) + parquet.metadata.num_rows > MAX_ROWS:
                raise UserError(
                    f"{folder} holds more than {MAX_ROWS:,} photos, at {path} or before it, and AVA has "
                    f"{stated('partitions.ava.photos'):,}: put AVA's parquet files into a folder of their own"
                )
            numbers = read_ids(folder / path, parquet)
            votes = read_column(folder / path, parquet, COUNTS)
        for row, number in enumerate(numbers.tolist()):
            photo_id = str(number)
            if photo_id in places:
                other, other_row = places[photo_id]
                raise UserError(f"{folder / path}#{row}: photo {photo_id} is also {other}#{other_row}; remove one file")
            places[photo_id] = (path, row)
        ids.append(numbers)
        if votes is not None:
            counts.append(_counts(folder / path, votes))
    if not places:
        raise UserError(f"{folder / paths[0]} holds no photo; download it again")
    has_votes = len(counts) == len(paths)
    return Rows(folder, places, from_counts(np.concatenate(ids), np.concatenate(counts)) if has_votes else None)


def require_readable(folder: Path, paths: list[str]) -> None:
    """Raise UserError unless each parquet file has a column of pictures; reads none."""
    for path in paths:
        require_pictures(folder / path)


def _counts(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """The counts of each score as int64 of shape (rows, 10); they may be lists or the JSON text of lists."""
    what = f"{COUNTS} is no list of the votes for {SCORES} scores"
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _from_json(path, column, what)
        lists = column.cast(pa.list_(pa.int64())).combine_chunks()
        require_all(path, pc.equal(pc.fill_null(pc.list_value_length(lists), -1), SCORES), what)
        flat = pc.fill_null(lists.flatten(), -1).to_numpy()
    except (pa.ArrowException, OverflowError) as error:
        raise UserError(f"{path}: {what} ({first_line(error)}); download it again") from None
    counts = flat.reshape(-1, SCORES)
    is_right = ((counts >= 0) & (counts <= MAX_VOTES)).all(axis=1) & counts.any(axis=1)
    require_all(path, pa.array(is_right), f"{COUNTS} is out of range, or all are 0")
    return counts


def _from_json(path: Path, column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """The lists in a column of JSON texts; as floats, which keep their fractions."""
    parsed = []
    for row, text in enumerate(column):
        try:
            parsed.append(json.loads(text.as_py()))
        except (TypeError, ValueError, RecursionError):
            raise UserError(f"{path}#{row}: {what}; download it again") from None
    return pa.chunked_array([pa.array(parsed, pa.list_(pa.float64()))])
