"""Children side by side: each on its own GPU, each ending told apart, each stopped; a script takes the run's place."""

import json
import os
import shlex
import signal
import sys
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import launch
from experiments.job import STOPPED, Job
from experiments.launch import Endings, environment, noted_failure
from experiments.run_folder import RunFolder
from experiments.runs import Run

CHILD = """
import json, os, signal, sys, time
from pathlib import Path
job = json.load(sys.stdin)
pipe = os.fdopen(int(sys.argv[3]), "w")
def say(**message): print(json.dumps(message), file=pipe, flush=True)
def wait_for(name):
    for _ in range(1000):
        if Path(here, name).exists(): return
        time.sleep(0.01)
    sys.exit(name + " never came")
here = {here!r}
say(gpu=job["gpu"])
seed = job["run"]["seed"]
exec(Path(here, f"{{seed}}.py").read_text())
"""
HEAR = """signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
for _ in range(1000): time.sleep(0.01)
"""


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """launched([what each child does], slots, listen): the endings, and the messages by seed."""
    child, python = tmp_path / "child.py", tmp_path / "python"
    child.write_text(CHILD.format(here=str(tmp_path)))
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {shlex.quote(str(child))} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(launch, "sys", SimpleNamespace(executable=str(python)))

    def call(scripts, slots=(None,), listen=lambda job, message: None):
        jobs, heard = [], {}
        for seed, script in enumerate(scripts, 1):
            (tmp_path / f"{seed}.py").write_text(script)
            run = Run("demo", "alexnet", "global", seed)
            jobs.append(Job(run, run.folder(tmp_path), tmp_path, tmp_path, None, {"net": "a"}, "", None))

        def hear(job, message):
            heard.setdefault(job.run.seed, []).append(message)
            listen(job, message)

        endings = Endings()
        launch.launch(jobs, list(slots), endings, hear)
        return endings, heard

    return call


def folder_of(tmp_path, seed: int) -> RunFolder:
    return Run("demo", "alexnet", "global", seed).folder(tmp_path)


def test_a_run_that_waits_gets_the_gpu_that_is_free(launched):
    """The second child waits for the third, which is on the GPU that the first one left."""
    endings, heard = launched(["", "wait_for('third')", "Path(here, 'third').touch()"], slots=[4, 7])
    assert [heard[seed][0]["gpu"] for seed in (1, 2, 3)] == [4, 7, 4]
    assert len(endings.done) == 3


def test_each_ending_is_told_apart_and_a_failure_is_kept(launched, tmp_path):
    log = folder_of(tmp_path, 4).log
    log.parent.mkdir(parents=True)
    log.write_text("F1124 10:00:01.000000    77 net.cpp:1] of an earlier attempt\n")
    endings, heard = launched(
        [
            "",
            f"sys.exit({STOPPED})",
            "say(error='the disk is full'); say(phase='snapshot'); sys.exit(2)",
            "sys.exit('what the log says last')",
        ]
    )
    name = "demo/alexnet_global/seed-{}".format
    assert (endings.done, endings.stopped) == ([name(1)], [name(2)])
    assert endings.failed == {name(3): "the disk is full", name(4): f"what the log says last ({log})"}
    assert heard[1][-1] == {"end": "done"}
    assert heard[2][-1] == {"end": "stopped"}
    assert heard[3][-1] == {"end": "failed", "reason": "the disk is full"}
    assert [folder_of(tmp_path, seed).state() for seed in (3, 4)] == ["failed", "failed"]


def test_messages_that_come_in_pieces_are_put_together(launched):
    pieces = "pipe.write('{\"phase\": \"snap'); pipe.flush(); time.sleep(0.1); pipe.write('shot\"}\\n'); pipe.flush()"
    _, heard = launched([pieces])
    assert heard[1][1:] == [{"phase": "snapshot"}, {"end": "done"}]


def stop_when_it_runs(job, message) -> None:
    if "gpu" in message:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_stop_reaches_what_runs_and_nothing_more_begins(launched, tmp_path):
    before = [signal.getsignal(number) for number in launch.STOPS]
    asked = f"signal.signal(signal.SIGTERM, lambda *_: sys.exit({STOPPED}))\n{HEAR}"
    endings, _ = launched([asked, ""], listen=stop_when_it_runs)
    assert (endings.done, endings.stopped, endings.failed) == ([], ["demo/alexnet_global/seed-1"], {})
    assert not folder_of(tmp_path, 2).path.exists()
    assert [signal.getsignal(number) for number in launch.STOPS] == before


