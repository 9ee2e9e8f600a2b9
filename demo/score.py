"""What viewers of a demo photo think of it: its faults, its ten vote counts, ten yes-or-no opinions.

A photographer's skill, a normal variable, stands behind eight merits of the photo: merit = loading * skill +
the rest by chance. Viewers add the merits up with the weights below, and taste. A photo shows each merit as a
fault from 0 (got right) to 1 (got wrong). No picture is needed: 5,000 ratings take about a second.
"""

from dataclasses import dataclass

import numpy as np

from paper import stated

SCENES = ("animal", "architecture", "human", "landscape", "night", "plant", "static")

# Every number of the score. Weights: how much viewers mind the fault; only their ratios count.
GLOBAL_WEIGHTS = {"composition": 1.0, "balance": 0.9, "horizon": 0.9, "clutter": 1.2}
LOCAL_WEIGHTS = {"sharpness": 0.9, "noise": 1.1, "exposure": 1.2, "colour": 1.3}
SKILL_LOADING = 0.72  # correlation of each merit with the photographer's skill
TASTE_SD = 0.14  # what is not in the picture, in standard deviations of the score
SCORE_MEAN, SCORE_SD = 5.41, 0.75  # of the mean vote over all photos: 70 % have a mean >= 5
FAULT_CENTRE, FAULT_WIDTH = -0.45, 0.25  # merit at which a fault is half visible, and how gradual it is
VOTE_SD = 1.4  # of one photo's votes around their mean
VOTERS_MEDIAN, VOTERS_SPREAD, VOTERS_RANGE = 205, 0.22, (78, 549)
VIEWER_SD = 0.45  # of one CUHKPQ viewer's opinion around the mean vote
VIEWERS = 10

WEIGHTS = GLOBAL_WEIGHTS | LOCAL_WEIGHTS
FORCED_TIES = (1, 2)  # indices of photos made to have a mean vote of exactly 5
GOOD = stated("labels.threshold")  # the mean vote from which a photo is good


@dataclass(frozen=True)
class Rating:
    """A photo's scene, faults in 0 .. 1, votes for 1 .. 10, and how many of ten viewers call it good."""

    scene: str
    faults: dict[str, float]
    votes: tuple[int, ...]
    approvals: int

    @property
    def margin(self) -> int:
        """Sum of the votes minus the threshold for each: 0 or more is good, exactly 0 is a tie."""
        return sum(value * count for value, count in enumerate(self.votes, 1)) - GOOD * sum(self.votes)

    @property
    def good(self) -> bool:
        """Whether the mean vote reaches the threshold (section III-A)."""
        return self.margin >= 0


def generators(seed: int, index: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The two sources of chance of photo `index`, one for its rating and one for its picture."""
    rating, picture = np.random.SeedSequence([seed, index]).spawn(2)
    return np.random.default_rng(rating), np.random.default_rng(picture)


def rate(seed: int, index: int) -> Rating:
    """Photo `index`'s rating, a function of `seed` and `index` alone."""
    rng, _ = generators(seed, index)
    scene = SCENES[rng.integers(len(SCENES))]
    merits, quality = draw_merits(rng)
    if index in FORCED_TIES:
        merits, quality = condition(merits, quality, (GOOD - SCORE_MEAN) / SCORE_SD)
    mean = SCORE_MEAN + SCORE_SD * quality
    votes = draw_votes(rng, mean)
    if index in FORCED_TIES:
        votes = make_tie(votes)
    approvals = int((mean + VIEWER_SD * rng.standard_normal(VIEWERS) >= GOOD).sum())
    faults = 1 / (1 + np.exp((merits - FAULT_CENTRE) / FAULT_WIDTH))
    return Rating(scene, dict(zip(WEIGHTS, faults.tolist(), strict=True)), tuple(votes.tolist()), approvals)


def draw_merits(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The merits in the order of WEIGHTS, each standard normal, and the photo's quality, standard normal too."""
    skill, taste = rng.standard_normal(2)
    rest = rng.standard_normal(len(WEIGHTS))
    merits = SKILL_LOADING * skill + np.sqrt(1 - SKILL_LOADING**2) * rest
    weights, spread = weights_and_spread()
    quality = merits @ weights / spread * np.sqrt(1 - TASTE_SD**2) + taste * TASTE_SD
    return merits, float(quality)


def weights_and_spread() -> tuple[np.ndarray, float]:
    """The weights as an array, and the standard deviation of the weighted sum of the merits."""
    weights = np.array(list(WEIGHTS.values()))
    return weights, float(np.sqrt(weights @ merit_covariance() @ weights))


def merit_covariance() -> np.ndarray:
    """Covariance of the merits: 1 on the diagonal, loading squared elsewhere."""
    shared = np.full((len(WEIGHTS), len(WEIGHTS)), SKILL_LOADING**2)
    np.fill_diagonal(shared, 1.0)
    return shared


def condition(merits: np.ndarray, quality: float, wanted: float) -> tuple[np.ndarray, float]:
    """The merits moved as a photo of quality `wanted` has them (a normal distribution's conditional)."""
    weights, spread = weights_and_spread()
    slope = merit_covariance() @ weights / spread * np.sqrt(1 - TASTE_SD**2)
    return merits + slope * (wanted - quality), wanted


def draw_votes(rng: np.random.Generator, mean: float) -> np.ndarray:
    """Counts of the votes 1 .. 10 around `mean`."""
    voters = int(VOTERS_MEDIAN * np.exp(VOTERS_SPREAD * rng.standard_normal()))
    values = np.arange(1, 11)
    share = np.exp(-0.5 * ((values - mean) / VOTE_SD) ** 2)
    return rng.multinomial(int(np.clip(voters, *VOTERS_RANGE)), share / share.sum())


def make_tie(votes: np.ndarray) -> np.ndarray:
    """The votes with as few as needed moved by one step until their mean is exactly 5."""
    tied = votes.copy()
    while margin := int(((np.arange(1, 11) - GOOD) * tied).sum()):
        source = 1 + int(tied[1:-1].argmax())
        tied[source] -= 1
        tied[source + (1 if margin < 0 else -1)] += 1
    return tied
