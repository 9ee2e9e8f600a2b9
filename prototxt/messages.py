"""Caffe's messages (caffe.proto) without Caffe: parsed as Caffe parses them, compared, and written.

`import caffe` takes most of a second and loads the whole library; what only reads prototxts does without it.
"""

from user_error import UserError

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

AnyMessage = TypeVar("AnyMessage", bound=Message)

LONGEST = 300  # characters of a parser's complaint, which may repeat a whole line
TOKEN = re.compile(rb"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")  # comments and strings


def _caffe_pb2() -> ModuleType:
    """The module caffe.proto.caffe_pb2 alone; `from caffe.proto import caffe_pb2` will find the same one."""
    name = "caffe.proto.caffe_pb2"
    if name not in sys.modules:
        package = importlib.util.find_spec("caffe")
        if package is None:
            raise ModuleNotFoundError("No module named 'caffe'", name="caffe")
        file = Path(next(iter(package.submodule_search_locations or [package.origin])), "proto", "caffe_pb2.py")
        if not file.is_file():
            raise UserError(f"the module {package.origin or file.parents[1]} hides Caffe: take it off PYTHONPATH")
        spec = importlib.util.spec_from_file_location(name, file)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


caffe_pb2 = _caffe_pb2()


def read(path: Path, message: AnyMessage) -> AnyMessage:
    """Fill `message` from a file in the text format; UserError with file and line where Caffe could not read it."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # reading a pipe may wait for ever
            raise UserError(f"{path}: is not a file")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    try:
        return text_format.Parse(_decoded(content, path), message)
    except text_format.ParseError as error:
        raise UserError(f"{path}:{str(error)[:LONGEST]}") from None


def parse(content: str, message: AnyMessage) -> AnyMessage:
    """Fill `message` from text of our own."""
    return text_format.Parse(content, message)


def text(message: Message) -> str:
    """A message in the text format, its fields in the order of caffe.proto, without comments."""
    return text_format.MessageToString(message, as_utf8=True)


def layers_in(net: Message, solver: Message, phase: int) -> Iterator[Message]:
    """The layers of the solver's net of one phase, by their include and exclude rules (net.cpp, FilterNet)."""
    state = caffe_pb2.NetState(phase=phase)
    state.MergeFrom(net.state)
    for merged in [solver.train_state] if phase == caffe_pb2.TRAIN else solver.test_state[:1]:
        state.MergeFrom(merged)
    for layer in net.layer:
        if layer.include:
            is_in = any(_meets(state, rule) for rule in layer.include)
        else:
            is_in = not any(_meets(state, rule) for rule in layer.exclude)
        if is_in:
            yield layer


def _meets(state: Message, rule: Message) -> bool:
    """Whether a net's state meets a layer's rule (net.cpp, StateMeetsRule)."""
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and set(rule.stage) <= set(state.stage)
        and not set(rule.not_stage) & set(state.stage)
    )


def _decoded(content: bytes, path: Path) -> str:
    """The text of a prototxt. Comments may be in any encoding (GBK, Latin-1): Caffe skips their bytes."""
    content = TOKEN.sub(lambda token: b"" if token[0].startswith(b"#") else token[0], content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: bytes that are not UTF-8, outside of a comment: save it as UTF-8") from None
