"""One row per photo, the best of them, and how they are printed: a table for people, CSV or JSON Lines."""

import csv
import heapq
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

PATH, P_GOOD, PREDICTED = "path", "p_good", "predicted"


@dataclass(frozen=True)
class Row:
    """What the nets say of one photo."""

    path: str  # as it was given
    by_view: dict[str, float]  # p(good) of the net of each view

    @property
    def p_good(self) -> float:
        """The mean over the nets, float32 as in predictions.csv."""
        return short(np.mean(list(self.by_view.values())))

    @property
    def predicted(self) -> int:
        """1 good, 0 bad; a tie goes to bad, as in the test pass."""
        return int(self.p_good > 0.5)


def short(number: float) -> float:
    """A float32 by its shortest decimals."""
    return float(str(np.float32(number)))


class Best:
    """The best rows of a stream, no more than `size`; of equal ones those that came first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._count = 0
        self._heap: list[tuple[float, int, Row]] = []  # the worst one first

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._count += 1
            entry = (row.p_good, -self._count, row)
            if len(self._heap) < self.size:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)

    def rows(self) -> list[Row]:
        """The best one first."""
        return [row for *_, row in sorted(self._heap, reverse=True)]


@dataclass(frozen=True)
class Format:
    """How rows are printed: the heading, and a function from a row to its line, ends of lines included."""

    heading: Callable[[Sequence[str]], bytes]
    line: Callable[[Row], bytes]


def _table_heading(_views: Sequence[str]) -> bytes:
    return b"p(good)  says  photo\n"


def _table_line(row: Row) -> bytes:
    verdict = "good" if row.predicted else "bad"
    return f"{row.p_good:7.4f}  {verdict:4}  {shown(row.path)}\n".encode(errors="surrogateescape")


def shown(path: str) -> str:
    """A path in one line of a terminal; what is not printable is written as in Python."""
    return "".join(
        sign if sign.isprintable() or "\udc80" <= sign <= "\udcff" else sign.encode("unicode_escape").decode()
        for sign in path
    )


def _csv_heading(views: Sequence[str]) -> bytes:
    return _csv([PATH, P_GOOD, PREDICTED, *(_column(view) for view in views if len(views) > 1)])


def _csv_line(row: Row) -> bytes:
    return _csv(_values(row).values())


def _csv(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so a name with either of these signs is quoted
    line = text.getvalue().removesuffix("\r\n") + "\n"
    return line.encode(errors="surrogateescape")  # the bytes of a name stay what they are


def _json_line(row: Row) -> bytes:
    """An object; a name that is not UTF-8 has its odd bytes as escaped surrogates, as Python reads them."""
    try:
        return json.dumps(_values(row), ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(_values(row)).encode() + b"\n"


def _values(row: Row) -> dict[str, object]:
    single = {_column(view): p for view, p in row.by_view.items() if len(row.by_view) > 1}
    return {PATH: row.path, P_GOOD: row.p_good, PREDICTED: row.predicted, **single}


def _column(view: str) -> str:
    return f"{P_GOOD}_{view}"


FORMATS = {
    "table": Format(_table_heading, _table_line),
    "csv": Format(_csv_heading, _csv_line),
    "jsonl": Format(lambda _views: b"", _json_line),
}
