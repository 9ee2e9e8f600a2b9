"""What `make` hands to the programs below it: the paths as they were typed, the build that was asked for, the cards."""

import json
import re
import subprocess
import sys

import pytest

from paper import ROOT

PATHS = (
    "/a/my $photos",
    "/a/`b`",
    "/a/it's",
    '/a/"b"',
    "/a/$(b",
    "/a/$$HOME",
    "/a/b#c",
    "/a/图片;d & e",
    "/a/\\b",
    "~",
)
STAND_IN = f"""#!{sys.executable}
import json, os, sys
with open("calls", "a") as calls:
    print(json.dumps([sys.argv, os.environ.get("CUDA")]), file=calls)
"""


@pytest.fixture
def make(tmp_path):
    """make(*words, **environment): run make where every program is a stand-in; returns it and the programs' calls."""
    (tmp_path / "caffe_build").mkdir()
    for name in ("python", "python3", "caffe_build/setup.sh", "nvidia-smi"):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)

    def run(*words, gpu=True, **environment):
        (tmp_path / "calls").write_text("")
        path = f"{tmp_path}:/usr/bin:/bin" if gpu else "/usr/bin:/bin"
        done = subprocess.run(
            ["make", "-f", ROOT / "Makefile", "PYTHON=./python", *words],
            cwd=tmp_path, env={"PATH": path} | environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done, [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    return run


def arguments_of(done, calls):
    """The arguments of the Python programs; make has to have ended well."""
    assert done.returncode == 0, done.stderr
    return [argv[1:] for argv, _ in calls if argv[0] == "./python"]


def build_of(done, calls):
    """The CUDA that setup found in its environment; make has to have ended well."""
    assert done.returncode == 0, done.stderr
    return next(cuda for argv, cuda in calls if argv[0] == "caffe_build/setup.sh")


def test_cards_are_looked_at_before_caffe_is_built_for_them_alone(make):
    look = ["-m", "experiments.gpus", "0,1"]
    _, calls = make("reproduce-table-III", "GPU=0,1")
    called = [argv[1:] if argv[0].endswith("python3") else argv[0] for argv, _ in calls]
    assert called.index(look) < called.index("caffe_build/setup.sh")
    for words in (["reproduce-table-III", "CPU=1"], ["reproduce-table-III", "CUDA=0"], ["setup", "CUDA=1"]):
        assert look[:2] not in [argv[1:3] for argv, _ in make(*words)[1]]


@pytest.mark.parametrize("place", ["command line", "environment"])
@pytest.mark.parametrize("path", PATHS)
def test_a_folder_arrives_as_it_was_typed(make, place, path):
    given = {"AVA_ROOT": path, "CUHKPQ_ROOT": path, "EXTRA": path}
    words, environment = ([f"{name}={value}" for name, value in given.items()], {})
    if place == "environment":
        words, environment = [], given
    programs = arguments_of(*make("reproduce-table-I", *words, JOBS="3", **environment))
    assert programs[0][:5] == ["run_experiments.py", "doctor", "--dataset", "cuhkpq-large", "--photos"]
    assert programs[0][5] == path
    assert programs[2] == (
        ["-m", "data_prep", "cuhkpq", "--root", path, "--partition", "large", "--extra", path, "--jobs", "3"]
    )
    for table, partition in (("III", "large"), ("IV", "small")):
        programs = arguments_of(*make(f"reproduce-table-{table}", *words, JOBS="3", **environment))
        assert programs[2] == ["-m", "data_prep", "ava", "--root", path, "--partition", partition, "--jobs", "3"]
    words, environment = ([f"FROM={path}"], {}) if place == "command line" else ([], {"FROM": path})
    assert arguments_of(*make("models", *words, **environment)) == [["run_experiments.py", "models", "--from", path]]


def test_a_table_is_doctor_models_preparation_runs_and_the_table(make):
    programs = arguments_of(*make("reproduce-table-II", "CUHKPQ_ROOT=/p", "GPU=0,1", "SEEDS=1 2"))
    assert [program[1] for program in programs] == ["doctor", "models", "data_prep", "run", "table"]
    assert programs[3][2:] == ["--dataset", "cuhkpq-small", "--gpu", "0,1", "--seeds", "1", "2"]
    assert programs[4][2:] == ["II"]
    programs = arguments_of(*make("reproduce-table-II", "CUHKPQ_ROOT="))  # prepared already, the photos are gone
    assert [program[1] for program in programs] == ["doctor", "models", "run", "table"]
    assert "--photos" not in programs[0]


@pytest.mark.parametrize("place", ["command line", "environment"])
def test_with_slurm_a_table_is_models_and_jobs_and_the_options_of_sbatch_arrive_as_they_were_typed(make, place):
    typed = '--partition=gpu --comment="my $project" --time=4:00:00'
    given = {"SLURM": typed, "SLURM_PREPARE": "--partition=cpu", "CUHKPQ_ROOT": "/p", "EXTRA": "/e"}
    words, environment = ([f"{name}={value}" for name, value in given.items()], {})
    if place == "environment":
        words, environment = [], given
    done, calls = make("reproduce-table-I", *words, "SEEDS=1 2", gpu=False, **environment)
    programs = arguments_of(done, calls)
    assert [program[1] for program in programs] == ["models", "submit"]
    assert programs[1][2:] == [
        "--dataset", "cuhkpq-large", "--seeds", "1", "2", "--photos", "/p", "--extra", "/e", f"--slurm={typed}",
        "--prepare=--partition=cpu", "--table",
    ]  # fmt: skip
    assert build_of(done, calls) == "1"  # for the GPUs of the nodes


def test_with_slurm_no_card_of_the_login_node_is_looked_at_and_jobs_may_do_without(make):
    done, calls = make("reproduce-table-III", "SLURM=--partition=cpu", "CPU=1", "AVA_ROOT=")
    assert arguments_of(done, calls)[1][2:] == [
        "--dataset", "ava-large", "--cpu", "--seeds", "1", "--slurm=--partition=cpu", "--table"
    ]  # fmt: skip
    _, calls = make("reproduce-table-III", "SLURM=--partition=gpu")
    assert not [argv for argv, _ in calls if "experiments.gpus" in argv]


@pytest.mark.parametrize(
    ("words", "device"),
    [
        ((), ["--gpu", "0"]),
        (("CPU=1",), ["--cpu"]),
        (("CPU=0",), ["--gpu", "0"]),
        (("CPU=",), ["--gpu", "0"]),
        (("CPU=0", "GPU=2"), ["--gpu", "2"]),
        (("GPU=0 1",), ["--gpu", "0 1"]),  # which the program refuses
    ],
)
def test_runs_take_the_cards_that_are_named_and_the_cpu_only_where_it_is_asked_for(make, words, device):
    for program in arguments_of(*make("reproduce-table-IV", *words)):
        if program[1] in ("doctor", "run"):
            start = program.index(device[0])
            assert program[start : start + len(device)] == device


def test_a_processors_name_in_the_environment_does_not_choose_the_cpu(make):
    assert "--cpu" not in arguments_of(*make("reproduce-table-IV", CPU="x86_64"))[0]


@pytest.mark.parametrize(
    ("words", "environment", "build"),
    [
        (["setup"], {}, ""),
        (["setup", "CUDA=1"], {}, "1"),
        (["demo", "CUDA=0"], {}, "0"),
        (["setup"], {"CUDA": "1"}, "1"),
        (["setup", "CUDA=yes"], {}, "yes"),  # which setup refuses
        (["reproduce-table-I"], {}, "1"),
        (["reproduce-table-I", "GPU=0,1"], {}, "1"),
        (["reproduce-table-I", "GPU=0"], {}, "1"),
        (["reproduce-table-I", "CPU=1"], {}, ""),
        (["reproduce-table-I", "CUDA=0"], {}, "0"),
        (["reproduce-table-I"], {"CUDA": "0"}, "0"),
    ],
)
def test_setup_builds_for_gpus_where_they_are_asked_for_or_a_table_can_use_one(make, words, environment, build):
    done, calls = make(*words, **environment)
    assert build_of(done, calls) == build
    assert "note" not in done.stderr


def test_setup_does_not_build_for_gpus_where_none_can_be_seen(make):
    assert build_of(*make("reproduce-table-I", gpu=False)) == ""


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_old_way_to_choose_the_build_still_works_and_says_the_new_one(make, value):
    done, calls = make("setup", f"GPU={value}")
    assert build_of(done, calls) == value
    assert done.stderr == f"note: make setup GPU={value} is now CUDA={value}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [(["setup", "GPU=0,1"], "setup takes CUDA=1 or CUDA=0"), (["reproduce-table-I", "CPU=no"], "it can be 1 or 0")],
)
def test_a_value_that_means_nothing_is_refused_in_one_line(make, words, says):
    done, calls = make(*words)
    assert (done.returncode, calls) == (2, [])
    (line,) = done.stderr.splitlines()
    assert says in line


@pytest.mark.parametrize("path", PATHS)
def test_photos_to_score_and_the_run_arrive_as_they_were_typed(make, path):
    for words, environment in (([f"PHOTOS={path}", f"RUN={path}"], {}), ([], {"PHOTOS": path, "RUN": path})):
        programs = arguments_of(*make("predict", *words, **environment))
        assert programs == [["run_experiments.py", "predict", "--cpu", "--", path, path]]


def test_photos_are_scored_on_the_card_that_is_named_and_setup_builds_nothing_for_it(make):
    done, calls = make("predict", "PHOTOS=/p", "GPU=1")
    assert arguments_of(done, calls) == [
        ["run_experiments.py", "predict", "--gpu", "1", "--", "demo/vgg16_global", "/p"]
    ]
    assert build_of(done, calls) == ""
    done, calls = make("predict")
    assert (done.returncode, calls) == (2, [])
    assert "make predict PHOTOS=DIR" in done.stderr


@pytest.mark.parametrize(("value", "options"), [("1", ["--force"]), ("0", []), ("", [])])
def test_edits_are_overwritten_only_where_it_is_asked_for(make, value, options):
    assert arguments_of(*make("prototxt", f"FORCE={value}")) == [["-m", "prototxt", *options]]


def test_the_demo_ends_with_its_table_and_its_report_and_make_report_makes_all(make):
    *_, runs, compared, shown = arguments_of(*make("demo-scratch"))
    asked = "run --dataset demo --network alexnet --view global --start pretrained scratch --cpu"
    assert " ".join(runs[1:]) == asked
    assert [compared[1:], shown[1:]] == [["compare", "IV-D", "--dataset", "demo"], ["report", "demo"]]
    demo = arguments_of(*make("demo"))
    assert demo[-2:] == [["run_experiments.py", "table", "demo"], ["run_experiments.py", "report", "demo"]]
    assert arguments_of(*make("report")) == [["run_experiments.py", "report"]]


def test_help_lists_every_target_in_a_group():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    targets = set(re.findall(r"^([\w-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    groups = dict(group.split("\n", 1) for group in done.stdout.strip().split("\n\n"))
    assert list(groups) == ["Set up", "Demo and tests", "The paper's tables", "Tools"]
    listed = [line.split()[1] for group in groups.values() for line in group.splitlines()]
    assert sorted(listed) == sorted(targets)
    assert len(targets) == 17
