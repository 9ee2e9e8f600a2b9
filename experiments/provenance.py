"""Where a number came from: the code, the programs and the machine of a run."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from caffe_build.install import describe
from paper import ROOT

PACKAGES = ("numpy", "protobuf", "lmdb", "opencv-python-headless", "mkl")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def provenance() -> dict[str, Any]:
    """What a reader needs, a year later, to argue about the number; JSON-ready."""
    return {
        "git": _git(),
        "caffe": describe(Path(sys.prefix)),
        "python": sys.version.split()[0],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "threads": {name: os.environ.get(name) for name in THREADS},
        },
    }


def _git() -> dict[str, Any] | None:
    """The commit and whether the working tree differs from it; None outside a repository."""
    try:
        commit = _run("git", "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_run("git", "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()
