"""What a mean over seeds and photos is worth: a two-level bootstrap, which draws seeds, then photos.

All seeds are tested on the same photos, so a drawn photo counts with what every drawn seed says of it. Few seeds vary
less than the seeds that they were drawn from: by (S - 1) / S in a draw with replacement of S; the draws' deviations
that come from the seeds are widened by the root of the inverse. The draws are seeded: the same values give the same
numbers, whatever the order of the photos.
"""

import math

import numpy as np

from paper import stated


def means(values: np.ndarray) -> np.ndarray:
    """The mean of each draw from `values` (seeds x photos).

    Photos of which all seeds say the same are alike: what is drawn is how many there are of each kind.
    """
    seeds, photos = values.shape
    draws = stated("evaluation.bootstrap.draws")
    rng = np.random.default_rng(stated("evaluation.bootstrap.seed"))
    kinds, counts = np.unique(values.T, axis=0, return_counts=True)
    of_seeds = rng.multinomial(photos, counts / photos, draws) @ kinds / photos  # draws x seeds
    of_all = of_seeds.mean(axis=1)
    if seeds == 1:
        return of_all
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    return of_all + math.sqrt(seeds / (seeds - 1)) * ((drawn * of_seeds).sum(axis=1) - of_all)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The interval of the mean of `values` (seeds x photos), at the confidence of paper.toml: percentiles of draws."""
    outside = (1 - stated("evaluation.confidence")) / 2
    low, high = np.quantile(means(values), (outside, 1 - outside))
    return float(low), float(high)


def p_value(values: np.ndarray) -> float:
    """Two-sided: how often as much would be drawn if the mean of `values` (seeds x photos) were 0."""
    drawn = means(values)
    beyond = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    return min(1.0, 2 * (int(beyond) + 1) / (len(drawn) + 1))
