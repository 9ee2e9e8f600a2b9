"""Scores of photos for people: their range, and how many are good with which threshold."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from paper import stated


def described(scores: Sequence[Decimal]) -> str:
    """The range of scores, and what some thresholds make of them: 'from 0 to 100 (median 62), and ...'."""
    lowest, highest = min(scores), max(scores)
    middle, half = (lowest + highest) / 2, median(scores)
    usual = Decimal(stated("labels.threshold"))
    papers = stated("labels.lowest_score"), stated("labels.highest_score")
    is_papers_range = papers[0] <= lowest and highest <= papers[1]
    tried = dict.fromkeys([usual, middle, half] if is_papers_range else [middle, half])
    shares = ", ".join(f"{decimal(threshold)} makes {share(scores, threshold)}" for threshold in tried)
    return (
        f"from {decimal(lowest)} to {decimal(highest)} (median {decimal(half)}); {shares} of the photos good; "
        f"the paper's {usual} fits scores of {papers[0]} to {papers[1]} only"
    )


def share(scores: Sequence[Decimal], threshold: Decimal) -> str:
    """How many of the scores reach the threshold, in percent."""
    return f"{sum(score >= threshold for score in scores) / len(scores):.1%}"


def decimal(number: Decimal) -> str:
    return f"{float(number):.6g}"
