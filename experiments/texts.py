"""The prototxt and the solver that a run really uses: the repository's, as a person left them, fit for its folder."""

from user_error import UserError

from pathlib import Path

from caffe.proto import caffe_pb2
from google.protobuf import text_format

from files import write_atomically
from paper import LAST_LAYER, ROOT

NEVER = 2_000_000_000  # iterations: Caffe's own test phase is not used


def net(path: Path, data: Path) -> caffe_pb2.NetParameter:
    """The net of `path` with every file it names made absolute: 'data/...' lies in the folder `data`."""
    param = _parse(path, caffe_pb2.NetParameter())
    if not any(layer.name == LAST_LAYER for layer in param.layer):
        raise UserError(f"{path}: no layer is named {LAST_LAYER}; the last layer has to keep that name")
    for layer in param.layer:
        if layer.type == "Data":
            source = _resolve(layer.data_param.source, data)
            if not source.exists():
                raise UserError(f"{path}: layer {layer.name} names {source}, which is not there")
            layer.data_param.source = str(source)
        if layer.transform_param.mean_file:
            layer.transform_param.mean_file = str(_resolve(layer.transform_param.mean_file, data))
    return param


def solver(path: Path) -> caffe_pb2.SolverParameter:
    """The solver of `path`, as a person left it."""
    param = _parse(path, caffe_pb2.SolverParameter())
    if not param.net:
        raise UserError(f"{path}: the field `net` is missing; the driver knows no other way to name a net")
    return param


def driven(
    written: caffe_pb2.SolverParameter, seed: int, snapshot_prefix: str, max_iter: int | None
) -> caffe_pb2.SolverParameter:
    """The solver of one run: the driver itself tests and takes the snapshots."""
    param = caffe_pb2.SolverParameter()
    param.CopyFrom(written)
    if max_iter is not None:
        param.max_iter = max_iter
    param.net = "train_val.prototxt"
    param.random_seed = seed
    param.snapshot_prefix = snapshot_prefix
    param.snapshot = 0
    param.snapshot_after_train = False
    param.test_iter[:] = [1]
    param.test_interval = NEVER
    param.test_initialization = False
    return param


def write(folder: Path, net: caffe_pb2.NetParameter, solver: caffe_pb2.SolverParameter) -> Path:
    """Write both into `folder`, the net under the name that the solver has for it; the solver's path."""
    path = folder / "solver.prototxt"
    write_atomically(folder / solver.net, text(net))
    write_atomically(path, text(solver))
    return path


def text(param: caffe_pb2.NetParameter | caffe_pb2.SolverParameter) -> str:
    return text_format.MessageToString(param, as_utf8=True)


def _parse(path: Path, message):
    """`message`, filled from the text format."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except text_format.ParseError as error:
        raise UserError(f"{path}:{error}") from None


def _resolve(name: str, data: Path) -> Path:
    path = Path(name)
    return data.joinpath(*path.parts[1:]) if path.parts[:1] == ("data",) else ROOT / path
