"""What a person reads before and after a preparation: counts, notes, what has changed since, and the next command."""

from user_error import UserError

import json
import os
from dataclasses import replace

import pytest

from data_prep import manifest, texts
from data_prep.photos import Outcome, Photo
from data_prep.readers.partitions import Partition

WRITTEN = Outcome("written", "", 640, 480)


@pytest.fixture
def content(tmp_path):
    """The summary of a complete dataset, as far as it is read."""
    split = {"good": 1, "bad": 3, "missing": 0, "corrupt": 0}
    return {
        "dataset": "mine", "rule": "the rule", "notes": ["a note"], "excluded": {"too blue": 2}, "enlarged": 0,
        "splits": {"train": split, "test": split | {"missing": 2, "corrupt": 1}}, "majority_baseline": 75.0,
        "views": ["global", "local"], "inputs": {"root": str(tmp_path / "photos")},
        "roots": {"dataset": str(tmp_path / "photos")},
    }  # fmt: skip


def test_the_forecast_counts_labels_and_what_is_left_out_and_names_the_test_photos_majority(request_, partition):
    lines = [line.strip() for line in texts.forecast(request_, partition).splitlines()]
    assert lines[0] == "mine: the rule"
    by_first_word = {line.split()[0]: line for line in lines}
    assert by_first_word["training"].endswith("100 = 90 good + 10 bad")
    assert by_first_word["test"].endswith("50 = 10 good + 40 bad")
    assert "80.00%" in by_first_word["majority"]  # bad, here
    assert by_first_word["excluded"].endswith("2 not drawn")
    assert "61 MB" in by_first_word["disk"]
    assert "about" not in by_first_word["disk"]
    assert "about" in texts.forecast(replace(request_, encoded=True), partition)


def test_the_closing_words_name_rule_notes_counts_and_bad_photos(content, request_):
    lines = texts.complete(content, request_).splitlines()
    assert "the rule" in lines[0]
    assert "a note" in lines[1]
    (test,) = (line for line in lines if line.split()[0] == "test")
    assert "4 = 1 good + 3 bad (2 missing, 1 corrupt)" in test
    (training,) = (line for line in lines if line.split()[0] == "training")
    assert "missing" not in training
    assert [line for line in lines if "2 too blue" in line]
    assert [line for line in lines if "75.00% of the test photos" in line]


@pytest.fixture
def complete(request_, content):
    """A complete dataset of which two photos were missing and one corrupt."""
    request_.folder.mkdir(parents=True)
    request_.root.mkdir()
    photos = [Photo(name, request_.root, f"{name}.jpg", 1) for name in "abcd"]
    outcomes = [Outcome("missing", "no such file")] * 2 + [Outcome("corrupt", "cut off"), WRITTEN]
    for name in "cd":
        (request_.root / f"{name}.jpg").touch()
    partition = Partition(photos[:2], photos[2:], [], "")
    manifest.write(request_.folder / "manifest.csv", partition, {"train": outcomes[:2], "test": outcomes[2:]})
    (request_.folder / "summary.json").write_text(json.dumps(content))
    return content


def test_a_dataset_whose_photos_are_as_they_were_says_nothing(complete, request_):
    assert list(texts.changes(complete, request_)) == []


def test_photos_that_were_put_in_place_or_replaced_since_are_counted_with_the_command_that_renews(complete, request_):
    (request_.root / "a.jpg").touch()
    (line,) = texts.changes(complete, request_)
    assert line.startswith("1 of the 3 bad photos have been replaced since")
    assert f"`rm -r {request_.folder}`" in line
    later = (request_.folder / "summary.json").stat().st_mtime + 5
    for name in "cd":  # d was whole and does not count
        os.utime(request_.root / f"{name}.jpg", (later, later))
    (line,) = texts.changes(complete, request_)
    assert line.startswith("2 of the 3 bad photos")


@pytest.mark.parametrize("damage", ["photo_id,path\na,a.jpg\n", f'photo_id,status\n"{"a" * 200_000}",missing\n', None])
def test_a_damaged_manifest_is_named_with_what_to_do(complete, request_, damage):
    path = request_.folder / "manifest.csv"
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(UserError, match=r"manifest\.csv cannot be read.*prepare it again"):
        list(texts.changes(complete, request_))


def test_another_root_than_that_of_the_dataset_is_named(complete, request_, tmp_path):
    (line,) = texts.changes(complete, replace(request_, inputs={"root": tmp_path / "elsewhere"}))
    assert f"--root {tmp_path / 'photos'}, not from {tmp_path / 'elsewhere'}" in line
