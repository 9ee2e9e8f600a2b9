"""A copy of the project with stand-ins for what cannot be shipped, to measure times at full size.

The pretrained models are random weights of the published shapes, under their names and in the copy's own registry; the
dataset is prepared from drawn photos. Accuracies measured there mean nothing.
"""

import shutil
import tomllib
from pathlib import Path

import caffe
import numpy as np

from benchmarks.child import call
from files import sha256
from paper import LAST_LAYER, NETWORKS, ROOT, stated

PUBLISHED_CLASSES = 1000  # of fc8, the layer that fine-tuning replaces
NOT_COPIED = (".*", "data", "results", "__pycache__", "*.caffemodel")


def make(folder: Path, dataset: str, photos: Path) -> Path:
    """Make the copy in `folder`, with `dataset` (ava-large or ava-small) prepared from the AVA-like `photos`."""
    copy = project(folder)
    reader, _, partition = dataset.partition("-")
    call(copy, "-m", "data_prep", reader, "--root", photos.resolve(), "--partition", partition, "--allow-bad", "10")
    return copy


def project(folder: Path) -> Path:
    """Make the copy in `folder` without any dataset."""
    copy = folder / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    registry = "".join(_model(copy, network, seed) for seed, network in enumerate(NETWORKS))
    shutil.copytree(ROOT / "models" / "demo", copy / "models" / "demo", dirs_exist_ok=True)
    held = tomllib.loads((ROOT / "models" / "registry.toml").read_text(encoding="utf-8"))
    registry += "".join(_entry(name, **held[name]) for name in held if name not in NETWORKS)
    (copy / "models" / "registry.toml").write_text(registry)
    return copy


def _model(copy: Path, network: str, seed: int) -> str:
    """Write a model with random weights; its entry in the registry."""
    deploy = (ROOT / "prototxt" / network / "deploy.prototxt").read_text(encoding="utf-8")
    classes = stated("finetuning.classes")
    text = deploy.replace(LAST_LAYER, "fc8").replace(f"num_output: {classes}\n", f"num_output: {PUBLISHED_CLASSES}\n")
    prototxt = copy / "models" / f"{network}.prototxt"
    prototxt.write_text(text, encoding="utf-8")
    net = caffe.Net(str(prototxt), caffe.TEST)
    random = np.random.default_rng(seed)
    for weights, bias in net.params.values():
        deviation = np.sqrt(2 / weights.data[0].size)  # keeps the variance from layer to layer
        weights.data[...] = deviation * random.standard_normal(tuple(weights.shape), np.float32)
        bias.data[...] = 0
    path = copy / "models" / f"{network}.caffemodel"
    net.save(str(path))
    return _entry(network, path.name, path.stat().st_size, sha256(path))


def _entry(name: str, file: str, bytes: int, sha256: str) -> str:
    return f'[{name}]\nfile = "{file}"\nbytes = {bytes}\nsha256 = "{sha256}"\n\n'
