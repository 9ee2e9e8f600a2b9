"""Runs layers of Caffe on odd shapes, forward and backward, and prints a hash of all numbers of each, as JSON.

`python layer_bits.py FOLDER`, in a process of its own: what it runs with is up to its environment. Those layers that
are large enough to be shared among threads have matrix products that are not: their bits are other ones then.
"""

import hashlib
import itertools
import json
import sys
from pathlib import Path

import caffe
import cv2
import lmdb
import numpy as np
from caffe.proto import caffe_pb2

FILLERS = 'weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "gaussian" std: 0.1 }'
CONVOLUTIONS = {  # the data's shape, and what the convolution is
    "AlexNet's conv1": ((2, 3, 67, 71), "num_output: 5 kernel_size: 11 stride: 4"),
    "AlexNet's conv2": ((2, 6, 27, 27), "num_output: 8 kernel_size: 5 pad: 2 group: 2"),
    "VGG-16's": ((2, 5, 28, 30), "num_output: 6 kernel_size: 3 pad: 1"),
    "shared among threads": ((2, 16, 40, 44), "num_output: 6 kernel_size: 3 pad: 1"),
    "strided, shared among threads": ((2, 5, 84, 88), "num_output: 6 kernel_size: 3 pad: 1 stride: 2"),
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


POOLINGS = {
    "AlexNet's": ((2, 3, 27, 29), "kernel_size: 3 stride: 2"),
    "VGG-16's": ((2, 3, 28, 30), "kernel_size: 2 stride: 2"),
    "shared among threads": ((3, 32, 55, 53), "kernel_size: 3 stride: 2"),
    "every column": ((1, 2, 9, 7), "kernel_size: 3 stride: 1 pad: 1"),
    "padded": ((2, 3, 10, 11), "kernel_size: 3 stride: 2 pad: 2"),
    "a stride wider than the kernel": ((2, 3, 11, 10), "kernel_size: 2 stride: 3"),
    "a window that is cut off": ((1, 2, 6, 5), "kernel_size: 4 stride: 3 pad: 1"),
    "global": ((2, 3, 6, 5), "global_pooling: true"),
    "oblong": ((2, 3, 9, 14), "kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 4 pad_h: 0 pad_w: 3"),
}
NORMS = {
    "AlexNet's": ((2, 12, 27, 27), "local_size: 5 alpha: 0.0001 beta: 0.75"),
    "shared among threads": ((5, 12, 55, 55), "local_size: 5 alpha: 0.0001 beta: 0.75"),
    "one channel": ((1, 1, 5, 6), "local_size: 3 alpha: 2 beta: 0.5 k: 2"),
    "wider than the channels": ((2, 3, 5, 6), "local_size: 9 alpha: 1 beta: 1.5"),
    "of one channel each": ((2, 3, 5, 6), "local_size: 1 alpha: 1 beta: 0.75"),
    "within a channel": ((2, 3, 8, 7), "local_size: 3 alpha: 0.1 beta: 0.75 norm_region: WITHIN_CHANNEL"),
}
RECORDS = 11
RAW = ("raw", "floats")
ENCODED = ("JPEG", "gray PNG", "PNG with alpha")
DATA = {  # what the records are, and how they are transformed
    "raw": (RAW[:1], "mirror: true crop_size: 27 mean_value: 104 mean_value: 117 mean_value: 123"),
    "raw, mean image": (RAW[:1], 'mirror: true crop_size: 20 mean_file: "MEAN"'),
    "raw, as it is": (RAW[:1], ""),
    "floats": (RAW[1:], "mirror: true crop_size: 27 mean_value: 0.1 scale: 0.017"),
    "floats and raw": (RAW, 'mirror: true mean_file: "MEAN" scale: 3'),
    "JPEG": (ENCODED[:1], "mirror: true crop_size: 27 mean_value: 104 mean_value: 117 mean_value: 123"),
    "JPEG, mean image": (ENCODED[:1], 'mirror: true crop_size: 20 mean_file: "MEAN" scale: 0.3'),
    "JPEG, as it is": (ENCODED[:1], ""),
    "JPEG, one mean": (ENCODED[:1], "crop_size: 31 mean_value: 7.3"),
    "gray": (ENCODED[1:2], "mirror: true crop_size: 27 mean_value: 104"),
    "with alpha": (ENCODED[2:], "mirror: true crop_size: 27 mean_value: 104"),
    "all in color": (ENCODED, "force_color: true mirror: true crop_size: 27 mean_value: 104"),
    "all in gray": (ENCODED, "force_gray: true mirror: true crop_size: 27 scale: 0.5"),
    "raw and JPEG": (("JPEG", "JPEG", "raw"), "mirror: true crop_size: 27 mean_value: 104"),
}
SHAPES = {"small": (2, 3, 5, 7), "shared among threads": (3, 16, 40, 41)}


def layers() -> dict[str, tuple[tuple[int, ...], str]]:
    """Each case's shape of the data, and the layer."""
    cases = {}
    for name, (shape, parameters) in CONVOLUTIONS.items():
        convolution = f"convolution_param {{ {parameters} {FILLERS} }}"
        cases[f"convolution, {name}"] = (shape, f'type: "Convolution" top: "out" {convolution}')
        if name != "more padding than picture":  # deconvolution takes the padding off, and nothing would be left
            cases[f"deconvolution, {name}"] = (shape, f'type: "Deconvolution" top: "out" {convolution}')
    for name, (shape, parameters) in POOLINGS.items():
        for kind in "MAX", "AVE":
            layer = f'type: "Pooling" top: "out" pooling_param {{ pool: {kind} {parameters} }}'
            cases[f"{kind} pooling, {name}"] = (shape, layer)
        cases[f"pooling with its mask, {name}"] = (shape, f'{cases[f"MAX pooling, {name}"][1]} top: "mask"')
    for name, (shape, parameters) in NORMS.items():
        cases[f"LRN, {name}"] = (shape, f'type: "LRN" top: "out" lrn_param {{ {parameters} }}')
        if "WITHIN" not in parameters:
            cases[f"LRN in place, {name}"] = (shape, f'type: "LRN" top: "in" lrn_param {{ {parameters} }}')
    for name, shape in SHAPES.items():
        cases[f"ReLU, {name}"] = (shape, 'type: "ReLU" top: "out"')
        cases[f"leaky ReLU, {name}"] = (shape, 'type: "ReLU" top: "out" relu_param { negative_slope: 0.1 }')
        cases[f"dropout, {name}"] = (shape, 'type: "Dropout" top: "out" dropout_param { dropout_ratio: 0.3 }')
        product = f"inner_product_param {{ num_output: 3 {FILLERS} }}"
        cases[f"product, {name}"] = (shape, f'type: "InnerProduct" top: "out" {product}')
    return cases


def numbers(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    """Data for a layer; `odd` is with both zeros, the smallest numbers, infinities and NaN, a few of each.

    `lost` is -infinity, mostly, but in the first channel: its windows have no largest input.
    """
    random = np.random.default_rng(seed)
    values = random.normal(0, 2, shape).astype(np.float32)
    if kind == "odd":
        for value in 0.0, -0.0, 1e-42, 3e38, np.inf, -np.inf, np.nan:
            values.flat[random.integers(0, values.size, max(1, values.size // 100))] = value
    if kind == "lost":
        values[random.random(shape) < 0.9] = -np.inf
        values[0, 0] = 0
    return values


def bits(file: Path, shape: tuple[int, ...], layer: str, kind: str, phase: int) -> str:
    """Run a layer forward and backward twice, as gradients are added up; the hash of all that is in its net."""
    dims = " ".join(f"dim: {length}" for length in shape)
    file.write_text(
        f'force_backward: true layer {{ name: "in" type: "Input" top: "in" input_param {{ shape {{ {dims} }} }} }}'
        f'layer {{ name: "tested" bottom: "in" {layer} }}'
    )
    caffe.set_random_seed(1)
    net = caffe.Net(str(file), phase)
    digest = hashlib.sha256()
    for seed in 1, 2:
        net.blobs["in"].data[...] = numbers(shape, kind, seed)
        net.forward()
        for name in net.outputs:
            net.blobs[name].diff[...] = 0
        out = net.blobs["out" if "out" in net.blobs else "in"]
        out.diff[...] = numbers(out.data.shape, "odd" if kind == "odd" else "usual", seed + 2)
        net.backward()
        for blob in itertools.chain(net.blobs.values(), *net.params.values()):
            for values in blob.data, blob.diff:
                values[np.isnan(values)] = np.nan  # the sum of two NaNs is one of them, by the compiler's whim
                digest.update(values.tobytes())
    return digest.hexdigest()


def record(kind: str, label: int) -> caffe_pb2.Datum:
    """A picture of 37 x 41 pixels."""
    random = np.random.default_rng(label)
    channels = {"gray PNG": 1, "PNG with alpha": 4}.get(kind, 3)
    pixels = cv2.blur(random.integers(0, 256, (37, 41, channels), dtype=np.uint8), (5, 5)).reshape(37, 41, channels)
    if kind in ENCODED:
        data = cv2.imencode(".jpg" if kind == "JPEG" else ".png", pixels)[1].tobytes()
        return caffe_pb2.Datum(encoded=True, data=data, label=label)
    datum = caffe_pb2.Datum(channels=channels, height=37, width=41, label=label)
    planes = pixels.transpose(2, 0, 1)
    if kind == "raw":
        datum.data = planes.tobytes()
    else:
        datum.float_data.extend(numbers(planes.shape, "odd", label).ravel())
    return datum


def data_bits(folder: Path, kinds: tuple[str, ...], transform: str, phase: int) -> str:
    """Read a store in batches that do not fit it, beside a layer that asks for the same threads; the hash of all."""
    store, mean = folder / "-".join(kinds), folder / "mean.binaryproto"
    with lmdb.open(str(store), map_size=1 << 24) as store_of_kinds, store_of_kinds.begin(write=True) as transaction:
        for label, kind in zip(range(RECORDS), itertools.cycle(kinds)):
            transaction.put(b"%02d" % label, record(kind, label).SerializeToString())
    values = np.random.default_rng(0).uniform(0, 255, (3, 37, 41)).astype(np.float32)
    mean.write_bytes(caffe.io.array_to_blobproto(values[np.newaxis]).SerializeToString())
    file = folder / "data.prototxt"
    file.write_text(
        f'layer {{ name: "data" type: "Data" top: "data" top: "label" transform_param {{ {transform} }}'
        f' data_param {{ source: "{store}" backend: LMDB batch_size: 25 }} }}'.replace("MEAN", str(mean))
        + 'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }'
    )
    caffe.set_random_seed(1)
    net = caffe.Net(str(file), phase)
    digest = hashlib.sha256()
    for _ in range(RECORDS):
        net.forward()
        for blob in net.blobs.values():
            digest.update(blob.data.tobytes())
    return digest.hexdigest()


def main(file: Path) -> dict[str, str]:
    """The hash of each case."""
    found = {}
    for name, case in layers().items():
        found[name] = bits(file, *case, "usual", caffe.TRAIN)
        found[f"{name}, odd"] = bits(file, *case, "odd", caffe.TRAIN)
        found[f"{name}, testing"] = bits(file, *case, "odd", caffe.TEST)
        if name.startswith("MAX pooling"):
            found[f"{name}, lost"] = bits(file, *case, "lost", caffe.TRAIN)
    for name, case in DATA.items():
        found[f"data, {name}"] = data_bits(file.parent, *case, caffe.TRAIN)
        found[f"data, {name}, testing"] = data_bits(file.parent, *case, caffe.TEST)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1], "net.prototxt"))))
