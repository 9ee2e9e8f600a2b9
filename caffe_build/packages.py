"""The .venv and the Python packages in it: as requirements.txt says, or made anew."""

import json
import platform
import sys
from pathlib import Path

from caffe_build.progress import run
from files import sha256, write_atomically

STAMP = "packages.json"


def wanted(venv: Path, requirements: Path) -> dict[str, str]:
    """Give the stamp of a finished .venv; with its path, as the scripts in bin/ survive no move."""
    return {
        "requirements_sha256": sha256(requirements),
        "python": platform.python_version(),
        "path": str(venv),
    }


def are_installed(venv: Path, requirements: Path) -> bool:
    """Tell whether .venv was finished for these requirements, this Python and this place."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return stamp == wanted(venv, requirements) and (venv / "bin" / "python").exists()


def install(venv: Path, requirements: Path, log: Path) -> None:
    """Make .venv with the pinned packages; one that is old or half-made is replaced."""
    if are_installed(venv, requirements):
        return
    (venv / STAMP).unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", "--clear", venv], what="making .venv", log=log)
    pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    command = [*pip, "--require-hashes", "--requirement", requirements]
    run(command, what="installing the Python packages", log=log)
    write_atomically(venv / STAMP, json.dumps(wanted(venv, requirements), indent=1) + "\n")
