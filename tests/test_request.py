"""A request's name is a folder's, its command makes the same dataset again, its digests tell lists apart."""

from user_error import UserError

import hashlib
from dataclasses import replace

import pytest

from data_prep.request import Request, checked_name, checked_own_name, differences, digest_of_files, digest_of_lines


def test_the_command_repeats_every_parameter_and_place_and_leaves_out_what_is_off(tmp_path):
    parameters = {
        "dataset": "ava", "partition": "small", "seed": 3, "views": ["global", "local"], "encoded": True,
        "small_rule": "decile", "lists": "abc",
    }  # fmt: skip
    request = Request(
        "mine", tmp_path / "my data", {"root": tmp_path / "photos"}, ("global", "local"), True, parameters
    )
    parts = f"--root {tmp_path}/photos --partition small --seed 3 --views global local --encoded --small-rule decile"
    place = f"--out '{tmp_path}/my data' --name mine"
    assert request.command(0).endswith(f" -m data_prep ava {parts} {place}")
    assert request.command(2).endswith(f" -m data_prep ava {parts} {place} --allow-bad 2")
    parameters["encoded"] = False
    assert "encoded" not in request.command(0)
    assert f" --extra {tmp_path}/more " in replace(
        request, inputs=request.inputs | {"extra": tmp_path / "more"}
    ).command(0)


@pytest.mark.parametrize("name", ["a", "ava-large", "2.x_Y", "a" * 100])
def test_a_plain_folders_name_is_taken(name):
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg16", "nets.py", "", ".", "..", "-a", ".a", "a/b", "a b", "ü", "a\n", "a" * 101]
)
def test_any_other_name_is_refused(name):
    with pytest.raises(UserError, match="--name"):
        checked_name(name)


@pytest.mark.parametrize("name", ["ava-small", "cuhkpq-large", "IV", "I"])
def test_the_papers_names_are_kept_for_the_papers_photos(name):
    with pytest.raises(UserError, match=f"--name {name} is the paper's"):
        checked_own_name(name, "ava-large")
    assert checked_own_name(name, name) == name
    assert checked_own_name("demo", "ava-large") == "demo"
    with pytest.raises(UserError, match="--name demo"):
        checked_own_name("demo", "")
    assert checked_own_name("mine", "ava-large") == "mine"


def test_differences_name_what_differs_alone():
    there = {"seed": 1, "views": ["global", "local"], "lists": "0123456789" * 6, "delta": "0"}
    asked = {"seed": 2, "views": ["global"], "lists": "9876543210" * 6, "delta": "0"}
    assert differences(there, asked) == (
        "the photos' list has changed; seed 1 there, 2 asked for; views global+local there, global asked for"
    )


def test_digests_tell_contents_and_their_borders_apart_and_a_missing_file_from_an_empty_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("ab")
    absent = digest_of_files([one, two])
    assert absent != digest_of_files([one])
    two.touch()
    empty = digest_of_files([one, two])
    one.write_text("a")
    two.write_text("b")
    assert len({absent, empty, digest_of_files([one, two]), digest_of_files([two, one]), digest_of_files([one])}) == 5
    assert digest_of_lines(["\udcff"]) == hashlib.sha256(b"\xff\n").hexdigest()
    assert digest_of_lines(["ab", "c"]) == hashlib.sha256(b"ab\nc\n").hexdigest()
