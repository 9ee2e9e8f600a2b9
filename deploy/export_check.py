"""An exported net held against Caffe, and against the run, on test photos."""

from user_error import UserError

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from data_prep.stores import entries, views_at
from deploy.net import ScoringNet
from deploy.onnx_model import INPUT, OUTPUT
from deploy.scorer import Scorer, fixing_layers

PHOTOS = 200  # test photos that are scored, evenly spread over the store
BATCH = 10  # of them at once: a full-size VGG-16 takes 60 MB for each
LARGEST = 1e-5  # difference of p(good) between Caffe and ONNX Runtime


@dataclass(frozen=True)
class Check:
    """How far the export is from Caffe and from the run: the largest |difference| of p(good)."""

    photos: int
    onnx: float  # ONNX Runtime to Caffe
    run: float | None  # Caffe, here and now, to the run's predictions; None where there are none of these photos


def check(net: ScoringNet, model: Path, store: Path, predicted: Sequence[float] | None) -> Check:
    """Score test photos by an exported pair and by an exported model; UserError where they differ by too much.

    `predicted` is p(good) of all photos of the store, as the run gave it.
    """
    count = entries(store)
    if not count:
        raise UserError(f"{store} is not there: test photos are needed to check the export; --data names their folder")
    positions = [i * count // min(PHOTOS, count) for i in range(min(PHOTOS, count))]
    views = np.stack(list(views_at(store, positions).values()))
    by_caffe = np.concatenate(list(_by_caffe(net, views)))
    by_onnx = np.concatenate(list(_by_onnx(model, views)))
    largest = float(np.abs(by_caffe - by_onnx).max())
    if not largest <= LARGEST:  # NaN neither
        raise UserError(
            f"{net.name}: p(good) differs by up to {largest:.1e} between Caffe and ONNX Runtime on {len(views)} test"
            f" photos, {LARGEST:.0e} is allowed: nothing was exported"
        )
    theirs = None if predicted is None else np.array(predicted, np.float32)[positions]
    return Check(len(views), largest, None if theirs is None else float(np.abs(by_caffe - theirs).max()))


def _by_caffe(net: ScoringNet, views: np.ndarray) -> Iterator[np.ndarray]:
    with Scorer([net], gpu=None, batch=net.batch if fixing_layers(net.param) else min(net.batch, BATCH)) as scorer:
        for first in range(0, len(views), scorer.batch):
            batch = views[first : first + scorer.batch]
            scorer.batch_views()[0, : len(batch)] = batch.transpose(0, 3, 1, 2)
            scorer.submit(len(batch))
            yield scorer.collect()[0]


def _by_onnx(model: Path, views: np.ndarray) -> Iterator[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for first in range(0, len(views), BATCH):
        yield session.run([OUTPUT], {INPUT: views[first : first + BATCH]})[0]
