"""Prototxts are read as Caffe reads them, without Caffe; what Caffe would abort on is one line with file and line."""

from user_error import UserError

import subprocess
import sys

import pytest
from conftest import ROOT

messages = pytest.importorskip("prototxt.messages", reason="Caffe is not built: its caffe_pb2.py is what is read")

SOLVER = 'net: "a.prototxt"\nbase_lr: 0.5\nmax_iter: 40\n'


@pytest.fixture
def read(tmp_path):
    """read(content): what a prototxt of those bytes says as a solver, or as the message of another `kind`."""

    def read(content, kind="SolverParameter"):
        path = tmp_path / "a.prototxt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return messages.read(path, getattr(messages.caffe_pb2, kind)())

    return read


@pytest.fixture
def plain(read):
    return read(SOLVER)


def test_fields_are_read(plain):
    assert (plain.net, plain.base_lr, plain.max_iter) == ("a.prototxt", 0.5, 40)


@pytest.mark.parametrize(
    ("words", "encoding"),
    [("学习率", "utf-8"), ("学习率", "gbk"), ("學習率", "big5"), ("学習率", "shift-jis"), ("Größe", "latin-1")],
)
def test_a_comment_may_be_in_any_encoding_before_beside_and_behind_the_fields(read, plain, words, encoding):
    comment = f"# {words} \"0.5' #2\n".encode(encoding)
    lines = SOLVER.encode().splitlines()
    content = comment + lines[0] + b" " + comment + lines[1] + b"\n" + lines[2] + b"\n" + comment.rstrip(b"\n")
    assert read(content) == plain


def test_a_whole_file_may_stand_on_one_line(read, plain):
    assert read(SOLVER.replace("\n", " ")) == plain
    net = read('name: "n" layer { name: "l" type: "ReLU" } layer { name: "m" }', "NetParameter")
    assert [layer.name for layer in net.layer] == ["l", "m"]


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(read, plain):
    windows = ("# comment\n" + SOLVER).replace("\n", "\r\n")
    assert read(windows) == plain
    assert read(b"\xef\xbb\xbf" + windows.encode()) == plain
    assert read(b"\xef\xbb\xbf" + SOLVER.encode()) == plain


@pytest.mark.parametrize(
    ("quoted", "value"),
    [
        ('"a#b"', "a#b"),
        ("'a # b'", "a # b"),
        (r'"a \" # b"', 'a " # b'),
        (r"'it\'s # 1'", "it's # 1"),
        (r'"ends in \\"', "ends in \\"),
        ('"it\'s # 1"', "it's # 1"),
        ("'say \"#1\"'", 'say "#1"'),
        ('"data/学习"', "data/学习"),
        ('"one" # comment\n"two"', "onetwo"),
        (r'"\345\255\246"', "学"),
    ],
)
def test_a_string_is_read_with_its_hashes_quotes_and_escapes(read, quoted, value):
    solver = read(f"net: {quoted} # a 'comment' \"\nmax_iter: 40")
    assert (solver.net, solver.max_iter) == (value, 40)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('max_iter: 40\n# 照片\nnet: "照片"\n'.encode("gbk"), 3),
        (b'# \xff\r\nnet: "\xe9"\r\n', 2),
        (b"\n\nn\xe9t: 'a'\n", 3),
    ],
)
def test_other_bytes_than_utf_8_outside_of_a_comment_are_refused_with_file_and_line(read, tmp_path, content, line):
    with pytest.raises(UserError) as refused:
        read(content)
    assert str(refused.value).startswith(f"{tmp_path / 'a.prototxt'}:{line}:")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (SOLVER + "momentun: 0.9\n", 4, "momentun"),
        ("# comment\r\n" + SOLVER.replace("\n", "\r\n") + "momentun: 0.9\r\n", 5, "momentun"),
        (SOLVER + 'type: "SGD', 4, ""),
        ("solver_mode: TPU\n", 1, "TPU"),
        ("max_iter: many\n", 1, "many"),
        ("net_param { layer { name: 'a' }\n\n", 0, ""),
        ("max_iter: 4\nmax_iter: 5\n", 2, "max_iter"),
    ],
)
def test_what_caffe_could_not_parse_is_refused_with_file_line_and_word(read, tmp_path, content, line, says):
    with pytest.raises(UserError) as refused:
        read(content)
    place = f"{tmp_path / 'a.prototxt'}:"
    assert str(refused.value).startswith(f"{place}{line}:" if line else place)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "absent.prototxt", tmp_path):
        with pytest.raises(UserError) as refused:
            messages.read(path, messages.caffe_pb2.SolverParameter())
        assert str(path) in str(refused.value)


def test_text_is_read_back_as_the_same_message_and_keeps_letters_as_they_are(read):
    net = read('name: "学#\\"" layer { name: "l" param { lr_mult: 10 } include { phase: TEST } }', "NetParameter")
    text = messages.text(net)
    assert "学#" in text
    assert read(text, "NetParameter") == net
    assert text.index("name:") < text.index("layer {")  # the order of caffe.proto


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reading_does_not_load_caffe():
    python("import sys, prototxt.messages; assert not {'caffe', 'caffe._caffe', 'numpy'} & set(sys.modules)")


@pytest.mark.parametrize("first", ["prototxt.messages", "caffe"])
def test_caffe_imported_before_or_after_has_the_same_messages(first):
    pytest.importorskip("caffe", reason="Caffe is not built")
    python(
        f"import {first}\n"
        "import caffe, prototxt.messages\n"
        "from caffe.proto import caffe_pb2\n"
        "from prototxt import messages\n"
        "net = caffe.NetSpec()\n"
        "net.data = caffe.layers.Input(shape={'dim': [1, 3, 2, 2]})\n"
        "assert type(net.to_proto()) is messages.caffe_pb2.NetParameter is caffe_pb2.NetParameter\n"
        "assert caffe.TEST == messages.caffe_pb2.TEST\n"
    )
