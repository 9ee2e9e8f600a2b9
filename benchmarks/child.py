"""A process of a Python, this one by itself, that has to come to a good end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def call(
    folder: Path, *arguments: object, python: Path = Path(sys.executable), env: Mapping[str, str] = os.environ
) -> str:
    """Run Python in `folder`; what it printed. RuntimeError, with all that it said, when it fails."""
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
