"""What scoring photos costs at full size: against the net's own forward passes, OpenCV's dnn and ONNX Runtime.

All begin with the photos' files, but for the forward passes; all take whole batches, on all cores. The clock runs from
the end of the first batch on: what a program does before it has a net in memory does not count.
"""

import os
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import caffe
import cv2
import numpy as np
import onnxruntime

from benchmarks.opencv_reader import centre
from benchmarks.table import Comparison, in_turns
from data_prep.views import global_view
from deploy import pair
from deploy.export_caffe import MODEL, convert
from deploy.net import CHANNELS, ScoringNet, Transform
from deploy.onnx_model import INPUT
from deploy.predict import rows_of
from deploy.scorer import Scorer
from deploy.views import viewed
from paper import LAST_LAYER, ROOT, stated
from prototxt import messages
from prototxt.messages import caffe_pb2

BATCHES = 8  # of the seven that count, five or more are decoded while the clock runs


def rows(rounds: int, copy: Path, photos: Path, scratch: Path) -> list[Comparison]:
    """`copy` is the stand-in, which has AlexNet's weights; `photos` is a folder of files, `scratch` is ours."""
    return compared(rounds, _exported(copy / "models" / "alexnet.caffemodel", scratch / "exported"), photos)


def _exported(weights: Path, folder: Path) -> ScoringNet:
    """Full-size AlexNet, its last layer from random numbers, as an export in `folder`, ONNX included."""
    folder.mkdir()
    param = messages.read(ROOT / "prototxt" / "alexnet" / pair.PROTOTXT, caffe_pb2.NetParameter())
    batch = stated("evaluation.batch_size.ava-large")
    param.layer[0].input_param.shape[0].dim[0] = batch
    (folder / pair.PROTOTXT).write_text(messages.text(param), encoding="utf-8")
    loaded = caffe.Net(str(folder / pair.PROTOTXT), str(weights), caffe.TEST)
    for blob in loaded.params[LAST_LAYER]:
        blob.data[...] = 0.01 * np.random.default_rng(1).standard_normal(tuple(blob.shape), np.float32)
    snapshot = folder / "snapshot.caffemodel"
    loaded.save(str(snapshot))
    mean = np.array(stated("networks.alexnet.mean_bgr"), np.float32).reshape(CHANNELS, 1, 1)
    net = ScoringNet(
        name="a stand-in for ava-large/alexnet_global",
        dataset="ava-large",
        network="alexnet",
        view="global",
        encoded=False,
        iteration=0,
        param=param,
        input="data",
        output=LAST_LAYER,
        batch=batch,
        transform=Transform(stated("networks.alexnet.crop_size"), mean, 1.0),
        mean_file=None,
        weights=snapshot,
    )
    (folder / pair.FACTS).write_text(pair.facts(net, "alexnet.caffemodel"), encoding="utf-8")
    convert(folder, snapshot, "alexnet.caffemodel")
    pair.seal(folder)
    return pair.of_pair(folder)


def compared(rounds: int, net: ScoringNet, photos: Path) -> list[Comparison]:
    """The rows of an exported net."""
    paths = sorted(map(str, photos.iterdir()))[: BATCHES * net.batch]
    ours, forward, opencv, onnx = in_turns(
        rounds,
        lambda: _per_photo(net.batch, _ours(net, paths)),
        lambda: _per_photo(net.batch, _forward(net)),
        lambda: _per_photo(net.batch, _opencv(net, paths)),
        lambda: _per_photo(net.batch, _onnx(net, paths)),
    )
    what, unit = "a photo by full-size AlexNet, from its file to p(good)", "ms"
    limit = "the cores: the net takes them all, and decoding its share of them"
    return [
        Comparison(what, unit, ours, "the same forward passes alone", forward, limit, aim=round(1 / 0.9, 2)),
        Comparison(what, unit, ours, "OpenCV's dnn, and imread", opencv, limit),
        Comparison(what, unit, ours, "ONNX Runtime, and imread", onnx, limit),
    ]


def _per_photo(batch: int, batches: Iterable[object]) -> float:
    """Milliseconds that a photo takes in the median batch after the first."""
    ends = [time.perf_counter() for _ in batches]
    return 1000 * statistics.median(after - before for before, after in pairwise(ends)) / batch


def _ours(net: ScoringNet, paths: Sequence[str]) -> Iterator[object]:
    with Scorer([net], gpu=None) as scorer:
        photos = viewed(iter(paths), scorer.view_names, net.encoded, len(paths))
        yield from rows_of(scorer, photos, [net.view], lambda text: print(text, flush=True))


def _forward(net: ScoringNet) -> Iterator[object]:
    loaded = caffe.Net(str(net.weights.with_name(pair.PROTOTXT)), str(net.weights), caffe.TEST)
    for _ in range(BATCHES):
        yield loaded.forward()


def _opencv(net: ScoringNet, paths: Sequence[str]) -> Iterator[object]:
    cv2.setNumThreads(len(os.sched_getaffinity(0)))
    loaded = cv2.dnn.readNetFromCaffe(str(net.weights.with_name(pair.PROTOTXT)), str(net.weights))
    for views in _views(net, paths):
        pictures = centre(views, net.transform.crop)
        loaded.setInput(cv2.dnn.blobFromImages(list(pictures), mean=net.transform.mean.ravel().tolist()))
        yield loaded.forward()


def _onnx(net: ScoringNet, paths: Sequence[str]) -> Iterator[object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    model = net.weights.with_name(MODEL)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for views in _views(net, paths):
        yield session.run(None, {INPUT: views})


def _views(net: ScoringNet, paths: Sequence[str]) -> Iterator[np.ndarray]:
    """The views of a batch, as a short script makes them; n x 256 x 256 x 3."""
    for first in range(0, len(paths), net.batch):
        yield np.stack([global_view(cv2.imread(path)) for path in paths[first : first + net.batch]])
