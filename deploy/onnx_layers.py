"""Caffe's layers in ONNX, one by one, as they are in the TEST phase; a layer that is not covered is refused by name."""

from user_error import UserError

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from deploy.onnx_graph import Graph
from prototxt.messages import caffe_pb2

Shape = tuple[int, ...]  # of a blob: photos x channels x height x width, or photos x numbers

Pooling = caffe_pb2.PoolingParameter
LRN = caffe_pb2.LRNParameter
Eltwise = caffe_pb2.EltwiseParameter


@dataclass(frozen=True)
class Step:
    """One layer to be added to a graph: what it reads, by name and shape, what it gives, and its weights."""

    graph: Graph
    layer: caffe_pb2.LayerParameter
    inputs: list[str]
    shapes: list[Shape]  # of the inputs
    top_shapes: list[Shape]
    blobs: list[np.ndarray]

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        """Add a node that is named after the layer; its output's name."""
        return self.graph.add(operator, self.layer.name, inputs, **attributes)

    def constant(self, name: str, values: np.ndarray | Sequence[int]) -> str:
        return self.graph.constant(f"{self.layer.name}_{name}", values)

    def number(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float32))

    def weights(self) -> list[str]:
        """The layer's blobs as constants: its weights, and its bias if it has one."""
        names = ("weights", "bias")
        return [self.constant(name, blob) for name, blob in zip(names, self.blobs, strict=False)]

    def axis(self, axis: int) -> int:
        """The number of an axis of the first input, counted from the front; the one of the photos is refused."""
        found = axis % len(self.shapes[0])
        return found if found else self.refuse("an axis that runs over the photos of a batch")

    def refuse(self, what: str) -> NoReturn:
        """Raise UserError: the layer has something that is not covered."""
        raise _refusal(self.layer, what)


def check_types(layers: Iterable[caffe_pb2.LayerParameter]) -> None:
    """Raise UserError for the first layer of a type that is not covered."""
    for layer in layers:
        if layer.type not in LAYERS:
            raise _refusal(layer, f"a layer that is none of {', '.join(LAYERS)}")


def _refusal(layer: caffe_pb2.LayerParameter, what: str) -> UserError:
    return UserError(f"layer {layer.name} ({layer.type}): {what} cannot be written to ONNX")


def add(step: Step) -> list[str]:
    """Add a layer of a type that is covered to its graph; the names of its outputs.

    Raises UserError where it has something that is not covered.
    """
    outputs = LAYERS[step.layer.type](step)
    outputs = [outputs] if isinstance(outputs, str) else outputs
    if len(outputs) != len(step.layer.top):
        step.refuse(f"a layer with {len(step.layer.top)} tops")
    return outputs


def convolution(step: Step) -> str:
    return _convolution(step, "Conv")


def deconvolution(step: Step) -> str:
    return _convolution(step, "ConvTranspose")


def _convolution(step: Step, operator: str) -> str:
    p = step.layer.convolution_param
    if p.axis != 1 or len(step.shapes[0]) != 4:
        step.refuse(f"a convolution of {len(step.shapes[0])} axes from axis {p.axis} on")
    pad = _pair(p.pad, p.HasField("pad_h") or p.HasField("pad_w"), p.pad_h, p.pad_w, 0)
    return step.add(
        operator,
        *step.inputs,
        *step.weights(),
        kernel_shape=step.blobs[0].shape[2:],
        strides=_pair(p.stride, p.HasField("stride_h") or p.HasField("stride_w"), p.stride_h, p.stride_w, 1),
        pads=[*pad, *pad],
        dilations=_pair(p.dilation, False, 0, 0, 1),
        group=p.group,
    )


def _pair(both: Sequence[int], are_apart: bool, height: int, width: int, default: int) -> list[int]:
    """A number for height and for width, as base_conv_layer.cpp reads them."""
    if are_apart:
        return [height, width]
    return list(both) if len(both) == 2 else [*(both or [default])] * 2


