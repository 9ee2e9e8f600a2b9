"""The training loss of each iteration, as Caffe displays it, and whether it says that the run diverged."""

from user_error import UserError

import math

import caffe
from caffe.proto import caffe_pb2

from prototxt.messages import layers_in

WORST = 87.33  # -log of the smallest float: the SoftmaxWithLoss of a photo can say no more (softmax_loss_layer.cpp)


class TrainingLoss:
    """The loss of an iteration: the mean over its `iter_size` sub-batches, as in Solver::Step (solver.cpp).

    Listens to the training net; `start` it before each iteration.
    """

    def __init__(self, net: caffe.Net, means: set[str]) -> None:
        self.net = net
        self.terms = [(name, weight) for name, weight in net.blob_loss_weights.items() if weight]
        self.means = means  # the terms that are means over the photos of a batch
        self.sub_batches: list[float] = []
        net.after_forward(self._after_layer)

    def start(self) -> None:
        self.sub_batches.clear()

    def value(self, iteration: int) -> float:
        """The loss of this iteration; UserError where the run diverged."""
        for name, _ in self.terms:
            term = float(self.net.blobs[name].data.sum())
            if not math.isfinite(term) or (name in self.means and term > WORST):
                raise UserError(
                    f"{name} is {term:.4g} at iteration {iteration:,}: the run diverged;"
                    " a lower base_lr in the solver is the usual fix"
                )
        return sum(self.sub_batches) / len(self.sub_batches)

    def _after_layer(self, index: int) -> None:
        if index == len(self.net.layers) - 1:
            terms = (weight * self.net.blobs[name].data.sum() for name, weight in self.terms)
            self.sub_batches.append(float(sum(terms)))


def mean_losses(net: caffe_pb2.NetParameter, solver: caffe_pb2.SolverParameter) -> set[str]:
    """The names of those losses that are means over the photos of a batch, not sums."""
    return {
        layer.top[0]
        for layer in layers_in(net, solver, caffe_pb2.TRAIN)
        if layer.type == "SoftmaxWithLoss" and layer.loss_param.normalization != caffe_pb2.LossParameter.NONE
        if layer.top
    }
