"""The exact test pass: every photo of the test LMDB once, whatever the batch."""

from user_error import UserError

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import caffe
import numpy as np

from paper import LAST_LAYER, stated


@dataclass(frozen=True)
class Scores:
    """What a net says of the test photos, in the order of the LMDB."""

    labels: np.ndarray  # n, int: 1 good, 0 bad
    p_good: np.ndarray  # n, float32: softmax of the last layer
    loss: float  # mean of -log p(label)

    @property
    def predicted(self) -> np.ndarray:
        """The more probable class, n ints; a tie goes to bad, as in Caffe's ArgMax."""
        return (self.p_good > 0.5).astype(int)

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.predicted == self.labels))


class TestPass:
    """Scores the test photos through a net of phase TEST, which shares its weights with the trained one.

    `labels` are those of the photos in the order of the LMDB. Caffe's data layers never stop and never start over: they
    wrap, so that after the last photo comes the first, within a batch too (data_layer.cpp, Next). The pass remembers
    where the layer stands, and so knows which photo is which, whatever the batch.
    """

    __test__ = False  # not a test of pytest's

    def __init__(self, net: caffe.Net, labels: Sequence[int]) -> None:
        self.net = net
        self.labels = np.array(labels)
        self.position = 0  # the photo that the data layer gives next
        self.outputs_blob, self.labels_blob = _scored_blobs(net)
        self.batch = net.blobs[self.labels_blob].data.size
        checked_outputs(net, self.outputs_blob, self.batch)

    def run(self, before_batch: Callable[[], None] = lambda: None) -> Scores:
        """One pass over the whole test set, at the speed of the net; `before_batch` may raise to end it.

        After a pass that was ended the data layer's place is unknown: the TestPass is of no more use.
        """
        outputs = np.empty((len(self.labels), stated("finetuning.classes")))
        for _ in range(-(-len(self.labels) // self.batch)):
            before_batch()
            photos, batch_outputs = self._forward()
            outputs[photos] = batch_outputs
        return scores(self.labels, outputs)

    def first_batch(self) -> None:
        """Score one batch and throw it away; raises UserError where a pass would."""
        photos, outputs = self._forward()
        scores(self.labels[photos], outputs)

    def _forward(self) -> tuple[np.ndarray, np.ndarray]:
        """The next batch: the numbers of its photos, and the last layer's outputs (batch x 2)."""
        photos = (self.position + np.arange(self.batch)) % len(self.labels)
        self.net.forward()
        self.position = (self.position + self.batch) % len(self.labels)
        if not np.array_equal(self.net.blobs[self.labels_blob].data.ravel(), self.labels[photos]):
            raise UserError("the net's test photos have other labels than manifest.csv: prepare the dataset again")
        return photos, checked_outputs(self.net, self.outputs_blob, self.batch)


def scores(labels: np.ndarray, outputs: np.ndarray) -> Scores:
    """The scores of n photos from their labels (n: 1 good, 0 bad) and the last layer's outputs (n x 2).

    Raises UserError unless the outputs are finite.
    """
    log_p = _log_p(outputs)
    loss = abs(np.take_along_axis(log_p, labels[:, None], axis=1).mean())
    return Scores(labels, _p_good(log_p), float(loss))


def p_good(outputs: np.ndarray) -> np.ndarray:
    """The probability of good of n photos (n float32) from the last layer's outputs (n x 2), as the test pass has it.

    Raises UserError unless the outputs are finite.
    """
    return _p_good(_log_p(outputs))


def _p_good(log_p: np.ndarray) -> np.ndarray:
    return np.exp(log_p[:, 1]).astype(np.float32)


def _log_p(outputs: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax, n x 2; UserError unless the outputs are finite."""
    if not np.isfinite(outputs).all():
        raise UserError("the net's outputs are not finite: the run diverged; a lower base_lr is the usual fix")
    outputs = outputs.astype(float)
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _scored_blobs(net: caffe.Net) -> tuple[str, str]:
    """The names of the last layer's output and of the labels: the second top of the layer that reads the photos."""
    layers = range(len(net._layer_names))
    tops = [[net._blob_names[blob] for blob in net._top_ids(i)] for i in layers]
    sources = [tops[i] for i in layers if not len(net._bottom_ids(i)) and len(tops[i]) > 1]
    last = [tops[i] for i in layers if net._layer_names[i] == LAST_LAYER]
    if not last:
        raise UserError(f"the test net has no layer {LAST_LAYER}")
    if len(sources) != 1:
        raise UserError(f"the test net has {len(sources)} layers that give photos and labels, not one")
    return last[0][0], sources[0][1]


def checked_outputs(net: caffe.Net, outputs: str, batch: int) -> np.ndarray:
    """The last layer's outputs, batch x 2; UserError unless there is one per class for each photo of the batch."""
    found, classes = net.blobs[outputs].data, stated("finetuning.classes")
    if found.shape[0] != batch or found.size != batch * classes:
        raise UserError(
            f"layer {LAST_LAYER} gives {'x'.join(map(str, found.shape))} for {batch} labels: it has to give {classes}"
            f" numbers for each photo (num_output: {classes})"
        )
    return found.reshape(batch, -1)
