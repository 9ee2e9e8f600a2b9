"""Runs are handed to Slurm each once, as jobs that a shell can be shown; stand-ins take the place of its programs."""

from user_error import UserError

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import doctor, planning, sbatch, slurm
from experiments.holder import OLD
from experiments.lead import lead
from experiments.planning import Options
from experiments.run_folder import Prediction
from experiments.runs import Run, runs
from experiments.sbatch import Settings
from experiments.submit import submit
from paper import ROOT, stated
from report.status import status

RUNS = runs("demo", seeds=[1])
RUN = RUNS[0]
RESULTS = "结果 50%j"


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> FakeSlurm:
    made = FakeSlurm(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    return made


@pytest.fixture
def options(tmp_path, data) -> Options:
    return Options(data, tmp_path / RESULTS, gpus=None, command="")


def hand_over(options, *given, settings=None, photos=None, dry_run=False) -> bool:
    return submit(given or RUNS, options, settings or Settings(), photos or {}, dry_run)


def states(capsys) -> list[str]:
    """The last column of the table that was printed."""
    lines = capsys.readouterr().out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("----"))
    return [line.split()[-1] for line in lines[begin + 1 :]]


def finish(run: Run, options: Options) -> None:
    """Have a run be done."""
    folder = run.folder(options.results)
    folder.path.mkdir(parents=True, exist_ok=True)
    job = planning.job(run, options, 1)
    dataset = {"photos": {"train": 9, "test": 1}, "rule": "r"}
    folder.write_record({"run": {}, "inputs": job.inputs, "attempts": [], "dataset": dataset})
    folder.write_predictions(job.prototxts.max_iter, [Prediction("a", 1, 0.9, 1)])
    folder.finish(job.prototxts.max_iter)


def test_what_is_left_gets_one_job_each_and_what_is_done_or_has_one_is_skipped(cluster, options, capsys):
    finish(RUNS[1], options)
    assert not hand_over(options)
    assert sorted(states(capsys)) == ["done", "submitted", "submitted", "submitted"]
    cluster.change(0, state="RUNNING", nodes="n1")
    hand_over(options)
    assert sorted(states(capsys)) == ["done", "queued", "queued", "running"]
    assert [job["options"]["job-name"] for job in cluster.jobs] == [run.name for run in RUNS if run != RUNS[1]]


def test_a_run_whose_job_ended_without_a_result_is_handed_over_again(cluster, options, capsys):
    hand_over(options, RUN)
    cluster.change(0, state=None)
    hand_over(options, RUN)
    assert states(capsys)[-1] == "submitted"
    assert len(cluster.jobs) == 2


def test_when_all_is_done_nothing_is_handed_over(cluster, options, capsys):
    finish(RUN, options)
    assert hand_over(options, RUN)
    assert (states(capsys), cluster.jobs) == (["done"], [])


def test_a_job_of_the_same_name_in_another_project_is_not_ours(cluster, options, capsys, tmp_path):
    hand_over(replace(options, results=tmp_path / "other"), RUN)
    hand_over(options, RUN)
    assert len(cluster.jobs) == 2
    assert {job["options"]["job-name"] for job in cluster.jobs} == {RUN.name}


def test_a_job_with_a_comment_of_the_users_is_known_by_its_number(cluster, options, capsys):
    settings = Settings(words=["--comment=project 7"])
    hand_over(options, RUN, settings=settings)
    hand_over(options, RUN, settings=settings)
    assert states(capsys)[-1] == "queued"
    assert len(cluster.jobs) == 1


def test_a_copy_of_a_folder_has_no_claim_on_the_originals_job(cluster, options, tmp_path):
    hand_over(options, RUN)
    shutil.copytree(options.results, tmp_path / "copy")
    hand_over(replace(options, results=tmp_path / "copy"), RUN)
    assert len(cluster.jobs) == 2


def test_a_run_whose_job_was_killed_gets_one_that_begins_when_its_last_sign_of_life_is_old(cluster, options, capsys):
    folder = RUN.folder(options.results).path
    folder.mkdir(parents=True)
    (folder / "holder.json").write_text(json.dumps({"host": "n9", "pid": 1, "job": "77", "boot": "another"}))
    hand_over(options, RUN)
    assert states(capsys) == ["submitted"]
    assert cluster.jobs[0]["options"]["begin"] == f"now+{OLD}"
    cluster.change(0, state=None, id="77")
    cluster.change(0, state="RUNNING", options=cluster.jobs[0]["options"] | {"comment": "/elsewhere"})
    hand_over(options, RUN)
    assert states(capsys)[-1] == "77)"  # running on n9 (job 77)


