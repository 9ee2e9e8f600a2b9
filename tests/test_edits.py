"""What a person writes into a prototxt or a solver is what runs, to stock Caffe's bits, or is refused in one line.

Each row is a hand edit of one variant, what ours says of it, and what stock `caffe train` does with the same files.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from harness import ALEXNET, RUN, edit, photos_from_files, run_folder, weights_in

from experiments.launch import environment

pytest.importorskip("caffe", reason="Caffe is not built here")

ITERATIONS = 2
NET, SOLVER = f"prototxt/{ALEXNET}/train_val.prototxt", f"solvers/{ALEXNET}.prototxt"
TRAINS = ""  # stock Caffe: exit status 0

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Edit:
    """One edit. `ours`: what the run says, or why it is refused; `stock`: a part of its FATAL line, or TRAINS."""

    name: str
    change: Change
    ours: str
    stock: str = TRAINS
    refused: bool = False


def sub(path: str, pattern: str, replacement: str) -> Change:
    return lambda checkout: edit(checkout / path, pattern, replacement)


def append(path: str, text: str) -> Change:
    return lambda checkout: (checkout / path).write_text((checkout / path).read_text() + text)


def rewrite(path: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda checkout: (checkout / path).write_bytes(change((checkout / path).read_bytes()))


def without_comments(text: bytes) -> bytes:
    return re.sub(rb"#[^\n]*", b"", text)


def last_layer(pattern: str, replacement: str) -> Change:
    return sub(NET, rf'(name: "fc8_aesthetics"[^#]*?){pattern}', rf"\1{replacement}")


def other_net(checkout: Path) -> None:
    text = (checkout / NET).read_text().replace("dropout_ratio: 0.5", "dropout_ratio: 0.25")
    (checkout / "mine.prototxt").write_text(text)
    edit(checkout / SOLVER, r"net: .*", 'net: "mine.prototxt"')


def inline_net(checkout: Path) -> None:
    edit(checkout / SOLVER, r"net: .*", "")
    append(SOLVER, "net_param {\n" + (checkout / NET).read_text() + "}\n")(checkout)


def local_views_net(checkout: Path) -> None:
    shutil.copy(checkout / "prototxt/demo/alexnet_local/train_val.prototxt", checkout / NET)


def local_views_solver(checkout: Path) -> None:
    shutil.copy(checkout / "solvers/demo/alexnet_local.prototxt", checkout / SOLVER)
    edit(checkout / SOLVER, "snapshot_prefix: .*", f'snapshot_prefix: "solvers/{ALEXNET}"')


def mean_file(checkout: Path) -> None:
    from prototxt.messages import caffe_pb2

    blob = caffe_pb2.BlobProto(num=1, channels=3, height=256, width=256, data=np.full(3 * 256 * 256, 99.0))
    (checkout / "mean.binaryproto").write_bytes(blob.SerializeToString())
    edit(checkout / NET, r"(    mean_value: [\d.]+\n)+", '    mean_file: "mean.binaryproto"\n')


def python_layer(checkout: Path) -> None:
    (checkout / "mine").mkdir()
    (checkout / "mine/halves.py").write_text(
        "import caffe\nclass Half(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data / 2\n"
        "    def backward(self, top, down, bottom): bottom[0].diff[...] = top[0].diff / 2\n"
    )
    half = """layer { name: "half" type: "Python" bottom: "fc7" top: "half"
                      python_param { module: "halves" layer: "Half" } }\n"""
    edit(checkout / NET, r'layer \{\n  name: "fc8_aesthetics"', half + 'layer {\n  name: "fc8_aesthetics"')
    last_layer('bottom: "fc7"', 'bottom: "half"')(checkout)


V1_TYPES = {"Data": "DATA", "Convolution": "CONVOLUTION", "ReLU": "RELU", "LRN": "LRN", "Pooling": "POOLING"}
V1_TYPES |= {"InnerProduct": "INNER_PRODUCT", "Dropout": "DROPOUT", "Accuracy": "ACCURACY"}
V1_TYPES |= {"SoftmaxWithLoss": "SOFTMAX_LOSS"}


def without_bias(checkout: Path) -> None:
    rates = r"  param \{\s+lr_mult: 1.0\s+decay_mult: 0.0\s+\}\n"
    edit(checkout / NET, rf'(name: "fc7"[^#]*?){rates}  (inner_product_param \{{)', r"\1\2 bias_term: false", count=1)


def format_of_2014(text: bytes) -> bytes:
    """The same net as people wrote nets before 2015: `layers`, types as enums, blobs_lr."""
    old = text.decode().replace("layer {", "layers {")
    old = re.sub(r'type: "(\w+)"\n(  (?:bottom|top))', lambda m: f"type: {V1_TYPES[m[1]]}\n{m[2]}", old)
    return re.sub(
        r"param \{\s+lr_mult: ([\d.]+)\s+decay_mult: ([\d.]+)\s+\}", r"blobs_lr: \1 weight_decay: \2", old
    ).encode()


def shorten(checkout: Path) -> None:
    """Solvers that pause, test and save at the second iteration alone."""
    for path in (checkout / "solvers/demo").glob("alexnet_*.prototxt"):
        edit(path, r"(max_iter|snapshot|test_interval): \d+", rf"\1: {ITERATIONS}")


STAGE = """layer { name: "spare" type: "Data" top: "spare" include { phase: TEST stage: "deploy" }
                   data_param { source: "data/demo/train_global_lmdb" batch_size: 1 backend: LMDB } }\n"""
REGULARIZATION = 'regularization_type: "L3"\n'
EDITED = r"--- generated\n\+\+\+ yours: "
SAID = "is not used: "
EDITS = [
    Edit("a higher rate", sub(SOLVER, "base_lr: 0.0001", "base_lr: 0.001"), rf"(?s){EDITED}.*\+base_lr: 0.001"),
    Edit("another solver type", sub(SOLVER, '"SGD"', '"Nesterov"'), r'\+type: "Nesterov"'),
    Edit("a policy that reads max_iter", sub(SOLVER, '"fixed"', '"poly" power: 1'), r'\+lr_policy: "poly"'),
    Edit("gradients over two batches", append(SOLVER, "iter_size: 2\n"), r"\+iter_size: 2"),
    Edit("no display", sub(SOLVER, r"display: \d+", "display: 0"), r"\+display: 0"),
    Edit("a solver in one line", rewrite(SOLVER, lambda t: without_comments(t).replace(b"\n", b" ")), "done, accuracy"),
    Edit("a comment in GBK", rewrite(SOLVER, lambda t: "# 学习率\n".encode("gbk") + t), "done, accuracy"),
    Edit("a comment in Latin-1", rewrite(NET, lambda t: t + "# é\n".encode("latin-1")), "done, accuracy"),
    Edit("lines that end as on Windows", rewrite(NET, lambda t: t.replace(b"\n", b"\r\n")), "done, accuracy"),
    Edit("the solver names another net", other_net, rf"(?s){EDITED}.*\+    dropout_ratio: 0.25"),
    Edit(
        "the solver of the other view",
        local_views_solver,
        r"layer data \(TRAIN\) reads .*train_local_lmdb, not this variant's train_g",
    ),
    Edit(
        "the net of the other view",
        local_views_net,
        r"layer data \(TEST\) reads .*test_local_lmdb, not this variant's test_global",
    ),
    Edit(
        "training on the test photos", sub(NET, "train_global", "test_global"), r"warning: .*\(TRAIN\) reads .*test_gl"
    ),
    Edit("another seed", sub(SOLVER, r"random_seed: \d+", "random_seed: 7"), f"random_seed: 7 {SAID}--seeds decides"),
    Edit("fewer test batches", sub(SOLVER, r"test_iter: \d+", "test_iter: 3"), f"test_iter: 3 {SAID}every test photo"),
    Edit("no first test", append(SOLVER, "test_initialization: false\n"), f"test_initialization: false {SAID}"),
    Edit("snapshots in HDF5", append(SOLVER, "snapshot_format: HDF5\n"), f"snapshot_format: HDF5 {SAID}snapshots are"),
    Edit("a mode", append(SOLVER, "solver_mode: CPU\n"), f"solver_mode: CPU {SAID}--gpu and --cpu decide"),
    Edit("a mean image", mean_file, r'\+    mean_file: "mean.binaryproto"'),
    Edit("frozen convolutions", sub(NET, r'(name: "conv1"[^#]*?lr_mult: )1', r"\g<1>0"), r"\+    lr_mult: 0.0"),
    Edit("another batch size", sub(NET, "batch_size: 4", "batch_size: 7"), r"\+    batch_size: 7"),
    Edit(
        "a loss that is a sum",
        sub(NET, r'(type: "SoftmaxWithLoss")', r"\1 loss_param { normalization: NONE }"),
        "done, ",
    ),
    Edit("another name of the scores", sub(NET, '(bottom|top): "fc8_aesthetics"', r'\1: "scores"'), "done, accuracy"),
    Edit("another name of the labels", sub(NET, '(bottom|top): "label"', r'\1: "quality"'), "done, accuracy"),
    Edit(
        "photos from files",
        lambda checkout: photos_from_files(checkout, NET),
        r"layer data \(TRAIN\) is of type ImageData, it does not read this variant's train_global",
    ),
    Edit("a Python layer", python_layer, r"warning: .* Python layers run code: half \(halves\)"),
    Edit("the format of 2014", rewrite(NET, format_of_2014), "done, accuracy"),
    Edit("no max_iter", sub(SOLVER, r"max_iter: \d+\n", ""), "max_iter is not set, Caffe would do no", TRAINS, True),
    Edit(
        "a net that is not there",
        sub(SOLVER, "net: .*", 'net: "nowhere"'),
        "net: .*nowhere is not",
        "File not found",
        True,
    ),
    Edit("a net inside the solver", inline_net, "`net_param` is not supported: put the net into one", TRAINS, True),
    Edit(
        "weights in the solver",
        append(SOLVER, 'weights: "mine"\n'),
        "`weights` is not supported",
        TRAINS,
        True,
    ),
    Edit(
        "a misspelt policy",
        sub(SOLVER, '"fixed"', '"fixd"'),
        "Unknown learning rate policy: fixd",
        "Unknown learn",
        True,
    ),
    Edit("a misspelt field", sub(SOLVER, "base_lr", "base_Ir"), rf"{SOLVER}:9:1 .*base_Ir", "Failed to parse", True),
    Edit(
        "a name in GBK",
        rewrite(NET, lambda t: t.replace(b"AlexNet global", "全局".encode("gbk"))),
        "not UTF-8",
        TRAINS,
        True,
    ),
    Edit(
        "one output",
        last_layer("num_output: 2", "num_output: 1"),
        "it has to give 2 numbers for each",
        TRAINS,
        True,
    ),
    Edit(
        "three outputs", last_layer("num_output: 2", "num_output: 3"), "it has to give 2 numbers for each", TRAINS, True
    ),
    Edit("twenty outputs", last_layer("num_output: 2", "num_output: 20"), "it has to give 2 numbers for", TRAINS, True),
    Edit(
        "a renamed last layer",
        sub(NET, 'name: "fc8_aesthetics"', 'name: "fc9"'),
        "no layer is named fc8_aes",
        TRAINS,
        True,
    ),
    Edit(
        "testing on the training photos",
        sub(NET, "test_global", "train_global"),
        "not the test photos: data/demo/test_global_lmdb holds",
        TRAINS,
        True,
    ),
    Edit(
        "an LMDB that is not there",
        sub(NET, "train_global", "trian_global"),
        "trian_global_lmdb, which is not",
        "mdb_status",
        True,
    ),
    Edit(
        "no bias",
        without_bias,
        "`bias_term: false` in the net",
        "Incompatible",
        True,
    ),
    Edit("another width", sub(NET, "num_output: 256", "num_output: 128"), "layer fc6: 128x", "Cannot copy param", True),
    Edit(
        "a kernel larger than its input",
        sub(NET, "kernel_size: 3", "kernel_size: 999"),
        "Caffe says.*: Check",
        "Check",
        True,
    ),
    Edit(
        "a mean of two channels",
        sub(NET, "    mean_value: 117.0\n", ""),
        "Caffe says.*: Check .*mean_value",
        "mean_value",
        True,
    ),
    Edit("no test", sub(SOLVER, r"test_iter: \d+\n", ""), "no test_iter: the test net is built all the same"),
    Edit("a layer for another stage", append(NET, STAGE), "done, accuracy"),
    Edit("no batch in an iteration", append(SOLVER, "iter_size: 0\n"), "iter_size: 0 is no number", TRAINS, True),
    Edit("a negative length", sub(SOLVER, r"max_iter: \d+", "max_iter: -5"), "max_iter: -5 is no number", TRAINS, True),
    Edit("a negative interval", sub(SOLVER, r"snapshot: \d+", "snapshot: -1"), "snapshot: -1 is no", TRAINS, True),
    Edit("an unknown regularization", append(SOLVER, REGULARIZATION), "Unknown regulariz", "Unknown regulariz", True),
]


@pytest.mark.parametrize("hand_edit", EDITS, ids=[each.name for each in EDITS])
def test_an_edit_runs_as_stock_caffe_runs_it_or_is_refused_in_one_line(checkout, hand_edit):
    shorten(checkout)
    hand_edit.change(checkout)
    settings = os.environ | {"PYTHONPATH": str(checkout / "mine")}
    caffe = [Path(sys.prefix, "bin/caffe"), "train", f"--solver={SOLVER}", "--weights=models/demo/alexnet.caffemodel"]
    pipes = {"cwd": checkout, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    python_of_caffe = os.pathsep.join([str(checkout / "mine"), *sys.path])
    stock = subprocess.Popen(
        caffe, env=settings | environment(gpu=None, threads=1) | {"PYTHONPATH": python_of_caffe}, **pipes
    )
    ours = subprocess.Popen([sys.executable, "run_experiments.py", *RUN], env=settings, **pipes)
    said, log = ours.communicate(timeout=60)[0], stock.communicate(timeout=60)[0]
    assert re.search(hand_edit.ours, said), said
    assert "Traceback" not in said
    if hand_edit.stock == TRAINS:
        assert stock.returncode == 0, log
    else:
        assert stock.returncode != 0, log
        assert re.search(hand_edit.stock, log), log
    if hand_edit.refused:
        assert ours.returncode in (1, 2), said
        assert not (run_folder(checkout) / "done").exists()
        return
    assert ours.returncode == 0, said
    if SAID not in hand_edit.ours and "no test_iter" not in hand_edit.ours:  # the driver's own choice
        name = f"{ALEXNET.replace('/', '_')}_iter_{ITERATIONS}.caffemodel"
        theirs = weights_in(checkout / f"solvers/{ALEXNET}_iter_{ITERATIONS}.caffemodel")
        assert weights_in(run_folder(checkout) / "snapshots" / name) == theirs
