"""What this machine has, and what stands between it and a run: each finding one line, with its mend."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from caffe_build.install import describe
from data_prep.lmdb_store import entries
from experiments import plan, weights
from experiments.plan import Run
from paper import ROOT
from user_error import UserError

SNAPSHOTS_ON_DISK = 3  # two are kept while a third is written, each weights and momentum: twice the model


@dataclass(frozen=True)
class Finding:
    """One line about this machine; a `problem` has to be mended before the runs can start."""

    subject: str
    text: str
    problem: bool = False


def examine(runs: Iterable[Run], data: Path, results: Path, photos: Path | None, cpu: bool) -> list[Finding]:
    """All there is to say about this machine before `runs`.

    `photos` is the folder that their dataset will be prepared from, where that is still to be done.
    """
    runs = list(runs)
    found = [*_caffe(), *(() if cpu else _gpus()), _memory()]
    for dataset in dict.fromkeys(run.dataset for run in runs):
        found += _dataset(data / dataset, photos)
    for model in dict.fromkeys(weights.pretrained(run.dataset, run.network) for run in runs):
        found.append(_model(model))
    found += [
        Finding("prototxt", f"{path} is missing: `make prototxt` writes it, `git checkout` brings it back", True)
        for run in runs
        for path in (run.train_val, run.solver)
        if not path.exists()
    ]
    return [*found, _disk(runs, results)]


def _caffe() -> Iterator[Finding]:
    if importlib.util.find_spec("caffe") is None:
        yield Finding("Caffe", "not installed here: type `make setup`, and use .venv/bin/python", True)
        return
    facts = describe(Path(sys.prefix))
    told = ("caffe", "variant", "cuda", "cudnn", "architectures", "blas")
    build = ", ".join(f"{name} {facts[name]}" for name in told if name in facts)
    yield Finding("Caffe", build or "not one of ours: no caffe-build.json in .venv")


def _gpus() -> Iterator[Finding]:
    if shutil.which("nvidia-smi") is None:
        text = "none to be seen (nvidia-smi is missing): install NVIDIA's driver, or give CPU=1 (--cpu)"
        yield Finding("GPU", text, True)
        return
    query = ["nvidia-smi", "--query-gpu=index,name,memory.used,memory.total", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True)
    if listed.returncode:
        said = listed.stdout.strip() or listed.stderr.strip()
        yield Finding("GPU", f"nvidia-smi fails ({said}): mend the driver, or give CPU=1 (--cpu)", True)
    for line in listed.stdout.splitlines() if not listed.returncode else ():
        index, name, used, total = line.split(", ")
        yield Finding("GPU", f"{index}: {name}, {used} of {total} in use")
    if describe(Path(sys.prefix)).get("variant") == "cpu":
        yield Finding("GPU", "this Caffe is built for the CPU: `make setup GPU=1`, or give CPU=1 (--cpu)", True)


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


def _model(model: weights.Model) -> Finding:
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
