"""README.md, CONTRIBUTING.md and the pages in docs/ say what the programs do, and what they show can be typed."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import cv2
import pytest

import run_experiments
from data_prep import __main__ as data_prep_program
from data_prep import manifest
from experiments.run_folder import Evaluation, Prediction
from paper import NETWORKS, ROOT, stated
from report.line import Line

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """The sections of a page by their headings of the second level."""
    parts = re.split(r"^## (.*)\n", page, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def commands(heading: str) -> list[str]:
    """The commands of the section with this heading in docs/commands.md: its small words after the program's name."""
    return re.findall(r"\b[a-z]+\b", re.sub(r"^python (-m )?\S+", "", heading)) or [""]


def prototxt_program(words: list[str], monkeypatch) -> None:
    """Have `python -m prototxt` parse its words, and write nothing."""
    pytest.importorskip("caffe", reason="Caffe is not built here")
    from prototxt import __main__ as program

    monkeypatch.setattr(program, "write_generated", lambda *_: "unchanged")
    monkeypatch.setattr(program, "copy", lambda *_: [])
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


PYTHON = ".venv/bin/python"
PREPARE_OWN = f"{PYTHON} -m data_prep photos --name mine --root DIR --list scores.csv --threshold 5"
TYPED = {  # by page: the commands that are typed in a fresh clone, in the order shown; exit status and what they print
    "README.md": {
        f"{PYTHON} run_experiments.py doctor --dataset ava-large": (2, "ava-large is not prepared: type"),
        f"{PYTHON} run_experiments.py status": (0, "ava-large/vgg16_global/seed-1"),
        f"{PYTHON} run_experiments.py table III": (0, "Accuracy of AVA dataset (large)"),
        PREPARE_OWN: (0, "the accuracy to beat"),
        f"{PYTHON} run_experiments.py table mine": (0, "missing"),
    },
    "CONTRIBUTING.md": {f"{PYTHON} -m ruff format .": (0, "")},
}
EXACT = [f"{PYTHON} run_experiments.py table III"]  # printed as the page shows it, but for the notes
IN_FORM = [PREPARE_OWN]  # begins as the page shows it, but for the numbers: they are of other photos
NOT_TYPED = {  # by the reason why no test types them
    "its address is the reader's; `clone` is the same": ["git clone URL aesthetics", "cd aesthetics"],
    "minutes, and it changes the system": ["make setup", "make demo"],
    "it would call this test": ["make test"],
    "a file of tests that `make test` runs": [f"{PYTHON} -m pytest -n 0 tests/test_views.py"],
    "needs AVA": [
        "make reproduce-table-III AVA_ROOT=/data/AVA",
        f"{PYTHON} -m data_prep ava --root /data/AVA --partition large --dry-run",
        f"{PYTHON} -m data_prep ava --root /data/AVA --partition large",
        f"{PYTHON} run_experiments.py run --dataset ava-large --gpu 0",
    ],
    "needs the pretrained models and a GPU, hours": [f"{PYTHON} run_experiments.py run --dataset mine --gpu 0"],
    "needs the demo's runs": [
        f"{PYTHON} run_experiments.py predict demo/vgg16_global --cpu "
        "data/demo-photos/ava/images/{370036,490265,607895}.jpg"
    ],
    "needs runs of the paper's": [
        f"{PYTHON} run_experiments.py report",
        f"{PYTHON} run_experiments.py predict ava-large/vgg16_global FOLDER",
        f"{PYTHON} run_experiments.py export ava-large/vgg16_global --out my-net",
    ],
    "needs Docker, minutes": [
        "docker build -t aesthetics .",
        "docker build -t aesthetics-cpu --build-arg GPU=0 .",
        "docker run -v $PWD/results:/app/results aesthetics-cpu make demo",
        "docker run --runtime=nvidia -v /data/AVA:/data/ava -v $PWD/data:/app/data -v $PWD/models:/app/models "
        "-v $PWD/results:/app/results aesthetics make reproduce-table-III",
    ],
}
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


def blocks(page: str) -> list[str]:
    """The fenced blocks of a page, without their indentation."""
    return [textwrap.dedent(block).strip() for block in re.findall(r"^ *```\n(.*?)^ *```", page, re.M | re.S)]


def form(text: str) -> list[str]:
    """The words of a text; a number is a #."""
    return re.sub(r"\d[\d.,]*", "#", text).split()


