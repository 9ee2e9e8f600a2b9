"""A job tried before it starts: what Caffe or the harness would refuse hours later, they refuse now, in seconds.

`python -m experiments.preflight`, a Job on standard input, is the child process that holds Caffe: it builds the solver
with both nets, on the CPU, reads a batch through each data layer, holds the net against the pretrained model where it
begins from one, scores a batch through the real evaluator, takes one snapshot into a temporary folder, and counts the
memory that the nets take. It says what it found in JSON.
"""

from user_error import UserError

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from experiments.failures import last_words
from experiments.footprint import Footprint, footprint
from experiments.job import Job
from experiments.launch import environment
from experiments.run_folder import RunFolder
from paper import ROOT
from prototxt import messages
from prototxt.messages import caffe_pb2

SLOW_FILLERS = ("gaussian", "msra", "uniform", "xavier")  # they would take longer than all the rest
REPORT = b"preflight: "  # begins a line of standard output
SECONDS = 600  # that a preflight may take; full-size VGG-16 on two cores takes a tenth
SCRATCH = "finetuned-aesthetics-preflight"
SNAPSHOT_BYTES_PER_WEIGHT_BYTE = 2.2  # weights and momentum


@dataclass(frozen=True)
class Trial:
    """What came of trying one job: `problem` None where it is fit to run."""

    problem: str | None = None
    edits: dict[str, str] = field(default_factory=dict)  # as edits.differences
    footprint: Footprint | None = None  # where it is fit

    @staticmethod
    def from_json(text: bytes) -> "Trial":
        fields = json.loads(text)
        counted = fields.pop("footprint")
        return Trial(**fields, footprint=Footprint(**counted) if counted else None)


def try_out(jobs: Iterable[Job]) -> dict[str, Trial]:
    """Try each variant among the jobs once; what came of it, by the names of the runs."""
    by_variant: dict[str, list[Job]] = {}  # a seed changes nothing here
    for job in jobs:
        by_variant.setdefault(job.run.variant, []).append(job)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        trials = pool.map(lambda same: _try(same[0]), by_variant.values())
    return {job.run.name: trial for same, trial in zip(by_variant.values(), trials, strict=True) for job in same}


def _try(job: Job) -> Trial:
    with _scratch() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "experiments.preflight"],
                cwd=ROOT,
                env=os.environ | environment(None, threads=1) | {"TMPDIR": folder},
                input=job.to_json().encode(),
                capture_output=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Trial(f"Caffe gave no answer in {SECONDS // 60} minutes: something in the net waits for ever")
    said = [line for line in done.stdout.splitlines() if line.startswith(REPORT)]  # a Python layer may print, too
    trial = Trial.from_json(said[-1].removeprefix(REPORT)) if said else Trial()
    if done.returncode:
        return replace(trial, problem=last_words(done.stderr.decode(errors="replace"), done.returncode))
    return trial


def _scratch() -> tempfile.TemporaryDirectory:
    """A folder for all that a preflight writes; those of processes that were killed are removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}-{platform.node()}-*"):
        number = left.name.split("-")[-2]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-{platform.node()}-{os.getpid()}-")


def main() -> None:
    """Try the job on standard input, in the folder that TMPDIR names."""
    from experiments.edits import differences

    job = Job.from_json(sys.stdin.buffer.read())
    edits = differences(job.run, job.prototxts, job.data)
    _report(Trial(edits=edits))  # Caffe may abort this process
    try:
        own = replace(job, folder=RunFolder(Path(os.environ["TMPDIR"])), gpu=None)
        _report(Trial(edits=edits, footprint=_check(own, "train_val" in edits)))
    except UserError as error:
        _report(Trial(str(error), edits))
    os._exit(0)  # Caffe's threads are still reading


def _report(trial: Trial) -> None:
    sys.stdout.buffer.write(b"\n" + REPORT + json.dumps(asdict(trial)).encode() + b"\n")
    sys.stdout.flush()


def _check(job: Job, is_edited: bool) -> Footprint:
    """What the job takes of memory; UserError where it cannot be done.

    Caffe aborts this process where it cannot build the nets.
    """
    from data_prep import manifest
    from experiments import finetuning, transfer
    from experiments.evaluation import TestPass

    photos = manifest.test_photos(job.data / job.run.dataset)
    solver = finetuning.build(replace(job, prototxts=replace(job.prototxts, net=with_fast_fillers(job.prototxts.net))))
    _ = solver.lr  # an unknown lr_policy aborts here
    copied = transfer.examine(solver.net, job.weights)
    if job.weights and not is_edited:
        transfer.check(copied)
    solver.net._forward(0, 0)  # the data layer, mean and crop included
    solver.test_nets[0].share_with(solver.net)
    TestPass(solver.test_nets[0], [label for _, label in photos]).first_batch()
    solver.apply_update()  # of gradients that are zero: an unknown regularization_type aborts here
    size = 4 * sum(blob.count for blobs in solver.net.params.values() for blob in blobs)
    if shutil.disk_usage(job.folder.path).free > SNAPSHOT_BYTES_PER_WEIGHT_BYTE * size:
        finetuning.prefix(job).parent.mkdir()
        solver.snapshot()
    return footprint(solver, finetuning.net_param(job), finetuning.solver_param(job))


def with_fast_fillers(net: str) -> str:
    """The text of a net whose weights are all read from a file, or do not matter: built in a tenth of the time."""
    param = messages.parse(net, caffe_pb2.NetParameter())
    for layer in param.layer:
        for parameters in (layer.convolution_param, layer.inner_product_param):
            if parameters.weight_filler.type in SLOW_FILLERS:
                parameters.weight_filler.type = "constant"
    return messages.text(param)


if __name__ == "__main__":
    main()
