"""A variant's prototxt and solver, tried before anything runs: what Caffe would refuse later, it refuses now.

`python -m experiments.rehearsal RUN DATA WEIGHTS` is the child process that holds Caffe. It builds the solver with both
nets, on the CPU, reads a batch through each Data layer, and holds the net against the pretrained model.
"""

from user_error import UserError

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from experiments.last_words import last_words
from experiments.launch import CHILD_ENVIRONMENT
from experiments.plan import Run
from experiments.weights import pretrained
from paper import ROOT

SLOW_FILLERS = ("gaussian", "msra", "uniform", "xavier")  # they would take longer than all the rest


def rehearse(runs: Iterable[Run], data: Path) -> dict[str, str]:
    """Try each variant among `runs` once; why those are unfit that are, by the runs' names."""
    by_variant: dict[str, list[Run]] = {}  # a seed changes nothing here
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        reasons = pool.map(lambda same: _try(same[0], data), by_variant.values())
    return {
        run.name: reason for same, reason in zip(by_variant.values(), reasons, strict=True) if reason for run in same
    }


def _try(run: Run, data: Path) -> str | None:
    """Why a run is unfit, or None."""
    weights = pretrained(run.dataset, run.network).path
    done = subprocess.run(
        [sys.executable, "-m", "experiments.rehearsal", json.dumps(asdict(run)), str(data.resolve()), str(weights)],
        cwd=ROOT,
        env=os.environ | CHILD_ENVIRONMENT | {"GLOG_minloglevel": "2"},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return None
    return done.stdout.strip() if done.returncode == 2 else last_words(done.stderr, done.returncode)


def main() -> int:
    """Try one variant; status 2 and one line on standard output where it is not fit."""
    from experiments import texts, transfer
    from prototxt.generated import is_edited

    run, data, weights = Run(**json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    try:
        net = texts.net(run.train_val, data)
        solver = texts.driven(texts.solver(run.solver), run.seed, "rehearsal", max_iter=None)
        copied = transfer.examine(_build(net, solver), weights)
        if not is_edited(run.train_val):
            transfer.check(copied)
    except UserError as error:
        print(error)
        return 2
    return 0


def _build(net, solver):
    """Caffe's training net of the two texts; Caffe aborts this process where it cannot be built."""
    import caffe

    from experiments import texts

    for layer in net.layer:
        for parameters in (layer.convolution_param, layer.inner_product_param):
            if parameters.weight_filler.type in SLOW_FILLERS:
                parameters.weight_filler.type = "constant"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        built = caffe.get_solver(str(texts.write(Path(), net, solver)))
        built.lr  # noqa: B018 -- an unknown lr_policy aborts here
        for each in (built.net, built.test_nets[0]):
            each.forward(end=each._layer_names[0])  # by layer 0: the Data layer, mean and crop included
    return built.net


if __name__ == "__main__":
    sys.exit(main())
