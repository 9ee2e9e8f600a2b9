"""Figures 1, 3 and 4 of the paper from our runs, each as PDF and PNG, as wide as a column."""

from user_error import UserError

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data_prep.photos import BAD, GOOD
from paper import PRETRAINED, Table
from report import photos, plots, testset
from report.figures import COLUMN, style, write_for_a_paper
from report.measures import measures
from report.page import marks
from report.results import SeedResult, found
from report.rows import with_ours
from report.testset import Photos
from report.variants import evaluations

ACROSS, DOWN = 5, 2  # photos in each half of Figures 1 and 3
GAP = 0.04  # inches between photos
TITLE = 0.2  # inches


def write(tables: Sequence[Table], data: Path, results: Path, out: Path) -> tuple[list[str], list[str]]:
    """Write what there is of the figures into `out`; their names, and a line for whatever could not be read.

    UserError where `out` cannot be written.
    """
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    written, lacking = [], []
    with style(in_a_paper=True):
        for table in tables:
            made, complaints = _made(table, data, results)
            lacking += complaints
            for name, figure in made:
                with _writing(out):
                    write_for_a_paper(figure, out / name)
                written.append(name)
    return sorted(written), lacking


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Write into `out` within this: UserError where that cannot be done."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or out} cannot be written ({error.strerror}): give another --out DIR"
        ) from None


def _made(table: Table, data: Path, results: Path) -> tuple[list[tuple[str, Figure]], list[str]]:
    """The figures that there are of a table, by name, and a line for whatever could not be read."""
    groups, lacking = _groups(table, results)
    known = testset.read(table.dataset, data, [each.record for group in groups.values() for each in group])
    courses = [(f"figure-4-{table.dataset}-{variant}", _course(table, group)) for variant, group in groups.items()]
    made = [(name, figure) for name, figure in courses if figure is not None]
    try:
        made += _of_photos(table, groups, known)
    except UserError as error:
        lacking.append(f"{table.dataset}: no Figures 1 and 3: {error}")
    return made, lacking


def _groups(table: Table, results: Path) -> tuple[dict[str, list[SeedResult]], list[str]]:
    """The usual runs of each variant that has a result, and a line for each run that cannot be read.

    Runs that went further are there too, as alexnet_global-to-30000.
    """
    rows = [row for row in with_ours(table, results, [PRETRAINED]).rows if row.network and not row.edit]
    there = {f"{row.variant}-to-{row.to}" if row.to else row.variant: found(table, row, results) for row in rows}
    return (
        {name: each.groups[0] for name, each in there.items() if each.groups},
        [line for each in there.values() for line in each.unreadable],
    )


def _course(table: Table, group: list[SeedResult]) -> Figure | None:
    """Figure 4: the course of one variant; None where its metrics.csv cannot be read."""
    seeds = evaluations(group)
    majority = measures(group[0].result.predictions).majority
    size = (COLUMN, 0.72 * COLUMN)
    return plots.course(seeds, majority, marks(table.dataset), size) if plots.common(seeds) else None


def _of_photos(table: Table, groups: dict[str, list[SeedResult]], known: Photos) -> list[tuple[str, Figure]]:
    """Figure 1 (good and bad photos), and of each variant Figure 3 (called good: rightly, and wrongly)."""
    if known.lacking:
        raise UserError(known.lacking)
    count, made = ACROSS * DOWN, []
    halves = {
        title: [photo.photo_id for photo in photos.drawn(_labelled(known, label), count)]
        for title, label in (("(a) Good", GOOD), ("(b) Bad", BAD))
    }
    made.append((f"figure-1-{table.dataset}", _sheet(known, photos.WHOLE, halves)))
    for variant, (first, *_) in groups.items():
        called = [p for p in first.result.predictions if p.predicted == GOOD and p.photo_id in known.by_id]
        halves = {
            title: [p.photo_id for p in photos.drawn([p for p in called if p.label == label], count)]
            for title, label in (("(a) Called good, rightly", GOOD), ("(b) Called good, wrongly", BAD))
        }
        made.append((f"figure-3-{table.dataset}-{variant}", _sheet(known, photos.WHOLE, halves)))
    return made


def _labelled(known: Photos, label: int) -> list:
    return [photo for photo in known.by_id.values() if photo.label == label]


def _sheet(known: Photos, view: str, halves: dict[str, list[str]]) -> Figure:
    """Two blocks of photos, each under its title, all photos in squares of one size."""
    pictures = photos.pictures(known, {view: {name for names in halves.values() for name in names}})
    side = (COLUMN - (ACROSS - 1) * GAP) / ACROSS
    height = len(halves) * (TITLE + DOWN * (side + GAP))
    figure, top = Figure((COLUMN, height)), height
    for title, names in halves.items():
        figure.text(0, (top - 0.7 * TITLE) / height, title)
        top -= TITLE
        for number, name in enumerate(names):
            left, below = number % ACROSS * (side + GAP), top - (number // ACROSS + 1) * (side + GAP) + GAP
            axes = figure.add_axes((left / COLUMN, below / height, side / COLUMN, side / height))
            axes.imshow(np.ascontiguousarray(pictures[view, name][..., ::-1]), interpolation="none")
            axes.set_axis_off()
        top -= DOWN * (side + GAP)
    return figure
