"""The net of a run as the test pass has it, ready for photos from elsewhere: no LMDB, no labels.

All of it comes from the run's own folder: the prototxt and the solver that really ran, edits included, and a snapshot.
"""

from user_error import UserError

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from data_prep import summary
from data_prep.request import store_name
from experiments import snapshots
from experiments.prototxts import NET, SOLVER
from experiments.run_folder import RunFolder
from files import opened
from paper import LAST_LAYER, NETWORKS, PRETRAINED, STARTS, VIEWS, stated, variant_name
from prototxt import messages
from prototxt.messages import caffe_pb2, layers_in

CHANNELS = 3
VIEW_SIZE: int = stated("views.size")


@dataclass(frozen=True)
class Transform:
    """What Caffe's data transformer does to a view in phase TEST: crop the centre, subtract the mean, scale."""

    crop: int
    mean: np.ndarray  # float32, BGR: 3 x 1 x 1, or 3 x 256 x 256 of a mean file
    scale: float

    @property
    def offset(self) -> int:
        """Where the crop begins, in both directions (data_transformer.cpp)."""
        return (VIEW_SIZE - self.crop) // 2

    @property
    def cropped_mean(self) -> np.ndarray:
        """The mean that is subtracted from the crop: 3 x 1 x 1 or 3 x crop x crop."""
        return self._cropped(self.mean) if self.mean.shape[1] > 1 else self.mean

    def apply(self, views: np.ndarray, out: np.ndarray) -> None:
        """Write n views, 3 x 256 x 256 BGR uint8, as the net reads them into `out` (n x 3 x crop x crop float32)."""
        np.subtract(self._cropped(views), self.cropped_mean, out=out)
        if self.scale != 1:
            np.multiply(out, np.float32(self.scale), out=out)

    def _cropped(self, planes: np.ndarray) -> np.ndarray:
        end = self.offset + self.crop
        return planes[..., self.offset : end, self.offset : end]


@dataclass(frozen=True)
class ScoringNet:
    """A net that says of a view how probably its photo is good."""

    name: str  # for people: demo/alexnet_global/seed-1
    dataset: str
    network: str
    view: str  # that its test photos are
    encoded: bool  # whether these were stored as JPEGs
    iteration: int
    param: caffe_pb2.NetParameter  # of phase TEST: an Input layer in the place of Data, nothing that scoring can miss
    input: str  # the blob of the photos, batch x 3 x crop x crop
    output: str  # that of the last layer, batch x 2: bad, good
    batch: int  # of the test pass
    transform: Transform
    mean_file: Path | None
    weights: Path
    notes: tuple[str, ...] = ()  # a line for each thing that a reader of the scores has to know


def of_run(folder: RunFolder) -> ScoringNet:
    """The net of a run at the iteration of its result, or of its newest sound snapshot where it is not finished.

    Raises UserError where there is none, or where it reads its test photos in a way that is not covered.
    """
    record = folder.record()
    if record is None:
        raise UserError(f"{folder.path} holds no run: `status` lists those that there are")
    run, path = record["run"], folder.path / NET
    if run.get("network") not in NETWORKS or not isinstance(run.get("dataset"), str) or "seed" not in run:
        raise UserError(f"{folder.path / 'run.json'} is damaged: its run lacks a dataset, a network or a seed")
    start = run.get("start", PRETRAINED)
    if run.get("view") not in VIEWS or start not in STARTS:
        raise UserError(f"{folder.path / 'run.json'} is damaged: its run has no view, or a start that there is not")
    variant = variant_name(run["network"], run["view"], start, run.get("edit", ""))
    net = messages.read(path, caffe_pb2.NetParameter())
    solver = messages.read(folder.path / SOLVER, caffe_pb2.SolverParameter())
    layers = list(layers_in(net, solver, caffe_pb2.TEST))
    data, output = _data_layer(path, layers), _output(path, layers)
    transform, mean_file = _transform(path, data)
    snapshot, notes = _snapshot(folder)
    if data.transform_param.mirror:
        notes.append(f"{path}: the test photos were mirrored at random (mirror: true in TEST), these are not")
    return ScoringNet(
        name=f"{run['dataset']}/{variant}/{folder.path.name}",
        dataset=run["dataset"],
        network=run["network"],
        view=_view(path, data),
        encoded=_is_encoded(folder, record, Path(data.data_param.source).parent),
        iteration=snapshot.iteration,
        param=_scoring(path, layers, data, output, transform.crop),
        input=data.top[0],
        output=output,
        batch=data.data_param.batch_size,
        transform=transform,
        mean_file=mean_file,
        weights=next(folder.snapshots / name for name in snapshot.sha256 if name.endswith(".caffemodel")),
        notes=tuple(notes),
    )


def read_mean(path: Path) -> np.ndarray:
    """A mean file of Caffe's: 3 x 256 x 256 float32; UserError where it is none."""
    blob = caffe_pb2.BlobProto()
    with opened(path) as file:
        try:
            blob.ParseFromString(file.read())
        except DecodeError:
            raise UserError(f"{path} is no mean file of Caffe's") from None
    mean = np.array(blob.data, np.float32)
    if mean.size != CHANNELS * VIEW_SIZE**2:
        raise UserError(f"{path} is no mean of {CHANNELS} x {VIEW_SIZE} x {VIEW_SIZE} numbers")
    return mean.reshape(CHANNELS, VIEW_SIZE, VIEW_SIZE)


