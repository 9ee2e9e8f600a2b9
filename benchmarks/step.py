"""One iteration of fine-tuning at full size, batches of the paper: Caffe against PyTorch, and a frozen net's.

`python -m benchmarks.step JSON` is the process that is timed, benchmarks.torch_step its peer; they print seconds per
iteration. Caffe reads its photos
from an LMDB, crops, flips and subtracts the mean; PyTorch is given one batch that is ready in memory, for all
iterations. Both compute in 32-bit floats as they do by themselves: on a GPU that has TF32 both use it in convolutions.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import torch_venv
from benchmarks.child import call
from benchmarks.stopwatch import per_iteration
from benchmarks.table import Comparison, in_turns
from experiments.launch import environment
from paper import FROZEN, NETWORKS, PRETRAINED, ROOT, stated

ITERATIONS = {"alexnet": 10, "vgg16": 2}  # on the CPU; on a GPU a hundred times as many

ENGINES = {  # the layers that cuDNN may do, by their parameters' field
    "convolution_param": "Convolution",
    "lrn_param": "LRN",
    "pooling_param": "Pooling",
    "relu_param": "ReLU",
}
LIMITS = {  # on the CPU
    "alexnet": "matrix products: five sixths of its time",
    "vgg16": "matrix products: nine tenths of its time",
}
AIMS = {"alexnet": 0.55, "vgg16": 0.85}  # on the CPU


@dataclass(frozen=True)
class Trial:
    """What is timed; `gpu` None is the CPU, `cudnn` False leaves Caffe's layers to Caffe's own CUDA code."""

    framework: str  # caffe or torch
    network: str
    copy: str  # the stand-in of the project
    gpu: int | None = None
    cudnn: bool = True
    start: str = PRETRAINED
    threads: int | None = None  # on the CPU; None is as many as there are cores

    @property
    def iterations(self) -> int:
        return ITERATIONS[self.network] * (1 if self.gpu is None else 100)


def rows(rounds: int, copy: Path, gpu: int | None = None) -> Iterator[Comparison]:
    """Caffe against PyTorch for both networks, and frozen against fine-tuned, each when it is known.

    On the CPU also Caffe against PyTorch with one thread, on a GPU also Caffe with cuDNN against without.
    """
    for network in NETWORKS:
        ours = Trial("caffe", network, str(copy), gpu)
        yield _row(ours, "PyTorch", replace(ours, framework="torch"), rounds)
        if gpu is None:
            alone = replace(ours, threads=1)
            yield _row(alone, "PyTorch", replace(alone, framework="torch"), rounds)
        yield _row(replace(ours, start=FROZEN), "the same fine-tuned", ours, rounds)
        if gpu is not None:
            yield _row(ours, "the same without cuDNN", replace(ours, cudnn=False), rounds)


def _row(ours: Trial, name: str, peer: Trial, rounds: int) -> Comparison:
    batch = stated(f"finetuning.batch_size.{ours.network}")
    place = "GPU" if ours.gpu is not None else f"CPU{', one thread' if ours.threads == 1 else ''}"
    mine, theirs = in_turns(rounds, lambda: _time(ours), lambda: _time(peer))
    is_frozen = ours.start == FROZEN
    limit = "the way forward, which both have" if is_frozen else LIMITS[ours.network]
    return Comparison(
        what=f"an iteration of full-size {ours.network}{', frozen' if is_frozen else ''}, batch {batch}, {place}",
        unit="s",
        ours=mine,
        peer=name,
        theirs=theirs,
        limit=limit if ours.gpu is None else "see its layers",
        aim=AIMS[ours.network] if ours.gpu is None and not is_frozen else None,
    )


def _time(step: Trial) -> float:
    if step.framework == "caffe":
        settings = os.environ | environment(step.gpu, step.threads)
        return float(call(ROOT, "-m", "benchmarks.step", json.dumps(asdict(step)), env=settings))
    return float(torch_venv.call("benchmarks.torch_step", step.network, step.gpu, step.threads, step.iterations))


def solver(step: Trial):
    """Caffe's solver for what is timed, with the stand-in's weights, silent."""
    import caffe
    from caffe.proto import caffe_pb2

    from experiments.prototxts import resolve
    from experiments.runs import Run
    from prototxt.messages import parse, text

    copy = Path(step.copy)
    prototxts = resolve(Run("ava-large", step.network, "global", 1, step.start), copy / "data")
    net = parse(prototxts.net, caffe_pb2.NetParameter())
    if not step.cudnn:
        for layer in net.layer:
            for field, name in ENGINES.items():
                if layer.type == name:
                    getattr(layer, field).engine = caffe_pb2.ConvolutionParameter.CAFFE  # 1 in each of them
    if step.gpu is not None:
        caffe.set_device(step.gpu)
        caffe.set_mode_gpu()
    with tempfile.TemporaryDirectory() as folder:
        param = parse(prototxts.solver, caffe_pb2.SolverParameter())
        param.display = 0
        quiet = replace(prototxts, net=text(net), solver=text(param))
        made = caffe.get_solver(str(quiet.write(Path(folder))))
    made.net.copy_from(str(copy / "models" / f"{step.network}.caffemodel"))
    return made


def advance(made, iterations: int) -> None:
    """Do iterations to their very end."""
    made.step(iterations)
    _ = float(made.net.blobs["loss"].data)  # waits for the GPU


if __name__ == "__main__":
    asked = Trial(**json.loads(sys.argv[1]))
    made = solver(asked)
    print(per_iteration(lambda iterations: advance(made, iterations), asked.iterations))