def test_two_at_once_hand_no_run_over_twice(cluster, options):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: hand_over(options), range(2)))
    assert sorted(job["options"]["job-name"] for job in cluster.jobs) == sorted(run.name for run in RUNS)


def test_what_a_job_does_is_one_run_and_its_log_is_in_its_folder(cluster, options, data):
    hand_over(replace(options, max_iter=12), RUN)
    (job,) = cluster.jobs
    folder = RUN.folder(options.results).path
    assert job["options"]["output"] == f"{folder}/slurm.log".replace("%", "%%")
    assert folder.is_dir()
    script, place, python, *command = job["words"]
    assert (Path(script), place) == (ROOT / "slurm/job.sh", str(folder))
    assert python == ".venv/bin/python"
    assert " ".join(command) == (
        f"run_experiments.py run --dataset demo --variant vgg16_global --seeds 1"
        f" --threads {stated('demo.threads')} --max-iter 12 --cpu --data {data} --results {options.results}"
    )
    assert job["options"]["cpus-per-task"] == str(stated("demo.threads"))
    assert not {"gres", "dependency"} & set(job["options"])


@pytest.mark.parametrize(
    ("words", "gres"), [([], "gpu:1"), (["--gres=gpu:a100:1"], "gpu:a100:1"), (["--gpus", "1"], None), (["-G1"], None)]
)
def test_a_job_has_one_gpu_unless_the_user_says_which(options, words, gres):
    handed = sbatch.of_run(RUN, replace(options, gpus=[0]), Settings(words=words))
    ours = [word for word in handed if word.startswith("--gres=")]
    assert ours == ([f"--gres={gres}"] if gres else [])
    assert " --gpu 0 " in " ".join(handed)


def test_no_gpu_is_looked_for_where_jobs_are_handed_over(cluster, options, monkeypatch):
    monkeypatch.setattr(doctor.gpus, "listed", lambda: pytest.fail("there may be none here"))
    hand_over(replace(options, gpus=[0]), RUN)
    assert len(cluster.jobs) == 1


def test_what_the_user_says_to_sbatch_comes_last_and_so_beats_what_we_say(options):
    words = sbatch.of_run(RUN, options, Settings(words=["--cpus-per-task=8", "--signal=B:USR1@600"]))
    assert [word for word in words if word.startswith("--cpus-per-task")] == ["--cpus-per-task=8"]
    assert [word for word in words if word.startswith("--signal")][-1] == "--signal=B:USR1@600"


@pytest.mark.parametrize("words", [["--job-name=x"], ["-J", "x"], ["-ox"], ["--array=1-4"], ["gpu"]])
def test_options_that_would_break_the_bookkeeping_are_refused(cluster, options, words):
    with pytest.raises(UserError, match=rf"^{words[0]}: "):
        hand_over(options, settings=Settings(words=words))
    assert not cluster.jobs


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ("5", 300),
        ("0:30", 30),
        ("1:02:03", 3723),
        ("2-3", 183600),
        ("1-0:5", 86700),
        ("1-1:1:1", 90061),
        ("never", None),
    ],
)
def test_a_time_limit_is_read_as_sbatch_reads_it(limit, seconds):
    assert slurm.seconds(limit) == seconds


def test_a_time_that_is_over_before_a_run_gets_anywhere_is_refused(cluster, options):
    with pytest.raises(UserError, match=r"--time is too short: .* is stopped \d+ s before"):
        hand_over(options, RUN, settings=Settings(words=["--time=0:30"]))
    assert not cluster.jobs


def test_no_more_than_so_many_wait_for_no_other(cluster, options, capsys):
    """Also where some were handed over before: each waits for the one so many places before it."""
    hand_over(options, *RUNS[:1])
    hand_over(options, settings=Settings(at_once=2))
    waits = [job["options"].get("dependency") for job in cluster.jobs]
    assert waits == [None, None, "afterany:101", "afterany:102"]
    with pytest.raises(UserError, match="take --dependency out"):
        hand_over(options, settings=Settings(at_once=2, words=["--dependency=afterok:1"]))


