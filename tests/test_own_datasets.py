"""A dataset under a name of one's own runs and has a table like the paper's: narrow nets, a small dataset."""

import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from harness import ALEXNET, TEST, call, edit, record

from paper import DATASETS, STARTS, variant_name

pytest.importorskip("caffe", reason="Caffe is not built here")

VARIANT = ALEXNET.replace("demo", "mine")
NET, SOLVER = f"prototxt/{VARIANT}/train_val.prototxt", f"solvers/{VARIANT}.prototxt"
DATA = ("--data", "own")
ASK = ("--dataset", "mine", *DATA, "--cpu")
RUN = ("run", *ASK, "--network", "alexnet", "--view", "global")
RULE = "share >= 0.5\nis good"


@pytest.fixture
def own(checkout) -> Path:
    """A checkout with the dataset `mine` in the folder `own`, where a run takes two iterations of narrow nets."""
    edit(checkout / "prototxt/nets.py", r'    if dataset != "demo":\n        return Width\(\)\n', "")
    for pattern, number in (
        (r"(?<=\nmax_iter = \{ value = )10000", 2), (r"(?<=\nsufficient_iter = \{ value = )5000", 1),
        (r"(?<=\nalexnet = \{ value = )50(?=,)", 4), (r"(?<=\nvgg16 = \{ value = )20(?=,)", 4),
    ):  # fmt: skip
        edit(checkout / "paper.toml", pattern, str(number))
    registry = checkout / "models/registry.toml"
    demo = registry.read_text()[registry.read_text().index("[demo-") :]
    registry.write_text(demo + demo.replace("[demo-", "["))
    folder = checkout / "own/mine"
    folder.mkdir(parents=True)
    for path in (checkout / "data/demo").iterdir():
        if path.name != "summary.json":
            (folder / path.name).symlink_to(path.resolve())
    content = json.loads((checkout / "data/demo/summary.json").read_text())
    summarize(checkout, **content, notes=["labels were made from shares"])
    summarize(checkout, rule=RULE)
    return checkout


def summarize(checkout: Path, **changed: object) -> None:
    """Give `mine` another summary."""
    path = checkout / "own/mine/summary.json"
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changed))


def test_what_would_be_written_is_said_and_not_written_by_dry_run_and_doctor(own):
    said = call(own, *RUN, "--dry-run")
    assert said == f"to be written: {NET}\nto be written: {SOLVER}\n{VARIANT}/seed-1: to do (missing)\n"
    said = call(own, "doctor", *ASK)
    assert re.search(r"^ok +mine +40 train \+ 23 test photos, views global and local$", said, re.M)
    assert re.search(r"^ok +mine +note: labels were made from shares$", said, re.M)
    assert re.search(r"^ok +prototxt +prototxt/mine and solvers/mine: to be written by `run`$", said, re.M)
    assert not (own / "prototxt/mine").exists()
    assert not (own / "solvers/mine").exists()


def test_it_runs_on_nets_that_are_written_and_has_a_table_with_its_rule_and_its_notes(own):
    said = call(own, *RUN)
    assert said.startswith(f"written: {NET}\nwritten: {SOLVER}\n")
    solver = (own / SOLVER).read_text().splitlines()
    assert solver[1:4] == [
        "# Accuracy of mine (share >= 0.5 is good)",
        "# Global view, AlexNet",
        "#   .venv/bin/python run_experiments.py run --dataset mine --network alexnet --view global",
    ]
    assert solver[5].startswith(f"#   .venv/bin/caffe train --solver={SOLVER} --weights=models/")
    assert {f"# {TEST} test photos in batches of {TEST}", "test_iter: 1", "max_iter: 2"} <= {*solver}
    assert record(own, VARIANT)["dataset"]["notes"] == ["labels were made from shares"]
    assert call(own, *RUN) == f"{VARIANT}/seed-1: done already\n"
    said = call(own, "table", "mine", "--data", "nowhere")
    assert said.startswith("Accuracy of mine (share >= 0.5 is good)\n")
    assert re.search(rf"^Global view, AlexNet +\d+\.\d\d% .* {TEST} .* done$", said, re.M)
    assert "- Photos: labels were made from shares.\n" in said
    said = call(own, "status", "--dataset", "mine", *DATA)
    assert re.search(rf"^mine +{VARIANT}/seed-1 +done +2 of 2 +accuracy", said, re.M)
    assert len(re.findall(r" missing$", said, re.M)) == 3


