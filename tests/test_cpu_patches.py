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
THREADS = [1, 2]


def run(*command, **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def unpatched(tmp_path_factory) -> Path:
    """A library with what the patches change, unchanged but for the patches that every build needs."""
    original, held = cache.folder() / source.ENTRY, install.describe()
    if not held or held.get("patches") == recipe.MINIMAL:
        pytest.skip("there is no Caffe with these patches in .venv")
    if not (original.is_dir() and shutil.which("protoc") and Path(recipe.COMPILER).exists()):
        pytest.skip("takes Caffe's source, which setup keeps in the cache, and its compiler")
    folder = tmp_path_factory.mktemp("unpatched")
    for part in "include", "src":
        shutil.copytree(original / part, folder / part, ignore=shutil.ignore_patterns("test", "gtest"))
    texts = [(recipe.PATCHES / patch).read_text() for patch in PATCHES]
    files = sorted({file for text in texts for file in re.findall(r"^--- a/(\S+\.cpp)", text, re.MULTILINE)})
    unity, library = folder / "unpatched.cpp", folder / "unpatched.so"
    unity.write_text("".join(f'#include "{file}"\n' for file in files))
    proto = folder / "include" / "caffe" / "proto"
    proto.mkdir()
    run("protoc", f"--proto_path={folder / 'src/caffe/proto'}", f"--cpp_out={proto}", "caffe.proto")
    includes = [folder, folder / "include", recipe.HERE / "include", install.VENV / recipe.OPENBLAS / "include"]
    options = [*recipe.FLAGS.split(), "-DNDEBUG", "-DCPU_ONLY", "-fPIC", "-shared", "-w"]
    rest = install.VENV / build.LIBRARY
    link = [rest, f"-Wl,-rpath,{rest.parent}"]
    run(recipe.COMPILER, *options, *(f"-I{path}" for path in includes), unity, *link, "-o", library)
    return library


@pytest.mark.parametrize("threads", THREADS)
def test_every_layer_gives_the_same_bits_with_and_without_the_patches(threads, unpatched, tmp_path):
    def bits(**environment: str) -> dict[str, str]:
        script = Path(__file__).with_name("layer_bits.py")
        own = {"OPENBLAS_NUM_THREADS": str(threads), "GLOG_minloglevel": "2", **environment}
        return json.loads(run(sys.executable, script, tmp_path, **own).splitlines()[-1])

    assert bits() == bits(LD_PRELOAD=str(unpatched))
