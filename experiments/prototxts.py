"""What a run really runs: the solver and the net as a person left them, made fit for the run's folder.

The solver of the variant names the net, as under stock Caffe; every name of a file is resolved as stock Caffe resolves
it from the repository's root, but for `data/...`, which lies in the folder that --data names. The driver tests and
takes snapshots itself, so it sets the fields of DRIVEN; what a person wrote there is said, not obeyed.
"""

from user_error import UserError

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import commands
from data_prep.stores import fingerprint
from dataset import find
from experiments import remarks
from experiments.failures import last_words
from experiments.remarks import DRIVEN, shown
from experiments.runs import Run
from files import write_atomically
from paper import LAST_LAYER, ROOT
from prototxt import messages
from prototxt.messages import caffe_pb2

NEVER = 2_000_000_000  # iterations: Caffe's own test phase is not used
NET, SOLVER = "train_val.prototxt", "solver.prototxt"  # in the run's folder
BINARYPROTO = caffe_pb2.SolverParameter.BINARYPROTO

# Fields that decide no weight and no score: two solvers that differ in these alone make the same run.
WITHOUT_EFFECT = ("net", "max_iter", "display", "average_loss", "debug_info", "test_interval", "snapshot", *DRIVEN)

# The fields of a layer that name files or folders. A Python layer finds its module by PYTHONPATH.
FILE_FIELDS = (
    ("data_param", "source"),
    ("data_param", "mean_file"),
    ("transform_param", "mean_file"),
    ("image_data_param", "source"),
    ("image_data_param", "root_folder"),
    ("image_data_param", "mean_file"),
    ("hdf5_data_param", "source"),
    ("hdf5_output_param", "file_name"),
    ("window_data_param", "source"),
    ("window_data_param", "root_folder"),
    ("window_data_param", "mean_file"),
    ("infogain_loss_param", "source"),
)
WRITTEN = ("hdf5_output_param",)  # these files need not be there


@dataclass(frozen=True)
class Prototxts:
    """The prototxts of one run. Texts have no comments, and their fields are in the order of caffe.proto."""

    net_file: str  # where the net was read from
    solver_file: str
    written_net: str  # as a person left it
    written_solver: str
    net: str  # as it runs, with absolute paths
    solver: str  # as it runs, but for what depends on the run's folder
    max_iter: int
    evaluate_every: int  # iterations; 0: only where the paper reports
    snapshot_every: int  # iterations; 0: only at the end
    inputs: dict[str, str]  # SHA-256 of what decides the result
    overridden: list[str]  # a line for each field that a person set and the driver sets otherwise
    programs: list[str]  # a line for layers that run code or write files
    warnings: list[str]  # a line for each other thing to know before it runs
    marks: list[str]  # a line for each thing that a reader of the result has to know
    unrepeatable: list[str]  # a line for each layer whose place in its data a resume cannot restore

    def write(self, folder: Path) -> Path:
        """Write both into the run's folder, absolute paths in the solver; the solver's path."""
        param = messages.parse(self.solver, caffe_pb2.SolverParameter())
        param.net = str(folder / NET)
        param.snapshot_prefix = str(folder / param.snapshot_prefix)
        write_atomically(folder / NET, self.net)
        write_atomically(folder / SOLVER, messages.text(param))
        return folder / SOLVER


