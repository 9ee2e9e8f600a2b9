"""A machine's copy of the stores: whole or not there, made once, and of no influence on a result."""

from user_error import UserError

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from harness import RUN, call, final_weights, record

from data_prep.stores import checkpoint, fingerprint, read_records
from experiments import prototxts, staging
from experiments.job import Job
from experiments.runs import Run
from experiments.staging import staged
from files import locked
from prototxt import messages
from prototxt.messages import caffe_pb2

STORES = ["test_global_lmdb", "train_global_lmdb"]


@pytest.fixture
def own_data(tmp_path, data) -> Path:
    """A dataset that a test may change."""
    return Path(shutil.copytree(data, tmp_path / "shared 我的"))


@pytest.fixture
def job(own_data, tmp_path) -> Job:
    run = Run("demo", "alexnet", "global", 1)
    texts = prototxts.resolve(run, own_data)
    return Job(run, run.folder(tmp_path / "results"), own_data, None, texts, {}, "", 1)


def said(jobs, folder) -> list[str]:
    lines = []
    staged(jobs, folder, lines.append)
    return lines


def copies(folder) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/demo/*/data.mdb"))


def sources(job: Job) -> list[Path]:
    net = messages.parse(job.prototxts.net, caffe_pb2.NetParameter())
    return [Path(layer.data_param.source) for layer in net.layer if layer.type == "Data"]


def test_the_copy_has_the_same_records_and_only_the_views_that_are_read(job, tmp_path):
    disk = tmp_path / "a node's disk"
    (there,) = staged([job], disk, lambda line: None)
    assert copies(disk) == STORES
    (root,) = disk.iterdir()
    assert sorted(path.name for path in root.rglob("*") if path.is_file() and path.name != "lock") == sorted(
        ["data.mdb", "data.mdb", "manifest.csv", "summary.json"]
    )
    for source, copy in zip(sources(job), sources(there), strict=True):
        assert copy == root / "demo" / source.name
        assert fingerprint(copy) == fingerprint(source)
        assert [label for _, label, _ in read_records(copy)] == [label for _, label, _ in read_records(source)]
    assert there.prototxts.inputs == prototxts.resolve(job.run, root).inputs  # the copy is a dataset, too
    assert (there.data, there.prototxts.marks) == (job.data, job.prototxts.marks)


def test_the_need_and_what_is_free_are_said_before_and_a_copy_is_made_once(job, tmp_path):
    assert staging.foresee([job], tmp_path / "disk").startswith("to be copied: test_global_lmdb and ")
    assert not (tmp_path / "disk").exists()
    lines = said([job], tmp_path / "disk")
    assert lines[0].startswith("copying test_global_lmdb and train_global_lmdb of ")
    assert ", 13 MB, to " in lines[0]
    assert lines[0].endswith(" free")
    assert lines[1].startswith("copied in ")
    (again,) = said([job], tmp_path / "disk")
    assert again.startswith("reading the stores in ")
    assert staging.foresee([job], tmp_path / "disk").startswith("copied already: ")


def test_another_view_is_added_to_the_copy(job, own_data, tmp_path):
    said([job], tmp_path / "disk")
    run = Run("demo", "alexnet", "local", 1)
    other = Job(run, job.folder, own_data, None, prototxts.resolve(run, own_data), {}, "", 1)
    assert "copying test_local_lmdb and train_local_lmdb" in said([other], tmp_path / "disk")[0]
    assert len(copies(tmp_path / "disk")) == 4
    assert len(list((tmp_path / "disk").iterdir())) == 1


def test_a_store_that_changed_is_another_copy(job, own_data, tmp_path):
    said([job], tmp_path / "disk")
    store = own_data / "demo" / "train_global_lmdb"
    with checkpoint(store, 100) as put:
        put(40, b"one more")
    said([job], tmp_path / "disk")
    assert len(list((tmp_path / "disk").iterdir())) == 2
    assert len(copies(tmp_path / "disk")) == 4  # the old one stays for those who read it


def test_without_room_nothing_is_copied_and_the_need_is_said(job, tmp_path, monkeypatch):
    monkeypatch.setattr(staging.space, "free", lambda folder: 5_000_000)
    with pytest.raises(UserError, match=r"13 MB are needed, 5 MB are free; give another --stage"):
        said([job], tmp_path / "disk")
    assert copies(tmp_path / "disk") == []


def test_a_disk_that_gets_full_leaves_nothing_that_counts(job, tmp_path, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:100_000])
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(staging.shutil, "copyfile", full)
    with pytest.raises(UserError, match=r"No space left on device: give another --stage$"):
        said([job], tmp_path / "disk")
    assert copies(tmp_path / "disk") == []
    assert not list((tmp_path / "disk").rglob(".partial"))


KILLED = """
import os, shutil, signal
from experiments import staging
def die(source, target):
    with open(source, "rb") as a, open(target, "wb") as b:
        b.write(a.read(100_000))
    os.kill(os.getpid(), signal.SIGKILL)
shutil.copyfile = die
"""


def test_one_killed_at_it_leaves_nothing_that_counts_and_the_next_one_removes_it(job, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        f"{KILLED}\nfrom experiments.job import Job\nfrom pathlib import Path\nimport sys\n"
        "staging.staged([Job.from_json(sys.stdin.read())], Path(sys.argv[1]), print)\n"
    )
    root = Path(__file__).resolve().parents[1]
    killed = subprocess.run(
        [sys.executable, script, tmp_path / "disk"],
        input=job.to_json().encode(),
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
    )
    assert killed.returncode == -9, killed.stderr
    assert list((tmp_path / "disk").rglob(".partial/*/data.mdb"))
    assert copies(tmp_path / "disk") == []
    said([job], tmp_path / "disk")
    assert copies(tmp_path / "disk") == STORES
    assert not list((tmp_path / "disk").rglob(".partial"))


