"""Where a number came from: the code, the programs and the machine of a run."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from caffe_build.install import describe
from experiments import gpus
from paper import ROOT

PACKAGES = ("numpy", "protobuf", "lmdb", "opencv-python-headless", "scipy-openblas32")
# environment variables
SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
)


def provenance(gpu: int | None) -> dict[str, Any]:
    """What a reader needs, a year later, to argue about a number measured on this GPU (None: the CPU); JSON-ready."""
    return {
        "gpu": None if gpu is None else asdict(gpus.listed()[gpu]),
        "git": _git(),
        "caffe": describe(Path(sys.prefix)),
        "python": sys.version.split()[0],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "machine": {
            "system": platform.platform(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "settings": {name: os.environ.get(name) for name in SETTINGS},
        },
    }


def _git() -> dict[str, Any] | None:
    """The commit and whether its files were changed since; None outside a repository and a Docker image."""
    built = ROOT / "commit.json"  # in the image
    if built.exists():
        return json.loads(built.read_text())
    try:
        commit = _run("git", "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_run("git", "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()
