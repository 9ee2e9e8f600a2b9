"""A file that a program wrote is renewed; one that a person edited, or put there, is kept until told otherwise."""

import hashlib
import shutil

import pytest

from prototxt.generated import write_generated

NAME = "ava-large/vgg16_local"
OLD, NEW = "base_lr: 1\n", "base_lr: 2\n# Größe\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "solvers" / "ava-large" / "vgg16_local.prototxt"


def test_a_missing_file_is_written_with_its_folders_below_a_mark_that_says_what_for_and_the_texts_hash(path):
    assert write_generated(path, NAME, NEW) == "written"
    mark, _, text = path.read_text(encoding="utf-8").partition("\n")
    assert text == NEW
    assert mark.startswith("# ")
    assert NAME in mark.split(",")[0]
    assert hashlib.sha256(NEW.encode()).hexdigest() in mark
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_as_it_should_be_is_not_touched(path):
    write_generated(path, NAME, NEW)
    before = path.stat()
    for force in (False, True):
        assert write_generated(path, NAME, NEW, force) == "unchanged"
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_old_file_that_nobody_touched_is_renewed(path):
    write_generated(path, NAME, OLD)
    assert write_generated(path, NAME, NEW) == "written"
    assert path.read_text(encoding="utf-8").partition("\n")[2] == NEW


EDITS = {
    "a changed number": lambda text: text.replace("1", "9"),
    "a line more": lambda text: text + "momentum: 0.9\n",
    "one space more at the end": lambda text: text + " ",
    "a mark that is gone": lambda text: text.partition("\n")[2],
    "a changed mark": lambda text: text.replace("sha256", "SHA256", 1),
    "a line above the mark": lambda text: "# mine\n" + text,
    "the line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "nothing at all": lambda text: "",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_kept_byte_for_byte_until_forced(path, edit):
    write_generated(path, NAME, OLD)
    edited = EDITS[edit](path.read_text(encoding="utf-8")).encode()
    path.write_bytes(edited)
    assert write_generated(path, NAME, NEW) == "kept"
    assert path.read_bytes() == edited
    assert write_generated(path, NAME, NEW, force=True) == "written"
    assert path.read_text(encoding="utf-8").endswith(NEW)


def test_a_file_that_is_not_text_is_kept(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe# \xd1\xa7\n")
    assert write_generated(path, NAME, NEW) == "kept"


def test_a_file_that_was_written_for_another_variant_and_copied_here_is_kept_until_forced(path):
    """Somebody put it there, and its text may even be ours of another day."""
    other = path.with_name("alexnet_local.prototxt")
    write_generated(other, "ava-large/alexnet_local", OLD)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(other, path)
    assert write_generated(path, NAME, NEW) == "kept"
    assert write_generated(path, NAME, OLD) == "kept"
    assert path.read_bytes() == other.read_bytes()
    assert write_generated(path, NAME, NEW, force=True) == "written"
    assert NAME in path.read_text(encoding="utf-8")
