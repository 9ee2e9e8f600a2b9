"""How a batch of runs ends: its exit status and its last line; what is unfit or has no room never starts."""

from user_error import STOPPED, UserError

import re

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import sweep
from experiments.doctor import Finding
from experiments.planning import Options
from experiments.preflight import Trial
from experiments.run_folder import Prediction
from experiments.runs import runs

RUNS = runs("demo", ["alexnet"], ["global"], [1, 2, 3])
NAMES = [run.name for run in RUNS]


@pytest.fixture
def swept(tmp_path, data, monkeypatch):
    """swept(end, trials, disk): `run` where `end(endings)` is what becomes of the runs; its status, those launched."""

    def call(end=lambda endings: None, trials=None, disk=None, dry_run=False):
        launched = []

        def launch(jobs, slots, endings, listen):
            launched.extend(job.run.name for job in jobs)
            end(endings)

        monkeypatch.setattr(sweep, "launch", launch)
        monkeypatch.setattr(sweep.preflight, "try_out", lambda jobs: {name: Trial() for name in NAMES} | (trials or {}))
        monkeypatch.setattr(sweep.doctor, "disk", lambda jobs, results: disk or Finding("disk", "enough"))
        options = Options(data, tmp_path / "results", gpus=None, command="", threads=1)
        return sweep.run(RUNS, options, dry_run), launched

    return call


def test_all_done_is_0(swept):
    assert swept(lambda endings: endings.done.extend(NAMES)) == (0, NAMES)


def test_a_batch_that_was_stopped_is_130_and_says_how_to_go_on(swept, capsys):
    status, _ = swept(lambda endings: endings.done.extend(NAMES[:1]))
    assert status == STOPPED
    assert re.search("^1 of 3 runs done.*same command", capsys.readouterr().out, re.M)


def test_a_failure_is_1_even_where_others_were_stopped(swept, capsys):
    def end(endings):
        endings.done.append(NAMES[0])
        endings.stopped.append(NAMES[1])
        endings.failed[NAMES[2]] = "no room"

    status, _ = swept(end)
    assert status == 1
    assert re.search("^1 of 3 runs done, 1 failed.*same command", capsys.readouterr().out, re.M)


def test_what_is_unfit_is_failed_and_noted_and_the_others_run(swept, tmp_path, capsys):
    status, launched = swept(lambda e: e.done.extend(NAMES[1:]), trials={NAMES[0]: Trial("a shape does not fit")})
    assert (status, launched) == (1, NAMES[1:])
    assert RUNS[0].folder(tmp_path / "results").record()["failure"] == "a shape does not fit"
    assert f"{NAMES[0]}: failed: a shape does not fit\n" in capsys.readouterr().out


def test_nothing_starts_without_room_on_the_disk(swept):
    with pytest.raises(UserError, match=r"^disk: too little$"):
        swept(disk=Finding("disk", "too little", problem=True))


def test_a_dry_run_starts_nothing_and_its_status_tells_whether_all_is_fit(swept, tmp_path):
    assert swept(dry_run=True) == (0, [])
    assert swept(trials={NAMES[0]: Trial("unfit")}, dry_run=True) == (1, [])
    assert not (tmp_path / "results").exists()


def test_one_edit_of_several_runs_is_shown_once_and_no_longer_than_a_screen(swept, capsys):
    diff = "\n".join(f"+line {number}" for number in range(40))
    swept(lambda endings: endings.done.extend(NAMES), trials={name: Trial(edits={"solver": diff}) for name in NAMES})
    shown = capsys.readouterr().out
    assert shown.count("+line 29\n") == 1
    assert "+line 30" not in shown
    assert "... 10 more lines in " in shown


def test_what_is_done_is_neither_tried_nor_counted(swept, tmp_path, data, capsys):
    folder = RUNS[0].folder(tmp_path / "results")
    folder.path.mkdir(parents=True)
    inputs = sweep.planning.job(RUNS[0], Options(data, tmp_path / "results", None, ""), 1).inputs
    dataset = {"photos": {"train": 9, "test": 1}, "rule": "r"}
    folder.write_record({"run": {}, "inputs": inputs, "attempts": [], "dataset": dataset})
    folder.write_predictions(400, [Prediction("a", 1, 0.9, 1)])
    folder.finish(400)
    assert swept(lambda endings: endings.done.extend(NAMES[1:])) == (0, NAMES[1:])
    assert capsys.readouterr().out == f"{NAMES[0]}: done already\n"
