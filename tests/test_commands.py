"""A command that we print works in the folder in which it is printed."""

import subprocess
from pathlib import Path

import pytest

import commands
from paper import ROOT


@pytest.mark.parametrize("folder", [ROOT, ROOT.parent, ROOT / "tests", Path("/")])
def test_commands_work_where_they_are_printed(monkeypatch, folder):
    monkeypatch.chdir(folder)
    lines = [commands.experiments("--help"), commands.module("data_prep", "--help"), commands.make("--version")]
    for line in [*lines, commands.module_from_anywhere("prototxt", "--help")]:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)


def test_a_relative_path_means_the_same_after_the_change_of_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "my data") in commands.module("data_prep", "--out", Path("my data"))
