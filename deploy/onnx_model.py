"""A Caffe net that scores views -> the same net in ONNX, from the view's bytes to p(good)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from data_prep.datums import CHANNELS, SIZE
from deploy import onnx_layers
from deploy.onnx_graph import Graph
from prototxt.messages import caffe_pb2

INPUT, OUTPUT = "views", "p_good"
NOTES = {INPUT: "photos x 256 x 256 x 3, uint8, blue, green, red", OUTPUT: "photos, float32: probability of good"}


def write(
    path: Path,
    net: caffe_pb2.NetParameter,
    weights: Mapping[str, Sequence[np.ndarray]],
    shapes: Mapping[str, tuple[int, ...]],
    crop: int,
    mean: np.ndarray | None,
    factor: float,
    output: str,
) -> None:
    """Write a net to `path`.

    `net` begins with its Input layer and ends with the layer whose blob `output` has two numbers for each photo;
    `weights` are the blobs of its layers by name, `shapes` those of its values at any batch. The input layer gets what
    Caffe's data layer makes of a view in the TEST phase: the central `crop` x `crop` pixels (0: all), less `mean`
    (3 numbers, or 3 x 256 x 256), times `factor`. Raises UserError for a layer that is not covered.
    """
    graph = Graph()
    graph.reserve(INPUT)
    graph.reserve(OUTPUT)
    values: dict[str, str] = {}  # by the names of blobs: layers that work in place give a blob a new value
    for layer in net.layer:
        if layer.type == "Input":
            values[layer.top[0]] = _transform(graph, crop, mean, factor)
            continue
        step = onnx_layers.Step(
            graph=graph,
            layer=layer,
            inputs=[values[bottom] for bottom in layer.bottom],
            shapes=[tuple(shapes[bottom]) for bottom in layer.bottom],
            top_shapes=[tuple(shapes[top]) for top in layer.top],
            blobs=list(weights.get(layer.name, ())),
        )
        values |= zip(layer.top, onnx_layers.add(step), strict=True)
    _p_good(graph, values[output])
    graph.write(
        path,
        net.name or "net",
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["photos", SIZE, SIZE, CHANNELS]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["photos"]),
        NOTES,
    )


def _transform(graph: Graph, crop: int, mean: np.ndarray | None, factor: float) -> str:
    """What Caffe's data layer does to a view in the TEST phase (data_transformer.cpp); the value's name."""
    value = graph.add("Cast", "pixels", [INPUT], to=TensorProto.FLOAT)
    value = graph.add("Transpose", "planes", [value], perm=[0, 3, 1, 2])
    first = (SIZE - crop) // 2 if crop else 0
    inside = slice(first, first + (crop or SIZE))
    if crop:
        bounds = ("first", [inside.start] * 2), ("last", [inside.stop] * 2), ("axes", [2, 3])
        value = graph.add("Slice", "crop", [value, *(graph.constant(name, numbers) for name, numbers in bounds)])
    if mean is not None:
        there = mean[:, inside, inside] if mean.ndim == 3 else mean.reshape(CHANNELS, 1, 1)
        value = graph.add("Sub", "less_mean", [value, graph.constant("mean", there)])
    if factor != 1:
        value = graph.add("Mul", "scaled", [value, graph.constant("factor", np.array(factor))])
    return value


def _p_good(graph: Graph, outputs: str) -> None:
    """The softmax of the last layer's two outputs, of which the second is good."""
    pairs = graph.add("Reshape", "outputs", [outputs, graph.constant("pairs", [0, 2])])
    both = graph.add("Softmax", "probabilities", [pairs], axis=1)
    bounds = ("good", [1]), ("end", [2]), ("column", [1])
    good = graph.add("Slice", "good_column", [both, *(graph.constant(name, numbers) for name, numbers in bounds)])
    flat = graph.constant("flat", [-1])
    graph.nodes.append(helper.make_node("Reshape", [good, flat], [OUTPUT], OUTPUT))
