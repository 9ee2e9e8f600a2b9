"""A dataset is a name, a folder and a rule: the paper's five are known, any other has to be prepared."""

from user_error import UserError

import json
import os
from pathlib import Path

import pytest

from data_prep.photos import SAME_PICTURE
from dataset import find, known, largest_batch, may_be, own_table, preparation_notes, prepared, views
from paper import DATASETS, tables

SUMMARY = {
    "splits": {"train": {"written": 90}, "test": {"written": 34}},
    "views": ["global"],
    "rule": "mean >= 5\nis good",
    "command": "c",
    "lists_sha256": {},
}


def prepare(data: Path, name: str, **changed: object) -> None:
    """What is there of a prepared dataset that only its summary is read of."""
    (data / name).mkdir(parents=True)
    (data / name / "summary.json").write_text(json.dumps(SUMMARY | changed))


@pytest.mark.parametrize(
    ("photos", "batch"), [(1, 1), (23, 23), (50, 50), (53, 1), (100, 50), (106, 2), (19_308, 12), (14_845, 5)]
)
def test_the_batch_is_the_largest_divisor_of_the_test_photos_up_to_50(photos, batch):
    assert largest_batch(photos) == batch


def test_a_prepared_dataset_has_the_batch_of_its_own_test_photos_and_a_table_without_numbers(tmp_path):
    prepare(tmp_path, "mine")
    mine = find("mine", tmp_path)
    assert (mine.name, mine.test_photos, mine.test_batch, mine.is_demo) == ("mine", 34, 34, False)
    assert mine.table.title == "Accuracy of mine (mean >= 5 is good)"
    assert [row.label for row in mine.table.rows] == [
        "Local view, AlexNet", "Local view, VGGNet", "Global view, AlexNet", "Global view, VGGNet"
    ]  # fmt: skip
    assert {(row.accuracy, mine.table.source) for row in mine.table.rows} == {(None, None)}


def test_the_papers_datasets_are_known_as_paper_toml_has_them_whatever_is_prepared(tmp_path):
    prepare(tmp_path, "ava-small")
    small = find("ava-small", tmp_path)
    assert (small.test_photos, small.test_batch, small.table) == (19_308, 12, tables()["IV"])
    assert [known(name, tmp_path / "nowhere") for name in DATASETS] == list(DATASETS)


@pytest.mark.parametrize("name", ["yours", "../data/mine", "mine/", ".", "", "I", "IV", "mine\n", "-x", "a" * 101])
def test_a_name_that_is_not_prepared_is_refused_in_one_line_that_says_what_is(tmp_path, name):
    prepare(tmp_path / "data", "mine")
    prepare(tmp_path / "data", "I")
    for look_up in (find, known):
        with pytest.raises(UserError) as error:
            look_up(name, tmp_path / "data")
        assert f"no dataset {name!r}" in str(error.value)
        assert f"prepared in {tmp_path / 'data'}: mine; `" in str(error.value)
        assert "\n" not in str(error.value)


def test_names_are_those_of_plain_folders_and_not_the_papers_tables(tmp_path):
    assert all(may_be(name) for name in ("mine", "Mine", "AVA-large", "iv", "0.5_b", *DATASETS))
    assert not any(may_be(name) for name in ("I", "II", "III", "IV", "a/b", "..", "_a", "é"))
    for name in ("b", "a", ".hidden", "III"):
        prepare(tmp_path, name)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "file").touch()
    assert prepared(tmp_path) == ["a", "b"]
    assert prepared(tmp_path / "nowhere") == []


@pytest.mark.parametrize("content", [{"views": 1}, {"rule": None}, {"splits": {"train": {}, "test": {}}}])
def test_a_damaged_summary_is_named(tmp_path, content):
    prepare(tmp_path, "mine", **content)
    with pytest.raises(UserError, match=r"mine/summary\.json is damaged"):
        find("mine", tmp_path)


def test_a_dataset_without_a_test_photo_is_refused(tmp_path):
    prepare(tmp_path, "mine", splits={"train": {"written": 9}, "test": {"written": 0}})
    with pytest.raises(UserError, match="has no test photo"):
        find("mine", tmp_path)


def test_views_are_those_prepared_and_all_where_that_is_not_known(tmp_path):
    prepare(tmp_path, "mine")
    prepare(tmp_path, "damaged", views=None)
    assert views("mine", tmp_path) == ("global",)
    assert views("damaged", tmp_path) == views("ava-large", tmp_path) == ("global", "local")


@pytest.mark.parametrize(
    ("content", "lines"), [({}, []), ({"notes": 5}, []), ({"notes": ["a\nb", "c", 1]}, ["a b", "c", "1"])]
)
def test_notes_are_a_line_each_and_none_where_there_are_none(content, lines):
    assert preparation_notes(content) == lines


def test_photos_that_could_not_be_used_or_were_left_out_are_among_the_notes():
    splits = {"train": {"written": 9, "missing": 0, "corrupt": 0}, "test": {"written": 7, "missing": 2, "corrupt": 1}}
    content = {"notes": ["a"], "splits": splits, "excluded": {SAME_PICTURE: 4, "not drawn": 5}}
    assert preparation_notes(content) == [
        "a",
        "3 of the 10 test photos were missing or corrupt",
        f"4 training photos are {SAME_PICTURE}, and left out",
    ]


def test_strangers_folders_and_such_as_may_not_be_read_are_none_of_ours(tmp_path, monkeypatch):
    prepare(tmp_path, "mine")
    for name, content in (("stranger", '{"a": 1}'), ("locked", "{}"), ("damaged", '{"splits": ')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(content)
    monkeypatch.setattr(os, "access", lambda path, _: "locked" not in str(path))
    assert prepared(tmp_path) == ["damaged", "mine"]
    with pytest.raises(UserError, match="there is no dataset 'stranger'"):
        known("stranger", tmp_path)


def test_a_half_prepared_dataset_is_called_that(tmp_path):
    (tmp_path / "mine" / ".unfinished").mkdir(parents=True)
    with pytest.raises(UserError, match="mine is half prepared"):
        known("mine", tmp_path)


def test_a_rule_is_shown_in_one_line_whatever_its_characters():
    odd = "mean\r\n>= 5 \x1b[31m\u2028\udcff\x00 ☕"
    assert own_table("mine", odd).title == "Accuracy of mine (mean >= 5 [31m ☕)"
