"""What is said of prototxts before they run: fields that are not obeyed, layers that do more than they seem to."""

from user_error import UserError

from collections.abc import Iterator
from pathlib import Path

from dataset import Dataset
from experiments.runs import Run
from paper import ROOT, VIEWS
from prototxt import messages
from prototxt.messages import caffe_pb2, layers_in
from prototxt.solver import solver as generated_solver

# Fields of the solver that the driver sets itself, and what decides instead. docs/by_hand.md has the same table.
DRIVEN = {
    "random_seed": "--seeds decides",
    "test_iter": "every test photo is scored exactly once",
    "test_initialization": "the test photos are scored at iteration 0 too",
    "snapshot_prefix": "snapshots go into the run's folder",
    "snapshot_after_train": "the last snapshot is always taken",
    "snapshot_format": "snapshots are BINARYPROTO, which a resume can check",
    "solver_mode": "--gpu and --cpu decide",
    "device_id": "--gpu decides",
}


def shown(path: Path) -> Path:
    """A path as it is said: relative to the repository's root where it lies there."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def overridden(run: Run, dataset: Dataset, written: caffe_pb2.SolverParameter) -> Iterator[str]:
    """A line for each field of DRIVEN that a person set."""
    text = generated_solver(dataset, run.network, run.view, run.start, run.edit)
    generated = messages.parse(text, caffe_pb2.SolverParameter())
    for field, instead in DRIVEN.items():
        theirs = _line(written, field)
        if theirs and theirs != _line(generated, field):
            yield f"{shown(run.solver)}: {theirs} is not used: {instead}"
    if not written.test_iter:
        yield f"{shown(run.solver)}: no test_iter: the test net is built all the same, which moves dropout's draws"


def _line(solver: caffe_pb2.SolverParameter, field: str) -> str:
    """One field of a solver in the text format, '' where it is not set."""
    only = caffe_pb2.SolverParameter()
    for descriptor, value in solver.ListFields():
        if descriptor.name == field:
            if isinstance(value, str | int | float):
                setattr(only, field, value)
            else:
                getattr(only, field).extend(value)
    return " ".join(messages.text(only).split("\n")).strip()


def programs(path: Path, net: caffe_pb2.NetParameter) -> Iterator[str]:
    """A line for the layers that run code of their own, and one for those that write files."""
    python = [f"{layer.name} ({layer.python_param.module})" for layer in net.layer if layer.type == "Python"]
    if python:
        yield f"{shown(path)}: Python layers run code: {', '.join(python)}"
    written = [(layer.name, layer.hdf5_output_param.file_name) for layer in net.layer if layer.type == "HDF5Output"]
    if written:
        yield f"{shown(path)}: HDF5Output layers write files: {', '.join(f'{name} ({file})' for name, file in written)}"


def unrepeatable(net: caffe_pb2.NetParameter, solver: caffe_pb2.SolverParameter) -> list[str]:
    """A line for each layer of the training net whose state cannot be had again by running it forward."""
    return [
        f"layer {layer.name} ({layer.type}) cannot be put back to where it was: a resumed run takes another course"
        for layer in layers_in(net, solver, caffe_pb2.TRAIN)
        if layer.type == "Python" or (layer.type == "HDF5Data" and layer.hdf5_data_param.shuffle)
    ]


def other_sources(
    run: Run, path: Path, net: caffe_pb2.NetParameter, solver: caffe_pb2.SolverParameter, data: Path
) -> Iterator[str]:
    """A line for each layer that reads other records than the variant's; UserError where TEST cannot be scored."""
    for phase, split in ((caffe_pb2.TRAIN, "train"), (caffe_pb2.TEST, "test")):
        own = run.store(data, split)
        for layer in layers_in(net, solver, phase):
            source = Path(layer.data_param.source).resolve()
            if layer.bottom or (layer.type == "Data" and source == own.resolve()):
                continue
            where = f"{shown(path)}: layer {layer.name} ({split.upper()})"
            if layer.type != "Data":
                yield f"{where} is of type {layer.type}, it does not read this variant's {own.name}"
                continue
            if phase == caffe_pb2.TEST and source not in [own.with_name(f"test_{v}_lmdb").resolve() for v in VIEWS]:
                raise UserError(
                    f"{where} reads {shown(source)}, not the test photos: data/{run.dataset}/{own.name} holds them"
                )
            yield f"{where} reads {shown(source)}, not this variant's {own.name}"
