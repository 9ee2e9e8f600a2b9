"""The test pass sees every photo once, in the order of the LMDB, and agrees with Caffe's own layers."""

import numpy as np
import pytest

caffe = pytest.importorskip("caffe")

from user_error import UserError  # noqa: E402

from data_prep.datums import Datum  # noqa: E402
from data_prep.stores import checkpoint  # noqa: E402
from experiments.evaluation import TestPass, scores  # noqa: E402
from paper import LAST_LAYER  # noqa: E402

LABELS = [0, 1, 1, 0, 1, 0, 0, 0, 1, 1]
COUNT = len(LABELS)
NET = """
layer {{ name: "data" type: "Data" top: "data" top: "{label}"
         data_param {{ source: "{store}" batch_size: {batch} backend: LMDB }} }}
layer {{ name: "{last}" type: "InnerProduct" bottom: "data" top: "{top}"
         inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "{top}" bottom: "{label}" top: "accuracy" }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "{top}" bottom: "{label}" top: "loss" }}
"""


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "test_lmdb"
    with checkpoint(folder, COUNT) as put:
        for i in range(COUNT):
            planes = rng.integers(0, 3, (3, 4, 4), dtype=np.uint8)
            datum = Datum(channels=3, height=4, width=4, data=planes.tobytes(), label=LABELS[i])
            put(i, datum.SerializeToString())
    return folder


def net(store, batch, outputs=2, top=LAST_LAYER, label="label") -> caffe.Net:
    path = store.with_name("net.prototxt")
    path.write_text(NET.format(store=store, batch=batch, last=LAST_LAYER, outputs=outputs, top=top, label=label))
    caffe.set_random_seed(1)
    return caffe.Net(str(path), caffe.TEST)


def test_any_batch_gives_the_same_scores_in_the_same_order_pass_after_pass(store):
    expected = TestPass(net(store, 5), LABELS).run()
    assert len(set(expected.p_good)) == COUNT
    for batch in (1, 3, 4, 7, 10, 16):
        test_pass = TestPass(net(store, batch), LABELS)
        for _ in range(3):  # Caffe's Data layer continues where the last pass ended
            measured = test_pass.run()
            assert np.array_equal(measured.labels, expected.labels), batch
            assert measured.p_good == pytest.approx(expected.p_good, rel=1e-5), batch


def test_accuracy_and_loss_are_those_of_caffes_layers_over_a_batch_that_covers_the_test_set(store):
    covering = net(store, 5)
    measured = TestPass(covering, LABELS).run()
    caffes = [{name: float(value) for name, value in covering.forward().items()} for _ in range(COUNT // 5)]
    assert measured.accuracy == pytest.approx(np.mean([c["accuracy"] for c in caffes]))
    assert measured.loss == pytest.approx(np.mean([c["loss"] for c in caffes]), rel=1e-5)


def test_labels_in_another_order_than_the_manifests_are_an_error(store):
    with pytest.raises(UserError, match=r"have other labels than manifest\.csv"):
        TestPass(net(store, 3), LABELS[1:] + LABELS[:1]).run()


def test_a_batch_that_was_only_looked_at_shifts_nothing(store):
    test_pass = TestPass(net(store, 4), LABELS)
    test_pass.first_batch()
    expected = TestPass(net(store, 5), LABELS).run()
    assert test_pass.run().p_good == pytest.approx(expected.p_good, rel=1e-5)


@pytest.mark.parametrize("outputs", [1, 3, 20])
def test_a_last_layer_without_two_outputs_is_not_scored(store, outputs):
    with pytest.raises(UserError, match=f"gives 5x{outputs} for 5 labels: it has to give 2 numbers"):
        TestPass(net(store, 5, outputs=outputs), LABELS)


def test_blobs_are_found_by_their_layers_whatever_they_are_called(store):
    renamed = TestPass(net(store, 5, top="scores", label="truth"), LABELS).run()
    assert renamed.p_good == pytest.approx(TestPass(net(store, 5), LABELS).run().p_good)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_no_scores(value):
    with pytest.raises(UserError, match="not finite"):
        scores(np.array([0, 1]), np.array([[0.0, 1.0], [value, 0.0]]))


def test_a_tie_goes_to_bad():
    measured = scores(np.array([0, 1]), np.array([[2.0, 2.0], [1.0, 1.0]]))
    assert measured.predicted.tolist() == [0, 0]


def test_loss_stays_finite_for_outputs_beyond_a_floats_exponent():
    measured = scores(np.array([0, 1]), np.array([[1e4, -1e4], [1e4, -1e4]]))
    assert measured.accuracy == 0.5
    assert measured.loss == pytest.approx(1e4)


LAST = f"""layer {{ name: "{LAST_LAYER}" type: "InnerProduct" bottom: "data" top: "scores"
             inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}"""
SECOND = """layer {{ name: "other" type: "Data" top: "other" top: "truth"
             data_param {{ source: "{store}" batch_size: 5 backend: LMDB }} }}"""
CONSTANT = """layer { name: "constant" type: "DummyData" top: "constant" dummy_data_param { shape { dim: 1 } } }"""
TURNED = f"""layer {{ name: "flat" type: "InnerProduct" bottom: "data" top: "flat"
             inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
             layer {{ name: "{LAST_LAYER}" type: "Reshape" bottom: "flat" top: "scores"
             reshape_param {{ shape {{ dim: 2 dim: 5 }} }} }}"""


def net_of(store, layers: str) -> caffe.Net:
    """The net that reads photos five at a time, and these layers."""
    first = NET[: NET.index('layer {{ name: "{last}"')]
    path = store.with_name("net.prototxt")
    path.write_text(first.format(store=store, batch=5, label="label") + layers)
    return caffe.Net(str(path), caffe.TEST)


def test_as_many_numbers_in_another_shape_are_no_scores(store):
    with pytest.raises(UserError, match="gives 2x5 for 5 labels"):
        TestPass(net_of(store, TURNED), LABELS)


def test_labels_come_from_the_one_layer_that_gives_photos_and_labels(store):
    assert TestPass(net_of(store, LAST + CONSTANT), LABELS).labels_blob == "label"
    with pytest.raises(UserError, match="2 layers that give photos and labels, not one"):
        TestPass(net_of(store, LAST + SECOND.format(store=store)), LABELS)


def test_a_pass_can_be_ended_before_any_batch(store):
    asked = []

    def stop():
        asked.append(1)
        if len(asked) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        TestPass(net_of(store, LAST), LABELS).run(stop)
