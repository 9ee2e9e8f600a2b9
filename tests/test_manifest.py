"""A line of manifest.csv says of a photo what is in the stores, or why it is not there."""

from user_error import UserError

import csv
import os
from pathlib import Path

import pytest

from data_prep import manifest
from data_prep.photos import Outcome, Photo
from data_prep.readers.partitions import Partition

FOLDER = Path("photos")
WRITTEN = Outcome("written", "", 640, 480)
MISSING, CORRUPT = Outcome("missing", "no such file"), Outcome("corrupt", 'cut off, "half" of it')

EXPECTED = """\
photo_id,path,split,position,label,score,votes,width,height,status,reason
7,7.jpg,train,0,1,11/2,2,640,480,written,
8,8.jpg,train,,1,11/2,2,,,missing,no such file
9,9.jpg,train,1,0,,,640,480,written,
5,5.jpg,test,,0,,,,,corrupt,"cut off, ""half"" of it"
6,ü\udcff 6.jpg,test,0,1,11/2,2,640,480,written,
3,3.jpg,,,1,10/2,2,,,excluded,mean within 0.5 of 5
4,4.jpg,,,0,,,,,excluded,not drawn
"""


@pytest.fixture
def written(tmp_path):
    def scored(name, total=11):
        return Photo(name, FOLDER, f"{name}.jpg", 1, total, 2, 2)

    def unscored(name):
        return Photo(name, FOLDER, f"{name}.jpg", 0)

    partition = Partition(
        train=[scored("7"), scored("8"), unscored("9")],
        test=[unscored("5"), Photo("6", FOLDER, "ü\udcff 6.jpg", 1, 11, 2, 2)],
        excluded=[(scored("3", total=10), "mean within 0.5 of 5"), (unscored("4"), "not drawn")],
        rule="",
    )
    path = tmp_path / "manifest.csv"
    manifest.write(path, partition, {"train": [WRITTEN, MISSING, WRITTEN], "test": [CORRUPT, WRITTEN]})
    return path


def test_positions_are_the_keys_of_the_records_and_skip_what_is_not_there(written):
    assert os.fsdecode(written.read_bytes()) == EXPECTED


def test_it_is_read_back_line_by_line_by_column(written):
    with written.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        assert list(manifest.read(written)) == list(csv.DictReader(file))
    assert [row["photo_id"] for row in manifest.read(written)] == list("7895634")


def test_the_test_photos_that_are_in_the_stores_come_in_their_records_order_whatever_the_lines_order(tmp_path):
    lines = ["photo_id,label,split,position,status", "a,1,test,10,written", "b,0,test,9,written"]
    lines += ["c,1,train,0,written", "d,0,test,,missing", "e,1,,,excluded", "f,1,test,0,written"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    assert manifest.test_photos(tmp_path) == [("f", 1), ("b", 0), ("a", 1)]


@pytest.mark.parametrize(
    "text",
    ["", "photo_id,label\na,1\n", "photo_id,label,split,position,status\na,x,test,0,written\n",
     "photo_id,label,split,position,status\na,1,test,,missing\n", None],
)  # fmt: skip
def test_a_manifest_without_a_readable_test_photo_is_refused_by_name(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.csv"):
        manifest.test_photos(tmp_path)
