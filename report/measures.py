"""The numbers of finished runs, worked out from their predictions.csv."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score

from experiments.run_folder import Prediction
from paper import stated
from report import bootstrap

WILSON, BOOTSTRAP = "Wilson", "bootstrap"


@dataclass(frozen=True)
class Measures:
    """All rates are 0..1."""

    n: int
    accuracy: float
    interval: tuple[float, float]  # Wilson's, at the confidence of paper.toml
    majority: float  # accuracy of always saying the more frequent label
    balanced_accuracy: float
    auc: float | None  # None where all photos have one label
    confusion: list[list[int]]  # rows: label bad, good; columns: predicted bad, good


@dataclass(frozen=True)
class Interval:
    """Of the mean accuracy of some runs, 0..1."""

    low: float
    high: float
    kind: str  # WILSON or BOOTSTRAP


def measures(predictions: list[Prediction]) -> Measures:
    """The scores of one or more predictions."""
    labels = np.array([p.label for p in predictions])
    predicted = np.array([p.predicted for p in predictions])
    correct = int(np.sum(labels == predicted))
    return Measures(
        n=len(labels),
        accuracy=correct / len(labels),
        interval=interval(correct, len(labels)),
        majority=max(np.mean(labels), 1 - np.mean(labels)),
        balanced_accuracy=float(np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)])),
        auc=roc_auc_score(labels, [p.p_good for p in predictions]) if len(set(labels)) > 1 else None,
        confusion=confusion_matrix(labels, predicted, labels=[0, 1]).tolist(),
    )


def interval(correct: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a proportion."""
    confidence = stated("evaluation.confidence")
    low, high = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def mean_interval(runs: Sequence[list[Prediction]]) -> Interval | None:
    """The interval of the mean accuracy: of one run Wilson's, which knows the photos' variance alone.

    Of several seeds that of the two-level bootstrap, which holds the seeds' variance too; None where the runs were not
    tested on the same photos.
    """
    right = same_photos(runs)
    if right is None:
        return None
    if len(right) == 1:
        return Interval(*interval(int(right.sum()), right.shape[1]), WILSON)
    return Interval(*bootstrap.interval(right), BOOTSTRAP)


def same_photos(runs: Sequence[list[Prediction]]) -> np.ndarray | None:
    """Which photos each run has right (runs x photos, 0 or 1), the photos joined by id, in the order of the first run.

    None where the runs were tested on other photos, or on other labels of them.
    """
    order = {p.photo_id: (number, p.label) for number, p in enumerate(runs[0])}
    right = np.empty((len(runs), len(order)), dtype=np.int8)
    for row, run in zip(right, runs, strict=True):
        places = [order.get(p.photo_id) for p in run]
        if len(run) != len(order) or any(
            place is None or place[1] != p.label for place, p in zip(places, run, strict=True)
        ):
            return None
        row[[number for number, _ in places]] = [p.predicted == p.label for p in run]
    return right
