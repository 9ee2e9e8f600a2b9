"""`compare delta` says what training without photos close to the threshold changes, and what is still to be done."""

from user_error import UserError

import csv
import io
import json
import shlex

import numpy as np
import pytest
from scipy.stats import binomtest

import run_experiments
from data_prep import __main__ as data_prep
from experiments.run_folder import Evaluation, Prediction, RunFolder

PHOTOS = 1_000


@pytest.fixture
def write(tmp_path):
    """write(dataset, right, ...): a run of alexnet_local that is done and has these photos right, a range."""

    def call(dataset, right, train, seed=1, last=10_000, prefix="photo", edited=False, weights="a") -> None:
        folder = RunFolder(tmp_path / "results" / dataset / "alexnet_local" / f"seed-{seed}")
        folder.path.mkdir(parents=True)
        labels = np.arange(PHOTOS) % 4 > 0
        predictions = [
            Prediction(f"{prefix}{n}", int(label), 0.5, int(label if n in right else not label))
            for n, label in enumerate(labels)
        ]
        folder.write_predictions(last, predictions)
        folder.write_evaluations([Evaluation(last, 0.5, 0.6, len(right) / PHOTOS, 1860.0)])
        folder.write_record(
            {
                "run": {"seed": seed},
                "inputs": {"net": dataset, "weights": weights},
                "edited": {"train_val": edited, "solver": False},
                "attempts": [],
                "dataset": {"photos": {"train": train, "test": PHOTOS}, "rule": "r"},
                "max_iter": last,
            }
        )
        folder.finish(last)

    return call


@pytest.fixture
def compare(tmp_path, capsys):
    """compare(*options): what the command prints."""

    def call(*options) -> str:
        places = ["--data", tmp_path / "data", "--results", tmp_path / "results"]
        words = ["compare", "delta", *places, "--network", "alexnet", "--view", "local", *options]
        arguments = run_experiments.parser().parse_args([*map(str, words)])
        arguments.function(arguments)
        return capsys.readouterr().out

    return call


def rows(printed):
    return list(csv.DictReader(io.StringIO(printed)))


def prepare(folder, train, delta="0", **more):
    """The summary of a dataset, as far as it is read here."""
    folder.mkdir(parents=True)
    parameters = {"dataset": "ava", "partition": "large", "delta": delta, "seed": 7, "encoded": True, "lists": "x"}
    content = {
        "splits": {"train": {"written": train}, "test": {"written": PHOTOS}}, "views": ["global", "local"],
        "rule": "r", "command": "", "lists_sha256": {}, "encoded": True,
        "parameters": parameters,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(content | more))


def test_a_row_says_how_many_photos_are_left_out_and_how_the_accuracy_changes(write, compare):
    write("ava-large", range(0, 700), train=235_600)
    write("ava-large-delta-1", range(10, 720), train=94_000)
    printed = compare("--deltas", "0", "1", "--format", "csv")
    zero, one = rows(printed)
    assert (zero["delta"], zero["train"], zero["left_out"], float(zero["ours"])) == ("0", "235600", "0", 70)
    assert (one["delta"], one["train"], one["left_out"], float(one["ours"])) == ("1", "94000", "141600", 71)
    assert (zero["difference"], zero["p"]) == ("", "")
    assert float(one["difference"]) == pytest.approx(1)
    assert float(one["p"]) == pytest.approx(binomtest(20, 30).pvalue)
    assert one["how"].startswith("McNemar's exact test")
    text = compare("--deltas", "0", "1")
    assert "+1.00 points (20 photos right against 10, p = 0.099)" in text
    assert "always answering their more frequent label scores 75.00%" in text
    assert "What is missing" not in text
    kept = {name: one[name] or None for name in one}
    assert {name: None if value is None else str(value) for name, value in json.loads(
        compare("--deltas", "1", "--format", "json"))[1].items()} == kept  # fmt: skip


