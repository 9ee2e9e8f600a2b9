"""The numbers of one finished run, worked out from its predictions.csv."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from experiments.run_folder import Prediction
from paper import stated


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
        balanced_accuracy=balanced_accuracy_score(labels, predicted),
        auc=roc_auc_score(labels, [p.p_good for p in predictions]) if len(set(labels)) > 1 else None,
        confusion=confusion_matrix(labels, predicted, labels=[0, 1]).tolist(),
    )


def interval(correct: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a proportion."""
    confidence = stated("evaluation.confidence")
    low, high = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(low), float(high)
