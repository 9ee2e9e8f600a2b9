"""What this machine has, and what stands between it and a run: each finding one line, with its fix."""

from user_error import UserError

import importlib.util
import os
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

from caffe_build.install import describe
from data_prep import space
from experiments import doctor_datasets, gpus, memory, planning, preflight, weights
from experiments.finding import Finding
from experiments.job import Job
from experiments.planning import Options
from experiments.prototxts import missing
from experiments.run_folder import RunFolder
from experiments.runs import Run
from experiments.unwritten import unwritten
from paper import DATASETS

NONE: Mapping[str, Path] = MappingProxyType({})
SNAPSHOTS_ON_DISK = 3  # two are kept while a third is written, each weights and momentum: twice the model
ADDRESS_SPACE = 4 * 2**30  # bytes, of the libraries and the LMDBs' maps; with less OpenBLAS waits for ever for memory
ADDRESS_SPACE_PER_WEIGHT_BYTE = 12  # weights, gradients, momentum, activations


def examine(
    runs: Sequence[Run], options: Options, photos: Mapping[str, Path] = NONE, fetch_models: bool = False
) -> list[Finding]:
    """All there is to say about this machine before `runs` can be planned.

    `photos` are the folders (root, extra) that their dataset will be prepared from, where that is still to be done;
    with `fetch_models` pretrained models that are missing will be fetched.
    """
    found = [*_caffe(), *(() if options.gpus is None else _gpus(options.gpus))]
    found.append(_memory([weights.pretrained(run.dataset, run.network) for run in runs]))
    for dataset in dict.fromkeys(run.dataset for run in runs):
        asked = dict.fromkeys(run.view for run in runs if run.dataset == dataset)
        found += doctor_datasets.examine(options.data / dataset, list(asked), photos)
    models = dict.fromkeys(weights.of_start(run.dataset, run.network, run.start) for run in runs)
    found += [_model(model, fetch_models) for model in models if model]
    found += [
        Finding("prototxt", text, True)
        for text in dict.fromkeys(
            missing(run, options.data)
            for run in runs
            if (run.dataset in DATASETS or run.edit) and not run.solver.exists()
        )
    ]
    try:
        is_folder = not options.results.exists() or options.results.resolve().is_dir()
    except (OSError, RuntimeError):  # a link that leads to itself
        is_folder = False
    if not is_folder:
        found.append(Finding("results", f"{options.results} is not a folder: give another --results", True))
    return found


def check_up(
    runs: Sequence[Run],
    options: Options,
    photos: Mapping[str, Path] = NONE,
    fetch_models: bool = False,
    deep: bool = False,
) -> list[Finding]:
    """Everything that `doctor` prints: this machine, then the prototxts, tried, then the disk.

    `deep`: every record of the datasets is read, too.
    """
    runs = planning.lasting(runs, options)
    found = examine(runs, options, photos, fetch_models)
    if deep:
        for dataset in dict.fromkeys(run.dataset for run in runs):
            found += doctor_datasets.deep(options.data / dataset)
    if any(finding.problem and finding.subject in ("Caffe", "prototxt") for finding in found):
        return found
    new = unwritten(runs, options.data)
    for dataset in dict.fromkeys(file.name.partition("/")[0] for file in new):
        found.append(Finding("prototxt", f"prototxt/{dataset} and solvers/{dataset}: to be written by `run`"))
    waiting = {file.name for file in new}
    outdated = planning.of_another_dataset((run for run in runs if run.variant in waiting), options)
    found += [Finding("results", text, True) for text in outdated.values()]
    jobs, refused = _jobs([run for run in runs if run.variant not in waiting and run.solver.exists()], options)
    done = {job.run for job in jobs if planning.is_done(job)}
    left = [
        (weights.pretrained(run.dataset, run.network).bytes, run.folder(options.results))
        for run in runs
        if run not in done
    ]
    trials = preflight.try_out(jobs)
    found += [*refused, *_trials(jobs, trials)]
    if not any(finding.problem and finding.subject == "GPU" for finding in found):
        cards = [] if options.gpus is None else gpus.listed()
        for dataset in dict.fromkeys(run.dataset for run in runs):  # `run` does one at a time
            together = [job for job in jobs if job.run.dataset == dataset and job.run not in done]
            found += memory.examine(together, trials, options, cards)
    return [*found, disk(left, options.results)]


def _jobs(runs: Sequence[Run], options: Options) -> tuple[list[Job], list[Finding]]:
    """The jobs of the runs whose dataset and pretrained model are there, and why the others have none."""
    jobs, refused = [], []
    for run in runs:
        model = weights.of_start(run.dataset, run.network, run.start)
        if (options.data / run.dataset / "summary.json").exists() and (model is None or model.path.exists()):
            try:
                together = [other for other in runs if other.dataset == run.dataset]
                jobs.append(planning.job(run, options, planning.default_threads(together, options)))
            except UserError as error:
                refused.append(Finding("prototxt", f"{run.name}: {error}", True))
    return jobs, refused


