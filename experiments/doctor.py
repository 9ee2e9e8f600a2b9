"""What is missing on this machine before a run can start: each finding one line, with its mend."""

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from experiments import plan, weights
from paper import DATASETS, NETWORKS, VIEWS
from user_error import UserError


def findings(dataset: str | None, data: Path, photos: Path | None, cpu: bool) -> list[str]:
    """All that stands between this machine and the runs of `dataset` (None: of all datasets).

    `photos` is the folder that the dataset will be prepared from, where that is still to be done.
    """
    datasets = DATASETS if dataset is None else (dataset,)
    found = list(_caffe(cpu))
    for name in datasets:
        found += _dataset(name, data, photos)
    for model in dict.fromkeys(weights.pretrained(d, n) for d in datasets for n in NETWORKS):
        try:
            weights.check(model)
        except UserError as error:
            found.append(str(error))
    for run in (run for name in datasets for run in plan.runs(name, NETWORKS, VIEWS)):
        found += [
            f"{path} is missing: `make prototxt` writes it" for path in (run.train_val, run.solver) if not path.exists()
        ]
    return found


def _caffe(cpu: bool) -> Iterator[str]:
    if importlib.util.find_spec("caffe") is None:
        yield "Caffe is not installed here: type `make setup`, and use .venv/bin/python"
    if cpu:
        return
    if shutil.which("nvidia-smi") is None:
        yield "no GPU is to be seen (nvidia-smi is missing): install NVIDIA's driver, or give CPU=1 (--cpu)"
        return
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    if listed.returncode:
        said = listed.stdout.strip() or listed.stderr.strip()
        yield f"nvidia-smi fails ({said}): mend the driver, or give CPU=1 (--cpu)"


def _dataset(name: str, data: Path, photos: Path | None) -> Iterator[str]:
    summary = data / name / "summary.json"
    if summary.exists():
        stores = json.loads(summary.read_text(encoding="utf-8")).get("stores", {})
        yield from (
            f"{data / name / store} is missing: remove {data / name} and prepare the dataset again"
            for store in stores
            if not (data / name / store / "data.mdb").exists()
        )
    elif photos is None:
        yield f"{data / name} is not prepared: {plan.preparation(name)}"
    elif not photos.is_dir():
        yield f"{photos} is not a folder: it has to hold the photos of {name}"