def resolve(run: Run, data: Path, max_iter: int | None = None, evaluate_every: int | None = None) -> Prototxts:
    """The prototxts of a run whose datasets are in `data`.

    `max_iter` and `evaluate_every` take the place of the solver's. Raises UserError where they cannot run.
    """
    data = data.resolve()
    if run.edit and not run.solver.exists():
        raise UserError(missing(run, data))
    written = messages.read(run.solver, caffe_pb2.SolverParameter())
    net_file = net_path(run.solver, written)
    written_net, is_upgraded = read_net(net_file)
    net = resolved_net(net_file, written_net, data)
    solver = driven(run, written, max_iter)
    _check_numbers(run.solver, solver, written)
    unrepeatable = remarks.unrepeatable(net, solver)
    marks = list(remarks.other_sources(run, net_file, net, solver, data))
    return Prototxts(
        net_file=str(net_file),
        solver_file=str(run.solver),
        written_net=nameless_text(written_net),
        written_solver=messages.text(written),
        net=messages.text(net),
        solver=messages.text(solver),
        max_iter=solver.max_iter,
        evaluate_every=evaluate_every or written.test_interval,
        snapshot_every=written.snapshot,
        inputs=_inputs(written_net, net, solver),
        overridden=list(remarks.overridden(run, find(run.dataset, data), written)),
        programs=list(remarks.programs(net_file, net)),
        warnings=[
            *([f"{shown(net_file)}: upgraded by Caffe from the format before 2015"] if is_upgraded else ()),
            *marks,
            *(f"{shown(net_file)}: {text}" for text in unrepeatable),
        ],
        marks=marks,
        unrepeatable=unrepeatable,
    )


def missing(run: Run, data: Path) -> str:
    """What is said where a run's solver is not there: the command that writes it."""
    if not run.edit:
        return f"{run.solver} is missing: `{commands.make('prototxt')}` writes it"
    origin = replace(run, edit="").variant
    command = commands.module("prototxt", "--copy", origin, "--as", run.edit, *commands.place("data", data))
    return f"{run.solver} is missing: `{command}` copies {origin}, to be edited"


def net_path(solver_file: Path, solver: caffe_pb2.SolverParameter) -> Path:
    """The file that the solver names as its net; UserError where it has its net otherwise."""
    set_fields = {descriptor.name for descriptor, _ in solver.ListFields()}
    for field in ("net_param", "train_net", "train_net_param", "test_net", "test_net_param"):
        if field in set_fields:
            raise UserError(f"{solver_file}: `{field}` is not supported: put the net into one file, named in `net`")
    if solver.weights:
        raise UserError(
            f"{solver_file}: `weights` is not supported: a run starts from the model of models/registry.toml;"
            " remove the line"
        )
    if not solver.net:
        raise UserError(f"{solver_file}: the field `net` is missing: it names the net's prototxt")
    path = _absolute(solver.net)
    if not path.is_file():
        raise UserError(f"{solver_file}: net: {path} is not there")
    return path


def read_net(path: Path) -> tuple[caffe_pb2.NetParameter, bool]:
    """The net of `path`; one in the format before 2015 (`layers`) upgraded by Caffe's own tool; and whether it was."""
    net = messages.read(path, caffe_pb2.NetParameter())
    is_old = bool(net.layers)
    return (messages.parse(_upgraded(path), caffe_pb2.NetParameter()) if is_old else net), is_old


def resolved_net(path: Path, written: caffe_pb2.NetParameter, data: Path) -> caffe_pb2.NetParameter:
    """The net of `path` with every file that it names made absolute: 'data/...' lies in the folder `data`."""
    net = caffe_pb2.NetParameter()
    net.CopyFrom(written)
    if not any(layer.name == LAST_LAYER for layer in net.layer):
        raise UserError(f"{path}: no layer is named {LAST_LAYER}; the last layer has to keep that name")
    for layer in net.layer:
        for number in ("batch_size", "prefetch") if layer.type == "Data" else ():
            if not getattr(layer.data_param, number):
                raise UserError(f"{shown(path)}: layer {layer.name}: {number} is 0")
        for part, field in FILE_FIELDS:
            name = getattr(getattr(layer, part), field)
            if not name and layer.type == "Data" and (part, field) == ("data_param", "source"):
                raise UserError(f"{shown(path)}: layer {layer.name} names no source")
            if name:
                place = _absolute(name, data)
                if part not in WRITTEN and not place.exists():
                    raise UserError(f"{path}: layer {layer.name} names {place}, which is not there")
                trailing = "/" if field == "root_folder" else ""  # Caffe puts names right behind it
                setattr(getattr(layer, part), field, f"{place}{trailing}")
    return net


