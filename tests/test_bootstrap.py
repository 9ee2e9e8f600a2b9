"""The interval of several seeds holds the seeds' variance and the photos'; the same results give the same numbers."""

import numpy as np
import pytest

from experiments.run_folder import Prediction
from report import bootstrap
from report.measures import interval, mean_interval, same_photos

PHOTOS = 2_000


def width(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


def right(*shares: float) -> np.ndarray:
    """Seeds that have such shares of the photos right, each its first ones."""
    return np.array([np.arange(PHOTOS) < share * PHOTOS for share in shares]).astype(np.int8)


def run(right: np.ndarray, names=None, label=1) -> list[Prediction]:
    names = names if names is not None else range(len(right))
    return [
        Prediction(str(name), label, 0.5, label if is_right else 1 - label)
        for name, is_right in zip(names, right, strict=True)
    ]


def test_seeds_that_say_the_same_of_each_photo_are_worth_one():
    same = bootstrap.interval(right(0.8, 0.8, 0.8))
    assert width(same) == pytest.approx(width(interval(round(0.8 * PHOTOS), PHOTOS)), rel=0.05)


def test_seeds_that_differ_widen_the_interval_by_what_they_differ():
    """Of S seeds with standard deviation s the mean's is s / sqrt(S), beside that of the photos."""
    shares = (0.74, 0.80, 0.86)
    photos = width(bootstrap.interval(right(0.8)))
    seeds = 2 * 1.96 * np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert width(bootstrap.interval(right(*shares))) == pytest.approx(np.hypot(photos, seeds), rel=0.1)


def test_the_interval_is_the_same_whatever_the_order_of_the_photos_and_call_after_call():
    values = np.random.default_rng(1).integers(0, 2, (3, PHOTOS), dtype=np.int8)
    shuffled = values[:, np.random.default_rng(2).permutation(PHOTOS)]
    assert bootstrap.interval(values) == bootstrap.interval(values) == bootstrap.interval(shuffled)


def test_a_difference_of_nothing_is_not_significant_and_one_of_all_photos_is():
    values = np.zeros((2, PHOTOS), dtype=np.int8)
    assert bootstrap.p_value(values) == 1
    values[:] = 1
    assert bootstrap.p_value(values) == bootstrap.p_value(-values) < 0.001
    values[1] = -1  # the seeds contradict each other
    assert bootstrap.p_value(values) > 0.05


def test_one_run_has_wilsons_interval_and_several_have_the_bootstraps():
    one, other = (run(each) for each in right(0.7, 0.8))
    alone, both = mean_interval([one]), mean_interval([one, other])
    assert (alone.low, alone.high) == interval(round(0.7 * PHOTOS), PHOTOS)
    assert (alone.kind, both.kind) == ("Wilson", "bootstrap")
    assert both.low < 0.75 < both.high


def test_photos_are_joined_by_their_ids_and_other_photos_are_not_joined():
    first = run(np.array([1, 0, 0]), names="abc")
    shuffled = run(np.array([0, 1, 1]), names="cab")
    assert same_photos([first, shuffled]).tolist() == [[1, 0, 0], [1, 1, 0]]
    for other in (run(np.ones(3), names="abd"), run(np.ones(2), names="ab"), run(np.ones(3), names="abc", label=0)):
        assert same_photos([first, other]) is None
        assert mean_interval([first, other]) is None
