"""Snapshots are few, sound ones are found, and nothing that is not ours is touched."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from files import sha256

pytest.importorskip("caffe", reason="Caffe is not built here")

from caffe.proto import caffe_pb2

from experiments import snapshots
from experiments.snapshots import Snapshot


@pytest.fixture
def prefix(tmp_path):
    """Three snapshots, of the iterations 100, 200 and 300."""
    prefix = tmp_path / "snapshots" / "demo_alexnet_global"
    prefix.parent.mkdir()
    for iteration in (100, 200, 300):
        files = [prefix.with_name(f"{prefix.name}_iter_{iteration}.{kind}") for kind in ("caffemodel", "solverstate")]
        for file in files:
            file.write_text(f"{file.name}")
        snapshot = Snapshot(iteration, 1.0, [0.5], {file.name: sha256(file) for file in files})
        (prefix.parent / f"iter_{iteration}.json").write_text(json.dumps(asdict(snapshot)))
    return prefix


def test_the_newest_sound_snapshot_is_found(prefix):
    assert snapshots.newest(prefix.parent).iteration == 300
    prefix.with_name(f"{prefix.name}_iter_300.solverstate").write_text("cut")
    assert snapshots.newest(prefix.parent).iteration == 200
    prefix.with_name(f"{prefix.name}_iter_200.caffemodel").unlink()
    assert snapshots.newest(prefix.parent).iteration == 100


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"iteration": 300}', '{"iteration": 200, "seconds": 1}'])
def test_a_damaged_marker_leaves_the_snapshot_before(prefix, marker):
    (prefix.parent / "iter_300.json").write_text(marker)
    assert snapshots.newest(prefix.parent).iteration == 200


def test_a_marker_of_a_later_version_is_understood(prefix):
    marker = prefix.parent / "iter_300.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"host": "a"}))
    assert snapshots.newest(prefix.parent).iteration == 300


def test_two_snapshots_are_kept_and_what_belongs_to_none_of_ours_is_removed(prefix):
    prefix.with_name(f"{prefix.name}_iter_350.caffemodel").write_text("its process was killed")
    snapshots.prune(prefix, keep=2)
    kept = [f"{prefix.name}_iter_{n}.{kind}" for n in (200, 300) for kind in ("caffemodel", "solverstate")]
    assert sorted(path.name for path in prefix.parent.iterdir()) == sorted([*kept, "iter_200.json", "iter_300.json"])


def test_damaged_snapshots_do_not_crowd_out_new_ones(prefix):
    for iteration in (200, 300):
        prefix.with_name(f"{prefix.name}_iter_{iteration}.caffemodel").unlink()
    snapshots.discard_after(prefix, snapshots.newest(prefix.parent).iteration)
    snapshots.prune(prefix, keep=2)
    assert sorted(path.name for path in prefix.parent.glob("*.json")) == ["iter_100.json"]
    assert not list(prefix.parent.glob("*_iter_300.*"))


@pytest.mark.parametrize("field", ["iteration", "seconds", "losses", "sha256"])
def test_a_marker_with_values_of_other_types_leaves_the_snapshot_before(prefix, field):
    marker = prefix.parent / "iter_300.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {field: ["x"]}))
    assert snapshots.newest(prefix.parent).iteration == 200


def test_what_a_person_put_there_stays(prefix):
    mine = [prefix.parent / name for name in ("best.caffemodel", "iter_notes.json", "other_iter_100.caffemodel")]
    for path in mine:
        path.write_text("mine")
    (prefix.parent / "old").mkdir()
    (prefix.parent / "iter_1.json").mkdir()
    snapshots.prune(prefix, keep=2)
    assert all(path.exists() for path in [*mine, prefix.parent / "old"])
    assert snapshots.newest(prefix.parent).iteration == 300


def test_a_snapshot_counts_once_its_files_are_on_the_disk_and_not_before(prefix, monkeypatch):
    files = [prefix.with_name(f"{prefix.name}_iter_300.{kind}") for kind in ("caffemodel", "solverstate")]
    marker, synced = prefix.parent / "iter_300.json", []

    def snapshot():
        assert not marker.exists()  # that of the files which are being written over
        for file in files:
            file.write_bytes(b"")

    def sync(path):
        assert not marker.exists()
        synced.append(path)

    monkeypatch.setattr(snapshots, "sync", sync)
    taken = snapshots.take(SimpleNamespace(iter=300, snapshot=snapshot), prefix, 7.0, [0.25])
    assert synced == files
    assert taken == Snapshot(300, 7.0, [0.25], {file.name: sha256(file) for file in files})
    assert snapshots.newest(prefix.parent) == taken


def test_a_marker_that_names_no_file_and_one_under_another_name_do_not_count(prefix):
    earlier = json.loads((prefix.parent / "iter_200.json").read_text())
    (prefix.parent / "iter_400.json").write_text(json.dumps(earlier | {"iteration": 400, "sha256": {}}))
    assert snapshots.newest(prefix.parent).iteration == 300
    (prefix.parent / "iter_400.json").unlink()
    (prefix.parent / "iter_300.json").write_text(json.dumps(earlier))
    snapshots.prune(prefix, keep=2)
    assert sorted(path.name for path in prefix.parent.glob("iter_*")) == ["iter_100.json", "iter_200.json"]


def resumed(prefix, learned_net, before=lambda batch: None) -> list:
    """Resume a stand-in for a solver at 300, two batches on: what was called, and with what, in order."""
    state = prefix.with_name(f"{prefix.name}_iter_300.solverstate")
    state.write_bytes(caffe_pb2.SolverState(iter=300, learned_net=str(learned_net)).SerializeToString())
    inputs = {"Data": 0, "Convolution": 1, "ImageData": 0, "Dropout": 1, "InnerProduct": 1}
    calls = []

    def restore(path):
        calls.append(caffe_pb2.SolverState.FromString(Path(path).read_bytes()).learned_net)

    net = SimpleNamespace(
        layers=[SimpleNamespace(type=kind) for kind in inputs],
        _bottom_ids=lambda index: [0] * list(inputs.values())[index],
        _forward=lambda first, last: calls.append((first, last)),
    )
    snapshot = snapshots.newest(prefix.parent) or Snapshot(300, 1.0, [], {})
    snapshots.resume(SimpleNamespace(net=net, restore=restore), replace(snapshot, iteration=300), prefix, 2, before)
    return calls


def test_a_resume_runs_what_reads_or_draws_forward_as_often_as_the_run_did(prefix):
    model = prefix.with_name(f"{prefix.name}_iter_300.caffemodel")
    once = [(0, 0), (2, 2), (3, 3)]
    assert resumed(prefix, model) == [*once, *once, str(model)]


def test_a_resume_can_be_ended_between_two_batches(prefix):
    begun = []

    def stop(batch):
        begun.append(batch)
        if batch:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        resumed(prefix, "model", stop)
    assert begun == [0, 1]


def test_a_moved_snapshot_is_restored_from_where_it_is_and_nothing_is_left_beside_it(prefix):
    before = sorted(prefix.parent.iterdir())
    calls = resumed(prefix, "/elsewhere/model.caffemodel")
    assert calls[-1] == str(prefix.with_name(f"{prefix.name}_iter_300.caffemodel"))
    assert sorted(prefix.parent.iterdir()) == before
