"""Which layers start from the pretrained weights, and which from their fillers."""

from user_error import UserError

from dataclasses import dataclass
from pathlib import Path

import caffe
from caffe.proto import caffe_pb2

from paper import LAST_LAYER


@dataclass(frozen=True)
class Transfer:
    """What becomes of the layers with weights, by name."""

    copied: list[str]
    new: list[str]  # of the net, not in the file: they start from their fillers
    ignored: list[str]  # of the file, not in the net


def examine(net: caffe.Net, weights: Path | None) -> Transfer:
    """What net.copy_from(weights) would do, by layer name; UserError where a shape differs. None copies nothing.

    Caffe copies silently: a layer whose name the file lacks keeps its filler (net.cpp, CopyTrainedLayersFrom), and a
    shape that differs ends the process. So both are looked at first.
    """
    source = _shapes(weights) if weights else {}
    for name in net.params:
        theirs = source.get(name)
        if theirs is None:
            continue
        ours = [tuple(blob.shape) for blob in net.params[name]]
        if len(ours) != len(theirs):
            blobs = "`bias_term: false` in the net" if len(ours) < len(theirs) else "a bias in the net"
            raise UserError(
                f"layer {name}: {blobs}, where {weights} holds {len(theirs)} blobs of it: a layer of another shape"
                " needs another name"
            )
        for shape, theirs_shape in zip(ours, theirs, strict=True):
            if _significant(shape) != _significant(theirs_shape):
                raise UserError(
                    f"layer {name}: {_shown(shape)} in the net, {_shown(theirs_shape)} in {weights}: a layer of another"
                    " shape needs another name"
                )
    return Transfer(
        copied=[name for name in net.params if name in source],
        new=[name for name in net.params if name not in source],
        ignored=[name for name in source if name not in net.params],
    )


def check(transfer: Transfer) -> None:
    """Raise UserError unless the last layer, and nothing else, starts from its filler (III-B.2)."""
    if transfer.new != [LAST_LAYER]:
        new = ", ".join(transfer.new) or "no layer"
        raise UserError(f"{new} would start from fillers, not {LAST_LAYER} alone: is it the right pretrained model?")


def _shapes(weights: Path) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of the blobs of each layer with weights, by the layer's name."""
    param = caffe_pb2.NetParameter()
    param.ParseFromString(weights.read_bytes())
    layers = [*param.layers, *param.layer]  # files of before 2014-2015 hold `layers`
    return {layer.name: [_shape(blob) for blob in layer.blobs] for layer in layers if layer.blobs}


def _shape(blob: caffe_pb2.BlobProto) -> tuple[int, ...]:
    if blob.HasField("shape"):
        return tuple(blob.shape.dim)
    return (blob.num, blob.channels, blob.height, blob.width)


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _significant(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without leading ones: old files pad to four axes (blob.cpp, ShapeEquals)."""
    first = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]
