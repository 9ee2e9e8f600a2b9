"""Snapshots are few, sound ones are found, and nothing that is not ours is touched."""

import json
from dataclasses import asdict

import pytest

from files import sha256

pytest.importorskip("caffe", reason="Caffe is not built here")

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


def test_what_a_person_put_there_stays(prefix):
    mine = [prefix.parent / name for name in ("best.caffemodel", "iter_notes.json", "other_iter_100.caffemodel")]
    for path in mine:
        path.write_text("mine")
    (prefix.parent / "old").mkdir()
    (prefix.parent / "iter_1.json").mkdir()
    snapshots.prune(prefix, keep=2)
    assert all(path.exists() for path in [*mine, prefix.parent / "old"])
    assert snapshots.newest(prefix.parent).iteration == 300