@pytest.fixture
def clone(tmp_path) -> Path:
    """What a fresh clone of this working tree has, with the .venv that `make setup` makes of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no git repository")
    root = tmp_path / "a clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    return root


@pytest.fixture
def own_photos(clone, draw_picture) -> None:
    """The photos and the list of a user, under the names that the README gives them: DIR and scores.csv."""
    (clone / "DIR").mkdir()
    lines = []
    for number in range(30):
        cv2.imwrite(str(clone / f"DIR/{number}.jpg"), draw_picture(number, height=200 + 5 * number))
        lines.append(f"{number}.jpg,{2 + number / 5}\n")
    (clone / "scores.csv").write_text("path,score\n" + "".join(lines))


@pytest.mark.parametrize("page", TYPED, ids=lambda name: name)
def test_commands_that_are_shown_work_when_they_are_typed_in_order_in_a_fresh_clone(page, clone, own_photos):
    shown = blocks(read(page))
    for command, (status, says) in TYPED[page].items():
        done = subprocess.run(["bash", "-c", command], cwd=clone, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, (command, done.stdout, done.stderr)
        assert says in done.stdout, command
        if command in EXACT:
            assert done.stdout.partition("\n\n- ")[0] in shown, command
        elif command in IN_FORM:
            assert any(form(done.stdout)[: len(form(block))] == form(block) for block in shown), done.stdout


@pytest.mark.parametrize("page", TYPED, ids=lambda name: name)
def test_commands_that_are_shown_are_typed_by_a_test_or_it_says_why_not(page):
    shown = [" ".join(words) for words in typed(ROOT / page)]
    left_out = [command for commands in NOT_TYPED.values() for command in commands]
    assert [command for command in shown if command not in left_out] == list(TYPED[page])
    everywhere = [" ".join(words) for name in TYPED for words in typed(ROOT / name)]
    assert set(left_out) <= set(everywhere), "a command that no page shows any more"


def test_every_option_of_every_command_is_in_the_page_of_commands_and_no_other(capsys, monkeypatch):
    for heading, section in sections(read("docs/commands.md")).items():
        helps = "".join(help_of(heading, command, capsys, monkeypatch) for command in commands(heading))
        table = "\n".join(line.rpartition(" | ")[0] for line in section.splitlines() if line.startswith("| `-"))
        assert set(re.findall(r"--[a-z][a-z-]*", helps)) - {"--help"} == set(re.findall(r"--[a-z][a-z-]*", table))


def test_every_command_of_our_programs_has_a_section(capsys, monkeypatch):
    headings = list(sections(read("docs/commands.md")))
    for program in ("python -m data_prep", "python run_experiments.py"):
        offered = re.findall(r"^    (\w+) ", help_of(program, "", capsys, monkeypatch), re.M)
        in_page = [command for heading in headings if heading.startswith(program) for command in commands(heading)]
        assert sorted(offered) == sorted(in_page)


def test_every_column_of_every_csv_file_is_in_the_page_of_files():
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
    for path in re.findall(r"`([\w/]+(?:/|\.py|\.toml|\.md|\.svg))`", page):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"(?:\]\(|src=\")(?!https?:)([^)\"\s]+)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        place = Path(os.path.normpath(page.parent / name)) if name else page
        assert place.exists(), target
        titles = re.findall(r"^#+ (.*)", place.read_text(encoding="utf-8"), re.M) if anchor else []
        anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, target


def test_the_demos_table_has_the_title_and_the_columns_that_are_printed(tmp_path, capsys):
    """Its numbers differ between machines."""
    (shown,) = (block.splitlines() for block in blocks(read("README.md")) if "Accuracy of the embedded" in block)
    arguments = run_experiments.parser().parse_args(
        ["table", "demo", "--data", f"{tmp_path}", "--results", f"{tmp_path}"]
    )
    assert not arguments.function(arguments)
    printed = capsys.readouterr().out.splitlines()
    assert (shown[0], shown[2].split()) == (printed[0], printed[2].split())


def test_the_numbers_in_the_picture_of_the_pipeline_are_those_of_the_paper_and_ours():
    picture = ElementTree.parse(ROOT / "docs/pipeline.svg")
    texts = " ".join("".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text"))
    names = ("labels.threshold", "labels.lowest_score", "labels.highest_score", "views.size", "finetuning.max_iter")
    names += ("finetuning.classes", "finetuning.learning_rate", "finetuning.last_layer_learning_rate")
    names += tuple(f"networks.{network}.crop_size" for network in NETWORKS)
    names += tuple(f"finetuning.batch_size.{network}" for network in NETWORKS)
    numbers = re.findall(r"\d[\d.,]*\d|\d", texts.replace("VGG-16", "VGG"))
    assert {float(number.replace(",", "")) for number in numbers} == {stated(name) for name in names}