def driven(run: Run, written: caffe_pb2.SolverParameter, max_iter: int | None) -> caffe_pb2.SolverParameter:
    """The solver of one run: the driver itself tests and takes the snapshots. Paths are relative to its folder."""
    solver = caffe_pb2.SolverParameter()
    solver.CopyFrom(written)
    if max_iter is not None:
        solver.max_iter = max_iter
    solver.net = NET
    solver.random_seed = run.seed
    solver.snapshot_prefix = snapshot_prefix(run)
    solver.snapshot = 0
    solver.snapshot_after_train = False
    solver.snapshot_format = BINARYPROTO
    solver.test_iter[:] = [1]
    solver.test_interval = NEVER
    solver.test_initialization = False
    solver.ClearField("solver_mode")  # pycaffe reads neither
    solver.ClearField("device_id")
    return solver


def nameless_text(net: caffe_pb2.NetParameter) -> str:
    """The text of a net without its name, which decides nothing."""
    nameless = caffe_pb2.NetParameter()
    nameless.CopyFrom(net)
    nameless.ClearField("name")
    return messages.text(nameless)


def snapshot_prefix(run: Run) -> str:
    """What the names of a run's snapshots begin with, relative to its folder."""
    return f"snapshots/{run.variant.replace('/', '_')}"


def _check_numbers(path: Path, solver: caffe_pb2.SolverParameter, written: caffe_pb2.SolverParameter) -> None:
    """Raise UserError where a count of the solver cannot be one."""
    if not solver.max_iter:
        raise UserError(f"{path}: max_iter is not set, Caffe would do no iteration: set it, or give --max-iter")
    counts = {"max_iter": solver.max_iter, "iter_size": solver.iter_size}
    counts |= {"snapshot": written.snapshot + 1, "test_interval": written.test_interval + 1}  # 0 is none
    for name, number in counts.items():
        if number < 1:
            raise UserError(f"{path}: {name}: {getattr(written, name)} is no number of iterations")


def _absolute(name: str, data: Path = ROOT / "data") -> Path:
    path = Path(name)
    return data.joinpath(*path.parts[1:]) if path.parts[:1] == ("data",) else ROOT / path


def _upgraded(path: Path) -> str:
    """The text that Caffe's upgrade_net_proto_text makes of a net in an old format."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder, "net.prototxt")
        command = [Path(sys.prefix, "bin", "upgrade_net_proto_text"), path, new]
        own = os.environ | {"TMPDIR": folder}  # glog leaves its files there
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=own)
        if done.returncode:
            said = last_words(done.stderr, done.returncode)
            raise UserError(f"{shown(path)}: Caffe cannot upgrade this old format: {said}")
        return new.read_text(encoding="utf-8")


def _inputs(
    written_net: caffe_pb2.NetParameter, net: caffe_pb2.NetParameter, solver: caffe_pb2.SolverParameter
) -> dict[str, str]:
    """The SHA-256 of what decides the weights: the net, the solver's rules, and the content of the files they name."""
    rules = caffe_pb2.SolverParameter()
    rules.CopyFrom(solver)
    for field in WITHOUT_EFFECT:
        if not (field == "max_iter" and solver.lr_policy == "poly"):  # the only policy that reads it
            rules.ClearField(field)
    sources = [Path(layer.data_param.source) for layer in net.layer if layer.type == "Data"]
    stores = [fingerprint(source) for source in sources if (source / "data.mdb").exists()]  # LevelDB has none
    found = {
        "stores": _digest(*stores),
        "net": _digest(nameless_text(written_net)),
        "rules": _digest(messages.text(rules)),
    }
    read = [(part, field) for part, field in FILE_FIELDS if part not in (*WRITTEN, "data_param")]  # stores: see dataset
    names = {getattr(getattr(layer, part), field) for layer in net.layer for part, field in read}
    contents = [Path(name).read_bytes() for name in sorted(names) if name and Path(name).is_file()]
    return found | ({"files": _digest(*contents)} if contents else {})


def _digest(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode() if isinstance(part, str) else part)
    return total.hexdigest()