def pooling(step: Step) -> str:
    """Max or mean over windows.

    Caffe rounds the number of windows up and cuts off the last ones where they leave the picture; a mean is over the
    picture and its padding, but not over what is beyond that (pooling_layer.cpp). ONNX's ceil_mode differs in both, and
    its runtimes among each other. So there is none here: the picture is padded at its end as far as the windows reach.
    """
    p = step.layer.pooling_param
    is_max = p.pool == Pooling.MAX
    if p.pool == Pooling.STOCHASTIC:
        step.refuse("pool: STOCHASTIC")
    size, out = step.shapes[0][2:], step.top_shapes[0][2:]
    kernel = [p.kernel_size] * 2 if p.HasField("kernel_size") else [p.kernel_h, p.kernel_w]
    kernel = list(size) if p.global_pooling else kernel
    pad = [p.pad_h, p.pad_w] if p.HasField("pad_h") else [p.pad] * 2
    stride = [p.stride_h, p.stride_w] if p.HasField("stride_h") else [p.stride] * 2
    starts = [(n - 1) * s for n, s in zip(out, stride, strict=True)]  # of the last windows, in the padded picture
    if any(start >= side + before for start, side, before in zip(starts, size, pad, strict=True)):
        step.refuse("a window that is wholly outside of the picture")
    ends = [start + k - side - before for start, k, side, before in zip(starts, kernel, size, pad, strict=True)]
    windows = {"kernel_shape": kernel, "strides": stride}
    if is_max:
        return step.add("MaxPool", *step.inputs, pads=[*pad, *(max(0, end) for end in ends)], **windows)
    return _mean_pool(step, step.inputs[0], pad, ends, windows)


def _mean_pool(step: Step, input: str, pad: list[int], ends: list[int], windows: dict) -> str:
    """The mean over windows: padding counts, what is beyond it (`ends` beyond `pad`) does not."""
    if any(pad):
        zeros = step.constant("pads", [0, 0, *pad, 0, 0, *pad])
        input = step.add("Pad", input, zeros)
    beyond = [max(0, end - before) for end, before in zip(ends, pad, strict=True)]
    return step.add("AveragePool", input, pads=[0, 0, *beyond], count_include_pad=0, **windows)


