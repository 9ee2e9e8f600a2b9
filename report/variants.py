"""One variant's section of a page: its numbers, its figures with their alternatives in words, its photos."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.kept_files import Unreadable
from experiments.run_folder import Evaluation, Prediction
from paper import stated
from report import curves, plots
from report.figures import svg
from report.line import DASH, Line
from report.photos import Kind, kinds, worst
from report.results import SeedResult
from report.testset import Photos


@dataclass(frozen=True)
class Shown:
    """A figure: its picture, what it shows in words, and its numbers."""

    title: str
    svg: str
    words: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Variant:
    """A line of the table that was measured, in full."""

    anchor: str
    line: Line
    group: list[SeedResult]  # runs that are alike
    view: str
    figures: list[Shown]
    brier: float
    correlations: list[tuple[str, float | None]]  # empty where the scores are not known
    kinds: list[Kind]  # of the first run; none for the further groups of a row
    worst: list[Prediction]  # of the first run


def variant(anchor: str, line: Line, view: str, group: list[SeedResult], photos: Photos, marks: Sequence[int],
            threshold: float | None, is_usual: bool) -> Variant:  # fmt: skip
    """The section of a line; `marks` are the iterations that the paper reports at, `threshold` a good photo's score.

    `is_usual` is false for the further groups of a row, whose photos would be shown a second time.
    """
    labels = [np.array([p.label for p in each.result.predictions]) for each in group]
    p_good = [np.array([p.p_good for p in each.result.predictions]) for each in group]
    calibrations = [curves.calibration(*pair) for pair in zip(labels, p_good, strict=True)]
    agreements = list(_agreements(group, photos))
    first = group[0].result.predictions
    return Variant(
        anchor=anchor,
        line=line,
        group=group,
        view=view,
        figures=[
            *_course(f"{anchor}-course", evaluations(group), line.majority / 100, marks),
            *_roc(f"{anchor}-roc", list(map(curves.roc, labels, p_good)), line.auc),
            _calibration(f"{anchor}-calibration", calibrations),
            *_by_score(f"{anchor}-score", agreements, threshold),
        ],
        brier=statistics.fmean(each.brier for each in calibrations),
        correlations=_correlations(agreements),
        kinds=kinds(first) if is_usual else [],
        worst=worst(first),
    )


def evaluations(group: list[SeedResult]) -> list[list[Evaluation]]:
    """What is kept of the course of each run; of one that cannot be read nothing (the notes name it)."""
    found = []
    for each in group:
        try:
            rows = each.folder.evaluations()
        except Unreadable:
            continue
        found += [rows] if rows else []
    return found


def _course(name: str, seeds: list[list[Evaluation]], majority: float, marks: Sequence[int]) -> Iterator[Shown]:
    there = plots.common(seeds)
    if not there:
        return
    columns = (lambda row: row.train_loss, lambda row: row.test_loss, lambda row: 100 * row.test_accuracy)
    means = [[plots.mean_at(seeds, iteration, column) for column in columns] for iteration in there]
    accuracies = [row[2] for row in means]
    best = int(np.argmax(accuracies))
    words = (
        f"Test accuracy is {accuracies[0]:.2f}% at iteration {there[0]:,} and {accuracies[-1]:.2f}% at {there[-1]:,},"
        f" at its highest {accuracies[best]:.2f}% at {there[best]:,}; the test loss goes from {means[0][1]:.3f} to"
        f" {means[-1][1]:.3f}. Always answering the more frequent label scores {100 * majority:.2f}%."
    )
    if len(seeds) > 1:
        words += f" Thin: each of {len(seeds)} seeds; thick: their mean."
    reached = [f"{mark:,}" for mark in marks if mark <= there[-1]]
    if reached:
        words += f" Dashed: iteration {' and '.join(reached)}."
    rows = [
        [f"{iteration:,}", _number(row[0], 4), _number(row[1], 4), f"{row[2]:.2f}%"]
        for iteration, row in zip(there, means, strict=True)
    ]
    header = ["iteration", "training loss", "test loss", "test accuracy"]
    yield Shown("Course of the fine-tuning", svg(plots.course(seeds, majority, marks), name), words, header, rows)


def _roc(name: str, seeds: list[np.ndarray | None], auc: float | None) -> Iterator[Shown]:
    if auc is None or any(curve is None for curve in seeds):
        return
    mean = np.mean(seeds, axis=0)
    at = [round(rate * (len(curves.RATES) - 1)) for rate in (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)]
    rows = [[f"{curves.RATES[i]:.0%}", f"{mean[i]:.1%}"] for i in at]
    words = (
        f"Area under the curve {auc:.3f}: the chance that of a good and a bad photo the good one has the higher"
        f" p(good). Where {rows[2][0]} of the bad photos are called good, {rows[2][1]} of the good ones are."
    )
    yield Shown("ROC", svg(plots.roc(seeds, auc), name), words, ["bad called good", "good called good"], rows)


def _calibration(name: str, seeds: list[curves.Calibration]) -> Shown:
    brier = statistics.fmean(each.brier for each in seeds)
    rows = [
        [*([str(number)] if len(seeds) > 1 else []), f"{each.low:.1f} to {each.high:.1f}", f"{each.n:,}",
         f"{each.mean:.3f}", f"{each.good:.1%}", f"{each.interval[0]:.1%} to {each.interval[1]:.1%}"]
        for number, seed in enumerate(seeds, 1) for each in seed.bins
    ]  # fmt: skip
    top = seeds[0].bins[-1]
    words = (
        f"Brier score {brier:.4f} (0 is best; always saying one half scores 0.25). Of the photos with p(good) from"
        f" {top.low:.1f} to {top.high:.1f}, {top.good:.1%} are good; they get {top.mean:.1%} on average."
    )
    words += (
        f" Bars: {stated('evaluation.confidence'):.0%} intervals."
        if len(seeds) == 1
        else " One line for each seed; the sentence is on the first."
    )
    header = ["run", "p(good)", "photos", "mean p(good)", "good", "interval"]
    return Shown("Calibration", svg(plots.calibration(seeds), name), words, header[len(seeds) == 1 :], rows)


def _by_score(name: str, seeds: list[curves.Agreement], threshold: float | None) -> Iterator[Shown]:
    if not seeds:
        return
    said = ", ".join(f"{short} {_number(value, 3)}" for short, value in _correlations(seeds))
    quartiles = np.mean([[group.quartiles for group in seed.groups] for seed in seeds], axis=0)
    rows = [
        [f"{group.score:.2f}", f"{group.n:,}", *(f"{value:.3f}" for value in three)]
        for group, three in zip(seeds[0].groups, quartiles, strict=True)
    ]
    words = (
        f"Correlation of p(good) with the mean score, of the ranks and linear: {said}. The net was taught labels, not"
        f" scores. The photos are in {len(rows)} groups by rising score, equally many in each."
    )
    header = ["mean score", "photos", "lower quartile", "median p(good)", "upper quartile"]
    yield Shown("p(good) by mean score", svg(plots.by_score(seeds, threshold), name), words, header, rows)


def _correlations(seeds: list[curves.Agreement]) -> list[tuple[str, float | None]]:
    """SRCC and PLCC, means over the seeds."""
    return [(name, _mean(getattr(seed, name.lower()) for seed in seeds)) for name in ("SRCC", "PLCC") if seeds]


def _agreements(group: list[SeedResult], photos: Photos) -> Iterator[curves.Agreement]:
    """How p(good) goes with the scores, for each run; nothing where a score is not known."""
    for each in group:
        known = [(photos.by_id or {}).get(p.photo_id) for p in each.result.predictions]
        if any(photo is None or photo.score is None for photo in known):
            return
        p_good = np.array([p.p_good for p in each.result.predictions])
        yield curves.agreement(p_good, np.array([photo.score for photo in known]))


def _mean(values) -> float | None:
    known = list(values)
    return None if None in known or not known else statistics.fmean(known)


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None or not np.isfinite(value) else f"{value:.{digits}f}"
