"""A view <-> Caffe's Datum, serialized: the record of a photo in an LMDB; `caffe` itself is not needed.

A record is Caffe's Datum (caffe.proto): 3x256x256 uint8, planes in the order blue, green, red, or with `encoded` a
JPEG of it.
"""

from functools import cache

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from paper import stated

CHANNELS = 3
SIZE: int = stated("views.size")
RAW_BYTES = CHANNELS * SIZE * SIZE
RECORD_BYTES = RAW_BYTES + 64  # a raw record with its fields; no record is larger


def _datum_class() -> type:
    """Caffe's Datum as a message class of our own pool, so that Caffe's can be loaded too."""
    field = descriptor_pb2.FieldDescriptorProto
    fields = [
        ("channels", 1, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("height", 2, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("width", 3, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("data", 4, field.TYPE_BYTES, field.LABEL_OPTIONAL),
        ("label", 5, field.TYPE_INT32, field.LABEL_OPTIONAL),
        ("float_data", 6, field.TYPE_FLOAT, field.LABEL_REPEATED),
        ("encoded", 7, field.TYPE_BOOL, field.LABEL_OPTIONAL),
    ]
    file = descriptor_pb2.FileDescriptorProto(name="datum.proto", package="caffe", syntax="proto2")
    message = file.message_type.add(name="Datum")
    for name, number, kind, label in fields:
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.Datum"))


Datum = _datum_class()


def encoded_record(jpeg: bytes, label: int) -> bytes:
    """Datum of a 256x256 view that is encoded as a JPEG, serialized."""
    return Datum(channels=CHANNELS, height=SIZE, width=SIZE, data=jpeg, label=label, encoded=True).SerializeToString()


@cache
def raw_frame(label: int) -> tuple[bytes, bytes]:
    """Bytes before and after the pixels in the serialized Datum of a raw 3x256x256 view."""
    pixels = bytes(RAW_BYTES)
    datum = Datum(channels=CHANNELS, height=SIZE, width=SIZE, data=pixels, label=label)
    before, after = datum.SerializeToString().split(pixels)
    return before, after


def pixels(datum: Datum) -> np.ndarray:
    """Pixels of a Datum, 256x256x3 BGR uint8; raises ValueError if it holds something else."""
    data = np.frombuffer(datum.data, np.uint8)
    if datum.encoded:
        import cv2  # only needed here: the process that writes does not load it

        view = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    else:
        view = data.reshape(datum.channels, datum.height, datum.width).transpose(1, 2, 0)
    if view is None or view.shape != (SIZE, SIZE, CHANNELS):
        raise ValueError("its JPEG cannot be decoded" if view is None else f"its shape is {view.shape}")
    return view
