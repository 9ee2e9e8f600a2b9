"""A named edit: a variant's net and solver copied to be edited by hand, beside the ones that they come from."""

from user_error import UserError

import re
from pathlib import Path

import commands
from dataset import find
from files import write_atomically
from paper import DATASETS, EDIT, NETWORKS, STARTS, VIEWS, variant_name, variant_parts
from prototxt import messages
from prototxt.generated import without_mark
from prototxt.heading import heading
from prototxt.messages import caffe_pb2


def copy(origin: str, edit: str, data: Path, root: Path, out: Path) -> list[str]:
    """Copy the net and the solver of `origin`, <dataset>/<variant>, as the edit of this name; the paths, from `out`.

    Both are copied as they are there, a person's edits and comments included; the solver names the new net. One that is
    there already stays. Raises UserError where there is no such variant, or where both are there.
    """
    dataset, network, view, start, older = _parts(origin)
    if not EDIT.fullmatch(edit) or edit in STARTS:
        words = "up to 100 letters, digits, '-', '_' and '.', beginning with a letter or digit, and no --start"
        raise UserError(f"--as {edit}: {words}")
    variant = f"{dataset}/{variant_name(network, view, start, edit)}"
    source, net_path = root / f"solvers/{origin}.prototxt", f"prototxt/{variant}/train_val.prototxt"
    solver_path = f"solvers/{variant}.prototxt"
    known = find(dataset, data)
    if not source.exists():
        if older:
            raise UserError(f"{source} is not there")
        command = commands.module("prototxt", "--dataset", dataset, *commands.place("data", data))
        raise UserError(f"{source} is not there: type `{command}` first")
    missing = [path for path in (net_path, solver_path) if not (out / path).exists()]
    if not missing:
        raise UserError(f"{out / solver_path} is there already: edit it, or give another name with --as")
    solver = messages.read(source, caffe_pb2.SolverParameter())
    net = root / solver.net
    if not solver.net or not net.is_file():
        raise UserError(f"{source}: net: {net if solver.net else 'is not set'}: no net to copy")
    old, new = (heading(known, network, view, start, name) for name in (older, edit))
    fields = {"net": net_path, "snapshot_prefix": f"solvers/{variant}"}
    texts = {
        net_path: _headed(without_mark(net), old, new),
        solver_path: _headed(_with_fields(source, fields), old, new),
    }
    for path in missing:
        try:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(out / path, texts[path].encode(errors="surrogateescape"))
        except OSError as error:
            raise UserError(f"{out / path}: {error.strerror}: the same command writes what is missing") from None
    return missing


def _parts(origin: str) -> tuple[str, str, str, str, str]:
    """The dataset, network, view, start and edit of <dataset>/<variant>; UserError of anything else."""
    dataset, _, variant = origin.partition("/")
    parts = variant_parts(variant)
    if parts is None:
        usual = variant_name(NETWORKS[0], VIEWS[0])
        raise UserError(f"--copy {origin}: give a dataset and a variant, as in {DATASETS[0]}/{usual}")
    return dataset, *parts


def _headed(text: str, old: str, new: str) -> str:
    """A text below the heading of the edit, in place of its origin's where that still is the first thing in it."""
    return new + text.removeprefix(old)


def _with_fields(path: Path, fields: dict[str, str]) -> str:
    """The text of a solver with other strings in these fields, all else as a person left it."""
    text = without_mark(path)
    wanted = messages.read(path, caffe_pb2.SolverParameter())
    for name, value in fields.items():
        text = re.sub(rf"""(?m)^([^#\n]*?\b{name}\s*:\s*)("[^"\n]*"|'[^'\n]*')""", rf'\1"{value}"', text, count=1)
        if getattr(wanted, name):
            setattr(wanted, name, value)
    if messages.parse(text, caffe_pb2.SolverParameter()) != wanted:
        raise UserError(f"{path}: cannot be copied: write each of {' and '.join(fields)} on a line of its own, once")
    return text