@pytest.mark.parametrize("damage", [lambda path: os.truncate(path, 200_000), lambda path: path.write_bytes(b"x" * 9)])
def test_a_copy_that_is_not_whole_is_made_again(job, tmp_path, damage):
    said([job], tmp_path / "disk")
    (copy,) = (tmp_path / "disk").glob("*/demo/test_global_lmdb/data.mdb")
    damage(copy)
    assert said([job], tmp_path / "disk")[0].startswith("copying test_global_lmdb of ")
    assert fingerprint(copy.parent) == fingerprint(job.data / "demo" / "test_global_lmdb")


def test_a_second_process_waits_for_the_first_and_copies_nothing(job, tmp_path):
    said([job], tmp_path / "disk")
    (root,) = (tmp_path / "disk").iterdir()
    lines, waits = [], threading.Event()

    def say(line):
        lines.append(line)
        waits.set()

    with locked(root / "lock"):
        second = threading.Thread(target=staged, args=([job], tmp_path / "disk", say))
        second.start()
        assert waits.wait(10)
    second.join(10)
    assert ["waiting for it" in lines[0], lines[1].startswith("reading"), len(lines)] == [True, True, 2]


def test_links_to_stores_are_followed(job, own_data, tmp_path):
    store = own_data / "demo" / "train_global_lmdb"
    store.rename(tmp_path / "elsewhere")
    store.symlink_to(tmp_path / "elsewhere")
    said([job], tmp_path / "disk")
    (copy,) = (tmp_path / "disk").glob("*/demo/train_global_lmdb")
    assert not copy.is_symlink()
    assert fingerprint(copy) == fingerprint(tmp_path / "elsewhere")


def test_what_an_edited_net_reads_elsewhere_is_left_there(job, own_data, tmp_path):
    other = Path(shutil.copytree(own_data / "demo" / "train_global_lmdb", own_data / "mine" / "train_global_lmdb"))
    own = own_data / "demo" / "train_global_lmdb"
    net = messages.parse(job.prototxts.net, caffe_pb2.NetParameter())
    for layer in net.layer:
        if layer.data_param.source == str(own):
            layer.data_param.source = str(other)
    edited = replace(job, prototxts=replace(job.prototxts, net=messages.text(net)))
    (there,) = staged([edited], tmp_path / "disk", lambda line: None)
    assert copies(tmp_path / "disk") == ["test_global_lmdb"]
    assert other in sources(there)


def test_a_place_that_is_none_is_named(job, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file.*: (Not a directory|File exists): give another --stage"):
        said([job], tmp_path / "file")


def test_a_run_on_a_copy_ends_in_the_same_bits_and_says_the_same_of_its_inputs(checkout, tmp_path):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    short = (*RUN, "--max-iter", "12")
    call(checkout, *short)
    plain, inputs = final_weights(checkout), record(checkout)["inputs"]
    (checkout / "results").rename(checkout / "plain")
    output = call(checkout, *short, "--stage", tmp_path / "disk")
    assert "copying test_global_lmdb and train_global_lmdb" in output
    assert final_weights(checkout) == plain
    assert record(checkout)["inputs"] == inputs
    output = call(checkout, *short, "--stage", tmp_path / "another disk")
    assert "copying" not in output  # nothing is left to do
