"""The memory of a net is counted as Caffe takes it: never more than it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

import caffe

from experiments.footprint import Footprint, footprint
from prototxt.messages import caffe_pb2, parse

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 8 } data_param { source: "TRAIN" batch_size: 4 backend: LMDB prefetch: 3 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 8 } data_param { source: "TEST" batch_size: 2 backend: LMDB } }
layer { name: "fc1" type: "InnerProduct" bottom: "data" top: "fc1" inner_product_param { num_output: 5 } RATES }
layer { name: "relu1" type: "ReLU" bottom: "fc1" top: "fc1" }
layer { name: "left" type: "InnerProduct" bottom: "fc1" top: "left" inner_product_param { num_output: 6 }
  param { name: "w" } param { name: "b" } }
layer { name: "right" type: "InnerProduct" bottom: "fc1" top: "right" inner_product_param { num_output: 6 }
  param { name: "w" } param { name: "b" } }
layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }
layer { name: "fc8" type: "InnerProduct" bottom: "sum" top: "fc8" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }
"""
SOLVER = 'base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 test_iter: 1 test_interval: 1000 snapshot_after_train: false'


def built(folder: Path, net: str):
    """The solver of a net, and the messages that it was built from."""
    (folder / "net.prototxt").write_text(net)
    text = f'net: "{folder}/net.prototxt" {SOLVER}'
    (folder / "solver.prototxt").write_text(text)
    messages = parse(net, caffe_pb2.NetParameter()), parse(text, caffe_pb2.SolverParameter())
    return caffe.get_solver(str(folder / "solver.prototxt")), *messages


def net(data: Path, rates: str = "") -> str:
    stores = {split.upper(): str(data / "demo" / f"{split}_global_lmdb") for split in ("train", "test")}
    filled = NET.replace("RATES", rates)
    for split, path in stores.items():
        filled = filled.replace(f'"{split}"', f'"{path}"')
    return filled


WEIGHTS = 8 * 8 * 3 * 5 + 5 + (5 * 6 + 6) + 6 * 2 + 2  # left and right are one
VALUES = (
    3 * 4 * (8 * 8 * 3 + 1) + 4 * (5 + 3 * 6 + 2) + 1
)  # three batches, which are data and label, too; the split none
TEST_VALUES = 4 * 2 * (8 * 8 * 3 + 1) + 2 * (5 + 3 * 6 + 2) + 1
ABOVE_FC1 = 4 * (3 * 6 + 2) + 1  # gradients


@pytest.mark.parametrize(
    ("rates", "gradients"),
    [
        ("", ABOVE_FC1 + 4 * 3 * 5),  # fc1's, and of both copies that the split makes
        ("param { lr_mult: 0 } param { lr_mult: 0 }", ABOVE_FC1),
        ("propagate_down: false", ABOVE_FC1 + 4 * 3 * 5),  # the photos have none anyhow
    ],
)
def test_the_memory_of_weights_batches_and_gradients_is_counted(data, tmp_path, rates, gradients):
    counted = footprint(*built(tmp_path, net(data, rates)))
    assert counted == Footprint(weights=4 * 3 * WEIGHTS, training=4 * (VALUES + gradients), test=4 * TEST_VALUES)


def test_gradients_that_no_loss_asks_for_are_not_counted(data, tmp_path):
    head = (
        'layer { name: "aside" type: "InnerProduct" bottom: "sum" top: "aside" inner_product_param { num_output: 7 } }'
    )
    counted = footprint(*built(tmp_path, net(data) + head))
    aside, copy_of_the_sum = 4 * 7, 4 * 6  # the first without a gradient, the second nothing but one
    assert counted.training == 4 * (VALUES + ABOVE_FC1 + 4 * 3 * 5 + aside + copy_of_the_sum)


MEASURE = """
import os, sys
from pathlib import Path
import psutil
from test_footprint import built, footprint
before = psutil.Process().memory_info().rss
solver, net, rules = built(Path(sys.argv[1]), Path(sys.argv[2]).read_text())
counted = footprint(solver, net, rules).total
solver.test_nets[0].share_with(solver.net)
solver.step(1)
solver.test_nets[0].forward()
print(counted, psutil.Process().memory_info().rss - before, flush=True)
os._exit(0)
"""


def test_a_process_takes_what_is_counted(data, tmp_path):
    (tmp_path / "wide.prototxt").write_text(net(data).replace("crop_size: 8", "crop_size: 256"))
    command = [sys.executable, "-c", MEASURE, str(tmp_path), str(tmp_path / "wide.prototxt")]
    settings = {"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | settings, check=True)
    counted, taken = map(int, done.stdout.split())
    assert counted > 20_000_000
    assert counted <= taken < 2 * counted
