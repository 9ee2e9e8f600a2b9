"""cuDNN's choice for each convolution: `python -m benchmarks.algorithms NETWORK COPY GPU`, in rows of JSON.

Caffe asks cuDNN's heuristics at each Forward for the three passes of a convolution and takes the first algorithm whose
workspace keeps within a limit. Here they are asked with several limits, through ctypes, and the asking is timed.
"""

import ctypes
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import cuda, step
from benchmarks.stopwatch import seconds

LIMITS = (8, 64, 256)  # MiB
WANTED = 10  # answers
NCHW, FLOAT, CROSS_CORRELATION = 0, 0, 1  # cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h
PASSES = {
    "forward": "cudnnGetConvolutionForwardAlgorithm_v7",
    "backward data": "cudnnGetConvolutionBackwardDataAlgorithm_v7",
    "backward weights": "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
}


class Answer(ctypes.Structure):
    """cudnnConvolutionFwdAlgoPerf_t, and the same of the other passes."""

    _fields_ = (
        ("algorithm", ctypes.c_int),
        ("status", ctypes.c_int),
        ("time", ctypes.c_float),
        ("memory", ctypes.c_size_t),
        ("determinism", ctypes.c_int),
        ("math", ctypes.c_int),
        ("reserved", ctypes.c_int * 3),
    )


@dataclass(frozen=True)
class Convolution:
    """A layer's shapes; of one group, as Caffe hands them to cuDNN."""

    name: str
    bottom: tuple[int, int, int, int]  # of all groups
    top: tuple[int, int, int, int]
    weights: tuple[int, int, int, int]  # of all groups
    groups: int
    pad: int
    stride: int


def convolutions(net, param) -> list[Convolution]:
    """Those of a net and of the text that it was made from, batch and all."""
    found = []
    for layer in param.layer:
        if layer.type == "Convolution" and layer.name in net.params:
            own = layer.convolution_param
            shapes = [tuple(net.blobs[name].data.shape) for name in (layer.bottom[0], layer.top[0])]
            weights = tuple(net.params[layer.name][0].data.shape)
            found.append(
                Convolution(
                    layer.name,
                    *shapes,
                    weights,
                    own.group or 1,
                    *([*part, d][0] for part, d in ((own.pad, 0), (own.stride, 1))),
                )
            )
    return found


def choice(answers: Sequence[Answer], limit: int) -> Answer | None:
    """The first that works within `limit` bytes, as Caffe takes it."""
    return next((answer for answer in answers if answer.status == 0 and answer.memory <= limit), None)


def rows(layers: Sequence[Convolution]) -> Iterator[list]:
    """Layer, pass, microseconds of a query, then for each limit "algorithm/math type, MiB of workspace"."""
    cudnn = cuda.library("libcudnn.so")
    handle = _new(cudnn.cudnnCreate)
    for layer in layers:
        bottom, top = (_tensor(cudnn, shape, layer.groups) for shape in (layer.bottom, layer.top))
        weights = _new(cudnn.cudnnCreateFilterDescriptor)
        out, *rest = layer.weights
        cuda.check(cudnn.cudnnSetFilter4dDescriptor(weights, FLOAT, NCHW, out // layer.groups, *rest))
        convolution = _new(cudnn.cudnnCreateConvolutionDescriptor)
        size = (layer.pad, layer.pad, layer.stride, layer.stride, 1, 1)
        cuda.check(cudnn.cudnnSetConvolution2dDescriptor(convolution, *size, CROSS_CORRELATION, FLOAT))
        operands = (
            (bottom, weights, convolution, top),
            (weights, top, convolution, bottom),
            (bottom, top, convolution, weights),
        )
        for (name, function), given in zip(PASSES.items(), operands, strict=True):
            answers, count = (Answer * WANTED)(), ctypes.c_int()

            def ask(function=function, given=given, count=count, answers=answers) -> None:
                cuda.check(getattr(cudnn, function)(handle, *given, WANTED, ctypes.byref(count), answers))

            ask()
            taken = seconds(ask) * 1e6
            yield [layer.name, name, taken, *(_shown(choice(answers[: count.value], mib * 2**20)) for mib in LIMITS)]


def _shown(answer: Answer | None) -> str:
    return "none" if answer is None else f"{answer.algorithm}/{answer.math}, {answer.memory / 2**20:.1f}"


def _new(create) -> ctypes.c_void_p:
    made = ctypes.c_void_p()
    cuda.check(create(ctypes.byref(made)))
    return made


def _tensor(cudnn, shape: tuple[int, int, int, int], groups: int) -> ctypes.c_void_p:
    """One group's part of a blob."""
    made = _new(cudnn.cudnnCreateTensorDescriptor)
    images, channels, height, width = shape
    strides = (channels * height * width, height * width, width, 1)
    size = (images, channels // groups, height, width)
    cuda.check(cudnn.cudnnSetTensor4dDescriptorEx(made, FLOAT, *size, *strides))
    return made


if __name__ == "__main__":
    from pathlib import Path

    from experiments.prototxts import resolve
    from experiments.runs import Run
    from prototxt.messages import caffe_pb2, parse

    network, copy, gpu = sys.argv[1:]
    solver = step.solver(step.Trial("caffe", network, copy, None if gpu == "None" else int(gpu)))
    text = resolve(Run("ava-large", network, "global", seed=1), Path(copy, "data")).net
    for row in rows(convolutions(solver.net, parse(text, caffe_pb2.NetParameter()))):
        print(json.dumps(row), flush=True)
