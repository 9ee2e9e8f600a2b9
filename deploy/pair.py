"""Caffe's own pair in a folder, deploy.prototxt and a .caffemodel, with the facts that photos are fed to it by."""

from user_error import UserError

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deploy.net import CHANNELS, ScoringNet, Transform, read_mean
from experiments.kept_files import read_json
from paper import VIEWS
from prototxt import messages
from prototxt.messages import caffe_pb2

PROTOTXT, FACTS, MEAN = "deploy.prototxt", "net.json", "mean.binaryproto"
KEYS = {
    "name": str, "dataset": str, "network": str, "view": str, "encoded": bool, "iteration": int, "weights": str,
    "input": str, "output": str, "batch": int, "crop_size": int, "scale": float,
}  # fmt: skip
MEANS = {"mean_bgr": list, "mean_file": str}  # one of them


def facts(net: ScoringNet, weights: str) -> str:
    """The text of net.json for a pair whose caffemodel is called `weights`; a mean file goes beside it as MEAN."""
    mean = {"mean_file": MEAN} if net.mean_file else {"mean_bgr": net.transform.mean.ravel().tolist()}
    content = {
        "name": net.name,
        "dataset": net.dataset,
        "network": net.network,
        "view": net.view,
        "encoded": net.encoded,
        "iteration": net.iteration,
        "weights": weights,
        "input": net.input,
        "output": net.output,
        "batch": net.batch,
        "crop_size": net.transform.crop,
        "scale": net.transform.scale,
        **mean,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def of_pair(folder: Path) -> ScoringNet:
    """The net of a folder that holds a pair; UserError where a file is missing or damaged."""
    path = folder / FACTS
    content = read_json(path, KEYS, MEANS)
    if content is None:
        raise UserError(f"{folder} holds no {FACTS}: `export` writes it beside {PROTOTXT}")
    for name in (PROTOTXT, content["weights"]):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is not there: `export` writes it")
    mean_file = folder / content["mean_file"] if "mean_file" in content else None
    with _damage_named(path):
        if content["view"] not in VIEWS or content["batch"] < 1:
            raise ValueError("its view or batch is none")
        mean = read_mean(mean_file) if mean_file else np.array(content["mean_bgr"], np.float32)
        transform = Transform(content["crop_size"], mean.reshape(CHANNELS, *mean.shape[1:] or (1, 1)), content["scale"])
    known = ("name", "dataset", "network", "view", "encoded", "iteration", "input", "output", "batch")
    return ScoringNet(
        **{name: content[name] for name in known},
        param=messages.read(folder / PROTOTXT, caffe_pb2.NetParameter()),
        transform=transform,
        mean_file=mean_file,
        weights=folder / content["weights"],
    )


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): `export` writes it again") from None


def is_pair(folder: Path) -> bool:
    """Whether a folder is meant as an exported net."""
    return (folder / FACTS).is_file() or (folder / PROTOTXT).is_file()