def _trials(jobs: Sequence[Job], trials: Mapping[str, preflight.Trial]) -> Iterator[Finding]:
    """What Caffe and the harness say of the jobs' prototxts."""
    for line in dict.fromkeys(line for job in jobs for line in (*job.prototxts.programs, *job.prototxts.warnings)):
        yield Finding("prototxt", f"warning: {line}")
    fit = []
    for name, trial in {job.run.variant: trials[job.run.name] for job in jobs}.items():
        if trial.edits:
            files = " and ".join(sorted(trial.edits))
            text = f"{name}: {files} differ from the generated ones (edited by hand, or paper.toml changed since)"
            yield Finding("prototxt", text)
        if trial.problem:
            yield Finding("prototxt", f"{name}: {trial.problem}", True)
        else:
            fit.append(name)
    if fit:
        yield Finding("prototxt", f"Caffe builds {', '.join(fit)}")


def disk(left: Sequence[tuple[int, RunFolder]], results: Path) -> Finding:
    """Whether the snapshots of the runs that are left fit: the bytes of each one's model, and its folder."""
    need = sum(SNAPSHOTS_ON_DISK * 2 * size for size, _ in left)
    need -= sum(
        path.stat().st_size for _, folder in left for path in folder.snapshots.glob("*_iter_*") if path.is_file()
    )
    place = next(path for path in (results.absolute(), *results.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    text = f"{space.size(free)} free in {place}, up to {space.size(max(0, need))} needed for snapshots"
    if not os.access(place, os.W_OK):
        return Finding("disk", f"{place} may not be written: give another --results", True)
    return Finding("disk", text if free > need else f"{text}: make room, or give another --results", free <= need)


def _caffe() -> Iterator[Finding]:
    if importlib.util.find_spec("caffe") is None:
        yield Finding("Caffe", "not installed here: type `make setup`, and use .venv/bin/python", True)
        return
    facts = describe(Path(sys.prefix))
    shown = ("caffe", "variant", "cuda", "cudnn", "architectures", "patches", "blas")
    build = ", ".join(f"{name} {facts[name]}" for name in shown if name in facts)
    yield Finding("Caffe", build or "not one of ours: no caffe-build.json in .venv")


def _gpus(wanted: list[int]) -> Iterator[Finding]:
    try:
        there = gpus.listed()
    except UserError as error:
        yield Finding("GPU", str(error), True)
        return
    caffe = describe(Path(sys.prefix))
    for gpu in there:
        yield from _gpu(gpu, caffe if gpu.index in wanted else {})
    for index in sorted(set(wanted) - {gpu.index for gpu in there}):
        yield Finding("GPU", f"there is none of number {index}: give one of those above (--gpu)", True)
    if caffe.get("variant") == "cpu":
        yield Finding(
            "GPU", "this Caffe is built for the CPU: type `make setup CUDA=1`, or give --cpu (make: CPU=1)", True
        )


def _gpu(gpu: gpus.Gpu, caffe: Mapping[str, str]) -> Iterator[Finding]:
    """One card, and what the Caffe of these facts has against it, if it is for GPUs."""
    if "cuda" not in caffe:
        yield Finding("GPU", f"{gpu.index}: {gpu}")
        return
    misfits = list(gpus.misfits(gpu, caffe["cuda"], tuple(caffe["architectures"].split())))
    said = ""
    if not misfits:
        try:
            said = gpus.ask_cuda(gpu)
        except UserError as error:
            misfits = [f"{gpu.index}: {error}"]
    yield Finding("GPU", f"{gpu.index}: {gpu}; CUDA: {said}" if said else f"{gpu.index}: {gpu}")
    yield from (Finding("GPU", misfit, True) for misfit in misfits)


def _memory(models: list[weights.Model]) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    need = ADDRESS_SPACE + ADDRESS_SPACE_PER_WEIGHT_BYTE * max((model.bytes for model in models), default=0)
    if limit != resource.RLIM_INFINITY and limit < need:
        text = f"this shell allows {limit / 2**30:.1f} GiB of address space, a run takes some {need / 2**30:.1f}"
        return Finding("memory", f"{text}: type `ulimit -v unlimited`", True)
    return Finding("memory", f"{memory.free() / 2**30:.1f} GiB free, {psutil.cpu_count()} cores")


def _model(model: weights.Model, fetch: bool) -> Finding:
    try:
        if fetch and model.urls and not model.path.exists():
            weights.require_room(model)
            return Finding("model", f"{model.path}: to be fetched, {model.size}")
        return Finding("model", f"{weights.check(model)}: {model.size}, as registered")
    except UserError as error:
        return Finding("model", str(error), True)
