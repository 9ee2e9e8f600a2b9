"""benchmarks.gpu loses one part at a time, says in one line what it lacks, and packs itself for another machine."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("caffe")

from benchmarks import agreement, algorithms, gpu, noise, pack, torch_venv
from experiments.prototxts import resolve
from experiments.runs import Run
from paper import ROOT
from prototxt.messages import caffe_pb2, parse


def test_a_part_that_fails_is_told_and_takes_no_other_with_it(capsys):
    def fails(bench):
        """Fails"""
        yield "first"
        raise RuntimeError("no such algorithm")

    def works(bench):
        """Works"""
        yield "second"

    assert [gpu._tell(part.__name__, part, None) for part in (fails, works)] == [1, 0]
    printed = capsys.readouterr().out
    assert printed.index("first") < printed.index("no such algorithm") < printed.index("second")


@pytest.mark.parametrize(
    ("words", "lacking"), [([], "nvidia-smi is missing"), (["--cpu"], "no Python that has PyTorch")]
)
def test_what_is_lacking_is_said_in_one_line(words, lacking):
    own = {"PATH": "/nowhere", "TORCH_PYTHON": "/nowhere/python"}
    command = [sys.executable, "-m", "benchmarks.gpu", *words]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert lacking in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pytorch_is_not_given_the_cuda_of_caffe(monkeypatch, tmp_path):
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\necho "${LD_LIBRARY_PATH-none} $*"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/venv/cuda")
    monkeypatch.setenv("TORCH_PYTHON", str(stand_in))
    said = torch_venv.call("benchmarks.torch_step", "vgg16", None, 1, 2)
    assert said == "none -m benchmarks.torch_step vgg16 None 1 2\n"


def answer(algorithm: int, memory: int, status: int = 0) -> algorithms.Answer:
    return algorithms.Answer(algorithm=algorithm, memory=memory, status=status)


def test_cudnns_choice_is_the_first_that_works_within_the_limit():
    answers = [answer(6, 100, status=9), answer(1, 90), answer(0, 10), answer(2, 0)]
    assert [algorithms.choice(answers, limit).algorithm for limit in (100, 50, 0)] == [1, 0, 2]
    assert algorithms.choice(answers[:3], 5) is None


def test_convolutions_are_those_of_the_text_with_their_groups(data):
    param = parse(resolve(Run("demo", "alexnet", "global", 1), data).net, caffe_pb2.NetParameter())
    names = [layer.name for layer in param.layer if layer.type == "Convolution"]
    blob = SimpleNamespace(data=np.zeros((1, 2, 3, 4), np.float32))
    tops = {name for layer in param.layer for name in (*layer.top, *layer.bottom)}
    net = SimpleNamespace(blobs=dict.fromkeys(tops, blob), params={name: [blob] for name in names})
    found = {layer.name: layer for layer in algorithms.convolutions(net, param)}
    assert list(found) == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert (found["conv1"].groups, found["conv1"].stride, found["conv1"].pad) == (1, 4, 0)
    assert (found["conv2"].groups, found["conv2"].stride, found["conv2"].pad) == (2, 1, 2)


def test_p_good_is_the_softmax_of_the_second_score():
    assert agreement._p_good(np.array([[0, 0], [0, np.log(3)]], np.float32)) == pytest.approx([0.5, 0.75])


def test_caffe_is_imported_without_opencv(tmp_path):
    names = pack._stand_ins_for_opencv(tmp_path)
    assert names
    code = "import caffe; print(*(line.split()[-1] for line in open('/proc/self/maps') if 'opencv_' in line))"
    own = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    loaded = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=True).stdout
    assert {path.rpartition("/")[0] for path in loaded.split() if "/libopencv_" in path} == {str(tmp_path)}


def test_noise_is_a_dataset_that_the_nets_are_resolved_with(tmp_path):
    noise.dataset(tmp_path / "demo", {"train": 3, "test": 2})
    texts = resolve(Run("demo", "vgg16", "local", 1), tmp_path)
    assert str(tmp_path / "demo" / "train_local_lmdb") in texts.net
