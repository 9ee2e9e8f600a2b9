"""What this machine has, and what stands between it and a run: each finding one line, with its mend."""

from user_error import UserError

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from caffe_build import variant
from caffe_build.install import describe
from data_prep.lmdb_store import entries
from experiments import gpus, plan, weights
from experiments.plan import Run
from experiments.rehearsal import rehearse
from paper import ROOT

SNAPSHOTS_ON_DISK = 3  # two are kept while a third is written, each weights and momentum: twice the model


@dataclass(frozen=True)
class Finding:
    """One line about this machine; a `problem` has to be mended before the runs can start."""

    subject: str
    text: str
    problem: bool = False


def examine(
    runs: Iterable[Run],
    data: Path,
    results: Path,
    wanted_gpus: list[int] | None,
    photos: Path | None = None,
    fetch_models: bool = False,
) -> list[Finding]:
    """All there is to say about this machine before `runs` on those GPUs; None is the CPU.

    `photos` is the folder that their dataset will be prepared from, where that is still to be done; with `fetch_models`
    pretrained models that are missing will be fetched.
    """
    runs = list(runs)
    found = [*_caffe(), *(() if wanted_gpus is None else _gpus(wanted_gpus)), _memory()]
    for dataset in dict.fromkeys(run.dataset for run in runs):
        found += _dataset(data / dataset, photos)
    for model in dict.fromkeys(weights.pretrained(run.dataset, run.network) for run in runs):
        found.append(_model(model, fetch_models))
    found += [
        Finding("prototxt", f"{path} is missing: `make prototxt` writes it, `git checkout` brings it back", True)
        for run in runs
        for path in (run.train_val, run.solver)
        if not path.exists()
    ]
    return [*found, _disk(runs, results)]


def try_out(runs: Iterable[Run], data: Path) -> list[Finding]:
    """What Caffe says of the variants of those runs whose dataset and pretrained model are there."""
    ready = [
        run
        for run in runs
        if (data / run.dataset / "summary.json").exists() and weights.pretrained(run.dataset, run.network).path.exists()
    ]
    unfit = rehearse(ready, data)
    fit = [run.variant for run in ready if run.name not in unfit]
    found = [Finding("prototxt", f"{name}: {reason}", True) for name, reason in unfit.items()]
    return [*found, Finding("prototxt", f"Caffe builds {', '.join(fit)}")] if fit else found


def _caffe() -> Iterator[Finding]:
    if importlib.util.find_spec("caffe") is None:
        yield Finding("Caffe", "not installed here: type `make setup`, and use .venv/bin/python", True)
        return
    facts = describe(Path(sys.prefix))
    told = ("caffe", "variant", "cuda", "cudnn", "architectures", "blas")
    build = ", ".join(f"{name} {facts[name]}" for name in told if name in facts)
    yield Finding("Caffe", build or "not one of ours: no caffe-build.json in .venv")


def _gpus(wanted: list[int]) -> Iterator[Finding]:
    try:
        there = gpus.listed()
    except UserError as error:
        yield Finding("GPU", str(error), True)
        return
    for gpu in there:
        yield Finding("GPU", f"{gpu.index}: {gpu}")
    for index in sorted(set(wanted) - {gpu.index for gpu in there}):
        yield Finding("GPU", f"there is none of number {index}: give one of those above (--gpu)", True)
    caffe = describe(Path(sys.prefix))
    if caffe.get("variant") == "cpu":
        yield Finding("GPU", "this Caffe is built for the CPU: type `make setup GPU=1`, or give CPU=1 (--cpu)", True)
    elif "cuda" in caffe:
        yield from _misfits([gpu for gpu in there if gpu.index in wanted], caffe["cuda"], caffe["architectures"])


def _misfits(wanted: list[gpus.Gpu], toolkit: str, architectures: str) -> Iterator[Finding]:
    """What Caffe would abort for, at the first thing that it asks of a card."""
    for gpu in wanted:
        if int(gpu.driver.split(".")[0]) < variant.DRIVER:
            text = (
                f"{gpu.index}: CUDA {toolkit} needs a driver {variant.DRIVER} or newer: renew it, or give CPU=1 (--cpu)"
            )
            yield Finding("GPU", text, True)
        if variant.architecture_for(gpu.compute_cap, architectures.split()) is None:
            lacking = variant.architecture_for(gpu.compute_cap)
            mend = f'type `make setup GPU=1 CUDA_ARCH="{architectures} {lacking}"`' if lacking else "take a newer card"
            text = f"{gpu.index}: this Caffe has code for sm {architectures}, the card has {gpu.compute_cap}"
            yield Finding("GPU", f"{text}: {mend}, or give CPU=1 (--cpu)", True)


def _memory() -> Finding:
    free = psutil.virtual_memory().available / 2**30
    return Finding("memory", f"{free:.1f} GiB free, {psutil.cpu_count()} cores")


def _dataset(folder: Path, photos: Path | None) -> Iterator[Finding]:
    name = folder.name
    summary = folder / "summary.json"
    if not summary.exists():
        if photos is None:
            yield Finding(name, f"{folder} is not prepared: {plan.preparation(name)}", True)
        elif not photos.is_dir():
            yield Finding(name, f"{photos} is not a folder: it has to hold the photos of {name}", True)
        else:
            yield Finding(name, f"to be prepared from {photos}")
        return
    content = json.loads(summary.read_text(encoding="utf-8"))
    for split, counts in content["splits"].items():
        for view in content["views"]:
            store = folder / f"{split}_{view}_lmdb"
            there = entries(store)
            if there != counts["written"]:
                text = f"{store} holds {there:,} photos, not {counts['written']:,}: remove {folder}, prepare it anew"
                yield Finding(name, text, True)
    counts = " + ".join(f"{counts['written']:,} {split}" for split, counts in content["splits"].items())
    yield Finding(name, f"{counts} photos, views {' and '.join(content['views'])}")


def _model(model: weights.Model, fetch: bool) -> Finding:
    if fetch and model.url and not model.path.exists():
        return Finding("model", f"{model.path}: to be fetched, {model.bytes / 1e6:.0f} MB")
    try:
        return Finding("model", f"{weights.check(model)}: as registered")
    except UserError as error:
        return Finding("model", str(error), True)


def _disk(runs: list[Run], results: Path) -> Finding:
    """Whether the snapshots of all runs fit."""
    models = (weights.pretrained(run.dataset, run.network).bytes for run in runs)
    need = sum(SNAPSHOTS_ON_DISK * 2 * size for size in models)
    place = next(path for path in (results, *results.resolve().parents, ROOT) if path.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free in {place}, up to {need / 1e9:.1f} GB needed for snapshots"
    return Finding("disk", text if free > need else f"{text}: make room, or give another --results", free <= need)