def test_a_dry_run_prints_what_a_shell_can_do_and_does_nothing(cluster, options, capsys, tmp_path):
    hand_over(options, settings=Settings(at_once=2), dry_run=True)
    lines = capsys.readouterr().out
    assert not cluster.jobs
    assert not options.results.exists()
    subprocess.run(["bash", "-euc", lines], check=True, cwd=tmp_path)
    printed = cluster.jobs
    (cluster.folder / "jobs.json").unlink()
    hand_over(options, settings=Settings(at_once=2))
    waits = [job["options"].get("dependency") for job in printed]
    assert waits == [None, None, "afterany:101", "afterany:102"]
    assert [job["words"] for job in printed] == [job["words"] for job in cluster.jobs]


def test_where_there_is_no_slurm_it_is_one_line_and_nothing_is_written(options, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"^there is no squeue here: type this on a login node"):
        hand_over(options)
    assert not options.results.exists()


def test_where_slurm_is_installed_but_knows_no_cluster_status_has_nothing_to_say_of_it(cluster, options):
    (cluster.folder / "squeue").write_text(
        "#!/bin/sh\necho 'squeue: fatal: Could not establish a configuration source' >&2; exit 1\n"
    )
    command = [sys.executable, ROOT / "run_experiments.py", "status", "--results", options.results]
    assert not subprocess.run(command, capture_output=True, check=True).stderr
    with pytest.raises(UserError, match="squeue knows of no cluster: type this on a login node"):
        hand_over(options)


def test_what_sbatch_refuses_is_said_in_its_words_and_what_was_handed_over_is_listed(cluster, options, capsys):
    hand_over(options, RUNS[0])
    cluster.refuse("invalid partition specified: x")
    with pytest.raises(UserError, match=rf"^{RUNS[1].name}: sbatch: error: invalid partition.* is not available"):
        hand_over(options)
    assert states(capsys)[-1] == "queued"


def test_a_path_that_sbatch_cannot_have_is_refused(cluster, options, tmp_path):
    with pytest.raises(UserError, match="has a backslash in it"):
        hand_over(replace(options, results=tmp_path / "a\\b"))
    assert not cluster.jobs


def test_what_has_to_be_fixed_is_said_a_line_each_and_nothing_is_handed_over(cluster, options):
    for run in RUNS[:2]:
        finish(run, options)
        record = run.folder(options.results).record()
        run.folder(options.results).write_record(record | {"inputs": record["inputs"] | {"net": "another"}})
    with pytest.raises(UserError) as refused:
        hand_over(options)
    assert [line.split(": ")[-1] for line in str(refused.value).splitlines()] == [
        "move it away, or give another --results"
    ] * 2
    assert not cluster.jobs


def test_on_the_cpu_the_cores_of_a_job_have_to_be_known(cluster, options):
    """They decide the bits, and the nodes may differ."""
    with pytest.raises(UserError, match="give --threads"):
        hand_over(options, Run("ava-large", "alexnet", "global", 1))
    hand_over(options, RUN, settings=Settings(words=["--cpus-per-task=3"]))
    words = cluster.jobs[0]["words"]
    assert words[words.index("--threads") + 1] == "3"


def test_a_job_is_told_early_enough_for_the_slowest_snapshot_of_its_net_until_now(options):
    assert lead(RUN, options.results, on_cpu=False) >= 60
    large = Run("ava-large", "vgg16", "global", 1)
    guessed = lead(large, options.results, on_cpu=False)
    assert guessed > lead(replace(large, network="alexnet"), options.results, on_cpu=False) > 60
    for seed, seconds in ((2, 7.5), (3, 40.0)):
        folder = replace(large, seed=seed, view="local").folder(options.results)
        folder.path.mkdir(parents=True)
        folder.write_record({"run": {}, "inputs": {}, "snapshot_seconds": seconds})
    assert lead(large, options.results, on_cpu=False) == 60 + 3 * 40
    assert f"--signal=B:USR1@{60 + 3 * 40}" in sbatch.of_run(large, replace(options, gpus=[0]), Settings())


