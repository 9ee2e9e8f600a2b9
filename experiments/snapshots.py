"""Snapshots of a run: taken whole, kept few, and resumed from as if nothing had happened."""

from user_error import UserError

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from files import sha256, sync, write_atomically
from prototxt.messages import caffe_pb2

if TYPE_CHECKING:  # who only looks for a snapshot does not load Caffe
    import caffe

MARKER = re.compile(r"iter_(\d+)\.json")


@dataclass(frozen=True)
class Snapshot:
    """Caffe's two files of one iteration, and what the driver needs to resume from them."""

    iteration: int
    seconds: float  # of work on the run up to here
    losses: list[float]  # training losses since the last evaluation
    sha256: dict[str, str]  # of the files, by name


def take(solver: "caffe.SGDSolver", prefix: Path, seconds: float, losses: list[float]) -> Snapshot:
    """Write the solver's state to <prefix>_iter_<n>; it counts once its marker is there, which is written last."""
    folder, iteration = prefix.parent, solver.iter
    folder.mkdir(exist_ok=True)
    marker = _marker(folder, iteration)
    marker.unlink(missing_ok=True)  # of an earlier one that is no longer sound
    solver.snapshot()
    files = {
        _file(prefix, iteration, "caffemodel"): caffe_pb2.NetParameter,
        _file(prefix, iteration, "solverstate"): caffe_pb2.SolverState,
    }
    for file, message in files.items():
        _check_whole(file, message)
        sync(file)
    snapshot = Snapshot(iteration, seconds, losses, {file.name: sha256(file) for file in files})
    write_atomically(marker, json.dumps(asdict(snapshot)) + "\n")
    return snapshot


def copy(snapshot: Snapshot, source: Path, target: Path) -> None:
    """Copy a snapshot's files from one prefix to another; it counts there once its marker is, which is copied last."""
    target.parent.mkdir(exist_ok=True)
    for suffix in ("caffemodel", "solverstate"):
        file = _file(target, snapshot.iteration, suffix)
        partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
        shutil.copyfile(_file(source, snapshot.iteration, suffix), partial)
        sync(partial)
        partial.replace(file)
    write_atomically(_marker(target.parent, snapshot.iteration), json.dumps(asdict(snapshot)) + "\n")


def newest(folder: Path, last: int | None = None, kind: str = "") -> Snapshot | None:
    """The newest snapshot, up to iteration `last`, whose files are what they were when it was taken.

    Damaged ones do not count. With `kind` only the file that ends so is looked at: 'caffemodel' for the weights alone.
    """
    for snapshot in sorted(_marked(folder), key=lambda s: s.iteration, reverse=True):
        files = {folder / name: digest for name, digest in snapshot.sha256.items() if name.endswith(kind)}
        if (last is None or snapshot.iteration <= last) and files and all(map(_is_whole, files, files.values())):
            return snapshot
    return None


def discard_after(prefix: Path, iteration: int) -> None:
    """Remove the snapshots after an iteration: they are damaged where it is that of the newest sound one."""
    for marker in prefix.parent.glob("iter_*.json"):
        name = MARKER.fullmatch(marker.name)
        if name and int(name[1]) > iteration and not marker.is_dir():
            marker.unlink()


def prune(prefix: Path, keep: int) -> None:
    """Remove all but the newest `keep` snapshots, and what a killed process left half-written; nothing else."""
    folder = prefix.parent
    kept = {snapshot.iteration for snapshot in sorted(_marked(folder), key=lambda s: s.iteration)[-keep:]}
    ours = re.compile(rf"{re.escape(prefix.name)}_iter_(\d+)\.(caffemodel|solverstate)")
    for path in folder.glob("*iter_*"):
        name = MARKER.fullmatch(path.name) or ours.fullmatch(path.name)
        if name and int(name[1]) not in kept and not path.is_dir():
            path.unlink()


def resume(
    solver: "caffe.SGDSolver", snapshot: Snapshot, prefix: Path, batches: int, before: Callable[[int], None]
) -> None:
    """Bring a new solver to where the snapshot was taken, its data and its random stream included.

    Caffe restores weights, momentum and iteration, but its data layers would start at record 0 and the random stream
    at its seed (solver.cpp, Restore). Both are run forward for as many batches as the run has had, by the layers that
    use them and by nothing else; `before` is called with the number of each, and may raise to end it.
    """
    net = solver.net
    replayed = [i for i, layer in enumerate(net.layers) if _has_place(net, i, layer.type)]
    for batch in range(batches):
        before(batch)
        for i in replayed:
            net._forward(i, i)
    _restore(solver, _file(prefix, snapshot.iteration, "solverstate"))


def _has_place(net: "caffe.Net", index: int, kind: str) -> bool:
    """Whether a layer's next output depends on how often it ran: it reads records, or draws random numbers."""
    return kind == "Dropout" or not len(net._bottom_ids(index))


def _restore(solver: "caffe.SGDSolver", state: Path) -> None:
    """Restore from a .solverstate, which names its .caffemodel by a path: that of the folder before it was moved."""
    param = caffe_pb2.SolverState.FromString(state.read_bytes())
    model = state.with_suffix(".caffemodel")
    if Path(param.learned_net) == model:
        solver.restore(str(state))
        return
    param.learned_net = str(model)
    moved = state.with_name(f".{state.name}.{os.getpid()}.partial")
    try:
        moved.write_bytes(param.SerializeToString())
        solver.restore(str(moved))
    finally:
        moved.unlink(missing_ok=True)


def _marker(folder: Path, iteration: int) -> Path:
    return folder / f"iter_{iteration}.json"


def _file(prefix: Path, iteration: int, suffix: str) -> Path:
    return prefix.with_name(f"{prefix.name}_iter_{iteration}.{suffix}")


def _marked(folder: Path) -> Iterator[Snapshot]:
    """The snapshots whose markers can be read."""
    names = [field.name for field in fields(Snapshot)]
    for path in folder.glob("iter_*.json"):
        try:
            content = json.loads(path.read_bytes())
            snapshot = Snapshot(**{name: content[name] for name in names})
            _ = int(snapshot.iteration), float(snapshot.seconds), sum(snapshot.losses), snapshot.sha256.items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if MARKER.fullmatch(path.name) and path == _marker(folder, snapshot.iteration) and snapshot.sha256:
            yield snapshot


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _check_whole(file: Path, message: type) -> None:
    """Raise UserError unless `file` parses: Caffe does not notice when a full disk takes the last bytes (io.cpp)."""
    try:
        message.FromString(file.read_bytes())
    except DecodeError:
        raise UserError(f"{file} was not written whole: make room on the disk") from None