@pytest.mark.parametrize(("signals", "ends"), [(["TERM", "TERM", "TERM"], "saved"), (["INT", "INT"], "killed")])
def test_slurm_may_ask_again_and_again_and_a_second_ctrl_c_ends_at_once(launched, tmp_path, signals, ends):
    """While the child takes its snapshot, which is half a second of work here."""
    save = "def save(*_): time.sleep(0.5); Path(here, 'saved').touch(); os._exit(3)\n"
    hear = f"{save}signal.signal(signal.SIGTERM, save); signal.signal(signal.SIGINT, save)\n{HEAR}"

    def stop(job, message):
        if "gpu" in message:
            for name in signals:
                os.kill(os.getpid(), getattr(signal, f"SIG{name}"))
                time.sleep(0.05)

    endings, _ = launched([hear], listen=stop)
    assert endings.stopped == ["demo/alexnet_global/seed-1"]
    assert (tmp_path / "saved").exists() == (ends == "saved")


def test_a_failure_after_a_stop_was_asked_for_is_a_failure(launched):
    fail = "def fail(*_): say(error='no room for the snapshot'); sys.exit(2)\n"
    endings, _ = launched([f"{fail}signal.signal(signal.SIGTERM, fail)\n{HEAR}"], listen=stop_when_it_runs)
    assert endings.failed == {"demo/alexnet_global/seed-1": "no room for the snapshot"}


def test_children_are_stopped_and_waited_for_where_the_driver_fails(launched, tmp_path):
    last = "def last(*_): time.sleep(0.1); Path(here, 'saved').touch(); sys.exit()\n"

    def fail(job, message):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        launched([f"{last}signal.signal(signal.SIGTERM, last)\n{HEAR}"], listen=fail)
    assert (tmp_path / "saved").exists()


def test_a_child_is_out_of_reach_of_the_terminals_ctrl_c_and_of_any_signal_until_it_listens(launched):
    """It gets the signals that are meant for it from the driver, once."""
    say = "say(session=os.getsid(0) == os.getpid(), blocked=[int(n) for n in signal.pthread_sigmask(0, [])])"
    _, heard = launched([say])
    assert heard[1][1]["session"]
    assert set(heard[1][1]["blocked"]) >= {signal.SIGINT, signal.SIGTERM}


def test_a_run_on_the_cpu_sees_no_gpu_and_one_on_a_gpu_sees_all_of_them(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert environment(None, threads=2)["CUDA_VISIBLE_DEVICES"] == ""
    assert environment(None, threads=2)["OPENBLAS_NUM_THREADS"] == "2"
    assert not {"CUDA_VISIBLE_DEVICES", "OPENBLAS_NUM_THREADS"} & set(environment(0, threads=None))
    assert environment(0, threads=None)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment(0, threads=None)["GLOG_minloglevel"] == "0"


RUN = Run("demo", "alexnet", "global", 1)


def test_a_failure_is_noted_in_a_folder_that_has_none_and_beside_work_on_the_same_inputs(tmp_path):
    folder = RUN.folder(tmp_path)
    assert noted_failure(RUN, folder, {"net": "a"}, "unfit") == "unfit"
    assert folder.record()["failure"] == "unfit"
    folder.snapshots.mkdir()
    (folder.snapshots / "iter_3.json").touch()
    folder.write_record(folder.record() | {"attempts": [{}]})
    noted_failure(RUN, folder, {"net": "a"}, "no disk")
    assert (folder.record()["failure"], folder.record()["attempts"]) == ("no disk", [{}])


def test_a_failure_is_not_noted_in_work_on_other_inputs_nor_where_a_process_is_at_work(tmp_path):
    folder = RUN.folder(tmp_path)
    folder.snapshots.mkdir(parents=True)
    folder.write_record({"run": {}, "inputs": {"net": "a"}})
    with folder.lock():
        assert noted_failure(RUN, folder, {"net": "a"}, "unfit") == "unfit"
    assert "failure" not in folder.record()
    (folder.snapshots / "iter_3.json").touch()
    assert noted_failure(RUN, folder, {"net": "b"}, "unfit") == "unfit"
    assert "failure" not in folder.record()


def test_a_failure_that_cannot_be_noted_is_told_all_the_same(tmp_path):
    folder = RUN.folder(tmp_path)
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_text(json.dumps([]))
    assert noted_failure(RUN, folder, {}, "unfit").startswith("unfit (not noted in its run.json: ")
