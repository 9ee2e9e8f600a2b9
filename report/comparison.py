"""Two nets on the same photos: how much more one of them has right, and whether that may be chance.

One run of each: McNemar's exact test, on the photos that one net alone has right. Several seeds: the photos of all
seeds in one McNemar's test would count each photo several times, and leave out that seeds differ; so the differences,
seed by seed and photo by photo, go through the two-level bootstrap, and McNemar's test of each seed is told beside it.
Simulated for 20,000 photos, two to five seeds and nets that are equal but for seeds that differ by 0.3 points: the
pooled test finds a difference in 3 of 10 cases, the bootstrap in 1 of 20. Where seeds differ by a whole point it is
wrong in 2 of 10 cases with two seeds, in 1 of 10 with five.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from experiments.run_folder import Prediction
from paper import stated
from report import bootstrap
from report.measures import same_photos
from report.results import SeedResult
from report.verdicts import OPEN, Part, of_difference

MCNEMAR = "McNemar's exact test on the photos that one of the two alone has right"
SEEDS = "bootstrap of seeds, then photos, over the differences of equal seeds (two or three that differ much: too sure)"


@dataclass(frozen=True)
class Difference:
    """How many more photos one side has right: in points, with its two-sided p; both in words, and how p was told."""

    points: float
    p: float
    text: str
    how: str


def compare(subject: str, ours: Sequence[SeedResult], others: Sequence[SeedResult]) -> Part:
    """The verdict on the claim that `ours` have more photos right than `others`, by the seeds that both have."""
    first, second = of_equal_seeds(ours, others)
    if not first:
        return Part(subject, OPEN, "no seed was run of both")
    return compared(subject, first, second)


def of_equal_seeds(
    ours: Sequence[SeedResult], others: Sequence[SeedResult]
) -> tuple[list[list[Prediction]], list[list[Prediction]]]:
    """The predictions of both, by the seeds that both have."""
    first, second = ({each.seed: each.result.predictions for each in runs} for runs in (ours, others))
    seeds = sorted(first.keys() & second.keys())
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def compared(
    subject: str, ours: Sequence[list[Prediction]], others: Sequence[list[Prediction]], tests: int = 1
) -> Part:
    """The same of predictions, the n-th of `ours` with the n-th of `others`, as one of so many `tests` (Bonferroni)."""
    found = difference(ours, others)
    if found is None:
        return Part(subject, OPEN, "they were tested on other photos")
    return Part(subject, of_difference(found.points, found.p, stated("evidence.level") / tests), found.text, found.how)


def difference(ours: Sequence[list[Prediction]], others: Sequence[list[Prediction]]) -> Difference | None:
    """How `ours` differ from `others`, the n-th of one from the n-th of the other; None: tested on other photos."""
    differences = paired(ours, others)
    if differences is None:
        return None
    points = 100 * float(differences.mean())
    if len(differences) == 1:
        ours_alone, others_alone = np.sum(differences > 0), np.sum(differences < 0)
        p, how = mcnemar(differences[0]), MCNEMAR
        number = f"{points:+.2f} points ({ours_alone:,} photos right against {others_alone:,}, {p_text(p)})"
    else:
        p, how = bootstrap.p_value(differences), SEEDS
        chance = f"{interval_text(bootstrap.interval(differences))}, {p_text(p)}"
        number = f"{points:+.2f} points ({chance}, {len(differences)} seeds; {mcnemars(differences)})"
    return Difference(points, p, number, how)


def of_groups(ours: Sequence[SeedResult], others: Sequence[SeedResult], name: str) -> tuple[Difference | None, str]:
    """How some results differ from those called `name`, by equal seeds; or None, and why they cannot be compared."""
    first, second = ours[0], others[0]
    if first.result.iteration != second.result.iteration:
        return None, f"{name} is at iteration {second.result.iteration:,}"
    if first.record["inputs"].get("weights") != second.record["inputs"].get("weights"):
        return None, "from another pretrained model"
    pairs = of_equal_seeds(ours, others)
    if not pairs[0]:
        return None, "no seed was run of both"
    told = difference(*pairs)
    return told, "" if told else "tested on other photos"


def paired(ours: Sequence[list[Prediction]], others: Sequence[list[Prediction]]) -> np.ndarray | None:
    """For each pair and photo 1 where ours alone is right, -1 where the other alone is, else 0; None: other photos."""
    right = same_photos([*ours, *others])
    return None if right is None else right[: len(ours)] - right[len(ours) :]


def mcnemar(differences: np.ndarray) -> float:
    """The two-sided p of McNemar's exact test, from one pair's differences."""
    ours_alone, discordant = int(np.sum(differences > 0)), int(np.count_nonzero(differences))
    return float(binomtest(ours_alone, discordant).pvalue) if discordant else 1.0


def mcnemars(differences: np.ndarray) -> str:
    """McNemar's p of each pair, e.g. "McNemar's p = 0.012, < 0.001"."""
    texts = [p_text(mcnemar(row)) for row in differences]
    return f"McNemar's {', '.join([texts[0], *(text.removeprefix('p ').removeprefix('= ') for text in texts[1:])])}"


def p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def interval_text(interval: tuple[float, float]) -> str:
    """An interval of a difference, in points."""
    low, high = interval
    return f"{stated('evaluation.confidence'):.0%} interval {100 * low:+.2f} to {100 * high:+.2f}"
