"""README.md, CONTRIBUTING.md and the pages in docs/ say what the programs do, and what they show can be typed."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from harness import call

import run_experiments
from data_prep import __main__ as data_prep_program
from data_prep import manifest
from experiments.run_folder import Evaluation, Prediction
from paper import ROOT
from report.line import Line

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = {  # by the heading of docs/commands.md that they belong to
    "python -m data_prep ava | cuhkpq | photos": ["ava", "cuhkpq", "photos"],
    "python -m data_prep demo": ["demo"],
    **{f"python run_experiments.py {name}": [name] for name in ("run", "table", "status", "doctor", "models")},
    "python -m prototxt": [""],
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The sections of a page by their headings of the second level."""
    parts = re.split(r"^## (.*)\n", page, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def prototxt_program(words: list[str], monkeypatch) -> None:
    """Have `python -m prototxt` parse its words, and write nothing."""
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from prototxt import __main__ as program

    monkeypatch.setattr(program, "write_generated", lambda *_: "unchanged")
    monkeypatch.setattr(sys, "argv", ["prototxt", *words])
    program.main()


def parse(heading: str, words: list[str], monkeypatch) -> None:
    """Have the program of a heading, or of a command line that begins like it, parse its words."""
    if heading.startswith("python -m data_prep"):
        data_prep_program._parser().parse_args(words)
    elif heading.startswith("python run_experiments.py"):
        run_experiments.parser().parse_args(words)
    else:
        prototxt_program(words, monkeypatch)


def help_of(heading: str, command: str, capsys, monkeypatch) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(heading, [*command.split(), "--help"], monkeypatch)
    assert ended.value.code == 0
    return capsys.readouterr().out


def typed(page: Path) -> list[list[str]]:
    """The commands in a page's fenced blocks, in words; blocks of anything else have none."""
    found = []
    for block in re.findall(r"^ *```\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S):
        if block.split()[0] in (".venv/bin/python", ".venv/bin/pip", ".venv/bin/caffe", "make", "docker", "git"):
            for line in block.replace("\\\n", " ").splitlines():
                found += [shlex.split(part) for part in re.sub(r" # .*", "", line).split("&&")]
    return found


def check_module(words: list[str], _monkeypatch) -> None:
    assert importlib.util.find_spec(words[0]), words


def check_make(words: list[str], _monkeypatch) -> None:
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (words, done.stderr)


def check_caffe(words: list[str], _monkeypatch) -> None:
    """The solver is there, and the model has a registered name."""
    files = dict(word.split("=") for word in words[1:])
    assert (ROOT / files["--solver"]).exists()
    assert f'"{Path(files["--weights"]).name}"' in read("models/registry.toml")


CHECKS: dict[str, Callable] = {  # by the beginning of a command; what is tried of it, without its work
    ".venv/bin/python -m data_prep": lambda words, patch: parse("python -m data_prep", words, patch),
    ".venv/bin/python run_experiments.py": lambda words, patch: parse("python run_experiments.py", words, patch),
    ".venv/bin/python -m prototxt": prototxt_program,
    ".venv/bin/python -m": check_module,
    ".venv/bin/pip install -r": lambda words, _: [*map(read, words)],
    ".venv/bin/caffe train": lambda words, patch: check_caffe(["train", *words], patch),
    "make": check_make,
    "docker": lambda *_: None,
    "git clone": lambda *_: None,
    "cd": lambda *_: None,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_shown_are_understood_by_their_programs(page, monkeypatch):
    for words in typed(page):
        begin = next((begin for begin in CHECKS if words[: len(begin.split())] == begin.split()), None)
        assert begin, words
        CHECKS[begin](words[len(begin.split()) :], monkeypatch)


def test_the_commands_that_are_shown_are_found():
    assert sum(len(typed(page)) for page in PAGES) > 20


def test_what_the_readme_shows_of_reading_programs_runs_where_nothing_was_done_yet(checkout):
    lines = [words[2:] for words in typed(ROOT / "README.md") if words[1:2] == ["run_experiments.py"]]
    reading = [words for words in lines if words == ["status"] or words == ["table", "III"]]
    assert len(reading) == 2
    for words in reading:
        assert "missing" in call(checkout, *words)


def test_the_readmes_preparation_of_ones_own_photos_is_understood_up_to_the_first_picture(tmp_path, data_prep):
    (command,) = [words for words in typed(ROOT / "README.md") if words[1:4] == ["-m", "data_prep", "photos"]]
    for number in range(10):
        (tmp_path / f"{number}.jpg").touch()
    lines = "".join(f"{number}.jpg,{number + 1}\n" for number in range(10))
    (tmp_path / "scores.csv").write_text(f"path,score\n{lines}")
    words = [str(tmp_path) if word == "DIR" else word for word in command[3:]]
    done = data_prep(*words, "--out", tmp_path / "data", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine: ")


def test_every_option_of_every_command_stands_in_the_page_of_commands_and_no_other(capsys, monkeypatch):
    page = sections(read("docs/commands.md"))
    assert {heading.removesuffix(" NAME") for heading in page} == set(COMMANDS)
    for heading, section in page.items():
        heading = heading.removesuffix(" NAME")
        helps = "".join(help_of(heading, command, capsys, monkeypatch) for command in COMMANDS[heading])
        table = "\n".join(line.rpartition(" | ")[0] for line in section.splitlines() if line.startswith("| `-"))
        assert set(re.findall(r"--[a-z][a-z-]*", helps)) - {"--help"} == set(re.findall(r"--[a-z][a-z-]*", table))


def test_every_command_of_our_programs_has_a_section(capsys, monkeypatch):
    for heading in ("python -m data_prep", "python run_experiments.py"):
        commands = re.findall(r"^    (\w+) ", help_of(heading, "", capsys, monkeypatch), re.M)
        named = [command for begin, all_of in COMMANDS.items() if begin.startswith(heading) for command in all_of]
        assert sorted(commands) == sorted(named)


def test_every_column_of_every_csv_file_stands_in_the_page_of_files():
    tables = {
        "`manifest.csv`:": manifest.COLUMNS,
        "`metrics.csv`:": [field.name for field in fields(Evaluation)],
        "`predictions.csv`:": [field.name for field in fields(Prediction)],
        "| column | printed as |": [field.name for field in fields(Line)],
    }
    page = read("docs/files.md")
    for begin, columns in tables.items():
        table = page.partition(f"\n{begin}")[2].strip().partition("\n\n")[0]
        first_cells = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
        assert re.findall(r"`(\w+)`", first_cells) == list(columns), begin


def test_the_fields_that_the_driver_sets_itself_are_in_the_table_of_what_decides_instead():
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from experiments.remarks import DRIVEN

    table = read("docs/by_hand.md").partition("| field of the solver |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named == {*DRIVEN, "test_interval", "snapshot"}


def test_the_messages_in_the_troubleshooting_table_are_those_of_the_programs():
    folders = ("data_prep", "experiments", "caffe_build")
    files = [*ROOT.glob("*.py"), *(path for name in folders for path in (ROOT / name).rglob("*.[ps][yh]"))]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    rows = [line for line in sections(read("README.md"))["Troubleshooting"].splitlines() if line.startswith("| `")]
    assert len(rows) >= 10
    for row in rows:
        message = re.match(r"\| (?:`` (.*?) ``|`(.*?)`) \|", row)
        for part in (message[1] or message[2]).split("…"):
            assert part.strip() in sources, part


def test_tests_and_files_that_reviewers_are_pointed_to_are_there():
    page = read("docs/reviewers.md")
    named = re.findall(r"`tests/(test_\w+\.py)::(test_\w+)`", page)
    assert len(named) > 20
    for file, test in named:
        assert f"\ndef {test}(" in read(f"tests/{file}"), f"{file}::{test}"
    for path in re.findall(r"`([\w/]+(?:/|\.py|\.toml))`", page):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        place = Path(os.path.normpath(page.parent / name)) if name else page
        assert place.exists(), target
        titles = re.findall(r"^#+ (.*)", place.read_text(encoding="utf-8"), re.M) if anchor else []
        anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, target


def test_the_tables_that_the_readme_shows_are_printed_like_that(checkout):
    """Table III before any run; of the demo's table the title and the columns: its numbers differ between machines."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```", read("README.md"), re.M | re.S)
    demo, before = (textwrap.dedent(block).strip() for block in blocks if "Accuracy of" in block)
    assert before == call(checkout, "table", "III").partition("\n\n- ")[0]
    printed = call(checkout, "table", "demo").splitlines()
    shown = demo.splitlines()
    assert (shown[0], shown[2].split()) == (printed[0], printed[2].split())
