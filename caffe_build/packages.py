"""The .venv and the Python packages in it: as the requirements say, or set up from scratch."""

from user_error import UserError

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from caffe_build.long_command import run
from files import sha256, write_atomically

STAMP = "packages.json"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"  # of this process, and so of .venv
SITE = Path(f"lib/python{PYTHON}/site-packages")


def stamp(venv: Path, held: dict[str, str]) -> dict:
    """Describe a .venv that holds requirements files (name -> sha256); with its path, as bin/ survives no move."""
    return {"requirements": held, "python": platform.python_version(), "path": str(venv)}


def installed(venv: Path) -> dict[str, str]:
    """Give the requirements files that .venv was finished for; {} for none, another Python or another place."""
    try:
        found = json.loads((venv / STAMP).read_text())
        held = found["requirements"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return held if isinstance(held, dict) and found == stamp(venv, held) and (venv / "bin" / "python").exists() else {}


def are_installed(venv: Path, requirements: Sequence[Path]) -> bool:
    """Tell whether .venv holds what these files say; it may hold more."""
    return hashes(requirements).items() <= installed(venv).items()


def install(venv: Path, requirements: Sequence[Path], log: Path) -> None:
    """Make .venv with the pinned packages, or add those that it lacks; replace one that is outdated or half-made."""
    wanted, held = hashes(requirements), installed(venv)
    if not held or any(held[name] != wanted[name] for name in held.keys() & wanted):
        if venv.is_symlink():
            raise UserError(f"{venv} is a link to {venv.resolve()}, which others may use: remove the link")
        held = {}
        (venv / STAMP).unlink(missing_ok=True)
        run([sys.executable, "-m", "venv", "--clear", venv], what="making .venv", log=log)
    pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    for file in requirements:
        if file.name not in held:
            command = [*pip, "--require-hashes", "--requirement", file]
            run(command, what=f"installing the packages of {file.name}", log=log)
            held = held | {file.name: wanted[file.name]}
            write_atomically(venv / STAMP, json.dumps(stamp(venv, held), indent=1) + "\n")


def hashes(requirements: Sequence[Path]) -> dict[str, str]:
    """Hash requirements files: name -> sha256."""
    return {file.name: sha256(file) for file in requirements}
