"""The figures of a variant: the course of its runs (Figure 4), ROC, calibration, and p(good) by mean score."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.run_folder import Evaluation
from report.curves import RATES, Agreement, Calibration
from report.figures import COLOURS, LETTERS, PAGE

FEW = 25  # points that are marked on a line
Size = tuple[float, float]


def course(seeds: Sequence[Sequence[Evaluation]], majority: float, marks: Sequence[int], size: Size = PAGE) -> Figure:
    """Test accuracy, test loss and training loss against iterations; several seeds thin, and their mean.

    `majority` (0..1) is a line, `marks` are the iterations that the paper reports at.
    """
    figure = Figure(size)
    above, below = figure.subplots(2, sharex=True, gridspec_kw={"height_ratios": (1.15, 1)})
    _margins(figure, 0.66, 0.30, 0.52, 0.30)
    _lines(above, seeds, lambda row: 100 * row.test_accuracy, "test accuracy", "blue", "o-")
    above.axhline(100 * majority, color=COLOURS["muted"], linestyle=(0, (1, 1.5)), label="always the majority")
    _lines(below, seeds, lambda row: row.test_loss, "test loss", "vermilion", "s-")
    _lines(below, seeds, lambda row: row.train_loss, "training loss", "purple", "--")
    above.set_ylabel("accuracy (%)")
    below.set_ylabel("loss")
    last = max((row.iteration for rows in seeds for row in rows), default=0)
    for axes in (above, below):
        _marked(axes, marks, last)
    _iterations(below, last)
    figure.align_ylabels()
    return figure


def starts(
    tuned: Sequence[Sequence[Evaluation]], scratch: Sequence[Sequence[Evaluation]], majority: float,
    marks: Sequence[int],
) -> Figure:  # fmt: skip
    """Test accuracy against iterations, fine-tuned and from scratch; several seeds thin, and their mean."""
    figure = Figure(PAGE)
    axes = figure.subplots()
    _margins(figure, 0.66, 0.30, 0.52, 0.30)
    _lines(axes, tuned, lambda row: 100 * row.test_accuracy, "fine-tuned", "blue", "o-")
    _lines(axes, scratch, lambda row: 100 * row.test_accuracy, "from scratch", "vermilion", "s-")
    axes.axhline(100 * majority, color=COLOURS["muted"], linestyle=(0, (1, 1.5)), label="always the majority")
    axes.set_ylabel("accuracy (%)")
    last = max((row.iteration for rows in (*tuned, *scratch) for row in rows), default=0)
    _marked(axes, marks, last, columns=3)
    _iterations(axes, last)
    return figure


def roc(curves: Sequence[np.ndarray], auc: float) -> Figure:
    """Share of the good photos called good against that of the bad ones; several seeds thin, and their mean."""
    figure, axes = _square("bad photos called good", "good photos called good")
    axes.plot((0, 1), (0, 1), color=COLOURS["muted"], linestyle=(0, (1, 1.5)), label="guessing")
    rates = np.concatenate(([0], RATES))
    for curve in curves if len(curves) > 1 else ():
        axes.plot(rates, np.concatenate(([0], curve)), color=COLOURS["blue"], linewidth=0.7, alpha=0.6)
    mean = np.concatenate(([0], np.mean(curves, axis=0)))
    axes.plot(rates, mean, color=COLOURS["blue"], label=f"AUC {auc:.3f}")
    _legend(axes)
    return figure


def calibration(seeds: Sequence[Calibration]) -> Figure:
    """Share of good photos against p(good); of one seed with intervals, of several one line each."""
    figure, axes = _square("p(good), mean of the bin", "share that is good")
    axes.plot((0, 1), (0, 1), color=COLOURS["muted"], linestyle=(0, (1, 1.5)), label="as it says")
    for number, seed in enumerate(seeds):
        x, y = ([getattr(each, name) for each in seed.bins] for name in ("mean", "good"))
        label = ("test photos" if len(seeds) == 1 else "a seed each") if number == 0 else None
        if len(seeds) == 1:
            reach = np.abs(np.array([each.interval for each in seed.bins]).T - y)
            axes.errorbar(x, y, reach, fmt="o-", color=COLOURS["vermilion"], elinewidth=1,
                          label=label)  # fmt: skip
        else:
            axes.plot(x, y, "o-", color=COLOURS["vermilion"], linewidth=0.8, ms=2.5, label=label)
    _legend(axes)
    return figure


def by_score(seeds: Sequence[Agreement], threshold: float | None) -> Figure:
    """Median and quartiles of p(good) against the mean score; of several seeds the mean of each."""
    figure = Figure(PAGE)
    axes = figure.subplots()
    _margins(figure, 0.66, 0.30, 0.52, 0.30)
    scores = [group.score for group in seeds[0].groups]
    low, median, high = np.mean([[group.quartiles for group in seed.groups] for seed in seeds], axis=0).T
    axes.fill_between(scores, low, high, color=COLOURS["blue"], alpha=0.2, linewidth=0, label="middle half")
    axes.plot(scores, median, "o-", color=COLOURS["blue"], label="median")
    if threshold is not None and scores[0] <= threshold <= scores[-1]:
        axes.axvline(threshold, color=COLOURS["muted"], linewidth=0.9, linestyle="--", label=f"good from {threshold:g}")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("mean score of the votes")
    axes.set_ylabel("p(good)")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 0.99), borderaxespad=0, handlelength=1.6, columnspacing=1)
    return figure


def common(seeds: Sequence[Sequence[Evaluation]]) -> list[int]:
    """The iterations at which all seeds were evaluated."""
    there = [{row.iteration for row in rows} for rows in seeds]
    return sorted(set.intersection(*there)) if there else []


def mean_at(seeds: Sequence[Sequence[Evaluation]], iteration: int, value: Callable[[Evaluation], float]) -> float:
    """The mean over the seeds of a value of their evaluations at an iteration."""
    return float(np.mean([value(row) for rows in seeds for row in rows if row.iteration == iteration]))


def _lines(axes: Axes, seeds, value: Callable[[Evaluation], float], label: str, colour: str, form: str) -> None:
    for rows in seeds if len(seeds) > 1 else ():
        points = [row.iteration for row in rows], [value(row) for row in rows]
        axes.plot(*points, form[1:], color=COLOURS[colour], linewidth=0.7, alpha=0.6)
    there = common(seeds)
    means = [mean_at(seeds, iteration, value) for iteration in there]
    form = form if len(there) <= FEW or form == "--" else form[1:]
    axes.plot(there, means, form, color=COLOURS[colour], label=label)


def _marked(axes: Axes, marks: Sequence[int], last: int, columns: int = 2) -> None:
    """Draw the iterations that the paper reports at, as far as the runs went, and the legend above all."""
    for mark in marks:
        if mark <= last:
            axes.axvline(mark, color=COLOURS["muted"], linewidth=0.9, linestyle="--", zorder=1)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 0.97), borderaxespad=0, handlelength=2)


def _iterations(axes: Axes, last: int) -> None:
    axes.set_xlabel("iterations")
    axes.set_xlim(0, last * 1.02 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _square(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(PAGE)
    axes = figure.subplots()
    _margins(figure, 0.66, 1.3, 0.52, 0.14)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel, ylabel=ylabel)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    return figure, axes


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.6)


def _margins(figure: Figure, left: float, right: float, bottom: float, top: float) -> None:
    """Set the margins, in inches where letters are as large as on a page."""
    scale = rcParams["font.size"] / LETTERS
    width, height = figure.get_size_inches()
    left, right, bottom, top = (scale * margin for margin in (left, right, bottom, top))
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height, hspace=0.32)
