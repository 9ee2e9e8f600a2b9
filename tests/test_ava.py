"""AVA's own layout is read exactly; what is wrong with a copy is reported with file and line."""

from user_error import UserError

import os
import re
import shlex

import numpy as np
import pytest

from data_prep import ava


def write_table(root, *lines):
    root.mkdir(exist_ok=True)
    (root / "AVA.txt").write_text("".join(lines))
    return root


def test_a_photo_with_a_mean_of_exactly_5_is_good_and_one_just_below_is_bad(tmp_path, ava_line):
    exactly = [0, 0, 0, 7, 3, 7, 0, 0, 0, 0]
    below = [0, 0, 0, 8, 300, 7, 0, 0, 0, 0]
    above = [0, 0, 0, 7, 300, 8, 0, 0, 0, 0]
    tie = [10, 0, 0, 1, 71, 0, 0, 0, 5, 0]  # 10*1 + 4 + 5*71 + 5*9 = 414 of 87: below 5
    root = write_table(tmp_path, *(ava_line(1, 10 + i, c) for i, c in enumerate((exactly, below, above, tie))))
    photos = ava.read_ava(root)
    assert [photo.label for photo in photos] == [1, 0, 1, 0]
    assert [photo.score for photo in photos] == ["85/17", "1574/315", "1576/315", "414/87"]


def test_every_label_agrees_with_integer_arithmetic(make_ava):
    root = make_ava(500, pictures=False)
    for photo, line in zip(ava.read_ava(root), (root / "AVA.txt").read_text().splitlines(), strict=True):
        counts = [int(field) for field in line.split()[2:12]]
        total = sum(vote * count for vote, count in enumerate(counts, 1))
        assert photo.label == (total >= 5 * sum(counts))
        assert (photo.photo_id, photo.total, photo.votes) == (line.split()[1], total, sum(counts))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("3 12 1 2 3\n", "5 fields"),
        ("3 12 1 2 3 4 5 6 7 8 9 10 0 0 0 0\n", "16 fields"),
        ("3 12 1 2 3 4 5 6 7 8 9 x 0 0 0\n", "'x' is not an integer"),
        ("3 12 1 2 3 4.0 5 6 7 8 9 1 0 0 0\n", "'4.0' is not an integer"),
        ("3 12 0 0 0 0 0 0 0 0 0 0 0 0 0\n", "photo 12 has no votes"),
        ("3 12 -1 2 0 0 0 0 0 0 0 0 0 0 0\n", "out of range"),
        ("3 10 0 1 0 0 0 0 0 0 0 0 0 0 0\n", "photo 10 is already on line 1"),
        ("3 12 99999999999999999999999 1 0 0 0 0 0 0 0 0 0 0 0\n", "out of range"),
        ("3 " + "1" * 5000 + " 1 2 3 4 5 6 7 8 9 1 0 0 0\n", "out of range"),
        ("# a comment\n", "3 fields"),
        ("3 12 1 2 3 4 5 6 7 8 9 ٣ 0 0 0\n", "not an integer"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path, ava_line, bad, says):
    votes = [1] * 10
    root = write_table(tmp_path, ava_line(1, 10, votes), ava_line(2, 11, votes), bad)
    with pytest.raises(UserError, match=rf"AVA\.txt:3: .*{says}"):
        ava.read_ava(root)


def test_a_missing_empty_or_nested_table_gets_a_line_that_says_what_to_do(tmp_path, ava_line):
    with pytest.raises(UserError, match=r"no AVA\.txt"):
        ava.read_ava(tmp_path)
    nested = write_table(tmp_path / "AVA's dataset", ava_line(1, 10, [1] * 10))
    with pytest.raises(UserError, match=re.escape(f"--root {shlex.quote(str(nested))}")):
        ava.read_ava(tmp_path)
    write_table(tmp_path)
    with pytest.raises(UserError, match="empty"):
        ava.read_ava(tmp_path)


def test_a_table_without_a_final_newline_or_with_other_line_ends_is_read(tmp_path, ava_line):
    lines = [ava_line(number, 10 + number, [1] * 10) for number in range(5)]
    expected = [photo.photo_id for photo in ava.read_ava(write_table(tmp_path, *lines))]
    (tmp_path / "AVA.txt").write_bytes("".join(lines).replace("\n", "\r\n").encode()[:-2])
    assert [photo.photo_id for photo in ava.read_ava(tmp_path)] == expected


def test_photos_are_found_in_a_nested_folder_in_upper_case_and_through_a_link(tmp_path, ava_line):
    root = write_table(tmp_path / "ava", *(ava_line(1, 10 + n, [1] * 10) for n in range(5)))
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "images").mkdir(parents=True)
    for name in ("10.jpg", "images/11.jpg", "12.JPG", "images/12.jpg", "13.jpeg", "13.JPG"):
        (elsewhere / name).touch()
    os.symlink(elsewhere, root / "images")
    assert [photo.path for photo in ava.read_ava(root)] == [
        "images/10.jpg",
        "images/images/11.jpg",
        "images/12.JPG",
        "images/13.JPG",
        "images/14.jpg",  # is not there: this is where it would be
    ]


def test_the_test_list_is_read_with_its_first_line_and_without_a_final_newline(tmp_path):
    assert ava.read_test_list(tmp_path) is None
    folder = tmp_path / "aesthetics_image_lists"
    folder.mkdir()
    (folder / "generic_test.jpgl").write_text("953619\n53\n\n17")
    assert ava.read_test_list(tmp_path) == ["953619", "53", "17"]
    (folder / "generic_test.jpgl").write_text("53\n17.jpg\n")
    with pytest.raises(UserError, match=r"generic_test\.jpgl:2: '17\.jpg'"):
        ava.read_test_list(tmp_path)
    (folder / "generic_test.jpgl").write_text("53\n53\n")
    with pytest.raises(UserError, match="twice"):
        ava.read_test_list(tmp_path)
    (folder / "generic_test.jpgl").write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        ava.read_test_list(tmp_path)
    for nonsense in (b"53\n\xff\xfe\n", b"53\n" + b"1" * 5000):
        (folder / "generic_test.jpgl").write_bytes(nonsense)
        with pytest.raises(UserError, match=r"generic_test\.jpgl:2: .* is not the id"):
            ava.read_test_list(tmp_path)


def test_a_large_number_of_votes_is_summed_exactly(tmp_path, ava_line):
    most = 2**31
    root = write_table(tmp_path, ava_line(1, 10, [most] * 10))
    assert ava.read_ava(root)[0].score == f"{55 * most}/{10 * most}"
    assert np.iinfo(np.int64).max > 55 * most
