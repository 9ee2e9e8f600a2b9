"""Files that are damaged, misplaced or not readable end in one line that names them and says what to do."""

from user_error import UserError

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT

from data_prep import stores, summary
from data_prep.datums import encoded_record

LISTED = range(1000, 1020)
NONSENSE = {
    "empty": b"", "cut off": b'{"splits": ', "a list": b"[]", "null": b"null", "text": b"hello", "no keys": b"{}",
    "not UTF-8": b"\xff\xfe", "nested": b"[" * 100_000, "other types": b'{"splits": [], "views": 1, "parameters": 1}',
}  # fmt: skip


@pytest.fixture
def tmp_path():
    """A folder that all may read; nobody may enter pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def root(make_ava):
    return make_ava(40, LISTED)


@pytest.fixture
def prepare(root, tmp_path):
    """prepare(*options, prefix=...): run data_prep ava on the copy, into tmp_path/out."""

    def run(*options, prefix=()):
        command = [*prefix, sys.executable, "-m", "data_prep", "ava", "--partition", "large", "--jobs", 1]
        places = {"--root": root, "--out": tmp_path / "out"} | dict(zip(options[::2], options[1::2], strict=True))
        command += [word for option in places.items() for word in option]
        return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def made(prepare, tmp_path):
    """The complete dataset."""
    done = prepare()
    assert done.returncode == 0, done.stderr
    return tmp_path / "out" / "ava-large"


def require_one_line(done, *words):
    """Assert that a command has ended with status 2 and one line on standard error that holds these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    for word in words:
        assert str(word) in done.stderr


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE)
def test_a_damaged_summary_is_named_with_what_to_do(made, prepare, content):
    (made / "summary.json").write_bytes(content)
    require_one_line(prepare(), made / "summary.json", f"remove {made} and prepare it again")
    with pytest.raises(UserError, match=re.escape(f"remove {made} and prepare it again")):
        summary.read(made)


@pytest.mark.parametrize("key", list(summary.KEYS))
def test_a_summary_that_lacks_a_key_is_named_with_the_key(made, prepare, key):
    content = json.loads((made / "summary.json").read_text())
    del content[key]
    (made / "summary.json").write_text(json.dumps(content))
    require_one_line(prepare(), f"summary.json is damaged, it lacks {key}")


def test_a_summary_that_lacks_counts_is_named_with_the_split(made, prepare):
    content = json.loads((made / "summary.json").read_text())
    del content["splits"]["test"]["written"]
    (made / "summary.json").write_text(json.dumps(content))
    require_one_line(prepare(), "summary.json is damaged", "the test split")
    with pytest.raises(UserError, match="the test split"):
        summary.read(made)


def test_runs_read_a_summary_that_has_what_they_need(tmp_path):
    assert summary.read(tmp_path) is None
    assert summary.read(tmp_path / "nowhere" / "file") is None
    counts = {split: {"written": 1} for split in ("train", "test")}
    content = {"splits": counts, "views": ["global"], "rule": "", "command": "", "lists_sha256": {}}
    (tmp_path / "summary.json").write_text(json.dumps(content))
    assert summary.read(tmp_path) == content


def damage_store(file, kind):
    match kind:
        case "no LMDB":
            file.write_bytes(b"hello" * 5000)
        case "empty":
            file.write_bytes(b"")
        case "cut off":
            os.truncate(file, file.stat().st_size // 2)
        case "missing":
            file.unlink()
        case "a folder":
            file.unlink()
            file.mkdir()


@pytest.mark.parametrize("kind", ["no LMDB", "empty", "cut off", "missing", "a folder"])
def test_a_damaged_store_is_named_with_what_to_do(made, prepare, kind):
    store = made / "train_local_lmdb"
    damage_store(store / "data.mdb", kind)
    advice = () if kind == "a folder" else ("remove the dataset's folder and prepare it again",)
    require_one_line(prepare(), store, *advice)


def test_a_record_that_is_no_view_is_named(tmp_path):
    for number, record in enumerate((b"hello", b"", encoded_record(b"no JPEG", 1), encoded_record(b"", 1))):
        with stores.checkpoint(tmp_path / str(number), 1) as put:
            put(0, record)
        with pytest.raises(UserError, match=f"{tmp_path / str(number)}: record b'00000000' is not a view"):
            list(stores.read_records(tmp_path / str(number)))


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE)
def test_damaged_parameters_of_a_half_done_dataset_are_named(prepare, tmp_path, content):
    unfinished = tmp_path / "out" / "ava-large" / ".unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "parameters.json").write_bytes(content)
    require_one_line(prepare(), unfinished.parent)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("AVA.txt", "AVA.txt is a folder, not a file"),
        ("aesthetics_image_lists/generic_test.jpgl", "generic_test.jpgl is a folder"),
        ("out/ava-large/summary.json", "summary.json is a folder, not a file"),
        ("out/ava-large/.lock", ".lock"),
        ("out/ava-large/.unfinished/parameters.json", "parameters.json is damaged"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_named(root, prepare, tmp_path, place, says):
    path = tmp_path / place if place.startswith("out") else root / place
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    require_one_line(prepare(), says)


@pytest.mark.parametrize("place", ["root", "root/images", "out", "out/ava-large", "out/ava-large/.unfinished"])
def test_a_file_in_the_place_of_a_folder_is_named(root, prepare, tmp_path, place):
    path = tmp_path / place if place.startswith("out") else root / place.removeprefix("root").lstrip("/")
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    require_one_line(prepare(), path)


@pytest.mark.parametrize(
    "place",
    [
        "root", "root/AVA.txt", "root/images", "root/aesthetics_image_lists", "out", "out/ava-large",
        "out/ava-large/summary.json", "out/ava-large/train_global_lmdb", "out/ava-large/test_local_lmdb/data.mdb",
    ],
)  # fmt: skip
def test_what_may_not_be_read_is_named(root, made, prepare, tmp_path, as_nobody, place):
    path = tmp_path / place if place.startswith("out") else root / place.removeprefix("root").lstrip("/")
    if place == "root/images":
        shutil.rmtree(made)
        (tmp_path / "out").chmod(0o777)
    path.chmod(0)
    done = prepare(prefix=as_nobody)
    path.chmod(0o755)
    require_one_line(done, path, "ermission denied")


def test_a_folder_that_may_not_be_written_to_is_named_and_a_complete_dataset_in_it_reported(
    root, made, prepare, as_nobody
):
    done = prepare(prefix=as_nobody)
    assert done.returncode == 0, done.stderr
    assert "already complete" in done.stdout
    require_one_line(prepare("--name", "other", prefix=as_nobody), made.parent / "other", "Permission denied")
