"""The measures of a test set that has one label, or a net that says one thing."""

import pytest

from experiments.run_folder import Prediction
from report.measures import measures


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:A single label was found")
def test_a_test_set_of_one_label_has_no_auc_and_still_four_kinds_of_photos():
    measured = measures([Prediction(name, 1, p, int(p > 0.5)) for name, p in (("a", 0.9), ("b", 0.8), ("c", 0.1))])
    assert measured.auc is None
    assert measured.confusion == [[0, 0], [1, 2]]
    assert measured.majority == 1
    assert measures([Prediction("a", 0, 0.1, 0)]).confusion == [[1, 0], [0, 0]]


def test_a_net_that_says_good_of_all_photos_gains_nothing_over_the_majority():
    measured = measures([Prediction(str(n), int(n < 7), 0.9, 1) for n in range(10)])
    assert measured.accuracy == measured.majority == pytest.approx(0.7)
    assert measured.balanced_accuracy == measured.auc == 0.5
    assert measured.confusion == [[0, 3], [0, 7]]


def test_the_majority_may_be_bad():
    assert measures([Prediction(str(n), int(n < 3), 0.9, 1) for n in range(10)]).majority == pytest.approx(0.7)
