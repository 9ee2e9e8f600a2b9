"""Caffe in .venv: a built tree copied over it, and a stamp that says which build it is."""

import json
import shutil
from pathlib import Path

from caffe_build.build import BINARIES
from caffe_build.recipe import Recipe
from files import write_atomically

STAMP = "caffe-build.json"
VENV = Path(__file__).resolve().parent.parent / ".venv"


def describe(venv: Path = VENV) -> dict[str, str]:
    """Say which Caffe is in .venv (version, source, variant, BLAS, flags, key); {} if there is none."""
    try:
        facts = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def is_installed(venv: Path, recipe: Recipe) -> bool:
    """Tell whether .venv holds the Caffe of this recipe, whole."""
    return describe(venv) == recipe.facts() and all((venv / file).exists() for file in BINARIES)


def install(tree: Path, venv: Path, recipe: Recipe) -> None:
    """Copy a built tree over .venv; the stamp comes last.

    Files are replaced, not rewritten: a running program keeps the ones it has opened.
    """
    (venv / STAMP).unlink(missing_ok=True)
    for file in tree.rglob("*"):
        if file.is_file():
            target = venv / file.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            shutil.copy2(file, partial)
            partial.replace(target)
    write_atomically(venv / STAMP, json.dumps(recipe.facts(), indent=1) + "\n")