def test_it_starts_from_scratch_too_on_files_of_their_own(own):
    said = call(own, *RUN, "--start", "scratch")
    assert said.startswith(
        f"written: prototxt/{VARIANT}_scratch/train_val.prototxt\nwritten: solvers/{VARIANT}_scratch"
    )
    assert not (own / SOLVER).exists()
    assert record(own, f"{VARIANT}_scratch")["run"]["start"] == "scratch"
    said = call(own, "table", "mine", "--data", "nowhere")
    assert re.search(r"^Global view, AlexNet +– .* missing\nGlobal view, AlexNet, from scratch +\d+\.\d\d%", said, re.M)


def test_files_of_ours_that_are_out_of_date_are_written_again_and_a_persons_are_kept(own):
    call(own, *RUN, "--max-iter", "1")
    edit(own / SOLVER, "momentum: 0.9", "momentum: 0.8")
    edited = (own / SOLVER).read_text()
    summarize(own, rule="another")
    said = call(own, *RUN, "--dry-run", "--results", "elsewhere")
    assert said.startswith(f"to be written: {NET}\n{VARIANT}/seed-1: to do")
    said = call(own, *RUN, "--max-iter", "1", "--results", "elsewhere")
    assert said.startswith(f"written: {NET}\n")
    assert "+momentum: 0.8" in said
    assert "# Accuracy of mine (another)" in (own / NET).read_text()
    assert (own / SOLVER).read_text() == edited


def test_results_of_another_preparation_are_named_before_anything_is_written(own):
    call(own, *RUN, "--max-iter", "1")
    net = (own / NET).read_text()
    summarize(own, rule="another", lists_sha256={"train": "other"})
    for words in ([*RUN, "--dry-run"], [*RUN], ["doctor", *ASK]):
        status = 2
        said = call(own, *words, status=status)
        assert f"{VARIANT}/seed-1 holds a run from before the dataset changed: move it away" in said
    assert (own / NET).read_text() == net


def test_the_writer_can_be_asked_for_one_dataset(own):
    def write(*options: str) -> str:
        command = [sys.executable, "-m", "prototxt", "--dataset", "mine", *DATA, *options]
        return subprocess.run(command, cwd=own, capture_output=True, text=True, check=True).stdout

    variants = [variant_name(*names) for names in product(("alexnet", "vgg16"), ("global", "local"), STARTS)]
    assert write() == "".join(
        f"written: prototxt/mine/{name}/train_val.prototxt\nwritten: solvers/mine/{name}.prototxt\n"
        for name in variants
    )
    assert write() == "all prototxts and solvers are as the writer gives them\n"
    assert f'source: "data/mine/test_global_lmdb"\n    batch_size: {TEST}\n' in (own / NET).read_text()


def test_a_view_that_is_not_prepared_is_one_line_that_names_those_that_are(own):
    summarize(own, views=["global"])
    said = call(own, "run", *ASK, "--network", "alexnet", "--dry-run", status=2)
    fix = "give --view global, or remove own/mine, and prepare it again with both"
    assert said == f"error: mine: own/mine has no local view: {fix}\n"
    assert "to do" in call(own, *RUN, "--dry-run")
    assert call(own, "doctor", *ASK)


@pytest.mark.parametrize("command", ["run", "status", "doctor"])
@pytest.mark.parametrize("name", ["../own/mine", "yours", "III"])
def test_a_name_that_is_not_there_is_one_line_that_says_what_is(own, command, name):
    said = call(own, command, "--dataset", name, *DATA, status=2)
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert f"{', '.join(DATASETS)}; prepared in own: mine; `" in said
