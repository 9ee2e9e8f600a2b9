"""The training loss is Caffe's, and tells a run that diverged from one whose loss is large by its nature."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from user_error import UserError

from experiments.losses import TrainingLoss, mean_losses
from prototxt.messages import caffe_pb2, parse

LAYERS = """
layer {{ name: "data" type: "Data" top: "data" }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "data" top: "loss" loss_param {{ {loss_param} }} }}
layer {{ name: "other" type: "EuclideanLoss" bottom: "data" top: "other" loss_weight: 0.5 }}
"""


def training_loss(*sub_batches: tuple[float, float], loss_param: str = "") -> float:
    """The loss of an iteration whose sub-batches have these values of `loss` and `other`."""
    blobs = {"loss": SimpleNamespace(data=np.zeros(1)), "other": SimpleNamespace(data=np.zeros(1))}
    hooks = []
    net = SimpleNamespace(
        blobs=blobs,
        blob_loss_weights={"data": 0.0, "loss": 1.0, "other": 0.5},
        layers=["data", "loss", "other"],
        after_forward=hooks.append,
    )
    layers = parse(LAYERS.format(loss_param=loss_param), caffe_pb2.NetParameter())
    loss = TrainingLoss(net, mean_losses(layers, caffe_pb2.SolverParameter()))
    loss.start()
    for values in sub_batches:
        for blob, value in zip(blobs.values(), values, strict=True):
            blob.data[0] = value
        for layer in range(3):
            hooks[0](layer)
    return loss.value(7)


def test_the_loss_is_the_weighted_sum_averaged_over_the_sub_batches():
    assert training_loss((1.0, 4.0), (2.0, 0.0)) == pytest.approx((1 + 0.5 * 4 + 2) / 2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("term", [0, 1])
def test_a_loss_that_is_not_finite_is_a_diverged_run(value, term):
    values = [0.5, 0.5]
    values[term] = value
    with pytest.raises(UserError, match="at iteration 7: the run diverged"):
        training_loss(tuple(values))


def test_a_mean_softmax_loss_beyond_what_one_photo_can_give_is_a_diverged_run():
    assert training_loss((87.32, 0.0)) == pytest.approx(87.32)
    with pytest.raises(UserError, match=r"loss is 87\.34"):
        training_loss((87.34, 0.0))


def test_large_sums_and_other_losses_are_no_divergence():
    assert training_loss((140.0, 0.0), loss_param="normalization: NONE") == pytest.approx(140)
    assert training_loss((0.5, 500.0)) == pytest.approx(250.5)
