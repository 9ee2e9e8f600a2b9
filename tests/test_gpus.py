"""What nvidia-smi says is what doctor says; the nvidia-smi here is a script that prints what a real one prints."""

from user_error import UserError

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from caffe_build.variant import architecture_for
from experiments import doctor, gpus
from experiments.launch import environment
from experiments.planning import Options, default_threads, slots
from experiments.runs import Run, runs
from paper import ROOT

FACTS = {"variant": "gpu", "cuda": "13.0", "architectures": "90"}

SCRIPT = """#!/bin/sh
case "$*" in
*compute-apps*) echo "GPU-b2, 4242, 11000, /opt/a, b/python" ;;
*) echo "0, GPU-a1, NVIDIA H200, 580.65.06, 9.0, 4, 143771, 143155"
   echo "1, GPU-b2, NVIDIA L4, 580.65.06, 8.9, 11004, 23034, 11648" ;;
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


@pytest.fixture
def caffe(tmp_path, monkeypatch):
    """caffe(SCRIPT): a .venv whose `caffe` is this shell script."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))

    def write(script: str) -> None:
        program = tmp_path / "bin" / "caffe"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


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


def test_a_card_that_this_caffe_has_no_code_for_is_found_before_the_run(nvidia_smi, caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    caffe("exit 0")
    assert problems(tmp_path, [0]) == []
    (problem,) = problems(tmp_path, [0, 1])
    assert problem.startswith("1: this Caffe has code for sm 90, the card has 8.9: type")
    assert "`make setup CUDA=1 'CUDA_ARCH=90 89'`" in problem


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
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    nvidia_smi.write_text(SCRIPT.replace("580.65.06", "570.86.15"))
    (problem,) = problems(tmp_path, [0])
    assert problem == (
        "0: CUDA 13.0 needs a driver 580 or newer, and this is 570.86.15: install a newer one (from NVIDIA's own"
        " repository, as Debian's can be older), or give --cpu (make: CPU=1)"
    )


def test_a_driver_that_fails_is_told_in_one_line(nvidia_smi):
    nvidia_smi.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed:'; echo 'no driver'; exit 9\n")
    with pytest.raises(UserError, match=r"nvidia-smi fails \(NVIDIA-SMI has failed: no driver\): fix the driver"):
        gpus.listed()


PARTS = """GPU 0: NVIDIA H200 (UUID: GPU-a1)
  MIG 1g.18gb     Device  0: (UUID: MIG-c3)
  MIG 3g.71gb     Device  1: (UUID: MIG-d4)
GPU 1: NVIDIA L4 (UUID: GPU-b2)
"""


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("MIG-d4", ["NVIDIA H200 (MIG 3g.71gb)"]),
        ("MIG-c3,GPU-b2", ["NVIDIA H200 (MIG 1g.18gb)", "NVIDIA L4"]),
        ("MIG-e5", []),
    ],
)
def test_a_part_of_a_card_is_named_after_both(nvidia_smi, monkeypatch, visible, names):
    nvidia_smi.write_text(f"#!/bin/sh\nif [ $1 = -L ]; then echo '{PARTS}'; exit; fi\n{SCRIPT}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    there = gpus.listed()
    assert [gpu.name for gpu in there] == names
    assert all("memory in use unknown" in str(gpu) for gpu in there if "MIG" in gpu.name)


def test_what_nvidia_smi_does_not_know_is_no_misfit(nvidia_smi, caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    caffe("exit 0")
    nvidia_smi.write_text(SCRIPT.replace("9.0", "[N/A]").replace("580.65.06", "[N/A]"))
    assert problems(tmp_path, [0]) == []


def test_what_cuda_alone_knows_of_a_card_is_found_before_the_run(nvidia_smi, caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    said = (
        "F1124 10:00:00.0 7 common.cpp:152] Check failed: error == cudaSuccess (802 vs. 0)  system not yet initialized"
    )
    caffe(f'[ "$*" = "device_query --gpu=0" ] && echo "{said}" >&2; exit 134')
    (problem,) = problems(tmp_path, [0])
    assert problem.startswith("0: Caffe says: Check failed: error == cudaSuccess (802 vs. 0)  system not yet init")
    assert "nvidia-fabricmanager" in problem
    caffe("exit 0")
    assert problems(tmp_path, [0]) == []


LOG = "I1124 10:00:00.000000    77 common.cpp:181] "
ANSWER = f"""{LOG}Device id:                     0
{LOG}Major revision number:         9
{LOG}Minor revision number:         0
{LOG}Name:                          NVIDIA H200
{LOG}Total global memory:           150108897280
{LOG}Maximum dimension of block:    1024, 1024, 64
{LOG}Number of multiprocessors:     132"""


def line_of(index: int, tmp_path) -> str:
    found = doctor.examine([], Options(tmp_path, tmp_path, [index], command=""))
    return next(finding.text for finding in found if finding.text.startswith(f"{index}: "))


def test_what_cuda_says_of_a_card_stands_in_its_line(nvidia_smi, caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    caffe(f"[ $GLOG_minloglevel = 0 ] && echo '{ANSWER}' >&2")
    known = "0: NVIDIA H200, driver 580.65.06, 4 of 143771 MiB in use"
    monkeypatch.setenv("GLOG_minloglevel", "2")
    assert line_of(0, tmp_path) == f"{known}; CUDA: compute capability 9.0, 139.8 GiB, 132 multiprocessors"
    part = ANSWER.replace("NVIDIA H200", "NVIDIA H200 MIG 1g.18gb")
    caffe(f"echo '{part}' >&2")
    assert "CUDA: this is NVIDIA H200 MIG 1g.18gb, compute" in line_of(0, tmp_path)
    caffe("exit 0")  # another Caffe, which says nothing
    assert line_of(0, tmp_path) == known


def test_a_driver_that_hangs_is_found_before_the_run(nvidia_smi, caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "describe", lambda _: FACTS)
    monkeypatch.setattr(gpus, "SECONDS", 0.1)
    caffe("exec sleep 60")
    assert problems(tmp_path, [0])[0].startswith("0: no answer to `caffe device_query` in 0.1 s")


def test_the_cuda_of_the_venv_goes_before_any_other(monkeypatch, tmp_path):
    """A library that is asked for by its bare name, as NVRTC asks for its builtins, comes from there."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    library = tmp_path / gpus.cuda.LIBRARIES[0] / "libnvrtc-builtins.so.13.0"
    library.parent.mkdir(parents=True)
    library.symlink_to(next(Path(np.__file__).parent.glob("_core/*.so")))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    own = environment(0, threads=None)
    assert own["LD_LIBRARY_PATH"].endswith(":/elsewhere")
    assert "LD_LIBRARY_PATH" not in environment(None, threads=None)
    code = f"import ctypes; ctypes.CDLL('{library.name}', ctypes.RTLD_LOCAL)"
    failed = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True).stderr
    found = subprocess.run([sys.executable, "-c", code], env=os.environ | own, capture_output=True, text=True).stderr
    assert "cannot open shared object file" in failed
    assert "cannot open shared object file" not in found


def before_a_build(**environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "experiments.gpus", "0,1"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)


def test_a_card_that_cannot_be_used_is_refused_before_a_caffe_is_built_for_it(nvidia_smi):
    assert before_a_build().returncode == 0
    narrow = before_a_build(CUDA_ARCH="90")
    assert (narrow.returncode, len(narrow.stderr.splitlines())) == (2, 1)
    assert "error: GPU 1: this Caffe has code for sm 90, the card has 8.9" in narrow.stderr
    nvidia_smi.write_text(SCRIPT.replace("580.65.06", "550.163.01"))
    old = before_a_build()
    assert (old.returncode, old.stderr.startswith("error: GPU 0: CUDA 13.0 needs a driver 580 or newer")) == (2, True)


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