def _data_layer(path: Path, layers: Iterable[caffe_pb2.LayerParameter]) -> caffe_pb2.LayerParameter:
    """The layer that gives the test pass its photos and labels."""
    sources = [layer for layer in layers if not layer.bottom and len(layer.top) > 1]
    if len(sources) != 1:
        raise UserError(f"{path}: {len(sources)} layers of phase TEST give photos and labels, not one")
    (data,) = sources
    if data.type != "Data":
        raise UserError(f"{path}: layer {data.name} is of type {data.type}: only photos that Data reads are covered")
    if data.transform_param.force_gray:
        raise UserError(f"{path}: layer {data.name}: force_gray is not covered")
    return data


def _output(path: Path, layers: Iterable[caffe_pb2.LayerParameter]) -> str:
    """The name of the blob that the test pass takes p(good) from."""
    for layer in layers:
        if layer.name == LAST_LAYER:
            return layer.top[0]
    raise UserError(f"{path}: phase TEST has no layer {LAST_LAYER}")


def _scoring(
    path: Path,
    layers: Iterable[caffe_pb2.LayerParameter],
    data: caffe_pb2.LayerParameter,
    output: str,
    crop: int,
) -> caffe_pb2.NetParameter:
    """The layers that write the output or what it is made from, in place too, behind an Input layer of batch photos."""
    net = caffe_pb2.NetParameter()
    kept, read = [], {output}
    for layer in reversed(list(layers)):
        if layer is not data and read.intersection(layer.top):
            kept.append(layer)
            read.update(layer.bottom)
    if data.top[0] not in read or read.intersection(data.top[1:]):
        cause = "does not depend on the photos" if data.top[0] not in read else "depends on the labels"
        raise UserError(f"{path}: the output of layer {LAST_LAYER} {cause}")
    photos = net.layer.add(name=data.name, type="Input", top=data.top[:1])
    photos.input_param.shape.add(dim=[data.data_param.batch_size, CHANNELS, crop, crop])
    for layer in reversed(kept):
        if not layer.bottom and layer.type.endswith("Data") and layer.type != "DummyData":
            raise UserError(f"{path}: layer {layer.name} ({layer.type}) reads more than the photos: it is not covered")
        added = net.layer.add()
        added.CopyFrom(layer)
        added.ClearField("include")
        added.ClearField("exclude")
    return net


def _transform(path: Path, data: caffe_pb2.LayerParameter) -> tuple[Transform, Path | None]:
    param = data.transform_param
    crop = param.crop_size or VIEW_SIZE
    if crop > VIEW_SIZE:
        raise UserError(f"{path}: layer {data.name}: a crop of {crop} from views of {VIEW_SIZE}")
    if param.mean_file:
        mean_file = Path(param.mean_file)
        return Transform(crop, read_mean(mean_file), param.scale), mean_file
    mean = np.array(list(param.mean_value) or [0], np.float32)
    if mean.size not in (1, CHANNELS):
        raise UserError(f"{path}: layer {data.name}: {mean.size} times mean_value, for {CHANNELS} channels")
    return Transform(crop, np.broadcast_to(mean, CHANNELS).reshape(CHANNELS, 1, 1).copy(), param.scale), None


def _view(path: Path, data: caffe_pb2.LayerParameter) -> str:
    """The view of the test photos: a person may have a run read the other one's store."""
    store = Path(data.data_param.source).name
    for view in VIEWS:
        if store == store_name("test", view):
            return view
    raise UserError(f"{path}: layer {data.name} reads {store}, which is no store of a view")


def _is_encoded(folder: RunFolder, record: dict, dataset: Path) -> bool:
    """Whether the test photos are JPEGs: the run keeps the command that prepared them, the dataset may be gone."""
    command = record.get("dataset", {}).get("command")
    if isinstance(command, str) and command:
        try:
            return "--encoded" in shlex.split(command)
        except ValueError as error:
            raise UserError(
                f"{folder.path / 'run.json'} is damaged: its dataset.command has {str(error).lower()}"
            ) from None
    return bool((summary.read(dataset) or {}).get("encoded"))


def _snapshot(folder: RunFolder) -> tuple[snapshots.Snapshot, list[str]]:
    """The snapshot whose weights are used, and what to say of it."""
    done_at = folder.done_at()
    found = snapshots.newest(folder.snapshots, done_at, "caffemodel") if done_at else None
    found = found or snapshots.newest(folder.snapshots, kind="caffemodel")
    if found is None:
        raise UserError(f"{folder.path} has no sound snapshot: the same `run` command again takes one")
    if done_at is None:
        return found, [
            f"{folder.path}: the run is not finished, its newest snapshot is of iteration {found.iteration:,}"
        ]
    if found.iteration != done_at:
        text = f"the weights of its result at iteration {done_at:,} are gone, these are of iteration"
        return found, [f"{folder.path}: {text} {found.iteration:,}"]
    return found, []
