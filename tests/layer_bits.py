"""Runs layers of Caffe on odd shapes, forward and backward, and prints a hash of all numbers of each, as JSON.

`python layer_bits.py FOLDER`, in a process of its own: what it runs with is up to its environment.
"""

import hashlib
import itertools
import json
import sys
from pathlib import Path

import caffe
import numpy as np

FILLERS = 'weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "gaussian" std: 0.1 }'
CONVOLUTIONS = {  # the data's shape, and what the convolution is
    "AlexNet's conv1": ((2, 3, 67, 71), "num_output: 5 kernel_size: 11 stride: 4"),
    "AlexNet's conv2": ((2, 6, 27, 27), "num_output: 8 kernel_size: 5 pad: 2 group: 2"),
    "VGG-16's": ((2, 5, 28, 30), "num_output: 6 kernel_size: 3 pad: 1"),
    "shared among threads": ((2, 16, 40, 44), "num_output: 6 kernel_size: 3 pad: 1"),
    "strided, shared among threads": ((2, 16, 80, 88), "num_output: 6 kernel_size: 3 pad: 1 stride: 2"),
    "one pixel": ((1, 3, 1, 1), "num_output: 2 kernel_size: 3 pad: 1"),
    "batch 1, 1 x 1": ((1, 4, 7, 5), "num_output: 3 kernel_size: 1"),
    "1 x 1, strided": ((2, 4, 8, 9), "num_output: 3 kernel_size: 1 stride: 2"),
    "a stride wider than the kernel": ((2, 3, 11, 10), "num_output: 2 kernel_size: 2 stride: 3"),
    "a stride that leaves columns over": ((2, 3, 10, 12), "num_output: 2 kernel_size: 4 stride: 3 pad: 1"),
    "dilated": ((2, 3, 15, 14), "num_output: 4 kernel_size: 3 pad: 2 dilation: 3"),
    "dilated, strided": ((2, 3, 17, 19), "num_output: 4 kernel_size: 3 pad: 2 dilation: 2 stride: 2"),
    "a kernel larger than the picture": ((2, 2, 4, 5), "num_output: 3 kernel_size: 7 pad: 3"),
    "more padding than picture": ((1, 2, 3, 2), "num_output: 3 kernel_size: 3 pad: 6 stride: 2"),
    "oblong": (
        (2, 3, 9, 14),
        "num_output: 4 kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 3",
    ),
    "upright": ((2, 3, 14, 9), "num_output: 4 kernel_h: 5 kernel_w: 2 stride_h: 3 stride_w: 1 pad_h: 4 pad_w: 0"),
}


def layers() -> dict[str, tuple[tuple[int, ...], str]]:
    """Each case's shape of the data, and the layer."""
    cases = {}
    for name, (shape, parameters) in CONVOLUTIONS.items():
        for kind in "Convolution", "Deconvolution":
            if kind == "Deconvolution" and name == "more padding than picture":
                continue  # it takes the padding off, and nothing would be left
            layer = f'type: "{kind}" convolution_param {{ {parameters} {FILLERS} }}'
            cases[f"{kind}, {name}"] = (shape, layer)
    return cases


def numbers(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    """Data for a layer; `odd` is with both zeros, the smallest numbers, infinities and NaN, a few of each."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 2, shape).astype(np.float32)
    if kind == "odd":
        for value in 0.0, -0.0, 1e-42, 3e38, np.inf, -np.inf, np.nan:
            values.flat[random.integers(0, values.size, max(1, values.size // 100))] = value
    return values


def bits(file: Path, shape: tuple[int, ...], layer: str, kind: str) -> str:
    """Run a layer forward and backward twice, as gradients are added up; the hash of all that is in its net."""
    dims = " ".join(f"dim: {length}" for length in shape)
    file.write_text(
        f'force_backward: true layer {{ name: "in" type: "Input" top: "in" input_param {{ shape {{ {dims} }} }} }}'
        f'layer {{ name: "tested" bottom: "in" top: "out" {layer} }}'
    )
    caffe.set_random_seed(1)
    net = caffe.Net(str(file), caffe.TRAIN)
    digest = hashlib.sha256()
    for seed in 1, 2:
        net.blobs["in"].data[...] = numbers(shape, kind, seed)
        net.forward()
        net.blobs["out"].diff[...] = numbers(net.blobs["out"].data.shape, kind, seed + 2)
        net.backward()
        for blob in itertools.chain(net.blobs.values(), *net.params.values()):
            for values in blob.data, blob.diff:
                values[np.isnan(values)] = np.nan  # the sum of two NaNs is one of them, by the compiler's whim
                digest.update(values.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    file = Path(sys.argv[1], "net.prototxt")
    print(
        json.dumps(
            {f"{name}, {kind}": bits(file, *case, kind) for name, case in layers().items() for kind in ("usual", "odd")}
        )
    )