def test_several_seeds_go_through_the_bootstrap(write, compare):
    for seed in (1, 2):
        write("ava-large", range(0, 700), 10, seed)
        write("ava-large-delta-1", range(0, 750 + seed), 5, seed)
    write("ava-large-delta-1", range(0, 10), 5, seed=3)  # which delta 0 does not have
    one = rows(compare("--deltas", "1", "--format", "csv"))[1]
    assert float(one["difference"]) == pytest.approx(5.15)
    assert one["how"].startswith("bootstrap of seeds")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"prefix": "another"}, "tested on other photos"),
        ({"last": 2_000}, "delta 0 is at iteration 10,000"),
        ({"edited": True}, "not edited alike"),
        ({"weights": "b"}, "from another pretrained model"),
        ({"seed": 2}, "no seed was run of both"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_not_alike_is_not_compared_and_it_says_why(write, compare, other, why):
    write("ava-large", range(0, 700), 10)
    write("ava-large-delta-1", range(0, 700), 5, **other)
    one = rows(compare("--deltas", "1", "--format", "csv"))[1]
    assert (one["difference"], one["p"], one["how"]) == ("", "", why)
    assert f" {why} " in compare("--deltas", "1")


def test_what_is_missing_is_a_dash_and_is_named_with_the_commands_that_make_it(write, compare, tmp_path):
    write("ava-large", range(0, 700), train=235_600)
    root, data = tmp_path / "AVA 照片", tmp_path / "data"
    prepare(data / "ava-large", 235_600, inputs={"root": str(root)}, bad_photos={"other": 2})
    prepare(data / "ava-large-delta-2", 9_000, delta="2")
    printed = compare("--deltas", "0", "1", "2")
    table, commands = printed.split("What is missing is made by\n")
    one, two = (line.split() for line in table.splitlines() if line.endswith("missing"))
    assert one[3:8] == ["1", "–", "–", "–", "–"]
    assert two[3:6] == ["2", "9,000", "226,600"]
    preparation, *missing = map(shlex.split, commands.splitlines())
    assert preparation[:2] == ["cd", str(run_experiments.ROOT)]
    asked = data_prep._parser().parse_args(preparation[preparation.index("data_prep") + 1 :])
    assert (asked.root, asked.out, asked.name) == (root, data, "ava-large-delta-1")
    assert (asked.delta, asked.seed, asked.allow_bad, asked.encoded) == (1, 7, 2, True)
    for words, name in zip(missing, ("ava-large-delta-1", "ava-large-delta-2"), strict=True):
        run = run_experiments.parser().parse_args(words[2:])
        assert (run.dataset, list(run.network), list(run.view)) == (name, ["alexnet"], ["local"])
        assert (run.data, run.results) == (data, tmp_path / "results")


def test_without_any_dataset_the_preparations_are_those_of_the_readme(compare, tmp_path):
    commands = compare("--deltas", "0.5").partition("made by\n")[2].splitlines()
    asked = [
        data_prep._parser().parse_args(shlex.split(line, comments=True)[3:]) for line in commands if "data_prep" in line
    ]
    assert [(str(each.root), str(each.delta), each.out) for each in asked] == [
        ("AVA", "0", tmp_path / "data"), ("AVA", "0.5", tmp_path / "data")
    ]  # fmt: skip


def test_a_dataset_of_ones_own_has_deltas_if_it_is_ava_large_and_no_other_has(compare, tmp_path):
    prepare(tmp_path / "data/mine", 100)
    prepare(tmp_path / "data/mine-delta-1", 60, delta="1")
    prepare(tmp_path / "data/other", 60, delta="1")
    one = rows(compare("--dataset", "mine", "--deltas", "1", "--format", "csv"))[1]
    assert (one["dataset"], one["train"], one["left_out"]) == ("mine-delta-1", "60", "40")
    for name, said in (("other", "has no deltas"), ("ava-small", "has no deltas"), ("demo", "has no deltas"),
                       ("nobody's", "there is no dataset")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            compare("--dataset", name, "--deltas", "1")


def test_a_dataset_that_is_not_what_its_name_says_is_named_and_not_counted(compare, tmp_path):
    prepare(tmp_path / "data/ava-large-delta-1", 60, delta="2")
    printed = compare("--deltas", "1")
    assert f"Unreadable: {tmp_path}/data/ava-large-delta-1 has delta 2, not the one of its name" in printed
    assert "60" not in printed.split("- –")[0]


def test_deltas_have_to_be_named(compare):
    with pytest.raises(UserError, match="--deltas 0 1 2"):
        compare()
