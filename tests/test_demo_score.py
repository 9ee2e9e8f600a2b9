"""The votes of the embedded dataset are spread as AVA's are, and follow from the faults that a photo shows."""

import numpy as np
import pytest

from demo.score import FORCED_TIES, GLOBAL_WEIGHTS, LOCAL_WEIGHTS, SCENES, WEIGHTS, Rating, rate


@pytest.fixture(scope="module")
def ratings() -> list[Rating]:
    return [rate(1, index) for index in range(5000)]


def test_votes_are_spread_as_avas_are(ratings):
    votes = np.array([rating.votes for rating in ratings])
    voters = votes.sum(1)
    means = votes @ np.arange(1, 11) / voters
    assert 78 <= voters.min() < voters.max() <= 549
    assert 200 < voters.mean() < 220
    assert 5.3 < means.mean() < 5.5
    assert 0.7 < means.std() < 0.8
    assert 0.68 < np.mean([rating.good for rating in ratings]) < 0.73
    assert {rating.scene for rating in ratings} == set(SCENES)


def test_good_is_a_mean_of_at_least_five_in_whole_numbers(ratings):
    for rating in ratings:
        total = sum(value * count for value, count in enumerate(rating.votes, 1))
        assert rating.good == (total >= 5 * sum(rating.votes))


def test_at_least_two_photos_and_about_three_in_a_thousand_are_ties(ratings):
    ties = [index for index, rating in enumerate(ratings) if rating.margin == 0]
    assert set(FORCED_TIES) <= set(ties)
    assert all(ratings[index].good for index in ties)
    assert 0.001 < len(ties) / len(ratings) < 0.006


def test_each_fault_foretells_the_label_and_all_of_them_nearly_decide_it(ratings):
    faults = np.array([list(rating.faults.values()) for rating in ratings])
    good = np.array([rating.good for rating in ratings])
    merits = -np.log(faults / (1 - faults))
    weighted = merits @ np.array(list(WEIGHTS.values()))
    local = merits[:, len(GLOBAL_WEIGHTS) :] @ np.array(list(LOCAL_WEIGHTS.values()))
    share = 1 - good.mean()
    assert 0.93 < accuracy(weighted, good, share) < 0.96
    assert 0.87 < accuracy(local, good, share) < 0.92
    for column in merits.T:
        assert np.corrcoef(column, good)[0, 1] > 0.4


def accuracy(score, good, share) -> float:
    return np.mean((score >= np.quantile(score, share)) == good)
