"""Command lines that we print: each works when it is pasted into the shell that it was printed in."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from paper import ROOT


def experiments(*words: object) -> str:
    """A call of run_experiments.py."""
    return shlex.join([_seen(_python()), _seen(ROOT / "run_experiments.py"), *map(str, words)])


def module(name: str, *words: object) -> str:
    """A call of one of our packages, which Python finds from the repository's root."""
    if Path.cwd() == ROOT:
        return shlex.join([_seen(_python()), "-m", name, *map(str, words)])
    return module_from_anywhere(name, *words)


def module_from_anywhere(name: str, *words: object) -> str:
    """A call of one of our packages that works in any folder: paths in it are absolute."""
    placed = [word.absolute() if isinstance(word, Path) else word for word in words]
    return f"cd {shlex.quote(str(ROOT))} && {shlex.join(map(str, [_python(), '-m', name, *placed]))}"


def run(dataset: str, *words: object) -> str:
    """A call that trains on a dataset, on a GPU if there is one."""
    device = ["--gpu", 0] if shutil.which("nvidia-smi") else ["--cpu"]
    return experiments("run", "--dataset", dataset, *words, *device)


def place(name: str, folder: Path) -> list[object]:
    """The option that names a folder, --data or --results; none where it is the usual one."""
    return [] if folder.resolve() == ROOT / name else [f"--{name}", folder.resolve()]


def make(*words: str) -> str:
    """A call of make."""
    place = [] if Path.cwd() == ROOT else ["-C", str(ROOT)]
    return shlex.join(["make", *place, *words])


def this() -> str:
    """The command line that this process was started with."""
    first, *arguments = sys.orig_argv[1:]
    program = _seen(Path(first)) if first.endswith(".py") else first
    return shlex.join([_seen(_python()), program, *arguments])


def _python() -> Path:
    """The .venv's Python, whichever runs this."""
    venv = ROOT / ".venv" / "bin" / "python"
    return venv if venv.exists() else Path(sys.executable)


def _seen(path: Path) -> str:
    """A path as short as it can be from the current folder."""
    path = Path(os.path.abspath(path))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
