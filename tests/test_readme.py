"""README.md says what the programs do."""

import re

import pytest
from harness import call

from paper import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_fields_that_the_driver_sets_itself_are_in_the_readmes_table():
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from experiments.remarks import DRIVEN

    table = README.partition("| field of the solver |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named == {*DRIVEN, "test_interval", "snapshot"}


def test_every_command_has_help_and_stands_in_the_readme():
    commands = re.findall(r"^    (\w+) ", call(ROOT, "--help").partition("command")[2], re.M)
    assert {"run", "table", "status", "doctor", "models"} <= set(commands)
    for command in commands:
        assert "usage: " in call(ROOT, command, "--help")
        assert re.search(rf"run_experiments\.py {command}|make {command}|`{command}`", README), command
