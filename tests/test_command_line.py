"""Both command lines end in one line and the right exit status, and what they print can be pasted."""

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from harness import ALEXNET, RUN, RUN_ALL, call, run_folder, start

from paper import ROOT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--dataset", "demo", "--seeds", "0"], "--seeds: '0' is not a whole number from 1"),
        (["run", "--dataset", "demo", "--gpu", "a"], "--gpu: 'a' is not a number of a GPU, nor several as in 0,1"),
        (["run", "--dataset", "demo", "--network", "resnet"], "(choose from alexnet, vgg16)"),
        (["run", "--dataset", "demo", "--view", "centre"], "(choose from global, local)"),
        (
            ["run", "--dataset", "ava"],
            "no dataset 'ava': the paper's are ava-large, ava-small, cuhkpq-large, cuhkpq-small",
        ),
        (["run", "--dataset", "demo", "--threads", "-1"], "--threads: '-1' is not a whole number from 1"),
        (["table", "iii"], "no dataset 'iii', prepared or with results: tables are I, II, III, IV, demo; "),
        (["table", "III", "--results", __file__], "is not a folder: give another --results"),
        (["status", "--results", __file__], "is not a folder: give another --results"),
        ([], "the following arguments are required: command"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_choices(arguments, said):
    output = call(ROOT, *arguments, status=2)
    assert output.count("\n") == 1
    assert output.startswith("error: ")
    assert said.replace("'", "") in output.replace("'", "")  # Python's own quotes come and go with its version


def test_a_python_without_our_packages_is_told_in_one_line_which_to_use():
    command = [sys.executable, "-S", "run_experiments.py", "table", "demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert re.search(r"has no \w+: `make setup`, then `\.venv/bin/python .*run_experiments.py table demo`", done.stderr)


def test_a_terminal_that_lacks_our_signs_gets_others():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = start(ROOT, "table", "III", "--results", "nowhere", env=environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert re.search(r"^Global view, VGGNet +79.00% +- +- ", output, re.M)


def test_an_output_that_closes_stops_the_runs_and_says_so_in_the_status(checkout):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    line = f"set -o pipefail; {shlex.join([sys.executable, 'run_experiments.py', *RUN_ALL])} --max-iter 399 | head -n 1"
    done = subprocess.run(["bash", "-c", line], cwd=checkout, capture_output=True, text=True, timeout=60)
    assert done.returncode == 141, done.stderr
    assert done.stderr == ""
    left = subprocess.run(["pgrep", "-f", f"{checkout}/results"], capture_output=True, text=True).stdout
    assert not left


@pytest.mark.parametrize("module", ["run_experiments.py", "prototxt", "data_prep"])
def test_ctrl_c_in_the_first_moments_is_one_line(module):
    chance = random.Random(1)
    program = [module, "status"] if module.endswith(".py") else ["-m", module, "--help"]
    for _ in range(8):
        process = subprocess.Popen([sys.executable, *program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.06, 0.3))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        if process.returncode == -signal.SIGINT:  # 130 to a shell: before user_error.py was loaded
            assert os.fsencode(ROOT) not in errors or b"import UserError" in errors, errors.decode()
        else:
            assert (process.returncode, errors) in ((130, b"stopped\n"), (0, b"")), errors.decode()


def test_a_colleagues_results_can_be_read_by_who_may_not_write_them(checkout, as_nobody):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    call(checkout, *RUN, "--max-iter", "2")
    with tempfile.TemporaryDirectory() as place:
        results = Path(place, "results")
        shutil.copytree(checkout / "results", results)
        Path(place).chmod(0o755)
        (results / "demo/vgg16_local").mkdir(mode=0o700)
        before = sorted(path.stat().st_mtime_ns for path in results.rglob("*"))
        for command in (["table", "demo"], ["status"]):
            line = [*as_nobody, sys.executable, "run_experiments.py", *command, "--results", results]
            done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert re.search(
                "alexnet_global/seed-1 +done +2 of 2|Global view, AlexNet .* 2 of 400 iterations", done.stdout
            )
        assert sorted(path.stat().st_mtime_ns for path in results.rglob("*")) == before


def test_the_command_in_run_json_does_the_same_when_it_is_pasted(checkout):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    results = "my 'results' $HOME"
    call(checkout, *RUN, "--max-iter", "2", "--results", results)
    folder = checkout / results / ALEXNET / "seed-1"
    command = json.loads((folder / "run.json").read_text())["attempts"][-1]["command"]
    done = subprocess.run(["bash", "-c", command], cwd=checkout, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{ALEXNET}/seed-1: done already\n"), done.stderr


def test_a_tiny_limit_of_memory_is_said_before_anything_waits_for_more_for_ever(checkout):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    line = f"ulimit -v 2000000; {shlex.join([sys.executable, 'run_experiments.py', *RUN])}"
    done = subprocess.run(["bash", "-c", line], cwd=checkout, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stdout
    assert re.fullmatch(r"error: memory: this shell allows 1\.9 GiB of address space, .*\n", done.stderr)


def damaged_data(checkout, name: str, content: bytes | None) -> str:
    """A dataset one of whose files has other contents, or is gone."""
    folder = checkout / "damaged" / "demo"
    folder.mkdir(parents=True)
    for path in (checkout / "data/demo").iterdir():
        (folder / path.name).symlink_to(path.resolve())
    place = folder / name
    if place.parent != folder:
        place.parent.unlink()
        place.parent.mkdir()
    else:
        place.unlink()
    if content is not None:
        place.write_bytes(content)
    return "damaged"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("summary.json", b"", r"summary\.json"),
        ("summary.json", b"{}", r"summary\.json"),
        ("manifest.csv", None, r"manifest\.csv cannot be read"),
        ("manifest.csv", b"photo_id\n", r"manifest\.csv (cannot be read|names no test photo)"),
        ("test_global_lmdb/data.mdb", b"no lmdb" * 999, r"test_global_lmdb"),
        ("test_global_lmdb/data.mdb", b"", r"test_global_lmdb"),
    ],
)
def test_a_damaged_dataset_is_one_line(checkout, name, content, said):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    process = start(checkout, *RUN, "--data", damaged_data(checkout, name, content))
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 2), output
    assert re.search(rf"^(error|{ALEXNET}/seed-1: failed): .*{said}", output, re.M), output
    assert "Traceback" not in output


@pytest.mark.parametrize("content", ["", "[demo-alexnet", '[demo-alexnet]\nfile = "x"\n'])
def test_a_damaged_registry_of_models_is_one_line(checkout, content):
    (checkout / "models/registry.toml").write_text(content)
    output = call(checkout, *RUN, status=2)
    assert output.count("\n") == 1
    assert "`git checkout models/registry.toml`" in output


@pytest.mark.parametrize("name", ["lock", "caffe.log", "snapshots", "metrics.csv", "run.json"])
def test_a_folder_in_the_place_of_one_of_our_files_is_one_line(checkout, name):
    pytest.importorskip("caffe", reason="Caffe is not built here")
    place = run_folder(checkout) / name
    place.mkdir(parents=True)
    if name == "snapshots":
        place.rmdir()
        place.write_text("a file")
    process = start(checkout, *RUN, "--max-iter", "4")
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 2), output
    assert "Traceback" not in output
    assert re.search(rf"{name}", output), output
    assert call(checkout, "status")
    assert call(checkout, "table", "demo")


def test_advice_in_backquotes_names_commands_that_exist(checkout):
    """Each is tried without doing its work: make by -n, our programs by --help."""
    shutil.copy(ROOT / "Makefile", checkout)
    (checkout / "models/demo/alexnet.caffemodel").unlink()
    (checkout / "solvers/demo/alexnet_local.prototxt").unlink()
    said = call(checkout, "doctor", "--cpu", "--data", "nowhere 'else'", status=2)
    commands = {command for command in re.findall(r"`([^`]+)`", said) if not command.startswith("git ")}
    assert len(commands) > 5
    for command in commands:
        harmless = re.sub(r"^make ", "make -n ", command) if command.startswith("make ") else f"{command} --help"
        done = subprocess.run(["bash", "-c", harmless], cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, (harmless, done.stderr)
