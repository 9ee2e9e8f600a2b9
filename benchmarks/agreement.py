"""Whether a GPU computes what the CPU computes: one batch forward and backward, from the same weights and photos.

`python -m benchmarks.agreement JSON` is the process that holds Caffe. It runs with TF32 off, and with it on: then a GPU
that has it keeps 10 bits of a factor's 23. Dropout is off, as its random numbers are not the same on a GPU. What
rounding explains is said in benchmarks/faithfulness.py: 1e-4 of the scores, a few hundredths of a gradient.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks.child import call
from experiments.launch import environment
from experiments.runs import Run
from paper import LAST_LAYER, NETWORKS, ROOT

TF32 = {"off": {"NVIDIA_TF32_OVERRIDE": "0"}, "on": {}}  # variables of the process
SEED = 1  # of fillers, crops and flips


def tables(copy: Path, gpu: int | None) -> Iterator[str]:
    """The largest differences of each net, the demo's and those at full size, as shares of their blobs' norms."""
    header = ["net", "TF32", "photos", "scores", "p(good), at most", "largest gradient's difference", "of"]
    for run in (Run(dataset, network, "global", SEED) for dataset in ("demo", "ava-large") for network in NETWORKS):
        asked = json.dumps({"run": asdict(run), "data": str(copy / "data"), "gpu": gpu})
        rows = []
        for tf32, own in TF32.items():
            settings = os.environ | environment(gpu, threads=None) | own
            printed = call(ROOT, "-m", "benchmarks.agreement", asked, env=settings)
            rows.append([f"{run.network}, {run.dataset}", tf32, *json.loads(printed)])
        yield tabulate(rows, header, "pipe", floatfmt=".1e") + "\n"


def _compare(run: Run, data: Path, gpu: int | None) -> list[float | str]:
    """Differences of the photos and the scores, p(good)'s largest, that of the gradients' worst blob, its name."""
    photos, scores, gradients = _batch(run, data, None)
    their_photos, their_scores, their_gradients = _batch(run, data, gpu)
    apart = {name: _apart(gradients[name], their_gradients[name]) for name in gradients}
    worst = max(apart, key=apart.__getitem__)
    p_apart = float(np.abs(_p_good(scores) - _p_good(their_scores)).max())
    return [_apart(photos, their_photos), _apart(scores, their_scores), p_apart, apart[worst], worst]


def _p_good(scores: np.ndarray) -> np.ndarray:
    """The probability of class 1 by the softmax of n x 2 scores."""
    return 1 / (1 + np.exp(scores[:, 0].astype(np.float64) - scores[:, 1]))


def _batch(run: Run, data: Path, gpu: int | None) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Photos, scores and gradients of the first training batch, on the CPU (None) or a GPU."""
    import caffe

    from experiments.prototxts import resolve
    from prototxt.messages import caffe_pb2, parse, text

    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    caffe.set_random_seed(SEED)
    param = parse(resolve(run, data).net, caffe_pb2.NetParameter())
    for layer in param.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
        for parameters in (layer.convolution_param, layer.inner_product_param):
            if parameters.HasField("weight_filler"):
                parameters.weight_filler.type = "msra"  # with the committed ones VGG's scores would all be alike
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text(param))
        file.flush()
        net = caffe.Net(file.name, caffe.TRAIN)
    net.forward()
    net.backward()
    gradients = {
        f"{name}, {kind}": blob.diff.copy()
        for name, blobs in net.params.items()
        for kind, blob in zip(("weights", "bias"), blobs, strict=True)
    }
    return net.blobs["data"].data.copy(), net.blobs[LAST_LAYER].data.copy(), gradients


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(ours))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(_compare(Run(**asked["run"]), Path(asked["data"]), asked["gpu"])))
