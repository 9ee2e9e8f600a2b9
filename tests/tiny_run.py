"""A finished run of a tiny net on a prepared dataset, as the driver leaves it, made in a moment."""

import json
from dataclasses import asdict
from pathlib import Path

import caffe
import numpy as np

from data_prep import manifest
from experiments.evaluation import TestPass
from experiments.run_folder import RunFolder
from experiments.snapshots import Snapshot
from files import sha256
from paper import LAST_LAYER

BATCH = 5  # the products below are too small for OpenBLAS to share among threads, which is slow beside other tests
DATA = """layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: {phase} }}
  transform_param {{ {transform} }}
  data_param {{ source: "{store}" batch_size: {batch} backend: LMDB }} }}
"""
BODY = f"""
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 3 kernel_size: 5 stride: 8 weight_filler {{ type: "gaussian" std: 0.01 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "conv" }}
layer {{ name: "{LAST_LAYER}" type: "InnerProduct" bottom: "conv" top: "scores"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "gaussian" std: 0.01 }} }} }}
"""
ENDS = """
layer { name: "accuracy" type: "Accuracy" bottom: "scores" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }
"""
USUAL = "crop_size: 227 mean_value: 104 mean_value: 117 mean_value: 123"


def make(
    results: Path,
    dataset: Path,
    view: str = "global",
    transform: str = USUAL,
    body: str = BODY,
    ends: str = ENDS,
    command: str = "prepared",
    done: bool = True,
) -> tuple[RunFolder, np.ndarray]:
    """A run on the stores of the folder `dataset`, at iteration 7, and the p(good) of its own test pass."""
    folder = RunFolder(results / dataset.name / f"alexnet_{view}" / "seed-1")
    folder.snapshots.mkdir(parents=True)
    stores = [(phase, dataset / f"{phase.lower()}_{view}_lmdb") for phase in ("TRAIN", "TEST")]
    layers = [DATA.format(phase=phase, transform=transform, store=store, batch=BATCH) for phase, store in stores]
    net_file = folder.path / "train_val.prototxt"
    net_file.write_text("".join([*layers, body, ends]))
    (folder.path / "solver.prototxt").write_text('net: "train_val.prototxt"')
    caffe.set_random_seed(1)
    net = caffe.Net(str(net_file), caffe.TEST)
    weights = folder.snapshots / "demo_iter_7.caffemodel"
    net.save(str(weights))
    snapshot = Snapshot(7, 1.0, [], {weights.name: sha256(weights)})
    (folder.snapshots / "iter_7.json").write_text(json.dumps(asdict(snapshot)))
    run = {"dataset": dataset.name, "network": "alexnet", "view": view, "seed": 1}
    folder.write_record({"run": run, "inputs": {}, "dataset": {"command": command}})
    if done:
        folder.done.write_text('{"iteration": 7, "sha256": {}}')
    labels = [label for _, label in manifest.test_photos(dataset)]
    return folder, TestPass(net, labels).run().p_good
