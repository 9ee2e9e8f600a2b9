"""What the Dockerfile calls does what it says; the image itself is built by `docker build`."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from caffe_build.packages import PYTHON
from paper import ROOT

DOCKER = ROOT / "docker"


def output(*command, cwd=ROOT) -> str:
    """What a command prints; it has to end well."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_setup_needs_no_more_of_the_project_than_the_dockerfile_gives_it(tmp_path):
    copied = re.search(r"^COPY (Makefile .*) \./$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    for pattern in copied.split():
        for file in ROOT.glob(pattern):
            shutil.copy(file, tmp_path)
    shutil.copytree(ROOT / "caffe_build", tmp_path / "caffe_build")
    output(sys.executable, "-c", "import caffe_build.__main__", cwd=tmp_path)


def test_the_commit_is_printed_as_run_json_has_it_and_null_outside_of_git(tmp_path):
    assert output(DOCKER / "commit.sh", cwd=tmp_path) == "null\n"
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    output(*git, "init", "-q", cwd=tmp_path)
    (tmp_path / "file").touch()
    output(*git, "add", "file", cwd=tmp_path)
    output(*git, "commit", "-q", "-m", "first", cwd=tmp_path)
    (tmp_path / "scores.csv").touch()  # the user's own
    printed = json.loads(output(DOCKER / "commit.sh", cwd=tmp_path))
    assert printed == {"commit": output("git", "rev-parse", "HEAD", cwd=tmp_path).strip(), "dirty": False}
    (tmp_path / "file").write_text("changed")
    assert json.loads(output(DOCKER / "commit.sh", cwd=tmp_path))["dirty"]


def test_packages_that_caffe_is_linked_with_are_named_once_each():
    pytest.importorskip("caffe")
    if not shutil.which("dpkg-query"):
        pytest.skip("not on Debian")
    names = output(DOCKER / "linked-packages.sh", ROOT / ".venv").split()
    for package in (r"libboost-python1\.\d+\.0", rf"libpython{PYTHON}(t64)?", "liblmdb0", r"libprotobuf\d+(t64)?"):
        assert any(re.fullmatch(package, name) for name in names), package
    assert len(names) == len(set(names))
