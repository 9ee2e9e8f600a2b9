"""Snapshots of a run: taken whole, kept few, and gone on from as if nothing had happened."""

from user_error import UserError

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import caffe
from caffe.proto import caffe_pb2
from google.protobuf.message import DecodeError

from files import sha256, sync, write_atomically

RANDOM_LAYERS = ("Data", "Dropout")  # the layers whose place or random stream a snapshot does not keep


@dataclass(frozen=True)
class Snapshot:
    """Caffe's two files of one iteration, and what the driver needs to go on from there."""

    iteration: int
    seconds: float  # of work on the run up to here
    losses: list[float]  # training losses since the last evaluation
    sha256: dict[str, str]  # of the files, by name


def prefix(variant: str) -> str:
    """The snapshot prefix in the run's solver, relative to the run's folder: a run may be moved."""
    return f"snapshots/{variant.replace('/', '_')}"


def take(solver: caffe.SGDSolver, folder: Path, prefix: str, seconds: float, losses: list[float]) -> Snapshot:
    """Write the solver's state; it counts once its .json is there, which is written last."""
    folder.mkdir(exist_ok=True)
    solver.snapshot()
    stem = folder.parent / f"{prefix}_iter_{solver.iter}"
    files = {
        stem.with_name(stem.name + ".caffemodel"): caffe_pb2.NetParameter,
        stem.with_name(stem.name + ".solverstate"): caffe_pb2.SolverState,
    }
    for file, message in files.items():
        _check_whole(file, message)
        sync(file)
    snapshot = Snapshot(solver.iter, seconds, losses, {file.name: sha256(file) for file in files})
    write_atomically(_marker(folder, solver.iter), json.dumps(asdict(snapshot)) + "\n")
    return snapshot


def newest(folder: Path) -> Snapshot | None:
    """The newest snapshot whose files are what they were when it was taken."""
    for snapshot in sorted(_listed(folder), key=lambda s: s.iteration, reverse=True):
        if all(_is_whole(folder / name, digest) for name, digest in snapshot.sha256.items()):
            return snapshot
    return None


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` snapshots, and files that belong to none."""
    if not folder.exists():
        return
    listed = sorted(_listed(folder), key=lambda s: s.iteration)
    kept = {name for snapshot in listed[-keep:] for name in snapshot.sha256}
    kept |= {_marker(folder, snapshot.iteration).name for snapshot in listed[-keep:]}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


def go_on(solver: caffe.SGDSolver, snapshot: Snapshot, prefix: str, iter_size: int) -> None:
    """Bring a new solver to where the snapshot was taken, its data and its random stream included.

    Caffe restores weights, momentum and iteration, but the Data layer would start at record 0 and the random stream
    anew (solver.cpp, Restore). Both are run forward by the layers that use them, and by nothing else.
    """
    for _ in range(snapshot.iteration * iter_size):
        for name, layer in zip(solver.net._layer_names, solver.net.layers, strict=True):
            if layer.type in RANDOM_LAYERS:
                solver.net.forward(start=name, end=name)
    solver.restore(f"{prefix}_iter_{snapshot.iteration}.solverstate")


def _marker(folder: Path, iteration: int) -> Path:
    return folder / f"iter_{iteration}.json"


def _listed(folder: Path) -> list[Snapshot]:
    return [Snapshot(**json.loads(path.read_text())) for path in folder.glob("iter_*.json")]


def _is_whole(path: Path, digest: str) -> bool:
    return path.exists() and sha256(path) == digest


def _check_whole(file: Path, message: type) -> None:
    """Raise UserError unless `file` parses: Caffe does not notice when a full disk takes the last bytes (io.cpp)."""
    try:
        message.FromString(file.read_bytes())
    except DecodeError:
        text = f"{file} was not written whole: make room on the disk, the run goes on from the snapshot before"
        raise UserError(text) from None
