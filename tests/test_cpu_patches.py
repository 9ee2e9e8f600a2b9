"""The promise of the patches for the CPU: not a bit of any layer's numbers changes.

The files that they change are compiled as they were. A process that loads these before libcaffe runs them, and another
one runs Caffe as it is in .venv.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from caffe_build import build, cache, install, recipe, source

ROOT = Path(__file__).resolve().parent.parent
PATCHES = [file for file in recipe.patches(recipe.DEFAULT, gpu=False) if file.startswith("default/")]
THREADS = (1, 2, 5)
NO_SECOND_REGISTRATION = """
#include "caffe/layer_factory.hpp"
#undef REGISTER_LAYER_CLASS
#define REGISTER_LAYER_CLASS(type)
"""


def run(*command, **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def patched() -> None:
    """Skips a test where the Caffe in .venv lacks these patches."""
    held = install.describe()
    if not held or held.get("patches") == recipe.MINIMAL:
        pytest.skip("there is no Caffe with these patches in .venv")


@pytest.fixture(scope="module")
def unpatched(patched, tmp_path_factory) -> Path:
    """A library with what the patches change, unchanged but for the patches that every build needs."""
    if install.describe()["variant"] != "cpu":
        pytest.skip("takes a Caffe for the CPU: what has code for GPUs cannot be compiled without CUDA")
    original = cache.folder() / source.ENTRY
    if not (original.is_dir() and shutil.which("protoc") and Path(recipe.COMPILER).exists()):
        pytest.skip("takes Caffe's source, which setup keeps in the cache, and its compiler")
    folder = tmp_path_factory.mktemp("unpatched")
    for part in "include", "src":
        shutil.copytree(original / part, folder / part, ignore=shutil.ignore_patterns("test", "gtest"))
    texts = [(recipe.PATCHES / patch).read_text() for patch in PATCHES]
    files = sorted({file for text in texts for file in re.findall(r"^--- a/(\S+\.cpp)", text, re.MULTILINE)})
    unity, library = folder / "unpatched.cpp", folder / "unpatched.so"
    unity.write_text(NO_SECOND_REGISTRATION + "".join(f'#include "{file}"\n' for file in files))
    proto = folder / "include" / "caffe" / "proto"
    proto.mkdir()
    run("protoc", f"--proto_path={folder / 'src/caffe/proto'}", f"--cpp_out={proto}", "caffe.proto")
    ours = [recipe.HERE / "include", install.VENV / recipe.OPENBLAS / "include"]
    includes = [folder, folder / "include", *ours, "/usr/include/opencv4"]
    options = [*recipe.FLAGS.split(), "-DNDEBUG", "-DCPU_ONLY", "-DUSE_OPENCV", "-fPIC", "-shared", "-w"]
    rest = install.VENV / build.LIBRARY
    link = [rest, f"-Wl,-rpath,{rest.parent}"]
    run(recipe.COMPILER, *options, *(f"-I{path}" for path in includes), unity, *link, "-o", library)
    return library


@pytest.fixture(scope="module")
def bits(tmp_path_factory):
    """bits(threads, variables): the hash of each layer's numbers, where these variables are set."""

    def run_layers(threads: int, **environment: str) -> dict[str, str]:
        script, folder = Path(__file__).with_name("layer_bits.py"), tmp_path_factory.mktemp("nets")
        return json.loads(run(sys.executable, script, folder, OPENBLAS_NUM_THREADS=str(threads), **environment))

    return run_layers


def test_every_layer_gives_the_same_bits_with_and_without_the_patches_and_with_any_number_of_threads(unpatched, bits):
    as_it_was = bits(1, LD_PRELOAD=str(unpatched))
    for threads in THREADS:
        assert bits(threads) == as_it_was, threads


PRODUCT = """
import hashlib, os, sys, caffe, numpy as np
open(sys.argv[1], "w").write('''force_backward: true
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 50 dim: 1000 } } }
layer { name: "out" type: "InnerProduct" bottom: "in" top: "out" inner_product_param {
  num_output: 700 weight_filler { type: "gaussian" std: 0.1 } } }''')
caffe.set_random_seed(1)
net = caffe.Net(sys.argv[1], caffe.TRAIN)
random = np.random.default_rng(1)
net.blobs["in"].data[...] = random.normal(size=(50, 1000))
net.blobs["out"].diff[...] = random.normal(size=(50, 700))
net.forward()
net.backward()
weights, data, diff = net.params["out"][0], net.blobs["in"], net.blobs["out"]
for found, expected in [
    (diff.data, data.data.astype(float) @ weights.data.T),
    (data.diff, diff.diff.astype(float) @ weights.data),
    (weights.diff, diff.diff.T.astype(float) @ data.data),
]:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
print(hashlib.sha256(diff.data.tobytes() + data.diff.tobytes() + weights.diff.tobytes()).hexdigest(), flush=True)
"""


@pytest.mark.parametrize("threads", THREADS)
def test_a_product_that_is_shared_is_right_and_the_same_in_every_run(threads, tmp_path):
    def product() -> str:
        return run(sys.executable, "-c", PRODUCT, tmp_path / "net", OPENBLAS_NUM_THREADS=str(threads))

    assert product() == product()


FORK = f"""{PRODUCT}
child = os.fork()
net.forward()
net.backward()
assert child == 0 or os.waitpid(child, 0)[1] == 0
print(hashlib.sha256(diff.data.tobytes() + data.diff.tobytes()).hexdigest(), flush=True)
"""


def test_a_child_of_fork_has_threads_of_its_own(tmp_path):
    _, childs, ours = run(sys.executable, "-c", FORK, tmp_path / "net", OPENBLAS_NUM_THREADS="2").split()
    assert childs == ours


SHARING = """
#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>
namespace caffe {
void share_out(int, double, const std::function<void(int, int)>&, int, int);
}
int main() {
  std::atomic<int> wrong(0), caught(0);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int count = 0; count < 3000; ++count) {
        std::vector<int> visits(count);
        caffe::share_out(count, 1e4, [&](int first, int last) {
          for (int i = first; i < last; ++i) ++visits[i];
        }, 7, 1);
        for (int times : visits) wrong += times != 1;
        try {
          caffe::share_out(count, 1e4, [&](int first, int last) {
            if (last == count) throw std::runtime_error("the last part");
          }, 1, 1);
        } catch (const std::runtime_error&) {
          ++caught;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  return wrong || caught != 3 * 2999;  // of nothing there is no part
}
"""


@pytest.mark.parametrize("threads", THREADS)
def test_work_of_several_callers_is_done_once_and_what_it_throws_reaches_its_caller(patched, threads, tmp_path):
    code, program, library = tmp_path / "sharing.cpp", tmp_path / "sharing", install.VENV / build.LIBRARY
    code.write_text(SHARING)
    run(recipe.COMPILER, "-O1", code, library, f"-Wl,-rpath,{library.parent}", "-pthread", "-o", program)
    run(program, OPENBLAS_NUM_THREADS=str(threads))
