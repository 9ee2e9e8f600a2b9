"""What the probabilities of one run are worth: ROC, calibration, and how they go with the mean scores."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import brier_score_loss, roc_curve

from report.measures import interval

RATES = np.linspace(0, 1, 201)  # false positive rates at which the ROC of all seeds is known
BINS = 10  # of p(good), equally wide; of the photos by score, equally many


@dataclass(frozen=True)
class Bin:
    """The photos whose p(good) is between `low` and `high`."""

    low: float
    high: float
    n: int
    mean: float  # of p(good)
    good: float  # share that is good
    interval: tuple[float, float]  # of that share


@dataclass(frozen=True)
class Calibration:
    """How often photos with some p(good) are good; `bins` are those that hold photos."""

    brier: float
    bins: list[Bin]


@dataclass(frozen=True)
class Group:
    """Photos with neighbouring mean scores: their mean, and the quartiles of their p(good)."""

    n: int
    score: float
    quartiles: tuple[float, float, float]


@dataclass(frozen=True)
class Agreement:
    """How p(good) goes with the mean score: rank and linear correlation; None where one of them is the same for all."""

    srcc: float | None
    plcc: float | None
    groups: list[Group]


def roc(labels: np.ndarray, p_good: np.ndarray) -> np.ndarray | None:
    """True positive rate at each of RATES; None where all photos have one label."""
    if len(np.unique(labels)) < 2:
        return None
    false, true, _ = roc_curve(labels, p_good)
    return np.interp(RATES, false, true)


def calibration(labels: np.ndarray, p_good: np.ndarray) -> Calibration:
    """The calibration curve in BINS equally wide bins, and the Brier score."""
    numbers = np.minimum((p_good * BINS).astype(int), BINS - 1)
    bins = []
    for number in np.unique(numbers):
        inside = numbers == number
        n, good = int(inside.sum()), int(labels[inside].sum())
        mean = float(p_good[inside].mean())
        bins.append(Bin(number / BINS, (number + 1) / BINS, n, mean, good / n, interval(good, n)))
    return Calibration(float(brier_score_loss(labels, p_good, pos_label=1)), bins)


def agreement(p_good: np.ndarray, scores: np.ndarray) -> Agreement:
    """The correlations of p(good) with the mean score, and p(good) by rising score."""
    differ = len(p_good) > 1 and len(np.unique(p_good)) > 1 and len(np.unique(scores)) > 1
    order = np.argsort(scores, kind="stable")
    groups = [
        Group(len(each), float(scores[each].mean()), tuple(np.percentile(p_good[each], (25, 50, 75)).tolist()))
        for each in np.array_split(order, min(BINS, len(order)))
    ]
    return Agreement(
        float(spearmanr(p_good, scores).statistic) if differ else None,
        float(pearsonr(p_good, scores).statistic) if differ else None,
        groups,
    )
