"""What nvidia-smi says is what doctor says; the nvidia-smi here is a script that prints what a real one prints."""

from user_error import UserError

from pathlib import Path
from types import SimpleNamespace

import pytest

from caffe_build.variant import architecture_for
from experiments import doctor, gpus
from experiments.planning import Options, default_threads, slots
from experiments.runs import Run, runs

SCRIPT = """#!/bin/sh
case "$*" in
*compute-apps*) echo "GPU-b2, 4242, 11000, /opt/a, b/python" ;;
*) echo "0, GPU-a1, NVIDIA H200, 580.65.06, 9.0, 4, 143771"
   echo "1, GPU-b2, NVIDIA L4, 580.65.06, 8.9, 11004, 23034" ;;
esac
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def test_gpus_are_listed_with_their_memory_and_who_uses_it(nvidia_smi):
    first, second = gpus.listed()
    assert str(first) == "NVIDIA H200, driver 580.65.06, 4 of 143771 MiB in use"
    assert str(second).endswith("11004 of 23034 MiB in use (process 4242, /opt/a, b/python: 11000 MiB)")


@pytest.mark.parametrize(
    ("visible", "names"), [("1,0", ["NVIDIA L4", "NVIDIA H200"]), ("GPU-b2", ["NVIDIA L4"]), ("", [])]
)
def test_gpus_are_numbered_as_cuda_visible_devices_says(nvidia_smi, monkeypatch, visible, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(gpu.index, gpu.name) for gpu in gpus.listed()] == list(enumerate(names))


def problems(tmp_path, wanted_gpus) -> list[str]:
    found = doctor.examine([], Options(tmp_path, tmp_path, wanted_gpus, command=""))
    return [finding.text for finding in found if finding.problem and finding.subject == "GPU"]


def test_a_gpu_that_is_not_there_is_found_before_the_run(nvidia_smi, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: {"variant": "gpu"})
    assert problems(tmp_path, [0, 1]) == []
    assert problems(tmp_path, [1, 7]) == ["there is none of number 7: give one of those above (--gpu)"]


def test_a_caffe_for_the_cpu_is_found_before_the_run(nvidia_smi, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: {"variant": "cpu"})
    assert "built for the CPU" in problems(tmp_path, [0])[0]


def test_a_card_that_this_caffe_has_no_code_for_is_found_before_the_run(nvidia_smi, tmp_path, monkeypatch):
    facts = {"variant": "gpu", "cuda": "13.0", "architectures": "90"}
    monkeypatch.setattr(doctor, "describe", lambda _: facts)
    assert problems(tmp_path, [0]) == []
    (problem,) = problems(tmp_path, [0, 1])
    assert problem.startswith("1: this Caffe has code for sm 90, the card has 8.9: type")
    assert '`make setup CUDA=1 CUDA_ARCH="90 89"`' in problem


@pytest.mark.parametrize(
    ("card", "built", "runs"),
    [
        ("8.9", "89", "89"),
        ("8.7", "80 86 89", "86"),
        ("8.0", "86 89", None),
        ("10.3", "90 100", "100"),
        ("12.1", "75 80 86 89 90 100 120", "120"),
        ("9.0", "75 80", "80"),  # by PTX
        ("7.0", "75 80 86 89 90 100 120", None),
    ],
)
def test_a_card_runs_the_code_of_its_generation_and_the_newest_ptx(card, built, runs):
    assert architecture_for(card, built.split()) == runs


def test_a_driver_that_is_too_old_for_cuda_is_found_before_the_run(nvidia_smi, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: {"variant": "gpu", "cuda": "13.0", "architectures": "90"})
    nvidia_smi.write_text(SCRIPT.replace("580.65.06", "570.86.15"))
    (problem,) = problems(tmp_path, [0])
    assert problem == "0: CUDA 13.0 needs a driver 580 or newer: install one, or give --cpu (make: CPU=1)"


def test_a_driver_that_fails_is_told_in_one_line(nvidia_smi):
    nvidia_smi.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed:'; echo 'no driver'; exit 9\n")
    with pytest.raises(UserError, match=r"nvidia-smi fails \(NVIDIA-SMI has failed: no driver\): fix the driver"):
        gpus.listed()


def jobs(number: int, threads: int | None) -> list[SimpleNamespace]:
    return [SimpleNamespace(threads=threads)] * number


def options(**given) -> Options:
    return Options(**{"data": Path(), "results": Path(), "gpus": None, "command": ""} | given)


def test_runs_side_by_side_fill_each_gpu_once_before_any_twice():
    assert slots(jobs(4, None), options(gpus=[0, 1], per_gpu=2)) == [0, 1, 0, 1]


@pytest.mark.parametrize(("asked", "threads", "side_by_side"), [(3, 2, 3), (1, 8, 1), (100, 1, 8)])
def test_runs_side_by_side_share_the_cores(monkeypatch, asked, threads, side_by_side):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    wanted = runs("ava-large", ["alexnet"], ["global"], range(1, asked + 1))
    assert default_threads(wanted, options()) == threads
    assert slots(jobs(asked, threads), options()) == [None] * side_by_side


def test_threads_are_the_options_then_the_environments_then_ours(monkeypatch):
    full, demo = Run("ava-large", "vgg16", "local", 1), Run("demo", "vgg16", "local", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert default_threads([full], options()) == 8
    assert default_threads([demo], options()) == 1  # more make the narrow nets no faster
    assert default_threads([full], options(gpus=[0])) is None
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert default_threads([full], options()) == 3
    assert default_threads([full], options(threads=5)) == 5
