"""The exact test pass: every photo of the test LMDB once, whatever the batch."""

from user_error import UserError

from collections.abc import Callable
from dataclasses import dataclass

import caffe
import numpy as np

from paper import LAST_LAYER


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
    """Reads `count` records per pass through a net of phase TEST, which shares its weights with the trained one.

    Caffe's Data layer never stops and never starts over: it wraps, so that after ceil(count / batch) batches its next
    record is not record 0 (data_layer.cpp, Next). The pass remembers where the layer stands. The first `count` of the
    records that it reads are, modulo `count`, each record exactly once.
    """

    __test__ = False  # not a test of pytest's

    def __init__(self, net: caffe.Net, count: int) -> None:
        self.net = net
        self.count = count
        self.position = 0  # the record that the Data layer gives next

    def run(self, before_batch: Callable[[], None] = lambda: None) -> Scores:
        """One pass over the whole test set, at the speed of the net; `before_batch` may raise to end it.

        After a pass that was ended the Data layer's place is unknown: the TestPass is of no more use.
        """
        batch = self.net.blobs["label"].data.size
        batches = -(-self.count // batch)
        labels = np.empty(batches * batch, int)
        logits = np.empty((batches * batch, 2))
        for i in range(batches):
            before_batch()
            self.net.forward()
            part = slice(i * batch, (i + 1) * batch)
            labels[part] = self.net.blobs["label"].data.ravel()
            logits[part] = self.net.blobs[LAST_LAYER].data.reshape(batch, -1)
        labels = np.roll(labels[: self.count], self.position)
        logits = np.roll(logits[: self.count], self.position, axis=0)
        self.position = (self.position + batches * batch) % self.count
        return scores(labels, logits)


def scores(labels: np.ndarray, logits: np.ndarray) -> Scores:
    """The scores of n photos from their labels (n) and the last layer's outputs (n x 2)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = abs(np.take_along_axis(log_p, labels[:, None], axis=1).mean())
    return Scores(labels, np.exp(log_p[:, 1]).astype(np.float32), float(loss))


def check_order(scores: Scores, labels: np.ndarray) -> None:
    """Raise UserError unless the net saw the photos in the order in which manifest.csv lists them."""
    if not np.array_equal(scores.labels, labels):
        raise UserError("the test LMDB and manifest.csv disagree on the labels: prepare the dataset anew")
