"""What a net that is built takes of memory, counted: a lower bound, of the CPU's or of the GPU's, which hold the same.

Caffe takes memory when it first writes there, and gives none back: after an iteration and a test pass all of this is
taken. Not counted: layers' own buffers (im2col, LRN, pooling), cuDNN's workspaces, CUDA's context, programs, snapshots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from prototxt.messages import caffe_pb2, layers_in

if TYPE_CHECKING:
    import caffe

BYTES = 4  # of a number
COPIES_OF_A_WEIGHT = 3  # itself, its gradient, its momentum, which every solver of Caffe has, for frozen layers too
PREFETCHING = ("Data", "ImageData", "WindowData")  # their tops are one of the batches that they hold ready
VIEWS = ("Flatten", "Reshape", "Parameter", "RNN", "LSTM")  # their tops are others' memory

Layers = Mapping[str, Message]


@dataclass(frozen=True)
class Footprint:
    """Bytes of one run."""

    weights: int  # with gradients and momentum; the test net has the training net's
    training: int  # the training net's batch, its gradients, the batches that wait
    test: int

    @property
    def total(self) -> int:
        return self.weights + self.training + self.test


def footprint(solver: "caffe.SGDSolver", net: Message, rules: Message) -> Footprint:
    """Count what the nets of a solver take; `net` and `rules` are the messages that it was built from."""
    train, test = (
        {layer.name: layer for layer in layers_in(net, rules, phase)} for phase in (caffe_pb2.TRAIN, caffe_pb2.TEST)
    )
    return Footprint(
        weights=BYTES * COPIES_OF_A_WEIGHT * _weights(solver.net, train),
        training=BYTES * _activations(solver.net, train, _with_gradients(solver.net, train)),
        test=BYTES * _activations(solver.test_nets[0], test, set()),
    )


def _weights(net: "caffe.Net", layers: Layers) -> int:
    """The number of weights; those that layers share by a name (`param { name }`) are one."""
    counts = {}
    for name, blobs in net.params.items():
        names = [spec.name for spec in layers[name].param]
        for number, blob in enumerate(blobs):
            shared = names[number] if number < len(names) else ""
            counts[shared or (name, number)] = blob.count
    return sum(counts.values())


def _activations(net: "caffe.Net", layers: Layers, with_gradients: set[int]) -> int:
    """The numbers in what the layers give, and in its gradients."""
    blobs, total = list(net._blobs), 0
    for i, name in enumerate(net._layer_names):
        kind, bottoms, tops = net.layers[i].type, list(net._bottom_ids(i)), list(net._top_ids(i))
        if kind in VIEWS or (kind in ("Concat", "Slice") and len(bottoms) == len(tops) == 1):
            continue
        copies = layers[name].data_param.prefetch if kind in PREFETCHING else 0 if kind == "Split" else 1
        for top in set(tops) - set(bottoms):  # a layer that works in place takes nothing
            total += blobs[top].count * (copies + (top in with_gradients))
    return total


def _with_gradients(net: "caffe.Net", layers: Layers) -> set[int]:
    """The blobs that Caffe propagates the loss to: they lie between it and a weight that learns (net.cpp, Init)."""
    numbers = range(len(net._layer_names))
    messages = [layers.get(net._layer_names[i]) or caffe_pb2.LayerParameter() for i in numbers]
    above: set[int] = set()  # of weights that learn
    for i in numbers:
        rates = [spec.lr_mult for spec in messages[i].param]
        learns = len(rates) < len(net.layers[i].blobs) or any(rates)  # lr_mult is 1 where it is not given
        if learns or above.intersection(net._bottom_ids(i)):
            above.update(net._top_ids(i))
    below = {blob for blob, weight in enumerate(net._blob_loss_weights) if weight}
    for i in reversed(numbers):
        if below.intersection(net._top_ids(i)):
            stops = messages[i].propagate_down
            below.update(blob for n, blob in enumerate(net._bottom_ids(i)) if n >= len(stops) or stops[n])
    return above & below
