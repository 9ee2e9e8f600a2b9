"""A process of this Python that has to come to a good end."""

import os
import subprocess
import sys
from pathlib import Path


def call(folder: Path, *arguments: object, **environment: str) -> str:
    """Run this Python in `folder`; what it printed. RuntimeError, with all that it said, when it fails."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
