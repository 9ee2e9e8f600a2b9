"""AVA.txt and the lists are read exactly; what is wrong with them is reported with file and line."""

from user_error import UserError

import os
from fractions import Fraction

import numpy as np
import pytest

from data_prep.readers.ava import Copy
from data_prep.readers.ava_table import read_ids
from data_prep.request import digest_of_files


def write_table(root, *lines):
    root.mkdir(exist_ok=True)
    (root / "AVA.txt").write_text("".join(lines))
    return root


def read_photos(root):
    return Copy(root, "large", 1).photos


def test_a_photo_with_a_mean_of_exactly_5_is_good_and_one_just_below_is_bad(tmp_path, ava_line):
    exactly = [0, 0, 0, 7, 3, 7, 0, 0, 0, 0]
    below = [0, 0, 0, 8, 300, 7, 0, 0, 0, 0]
    above = [0, 0, 0, 7, 300, 8, 0, 0, 0, 0]
    tie = [10, 0, 0, 1, 71, 0, 0, 0, 5, 0]  # 10*1 + 4 + 5*71 + 5*9 = 414 of 87: below 5
    root = write_table(tmp_path, *(ava_line(1, 10 + i, c) for i, c in enumerate((exactly, below, above, tie))))
    photos = read_photos(root)
    assert [photo.label for photo in photos] == [1, 0, 1, 0]
    assert [photo.score for photo in photos] == ["85/17", "1574/315", "1576/315", "414/87"]


def test_every_label_agrees_with_integer_arithmetic(make_ava):
    root = make_ava(500, pictures=False)
    for photo, line in zip(read_photos(root), (root / "AVA.txt").read_text().splitlines(), strict=True):
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
        read_photos(root)


def test_a_missing_or_empty_table_gets_a_line_that_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"no AVA\.txt: --root is the folder that holds AVA\.txt"):
        read_photos(tmp_path)
    with pytest.raises(UserError, match="not a folder"):
        read_photos(tmp_path / "nothing")
    write_table(tmp_path)
    with pytest.raises(UserError, match="empty"):
        read_photos(tmp_path)


def test_a_table_without_a_final_newline_or_with_other_line_ends_is_read(tmp_path, ava_line):
    lines = [ava_line(number, 10 + number, [1] * 10) for number in range(5)]
    expected = [photo.photo_id for photo in read_photos(write_table(tmp_path, *lines))]
    (tmp_path / "AVA.txt").write_bytes("".join(lines).replace("\n", "\r\n").encode()[:-2])
    assert [photo.photo_id for photo in read_photos(tmp_path)] == expected


def test_the_test_list_is_read_with_its_first_line_and_without_a_final_newline(tmp_path):
    path = tmp_path / "generic_test.jpgl"
    path.write_text("953619\n53\n\n17")
    assert read_ids(path) == ["953619", "53", "17"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"53\n17.jpg\n", r":2: '17\.jpg' is not the id"),
        (b"53\n\n53\n", r":3: .* twice, first on line 1"),
        (b"53\n053\n", "twice"),
        (b"\n", "is empty"),
        (b"53\n\xff\xfe\n", r":2: .* is not the id"),
        (b"53\n" + b"1" * 5000, r":2: .* is not the id"),
        (b"53\n" + bytes(100), r":2: .* is not the id"),
    ],
)
def test_what_is_wrong_with_a_test_list_is_said_with_its_line(tmp_path, content, says):
    path = tmp_path / "generic_test.jpgl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"generic_test\.jpgl.*{says}"):
        read_ids(path)


def test_a_copy_without_the_test_list_is_drawn_from(make_ava):
    root = make_ava(50, pictures=False)
    assert "our own draw" in " ".join(Copy(root, "large", 1).partition().notes)
    (root / "generic_test.jpgl").write_text("1003\n")  # beside AVA.txt does as well
    assert [photo.photo_id for photo in Copy(root, "large", 1).partition().test] == ["1003"]


@pytest.mark.parametrize("name", ["AVA.txt", "generic_test.jpgl"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "unreadable", "endless"])
def test_what_is_no_text_file_gets_one_line_at_once(make_ava, monkeypatch, name, kind):
    root = make_ava(20, test_list=[1003], pictures=False)
    (path,) = root.rglob(name)
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "unreadable":
            path.touch()
            monkeypatch.setattr(os, "open", refuse)
        case "endless":
            with path.open("wb") as file:
                file.truncate(300_000_000)
    copy = Copy(root, "large", 1)
    with pytest.raises(UserError, match=name):
        copy.partition()
    if kind != "endless":
        with pytest.raises(UserError, match=name):
            copy.digest()


def refuse(path, *_, open=os.open):
    if str(path).endswith(("AVA.txt", "generic_test.jpgl")) and not os.stat(path).st_size:
        raise PermissionError(13, "Permission denied", path)
    return open(path, *_)


def test_the_digest_is_that_of_the_files_and_of_no_other(make_ava):
    root = make_ava(20, test_list=[1003], pictures=False)
    table, test_list = root / "AVA.txt", root / "aesthetics_image_lists" / "generic_test.jpgl"
    assert Copy(root, "large", 1).digest() == digest_of_files([table, test_list])
    assert Copy(root, "small", 1).digest() == digest_of_files([table])
    test_list.unlink()
    assert Copy(root, "large", 1).digest() == digest_of_files([table, test_list])


def test_options_that_make_another_dataset_than_the_papers_are_in_its_name(tmp_path):
    names = {
        Copy(tmp_path, "large", 1).name,
        Copy(tmp_path, "large", 1, Fraction(1, 2)).name,
        Copy(tmp_path, "large", 1, Fraction(1)).name,
        Copy(tmp_path, "large", 1, Fraction(20, 10)).name,
        Copy(tmp_path, "small", 1).name,
        Copy(tmp_path, "small", 1, small_rule="decile-193k").name,
        Copy(tmp_path, "small", 1, small_rule="decile").name,
        Copy(tmp_path, "small", 1, small_rule="extreme").name,
    }
    assert names == {
        "ava-large", "ava-large-delta-0.5", "ava-large-delta-1", "ava-large-delta-2",
        "ava-small", "ava-small-decile", "ava-small-extreme",
    }  # fmt: skip


def test_a_table_that_lacks_photos_of_the_official_release_is_noted(make_ava):
    root = make_ava(50, test_list=range(1000, 21_000), pictures=False)
    (root / "AVA.txt").write_text("".join((root / "AVA.txt").read_text().splitlines(keepends=True)[10:]))
    with (root / "AVA.txt").open("a") as table:
        table.write("1 77 " + "1 " * 10 + "0 0 0\n")
    assert "AVA.txt has 41 photos, the release of June 2012 has 255,530" in Copy(root, "large", 1).partition().notes


def test_a_small_dataset_says_how_many_of_its_training_photos_are_in_the_test_list_of_the_large_one(make_ava):
    root = make_ava(100, test_list=range(1000, 1100), pictures=False)
    partition = Copy(root, "small", 1, small_rule="decile").partition()
    assert f"{len(partition.train)} of the training photos are in generic_test.jpgl" in " ".join(partition.notes)
    (root / "aesthetics_image_lists" / "generic_test.jpgl").write_text("5\n")
    assert "generic_test" not in " ".join(Copy(root, "small", 1, small_rule="decile").partition().notes)


def test_a_large_number_of_votes_is_summed_exactly(tmp_path, ava_line):
    most = 2**31
    root = write_table(tmp_path, ava_line(1, 10, [most] * 10))
    assert read_photos(root)[0].score == f"{55 * most}/{10 * most}"
    assert np.iinfo(np.int64).max > 55 * most
