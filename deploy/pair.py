"""Caffe's own pair in a folder, deploy.prototxt and a .caffemodel, with the facts that photos are fed to it by."""

from user_error import UserError

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deploy.net import CHANNELS, ScoringNet, Transform, read_mean
from experiments.kept_files import read_json
from files import sha256, write_atomically
from prototxt import messages
from prototxt.messages import caffe_pb2

PROTOTXT, FACTS, MEAN = "deploy.prototxt", "net.json", "mean.binaryproto"
KEYS = {
    "name": str, "dataset": str, "network": str, "view": str, "encoded": bool, "iteration": int, "weights": str,
    "input": str, "output": str, "batch": int, "crop_size": int, "scale": float,
}  # fmt: skip
OPTIONAL = {"mean_bgr": list, "mean_file": str, "sha256": dict}  # one mean; the hashes once the pair is sealed


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


def seal(folder: Path) -> None:
    """Note in net.json the SHA-256 of the pair's files, and of net.json's own facts."""
    content = _read(folder)
    hashes = dict(_hashes(folder, content))
    write_atomically(folder / FACTS, json.dumps(content | {"sha256": hashes}, indent=2, ensure_ascii=False) + "\n")


def of_pair(folder: Path, is_sealed: bool = True) -> ScoringNet:
    """The net of a folder that holds a pair; UserError where a file is missing, or is not what was sealed."""
    content = _read(folder)
    if is_sealed:
        _check(folder, content)
    mean_file = folder / content["mean_file"] if "mean_file" in content else None
    mean = read_mean(mean_file) if mean_file else np.array(content["mean_bgr"], np.float32).reshape(CHANNELS, 1, 1)
    known = ("name", "dataset", "network", "view", "encoded", "iteration", "input", "output", "batch")
    return ScoringNet(
        **{name: content[name] for name in known},
        param=messages.read(folder / PROTOTXT, caffe_pb2.NetParameter()),
        transform=Transform(content["crop_size"], mean, content["scale"]),
        mean_file=mean_file,
        weights=folder / content["weights"],
    )


def _read(folder: Path) -> dict[str, Any]:
    content = read_json(folder / FACTS, KEYS, OPTIONAL)
    if content is None:
        raise UserError(f"{folder} holds no {FACTS}: `export` writes it beside {PROTOTXT}")
    return content


def _check(folder: Path, content: dict[str, Any]) -> None:
    """Raise UserError for the first file that is not there, or not the one that was sealed."""
    sealed = content.get("sha256", {})
    for name, digest in _hashes(folder, content):
        if digest != sealed.get(name):
            raise UserError(f"{folder / name} is not as `export` wrote it: export the run again")


def _hashes(folder: Path, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of the facts without the hashes, and of each file that they name."""
    own = json.dumps({key: value for key, value in content.items() if key != "sha256"}, sort_keys=True)
    yield FACTS, hashlib.sha256(own.encode()).hexdigest()
    for name in (PROTOTXT, content["weights"], *filter(None, [content.get("mean_file")])):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is not there: `export` writes it")
        yield name, sha256(folder / name)


def is_pair(folder: Path) -> bool:
    """Whether a folder is meant as an exported net."""
    return (folder / FACTS).is_file() or (folder / PROTOTXT).is_file()
