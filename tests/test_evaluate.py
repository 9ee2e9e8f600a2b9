"""The test pass sees every photo once, in the order of the LMDB, and agrees with Caffe's own layers."""

import numpy as np
import pytest

caffe = pytest.importorskip("caffe")

from user_error import UserError  # noqa: E402

from data_prep.lmdb_store import Datum, checkpoint  # noqa: E402
from experiments.evaluate import TestPass, check_order, scores  # noqa: E402
from paper import LAST_LAYER  # noqa: E402

COUNT = 10
NET = """
layer {{ name: "data" type: "Data" top: "data" top: "label"
         data_param {{ source: "{store}" batch_size: {batch} backend: LMDB }} }}
layer {{ name: "{last}" type: "InnerProduct" bottom: "data" top: "{last}"
         inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "{last}" bottom: "label" top: "accuracy" }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "{last}" bottom: "label" top: "loss" }}
"""


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "test_lmdb"
    with checkpoint(folder, COUNT) as put:
        for i in range(COUNT):
            planes = rng.integers(0, 3, (3, 4, 4), dtype=np.uint8)
            datum = Datum(channels=3, height=4, width=4, data=planes.tobytes(), label=int(rng.integers(2)))
            put(i, datum.SerializeToString())
    return folder


def net(store, batch) -> caffe.Net:
    path = store.with_name(f"net_{batch}.prototxt")
    path.write_text(NET.format(store=store, batch=batch, last=LAST_LAYER))
    caffe.set_random_seed(1)
    return caffe.Net(str(path), caffe.TEST)


def test_any_batch_gives_the_same_scores_in_the_same_order_pass_after_pass(store):
    expected = TestPass(net(store, 5), COUNT).run()
    assert len(set(expected.p_good)) == COUNT
    for batch in (1, 3, 4, 7, 10, 16):
        test_pass = TestPass(net(store, batch), COUNT)
        for _ in range(3):  # Caffe's Data layer goes on where the last pass ended
            measured = test_pass.run()
            assert np.array_equal(measured.labels, expected.labels), batch
            assert measured.p_good == pytest.approx(expected.p_good, rel=1e-5), batch


def test_accuracy_and_loss_are_those_of_caffes_layers_over_a_batch_that_covers_the_test_set(store):
    covering = net(store, 5)
    measured = TestPass(covering, COUNT).run()
    caffes = [{name: float(value) for name, value in covering.forward().items()} for _ in range(COUNT // 5)]
    assert measured.accuracy == pytest.approx(np.mean([c["accuracy"] for c in caffes]))
    assert measured.loss == pytest.approx(np.mean([c["loss"] for c in caffes]), rel=1e-5)


def test_labels_in_another_order_than_the_manifests_are_an_error(store):
    measured = TestPass(net(store, 5), COUNT).run()
    check_order(measured, measured.labels)
    with pytest.raises(UserError, match="disagree on the labels"):
        check_order(measured, 1 - measured.labels)


def test_loss_stays_finite_for_outputs_beyond_a_floats_exponent():
    measured = scores(np.array([0, 1]), np.array([[1e4, -1e4], [1e4, -1e4]]))
    assert measured.accuracy == 0.5
    assert measured.loss == pytest.approx(1e4)
