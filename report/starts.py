"""Rows of nets that do not begin as the paper's do, below the row that they belong to, and what is said of them."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from scipy.stats import mannwhitneyu

from experiments.run_folder import Prediction, Result
from paper import FROZEN, PRETRAINED, SCRATCH, STARTS, Row, Table, stated, variant_name

LABELS = {SCRATCH: "from scratch", FROZEN: "frozen"}


def with_starts(table: Table, results: Path, starts: Sequence[str] | None = None) -> Table:
    """The table with a row for each other start of which there are runs, below that of the fine-tuned net.

    Such a row has no number of the paper's. With `starts` the rows of these alone, whether there are runs or not.
    """
    return replace(table, rows=tuple(row for each in table.rows for row in _rows(table, each, results, starts)))


def _rows(table: Table, row: Row, results: Path, starts: Sequence[str] | None) -> Iterator[Row]:
    if starts is None or PRETRAINED in starts:
        yield row
    for start, label in LABELS.items() if row.network else ():
        folder = results / table.dataset / variant_name(row.network, row.view, start)
        if start in starts if starts else os.path.isdir(folder):
            yield replace(row, label=f"{row.label}, {label}", accuracy=None, start=start)


def explained(starts: Collection[str]) -> Iterator[str]:
    """A note on each of these starts."""
    said = {
        SCRATCH: (
            "From scratch: every layer begins from its filler and learns at one rate, that of paper.toml, on the same"
            " batches and iterations (IV-D). The paper has no number of it."
        ),
        FROZEN: (
            "Frozen: all layers but the last stay as in the pretrained model, which then gives features, as II says of"
            " [5]. The paper has no number of it."
        ),
    }
    yield from (said[start] for start in STARTS if start in starts)


def learnt_nothing(results: Sequence[Result]) -> str:
    """What is said of runs that answer the same for all photos, e.g. 'says good for all'; '' where one does not.

    They did not learn where p(good) tells good photos from bad ones no better than chance (Mann-Whitney).
    """
    answers = {p.predicted for result in results for p in result.predictions}
    if len(answers) != 1 or not results:
        return ""
    said = f"says {'good' if answers.pop() else 'bad'} for all"
    return said if any(_tells_apart(result.predictions) for result in results) else f"did not learn: {said}"


def _tells_apart(predictions: Sequence[Prediction]) -> bool:
    good, bad = ([p.p_good for p in predictions if p.label == label] for label in (1, 0))
    return bool(good and bad) and float(mannwhitneyu(good, bad).pvalue) < stated("evidence.level")
