"""An ONNX graph in the making, and its file: weights go to the disk one by one, never copied as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

OPSET = 13  # read by ONNX Runtime since 1.6 and by OpenCV 4
IR_VERSION = 7  # of the same release of ONNX


@dataclass
class Graph:
    """Nodes and constants, in the order in which they were added; values are known by their names."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def add(self, operator: str, name: str, inputs: Sequence[str], **attributes: object) -> str:
        """Add a node with one output; the output's name: `name`, with a number behind it where that is taken."""
        (output,) = self.add_several(operator, [name], inputs, **attributes)
        return output

    def add_several(
        self, operator: str, names: Sequence[str], inputs: Sequence[str], **attributes: object
    ) -> list[str]:
        """Add a node with an output for each of `names`; the outputs' names."""
        outputs = [self._free(name) for name in names]
        self.nodes.append(helper.make_node(operator, inputs, outputs, outputs[0], **attributes))
        return outputs

    def constant(self, name: str, values: np.ndarray | Sequence[int]) -> str:
        """Add a constant, float32 or int64, which is not copied; its name."""
        kind = np.float32 if isinstance(values, np.ndarray) else np.int64
        free = self._free(name)
        self.constants[free] = np.ascontiguousarray(values, kind)
        return free

    def reserve(self, name: str) -> None:
        """Keep a name for a value that comes from outside, or goes there."""
        self._names.add(name)

    def write(
        self, path: Path, name: str, input: ValueInfoProto, output: ValueInfoProto, notes: dict[str, str]
    ) -> None:
        """Write the model with its one input and its one output; `notes` are its metadata.

        The file is what onnx.save would write, but for the order of its fields: in a message of protobuf, a field is
        its number, its length and its content. So a large constant needs no copy in memory.
        """
        graph = helper.make_graph(self.nodes, name, [input], [output]).SerializeToString()
        model = helper.make_model(GraphProto(), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.producer_name = "aesthetics"
        helper.set_model_props(model, notes)
        model.ClearField("graph")
        tensors = [(_tensor_start(key, array), array) for key, array in self.constants.items()]
        starts = [_field(GraphProto, "initializer", len(start) + array.nbytes) + start for start, array in tensors]
        length = len(graph) + sum(map(len, starts)) + sum(array.nbytes for _, array in tensors)
        with path.open("wb") as file:
            file.write(model.SerializeToString() + _field(ModelProto, "graph", length) + graph)
            for start, (_, array) in zip(starts, tensors, strict=True):
                file.write(start)
                file.write(array.reshape(-1).view(np.uint8))

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free


def _tensor_start(name: str, array: np.ndarray) -> bytes:
    """A TensorProto up to the bytes of its array."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    start = TensorProto(name=name, dims=array.shape, data_type=kind).SerializeToString()
    return start + _field(TensorProto, "raw_data", array.nbytes)


def _field(message: type, name: str, length: int) -> bytes:
    """What stands before the content of a field of bytes: its number and its length."""
    number = message.DESCRIPTOR.fields_by_name[name].number
    return _varint(number << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first; all but the last with the eighth bit set."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
