"""What the exact test pass costs, against the same net's forward passes alone; and Caffe's Data layer by itself."""

from collections import deque
from pathlib import Path

import caffe
from caffe.proto import caffe_pb2

from benchmarks.stopwatch import seconds
from benchmarks.table import Comparison, in_turns
from data_prep.stores import entries, read_records
from experiments.evaluation import TestPass
from experiments.prototxts import resolve
from experiments.runs import Run
from prototxt.messages import parse, text

PASSES = 10  # over the store: what the layer has read ahead when the clock starts counts for little then


def rows(rounds: int, data: Path, copy: Path, encoded: Path, scratch: Path) -> list[Comparison]:
    """`data` holds the demo's dataset raw, `encoded` as JPEGs, `copy` is the stand-in; `scratch` is for prototxts."""
    return [
        _test_pass("the demo's AlexNet", _param("demo", data), rounds, scratch),
        _test_pass("full-size AlexNet", _param("ava-large", copy / "data"), rounds, scratch),
        _data_layer("raw", _param("demo", data), rounds, scratch),
        _data_layer("JPEG", _param("demo", encoded), rounds, scratch),
    ]


def _param(dataset: str, data: Path) -> caffe_pb2.NetParameter:
    return parse(resolve(Run(dataset, "alexnet", "global", seed=1), data).net, caffe_pb2.NetParameter())


def _test_pass(name: str, param: caffe_pb2.NetParameter, rounds: int, scratch: Path) -> Comparison:
    """A test pass of the net from its fillers: the time does not depend on the weights."""
    net, count, batches = _build(param, scratch)
    test_pass = TestPass(net, [label for _, label, _ in read_records(_store(param))])
    test_pass.first_batch()
    ours, theirs = in_turns(
        rounds,
        lambda: seconds(test_pass.run),
        lambda: seconds(lambda: [net.forward() for _ in range(batches)]),
    )
    return Comparison(
        what=f"test pass over {count:,} photos, {name}",
        unit="s",
        ours=ours,
        peer="the same forward passes alone",
        theirs=theirs,
        limit="the net; the pass adds two small copies a batch",
        aim=1.02,
    )


def _data_layer(kind: str, param: caffe_pb2.NetParameter, rounds: int, scratch: Path) -> Comparison:
    """The test net's Data layer alone: reading, decoding, crop and mean."""
    data_layers = [layer for layer in param.layer if layer.type == "Data"]
    net, count, batches = _build(caffe_pb2.NetParameter(layer=data_layers), scratch)
    ours, theirs = in_turns(
        rounds,
        lambda: seconds(lambda: [net.forward() for _ in range(PASSES * batches)]),
        lambda: seconds(lambda: [deque(read_records(_store(param)), maxlen=0) for _ in range(PASSES)]),
    )
    return Comparison(
        what=f"Data layer alone, {PASSES * count:,} {kind} records",
        unit="s",
        ours=ours,
        peer="py-lmdb" + (" and cv2.imdecode" if kind == "JPEG" else ""),
        theirs=theirs,
        limit="decoding, on all cores" if kind == "JPEG" else "one thread: two copies of a record, crop and mean",
    )


def _build(param: caffe_pb2.NetParameter, scratch: Path) -> tuple[caffe.Net, int, int]:
    """The net in its test phase, the number of its photos, and of the batches that cover them."""
    path = scratch / "net.prototxt"
    path.write_text(text(param), encoding="utf-8")
    net = caffe.Net(str(path), caffe.TEST)
    count = entries(_store(param))
    return net, count, -(-count // net.blobs["label"].data.size)


def _store(param: caffe_pb2.NetParameter) -> Path:
    return Path(next(layer.data_param.source for layer in param.layer if layer.include[0].phase == caffe_pb2.TEST))