def lrn(step: Step) -> str:
    """Response normalisation, across channels or within each (lrn_layer.cpp; within, `k` is always 1)."""
    p = step.layer.lrn_param
    if p.norm_region == LRN.ACROSS_CHANNELS:
        return step.add("LRN", *step.inputs, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)
    pad = [(p.local_size - 1) // 2] * 2
    windows = {"kernel_shape": [p.local_size] * 2, "strides": [1, 1]}
    mean = _mean_pool(step, step.add("Mul", *step.inputs, *step.inputs), pad, pad, windows)
    base = step.add("Add", step.add("Mul", mean, step.number("alpha", p.alpha)), step.number("one", 1))
    return step.add("Mul", *step.inputs, step.add("Pow", base, step.number("beta", -p.beta)))


def inner_product(step: Step) -> str:
    p = step.layer.inner_product_param
    if step.axis(p.axis) != 1:
        step.refuse(f"axis: {p.axis}")
    flat = step.inputs[0]
    if len(step.shapes[0]) > 2:
        flat = step.add("Reshape", flat, step.constant("flat", [0, int(np.prod(step.shapes[0][1:]))]))
    return step.add("Gemm", flat, *step.weights(), transB=int(not p.transpose))


def relu(step: Step) -> str:
    slope = step.layer.relu_param.negative_slope
    return step.add("LeakyRelu", *step.inputs, alpha=slope) if slope else step.add("Relu", *step.inputs)


def prelu(step: Step) -> str:
    slopes = step.blobs[0].reshape(-1, *[1] * (len(step.shapes[0]) - 2))
    return step.add("PRelu", *step.inputs, step.constant("slopes", slopes))


def elu(step: Step) -> str:
    return step.add("Elu", *step.inputs, alpha=step.layer.elu_param.alpha)


def power(step: Step) -> str:
    """(shift + scale x) ^ power."""
    p = step.layer.power_param
    value = step.add("Mul", *step.inputs, step.number("scale", p.scale))
    value = step.add("Add", value, step.number("shift", p.shift))
    return value if p.power == 1 else step.add("Pow", value, step.number("power", p.power))


def softmax(step: Step) -> str:
    return step.add("Softmax", *step.inputs, axis=step.axis(step.layer.softmax_param.axis))


def eltwise(step: Step) -> str:
    p = step.layer.eltwise_param
    if p.operation == Eltwise.MAX:
        return step.add("Max", *step.inputs)
    inputs = [
        step.add("Mul", name, step.number(f"coeff{i}", p.coeff[i])) if p.coeff else name
        for i, name in enumerate(step.inputs)
    ]
    total, operator = inputs[0], "Mul" if p.operation == Eltwise.PROD else "Add"
    for name in inputs[1:]:
        total = step.add(operator, total, name)
    return total


def concat(step: Step) -> str:
    p = step.layer.concat_param
    return step.add("Concat", *step.inputs, axis=step.axis(p.concat_dim if p.HasField("concat_dim") else p.axis))


def slice_(step: Step) -> list[str]:
    p = step.layer.slice_param
    axis = step.axis(p.slice_dim if p.HasField("slice_dim") else p.axis)
    sizes = step.constant("sizes", [shape[axis] for shape in step.top_shapes])
    return step.graph.add_several("Split", step.layer.top, [*step.inputs, sizes], axis=axis)


def batch_norm(step: Step) -> str:
    """(x - mean) / sqrt(variance + eps), by the statistics of the training."""
    p = step.layer.batch_norm_param
    if p.HasField("use_global_stats") and not p.use_global_stats:
        step.refuse("use_global_stats: false, by which a photo's score depends on its batch,")
    mean, variance, count = step.blobs
    factor = 1 / count[0] if count[0] else 0
    ones, zeros = np.ones_like(mean), np.zeros_like(mean)
    named = {"scale": ones, "bias": zeros, "mean": mean * factor, "variance": variance * factor}
    constants = [step.constant(name, array) for name, array in named.items()]
    return step.add("BatchNormalization", *step.inputs, *constants, epsilon=p.eps)


def scale(step: Step) -> str:
    factors = _broadcast(step, step.layer.scale_param.axis, 0)
    product = step.add("Mul", step.inputs[0], factors)
    if not step.layer.scale_param.bias_term:
        return product
    return step.add("Add", product, _broadcast(step, step.layer.scale_param.axis, 1))


def bias(step: Step) -> str:
    return step.add("Add", step.inputs[0], _broadcast(step, step.layer.bias_param.axis, 0))


def _broadcast(step: Step, axis: int, number: int) -> str:
    """A blob of a layer as a constant that reaches over the first input from `axis` on."""
    if len(step.inputs) != 1:
        step.refuse("a second bottom")
    blob, axes = step.blobs[number], len(step.shapes[0])
    first = axis % axes if blob.ndim else axes
    shape = (*blob.shape, *[1] * (axes - first - blob.ndim))
    return step.constant(("weights", "bias")[number], blob.reshape(shape))


def reshape(step: Step) -> str:
    """Another shape with the same photos in front; Caffe has worked it out."""
    if step.top_shapes[0][:1] != step.shapes[0][:1]:
        step.refuse("a shape that mixes the photos of a batch")
    return step.add("Reshape", *step.inputs, step.constant("shape", [0, *step.top_shapes[0][1:]]))


def identity(step: Step) -> list[str]:
    return step.inputs * len(step.layer.top)


def plain(operator: str) -> Callable[[Step], str]:
    """A layer without weights or parameters that is one operator of ONNX."""
    return lambda step: step.add(operator, *step.inputs)


LAYERS: dict[str, Callable[[Step], str | list[str]]] = {
    "AbsVal": plain("Abs"),
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Concat": concat,
    "Convolution": convolution,
    "Deconvolution": deconvolution,
    "Dropout": identity,
    "ELU": elu,
    "Eltwise": eltwise,
    "Flatten": reshape,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "PReLU": prelu,
    "Pooling": pooling,
    "Power": power,
    "ReLU": relu,
    "Reshape": reshape,
    "Scale": scale,
    "Sigmoid": plain("Sigmoid"),
    "Slice": slice_,
    "Softmax": softmax,
    "Split": identity,
    "TanH": plain("Tanh"),
}