def test_in_a_container_the_image_sees_the_folders_where_they_are(options, tmp_path, data):
    image = tmp_path / "image.sif"
    image.touch()
    settings, options = Settings(container=image), replace(options, stage=Path("/scratch"))
    words = sbatch.of_run(RUN, replace(options, gpus=[0]), sbatch.checked(settings, options))
    command = words[words.index("apptainer") :]
    assert command[:3] == ["apptainer", "exec", "--nv"]
    binds = [after for word, after in pairwise(command) if word == "--bind"]
    assert {str(path) for path in (ROOT, data, options.results, Path("/scratch"), ROOT / "models")} <= set(binds)
    assert command[command.index("--pwd") : command.index("run")] == (
        ["--pwd", str(ROOT), str(image), "/app/.venv/bin/python", "run_experiments.py"]
    )
    assert command[-2:] == ["--stage", "/scratch"]
    assert "--nv" not in sbatch.of_run(RUN, options, settings)
    with pytest.raises(UserError, match="comma or a colon"):
        sbatch.checked(settings, replace(options, results=tmp_path / "a:b"))
    with pytest.raises(UserError, match=r"is no file"):
        sbatch.checked(replace(settings, container=tmp_path / "none.sif"), options)


def test_a_folder_of_the_nodes_is_named_by_its_whole_path_or_by_a_variable_that_the_job_knows(options, tmp_path):
    for stage in ("/scratch", "$TMPDIR", "$SLURM_TMPDIR/here"):
        sbatch.checked(Settings(), replace(options, stage=Path(stage)))
    with pytest.raises(UserError, match="--stage scratch: it is a folder on each node"):
        sbatch.checked(Settings(), replace(options, stage=Path("scratch")))


