"""PyTorch in a .venv of its own, .venv-torch: in .venv it would replace the CUDA libraries that Caffe is built with.

`python -m benchmarks.torch_venv` makes it (`make bench` does). All packages of .venv are found there, too, after its
own. Where the variable TORCH_PYTHON names another Python that has PyTorch, that one is taken.
"""

from user_error import UserError, exit_with_status

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import commands
from benchmarks.child import call as call_python
from paper import ROOT

VENV = ROOT / ".venv-torch"
REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"


def python() -> Path:
    """The Python that has PyTorch; UserError where there is none."""
    named = os.environ.get("TORCH_PYTHON")
    asked = named or str(VENV / "bin" / "python")
    found = shutil.which(asked)
    trial = [found, "-c", "import torch"]
    if found is None or subprocess.run(trial, env=_environment(), capture_output=True).returncode:
        fix = f"`{commands.module('benchmarks.torch_venv')}` makes {VENV.name} with it"
        raise UserError(f"{asked}: no Python that has PyTorch: {fix}")
    return Path(found)


def call(module: str, *arguments: object) -> str:
    """Run one of our modules there; what it printed."""
    return call_python(ROOT, "-m", module, *arguments, python=python(), env=_environment())


def _environment() -> dict[str, str]:
    """Ours, without the CUDA that is meant for Caffe."""
    return {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}


def main() -> None:
    """Make it, or bring it to what the requirements say."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    inside = VENV / "bin" / "python"
    pip = [inside, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--requirement", REQUIREMENTS]
    if subprocess.run(pip).returncode:
        raise UserError(f"{VENV}: PyTorch cannot be installed: fix what pip says above, and call this again")
    site = sysconfig.get_path("purelib", vars={"base": str(VENV)})
    (Path(site) / "packages-of-venv.pth").write_text(sysconfig.get_path("purelib") + "\n")


if __name__ == "__main__":
    exit_with_status(main)
