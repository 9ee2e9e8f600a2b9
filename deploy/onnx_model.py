"""A Caffe net that scores views -> the same net in ONNX, from the view's bytes to p(good)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from deploy import onnx_layers
from deploy.net import CHANNELS, VIEW_SIZE, ScoringNet, Transform
from deploy.onnx_graph import Graph
from paper import stated

INPUT, OUTPUT = "views", "p_good"


def write(
    path: Path, net: ScoringNet, weights: Mapping[str, Sequence[np.ndarray]], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Write a net to `path`; UserError for a layer that is not covered.

    `weights` are the blobs of its layers by name, `shapes` those of its values, at any batch. The model's input are
    photos x 256 x 256 x 3 bytes: views in blue, green, red; its output is p(good) of each.
    """
    _, *layers = net.param.layer  # the first is the Input layer
    onnx_layers.check_types(layers)
    graph = Graph()
    graph.reserve(INPUT)
    graph.reserve(OUTPUT)
    values = {net.input: _transform(graph, net.transform)}  # a layer that works in place gives a blob a new value
    for layer in layers:
        step = onnx_layers.Step(
            graph=graph,
            layer=layer,
            inputs=[values[bottom] for bottom in layer.bottom],
            shapes=[tuple(shapes[bottom]) for bottom in layer.bottom],
            top_shapes=[tuple(shapes[top]) for top in layer.top],
            blobs=list(weights.get(layer.name, ())),
        )
        values |= zip(layer.top, onnx_layers.add(step), strict=True)
    _p_good(graph, values[net.output])
    graph.write(
        path,
        net.name,
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["photos", VIEW_SIZE, VIEW_SIZE, CHANNELS]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["photos"]),
        notes(net),
    )


def notes(net: ScoringNet) -> dict[str, str]:
    """The metadata of a model: what has to be known to feed it."""
    return {
        "name": net.name,
        "iteration": str(net.iteration),
        "view": net.view,
        "view_stored_as": "JPEG" if net.encoded else "pixels",
        INPUT: f"photos x {VIEW_SIZE} x {VIEW_SIZE} x {CHANNELS}, uint8; blue, green, red",
        OUTPUT: "photos, float32; the probability that the photo is good, no score",
    }


def _transform(graph: Graph, transform: Transform) -> str:
    """What Caffe's data layer does to a view in the TEST phase (data_transformer.cpp); the value's name."""
    value = graph.add("Cast", "pixels", [INPUT], to=TensorProto.FLOAT)
    value = graph.add("Transpose", "planes", [value], perm=[0, 3, 1, 2])
    first, last = transform.offset, transform.offset + transform.crop
    bounds = {"crop_first": [first] * 2, "crop_last": [last] * 2, "crop_axes": [2, 3]}
    value = graph.add("Slice", "crop", [value, *(graph.constant(name, numbers) for name, numbers in bounds.items())])
    value = graph.add("Sub", "less_mean", [value, graph.constant("mean", transform.cropped_mean)])
    if transform.scale != 1:
        value = graph.add("Mul", "scaled", [value, graph.constant("scale", np.array(transform.scale))])
    return value


def _p_good(graph: Graph, outputs: str) -> None:
    """The softmax of the last layer's two outputs, of which the second is good."""
    shape = graph.constant("two", [0, stated("finetuning.classes")])
    both = graph.add("Softmax", "probabilities", [graph.add("Reshape", "outputs", [outputs, shape])], axis=1)
    bounds = {"good_first": [1], "good_last": [2], "good_axes": [1]}
    good = graph.add("Slice", "good", [both, *(graph.constant(name, numbers) for name, numbers in bounds.items())])
    graph.nodes.append(helper.make_node("Reshape", [good, graph.constant("flat", [-1])], [OUTPUT], OUTPUT))
