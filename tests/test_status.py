"""`status` shows every run, and how far it is."""

import json
import re

import pytest

from experiments.run_folder import Prediction, Progress, RunFolder
from paper import tables
from report.datasets import all_tables
from report.status import status

RECORD = {"run": {}, "inputs": {}, "max_iter": 400}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    run = RunFolder(tmp_path / "demo/alexnet_global/seed-3")
    run.path.mkdir(parents=True)
    run.write_record(RECORD)
    return run


def line(folder: RunFolder) -> str:
    return re.search(
        r"^demo +demo/alexnet_global/seed-3 +(.*)$", status(tables().values(), folder.path.parents[2]), re.M
    )[1]


def test_time_left_is_worked_out_from_the_pace_of_this_attempt(folder):
    folder.write_progress(Progress(iteration=200, from_iteration=100, seconds=50.0))
    with folder.lock():
        assert re.fullmatch(r"running +200 of 400 +0:01:40 left", line(folder))
        folder.write_progress(Progress(iteration=100, from_iteration=100, seconds=50.0))
        assert re.fullmatch(r"running +100 of 400 +starting", line(folder))


def test_a_stopped_run_is_where_its_newest_snapshot_is(folder):
    folder.write_progress(Progress(iteration=200, from_iteration=100, seconds=50.0))
    folder.snapshots.mkdir()
    (folder.snapshots / "iter_230.json").touch()
    assert re.fullmatch(r"stopped +230 of 400 +type the same `run` command to resume from iteration 230", line(folder))


def test_a_failed_run_says_why(folder):
    folder.write_record(RECORD | {"failure": "the disk is full"})
    assert re.fullmatch(r"failed +0 of 400 +the disk is full", line(folder))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_one_unreadable_run_is_one_line_and_all_others_are_shown(folder, content):
    (folder.path / "run.json").write_bytes(content)
    (folder.path.parent / "seed-1-old").mkdir()
    text = status(tables().values(), folder.path.parents[2])
    assert re.search(r"^demo +demo/alexnet_global/seed-3 +unreadable .*run\.json: ", text, re.M)
    assert re.search(
        r"^demo +demo/alexnet_global/seed-1-old +ignored +its name is not seed-<number>, nor \S+$", text, re.M
    )
    assert len(re.findall(r" missing$", text, re.M)) == 20


def test_json_of_other_types_is_unreadable_not_a_traceback(folder):
    for name in ("run.json", "done", "progress.json"):
        for content in (
            "1",
            '"a"',
            "null",
            "{}",
            json.dumps({"iteration": [], "inputs": 1, "run": 2, "max_iter": "x"}),
        ):
            (folder.path / name).write_text(content)
            assert line(folder)
        (folder.path / name).unlink()
        folder.write_record(RECORD)


def test_datasets_that_are_prepared_or_have_results_are_listed_below_the_papers(tmp_path):
    data, results = tmp_path / "data", tmp_path / "results"
    for place in (data / "prepared", results / "b" / "vgg16_local", results / "a" / "alexnet_global", results / "I"):
        place.mkdir(parents=True)
    (data / "prepared/summary.json").touch()
    (results / "notes").touch()
    names = [table.name for table in all_tables(data, results)]
    assert names == [*tables(), "a", "b", "prepared"]
    text = status(all_tables(data, results), results)
    assert re.search(r"^a +a/alexnet_global/seed-1 +missing$", text, re.M)
    assert all_tables(tmp_path / "nowhere", tmp_path / "results/notes") == [*tables().values()]


def test_a_done_run_has_its_accuracy_and_its_own_length(folder):
    photos = [Prediction("a", 1, 0.9, 1), Prediction("b", 0, 0.8, 1), Prediction("c", 1, 0.4, 0)]
    dataset = {"photos": {"train": 9, "test": len(photos)}, "rule": "r"}
    folder.write_record(RECORD | {"attempts": [], "dataset": dataset, "max_iter": 7000})
    folder.write_predictions(7000, photos)
    folder.finish(7000)
    assert re.fullmatch(r"done +7,000 of 7,000 +accuracy 33\.33%", line(folder))


def test_hours_and_minutes_are_told_apart(folder):
    folder.write_progress(Progress(iteration=200, from_iteration=100, seconds=5000.0))
    with folder.lock():
        assert re.fullmatch(r"running +200 of 400 +2:46:40 left", line(folder))