def job_script(tmp_path, *command, **environment):
    """What `slurm/job.sh` says of a command that it runs."""
    known = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho scontrol $*\n")
    (tmp_path / "scontrol").chmod(0o755)
    return subprocess.Popen(
        ["bash", ROOT / "slurm/job.sh", tmp_path, *command],
        env=known | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_the_job_script_knows_the_nodes_own_folder(tmp_path):
    job = job_script(tmp_path, "echo", "--stage", "$TMPDIR/a b", "$HOME", TMPDIR="/local disk")
    assert "\n--stage /local disk/a b $HOME\n" in job.communicate(timeout=20)[0]


DRIVER = """
trap 'mkdir -p snapshots; {snapshot}; exit 130' TERM
echo ready
while true; do sleep 0.02; done
"""


@pytest.mark.parametrize(
    ("told", "snapshot", "status", "says"),
    [
        (["USR1"], "touch snapshots/iter_5.json", 130, "queued again\nscontrol requeue 7\n"),
        (["USR1"], "true", 1, "not queued again: the time was too short for a snapshot"),
        (["TERM"], "touch snapshots/iter_5.json", 130, "ended with 130\n"),
        (["USR1", "TERM"], "sleep 0.3; touch snapshots/iter_5.json", 130, "ended with 130\n"),
        (["TERM", "TERM"], "sleep 0.3; touch snapshots/iter_5.json", 130, "ended with 130\n"),
    ],
)
def test_what_the_job_script_does_when_it_is_told_to_stop(tmp_path, told, snapshot, status, says):
    """A job that is cancelled while its time is nearly up stays cancelled."""
    job = job_script(tmp_path, "bash", "-c", f"cd {tmp_path}; {DRIVER.format(snapshot=snapshot)}")
    while "ready" not in job.stdout.readline():
        pass
    for number, name in enumerate(told):
        time.sleep(0.1 * number)
        job.send_signal(getattr(signal, f"SIG{name}"))
    said, _ = job.communicate(timeout=20)
    assert says in said
    assert job.returncode == status
    assert ("scontrol" in said) == ("scontrol" in says)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_job_whose_run_ended_by_itself_ends_as_it_did(tmp_path, status):
    job = job_script(tmp_path, "bash", "-c", f"exit {status}")
    assert f"ended with {status}\n" in job.communicate(timeout=20)[0]
    assert job.returncode == status


@pytest.fixture
def unprepared(options, tmp_path, make_ava, monkeypatch) -> Options:
    """Nothing is prepared, and a copy of AVA is there; pretrained models too."""
    make_ava(12)
    monkeypatch.setattr(doctor, "examine", lambda *_: [])
    monkeypatch.setattr(doctor, "disk", lambda *_: doctor.Finding("disk", "enough"))
    return replace(options, data=tmp_path / "empty", gpus=[0])


def test_a_dataset_is_prepared_by_a_job_first_and_the_runs_wait_for_its_end(cluster, unprepared, tmp_path, capsys):
    wanted, photos = runs("ava-large", ["alexnet"]), {"root": tmp_path / "ava"}
    settings = Settings(words=["--partition=gpu"], preparation=["--partition=cpu"])
    hand_over(unprepared, *wanted, settings=settings, photos=photos)
    first, *others = cluster.jobs
    assert (first["options"]["job-name"], first["options"]["partition"]) == ("ava-large/prepare", "cpu")
    assert first["words"][1:] == [
        ".venv/bin/python", "-m", "data_prep", "ava", "--partition", "large", "--root", str(tmp_path / "ava"),
        "--out", str(unprepared.data),
    ]  # fmt: skip
    assert [job["options"]["dependency"] for job in others] == ["afterok:101"] * 2
    assert all("kill-on-invalid-dep" in job["options"] for job in others)
    cluster.change(2, state=None)
    hand_over(unprepared, *wanted, settings=settings, photos=photos)
    assert len(cluster.jobs) == 4  # one preparation, though three runs waited for it
    assert cluster.jobs[-1]["options"]["dependency"] == "afterok:101"


def test_photos_are_for_the_datasets_of_the_papers_tables(cluster, unprepared, tmp_path):
    with pytest.raises(UserError, match="prepare mine first"):
        hand_over(unprepared, Run("mine", "alexnet", "global", 1), photos={"root": tmp_path / "ava"})


def line_of(run: Run, options: Options, queue: slurm.Queue) -> str:
    from report.datasets import of_dataset

    text = status([of_dataset("demo", options.data, options.results)], options.results, queue=queue)
    return next(line for line in text.splitlines() if run.name in line)


def test_status_tells_what_waits_runs_and_waits_again(cluster, options):
    hand_over(options, RUN)
    folder = RUN.folder(options.results)
    assert line_of(RUN, options, slurm.queue()).split()[2:] == ["queued", "job", "101", "waits:", "Priority"]
    cluster.change(0, state="RUNNING", nodes="n7")
    assert "running" in line_of(RUN, options, slurm.queue())
    assert "job 101 on n7, starting" in line_of(RUN, options, slurm.queue())
    folder.write_record({"run": {}, "inputs": {}, "max_iter": 400, "attempts": [{"slurm_job": "101"}]})
    with folder.lock():
        assert "job 101 on n7, time limit in 1:00:00" in line_of(RUN, options, slurm.queue())
    cluster.change(0, state="PENDING", reason="BeginTime")
    assert line_of(RUN, options, slurm.queue()).split()[2:6] == ["requeued", "0", "of", "400"]
    cluster.change(0, state=None)
    assert "stopped" in line_of(RUN, options, slurm.queue())


def test_a_job_that_failed_before_its_run_began_is_a_failure_with_its_last_error(cluster, options):
    hand_over(options, RUN)
    log = RUN.folder(options.results).path / slurm.LOG
    cluster.change(0, state=None)
    assert f"failed job 101: it left no {log}" in " ".join(line_of(RUN, options, slurm.queue()).split())
    log.write_text("slurm/job.sh: starts\nerror: GPU: none to be seen\nslurm/job.sh: ended with 2\n")
    assert f"job 101: GPU: none to be seen ({log})" in line_of(RUN, options, slurm.queue())
    assert "missing" in line_of(RUN, options, slurm.Queue(is_known=False))


def test_a_result_is_shown_though_a_job_of_the_run_still_waits(cluster, options):
    hand_over(options, RUN)
    finish(RUN, options)
    assert "accuracy 100.00%" in line_of(RUN, options, slurm.queue())


def test_status_works_where_slurm_gives_no_answer(cluster, options):
    (cluster.folder / "squeue").write_text("#!/bin/sh\necho 'squeue: error: no controller' >&2; exit 1\n")
    command = [sys.executable, ROOT / "run_experiments.py", "status", "--results", options.results]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "note: squeue: error: no controller\n")
    assert RUN.name in done.stdout


@pytest.mark.parametrize("value", ["--time=5", "--time=5 --partition='a b'", "-t 5"])
def test_options_of_sbatch_are_taken_as_they_are_typed(cluster, options, value):
    command = [sys.executable, ROOT / "run_experiments.py", "submit", "--dataset", "demo", "--network", "alexnet"]
    places = ["--data", options.data, "--results", options.results]
    done = subprocess.run(
        [*command, "--view", "global", "--dry-run", *places, "--slurm", value], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(shlex.split(value)) <= set(shlex.split(done.stdout.replace("$(", " ").replace(")", " ")))


def test_a_damaged_note_of_a_job_is_no_note(options):
    folder = RUN.folder(options.results)
    folder.path.mkdir(parents=True)
    for content in ("", "[]", json.dumps({"job": 5})):
        (folder.path / slurm.NOTE).write_text(content)
        assert slurm.noted_job(folder) is None
