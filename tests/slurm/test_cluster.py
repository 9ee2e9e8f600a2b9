"""On a real Slurm: what comes of runs that are handed over, cut short, cancelled, whose node dies, or that fail."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster import NODES, Cluster, cluster, lacking, wait_for
from harness import ALEXNET, RUN, RUN_ALL, edit, rows, run_folder, weights_in

from paper import ROOT

pytest.importorskip("caffe", reason="Caffe is not built here")
pytestmark = [
    pytest.mark.skipif("SLURM_TESTS" not in os.environ, reason="takes minutes: `make test-slurm`"),
    pytest.mark.skipif(bool(lacking()), reason=f"not installed: {', '.join(lacking())}"),
]

SECONDS = 120  # that a run may take, on a busy machine
RESULTS = "结果 50%j"  # %j in the name of a log would be the number of the job
LONG = 120  # iterations, some 6 s


@pytest.fixture(scope="session")
def slurm() -> Cluster:
    with cluster() as made:
        yield made


@pytest.fixture
def project(checkout) -> Path:
    """A checkout with what jobs need of it."""
    shutil.copytree(ROOT / "slurm", checkout / "slurm")
    (checkout / ".venv").symlink_to(sys.prefix)
    return checkout


def submit(slurm, project, *arguments, status=0) -> str:
    command = [sys.executable, "run_experiments.py", "submit", "--results", RESULTS, *arguments]
    done = subprocess.run(command, cwd=project, env=slurm.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout


def plain(project, *arguments) -> None:
    """The same without Slurm, into `results`."""
    subprocess.run([sys.executable, "run_experiments.py", *arguments], cwd=project, check=True, timeout=SECONDS * 2)


def jobs(table: str) -> dict[str, tuple[str, str]]:
    """Job and state by the names of the runs, as `submit` lists them."""
    return {run: (job, state) for run, job, state in re.findall(r"^(demo/\S+) +(\d*) +(\w+)$", table, re.M)}


def folder(project, variant=ALEXNET, seed=1):
    return project / RESULTS / variant / f"seed-{seed}"


def record(project, seed=1) -> dict:
    return json.loads((folder(project, seed=seed) / "run.json").read_text())


def log(project, variant=ALEXNET, seed=1) -> str:
    return (folder(project, variant, seed) / "slurm.log").read_text()


def wait_for_iteration(project, iteration) -> None:
    path = folder(project) / "caffe.log"
    wait_for(lambda: path.exists() and f"Iteration {iteration} " in path.read_text(), SECONDS)


def wait_until_gone(slurm, seconds=SECONDS) -> None:
    """Until no job waits or runs."""
    wait_for(lambda: not slurm.queue(), seconds)


def result(path) -> tuple:
    """The bits of a run's last weights, and its predictions."""
    iteration = json.loads((path / "done").read_text())["iteration"]
    (model,) = (path / "snapshots").glob(f"*_iter_{iteration}.caffemodel")
    return iteration, weights_in(model), (path / "predictions.csv").read_bytes()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The results of plain runs, by their length, made once."""
    return {}


@pytest.fixture
def in_the_same_bits(undisturbed):
    """in_the_same_bits(project, iterations, seed): whether the run ended as a plain one of this length does."""

    def compare(project, iterations, seed=1):
        if iterations not in undisturbed:
            plain(project, *RUN, "--max-iter", str(iterations))
            undisturbed[iterations] = result(run_folder(project, seed=seed))
        return result(folder(project, seed=seed)) == undisturbed[iterations]

    return compare


CPU = ("--dataset", "demo", "--cpu")
ONE = (*CPU, "--network", "alexnet", "--view", "global")


def test_four_runs_on_two_nodes_end_in_the_bits_of_a_plain_run(slurm, project):
    handed_over = jobs(submit(slurm, project, *CPU))
    assert [state for _, state in handed_over.values()] == ["submitted"] * 4
    wait_until_gone(slurm)
    assert {state for _, state in jobs(submit(slurm, project, *CPU)).values()} == {"done"}
    plain(project, *RUN_ALL)
    for name in handed_over:
        variant = name.removesuffix("/seed-1")
        assert result(folder(project, variant)) == result(run_folder(project, variant))
    assert {word for name in handed_over for word in NODES if f" on {word}, " in log(project, name[:-7])} == {*NODES}


def test_two_submits_at_once_hand_no_run_over_twice(slurm, project):
    command = [sys.executable, "run_experiments.py", "submit", "--results", RESULTS, *CPU, "--slurm=--hold"]
    two = [
        subprocess.Popen(command, cwd=project, env=slurm.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    tables = [jobs(each.communicate(timeout=60)[0]) for each in two]
    assert len(slurm.queue()) == 4
    assert dict(tables[0].values()).keys() == {job for job, _ in tables[1].values()}
    assert sorted(state for table in tables for _, state in table.values()) == ["queued"] * 4 + ["submitted"] * 4
    slurm.call("scancel", *slurm.queue())
    wait_until_gone(slurm)


def test_what_is_cancelled_stays_stopped_and_the_next_submit_resumes(slurm, project, in_the_same_bits):
    length = ("--max-iter", str(LONG))
    ((job, _),) = jobs(submit(slurm, project, *ONE, *length)).values()
    wait_for_iteration(project, 50)
    slurm.call("scancel", job)
    wait_until_gone(slurm)
    assert "failure" not in record(project)
    assert max(int(path.stem[5:]) for path in (folder(project) / "snapshots").glob("iter_*.json")) >= 50
    time.sleep(6)  # what is queued again would be there by now
    assert not slurm.queue()
    ((again, state),) = jobs(submit(slurm, project, *ONE, *length)).values()
    assert (again != job, state) == (True, "submitted")
    wait_until_gone(slurm)
    assert [attempt["slurm_job"] for attempt in record(project)["attempts"]] == [job, again]
    assert in_the_same_bits(project, LONG)


def test_a_run_whose_node_dies_is_queued_again_and_ends_in_the_same_bits(slurm, project, in_the_same_bits):
    ((job, _),) = jobs(submit(slurm, project, *ONE, "--max-iter", str(LONG))).values()
    wait_for_iteration(project, 50)
    node = slurm.job(job)["NodeList"]
    slurm.kill_node(node)
    wait_for(lambda: slurm.job(job)["Restarts"] == "1", SECONDS)  # Slurm has missed it
    slurm.start_node(node)
    wait_until_gone(slurm)
    assert slurm.job(job)["Restarts"] == "1"
    assert log(project).count("starts") == 2
    assert record(project)["attempts"][1]["from_iteration"] > 0
    assert in_the_same_bits(project, LONG)


def test_a_wrong_net_fails_with_its_reason_and_is_not_queued_again(slurm, project):
    edit(project / f"prototxt/{ALEXNET}/train_val.prototxt", "num_output: 2", "num_output: 0")
    ((job, _),) = jobs(submit(slurm, project, *ONE)).values()
    wait_until_gone(slurm)
    time.sleep(6)
    assert not slurm.queue()
    assert (slurm.job(job)["JobState"], slurm.job(job)["Restarts"]) == ("FAILED", "0")
    assert "num_output" in record(project)["failure"] or "fc8_aesthetics" in record(project)["failure"]


def test_a_job_stands_back_while_another_machine_shows_a_sign_of_life(slurm, project):
    """Its folder is as another machine would leave it, on a disk without locks between machines."""
    ((job, _),) = jobs(submit(slurm, project, *ONE, "--slurm=--hold")).values()
    sign = {"host": "elsewhere", "pid": 1, "job": "99", "boot": "another"}
    (folder(project) / "holder.json").write_text(json.dumps(sign))
    slurm.call("scontrol", "release", job)
    wait_until_gone(slurm)
    assert re.search(r"at work on elsewhere \(job 99\), last sign of life \d+ s ago", log(project))
    assert slurm.job(job)["JobState"] == "FAILED"
    assert not (folder(project) / "caffe.log").exists()


STAND_IN = """#!/bin/bash
echo "GPUs: $CUDA_VISIBLE_DEVICES, $*"
date +%s.%N
sleep 3
date +%s.%N
"""


@pytest.fixture
def stand_in(project):
    """A project whose runs are three seconds of sleep."""
    (project / ".venv").unlink()
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").write_text(STAND_IN)
    (project / ".venv/bin/python").chmod(0o755)
    return project


def test_each_job_sees_a_gpu_of_its_own_as_number_0(slurm, stand_in):
    handed_over = jobs(submit(slurm, stand_in, "--dataset", "demo", "--slurm=--nodelist=n1 --cpus-per-task=1"))
    wait_until_gone(slurm)
    logs = [log(stand_in, name.removesuffix("/seed-1")) for name in handed_over]
    seen = [re.search(r"^GPUs: (.*), run_experiments.py run .* --gpu 0 ", text, re.M)[1] for text in logs]
    assert sorted(seen) == ["0", "0", "1", "1"]  # two cores, so two at a time


def test_no_more_jobs_run_at_once_than_asked_for(slurm, stand_in):
    handed_over = jobs(submit(slurm, stand_in, *CPU, "--max-at-once", "2"))
    wait_until_gone(slurm)
    spans = []
    for name in handed_over:
        text = log(stand_in, name.removesuffix("/seed-1"))
        spans.append([float(number) for number in re.findall(r"^\d+\.\d+$", text, re.M)])
    assert max(sum(begin <= start < end for begin, end in spans) for start, _ in spans) == 2


def test_a_run_whose_time_is_up_is_queued_again_once_and_ends_in_the_same_bits(slurm, project, in_the_same_bits):
    """Slurm looks at the time every 30 s, so with these options it tells the job 10 to 40 s after its start."""
    plain(project, *RUN, "--max-iter", str(LONG))
    seconds = float(rows(run_folder(project) / "metrics.csv")[-1]["seconds"])
    length = round(LONG * 50 / seconds)  # iterations, 50 s
    seed = f"1-to-{length}"  # in the folder's name, as it is longer than the demo's runs are
    limit = "--slurm=--time=1 --signal=B:USR1@20"
    ((job, _),) = jobs(submit(slurm, project, *ONE, "--max-iter", str(length), limit)).values()
    wait_for(lambda: slurm.job(job)["Restarts"] == "1", SECONDS)
    slurm.call("scontrol", "update", f"JobId={job}", "TimeLimit=30")
    wait_until_gone(slurm)
    assert (slurm.job(job)["Restarts"], log(project, seed=seed).count("queued again\n")) == ("1", 1)
    assert record(project, seed)["attempts"][1]["from_iteration"] > 0
    assert in_the_same_bits(project, length, seed)
