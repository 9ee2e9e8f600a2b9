"""Kaggle's table of AVA, shares instead of votes: means are exact, and a mean of 5 is told from its neighbours."""

from user_error import UserError

from fractions import Fraction

import numpy as np
import pytest

from data_prep.readers.ava import Copy

HEADER = "image_num," + ",".join(f"vote_{score}" for score in range(1, 11))


@pytest.fixture
def make_shares(tmp_path):
    """make_shares(line, ..., header=): the root of a copy with these lines in its table."""

    def make(*lines, header=HEADER):
        (tmp_path / "ground_truth_dataset.csv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path

    return make


def read_photos(root):
    return Copy(root, "large", 1).photos


def line(photo_id, shares):
    return f"{photo_id},{','.join(map(str, shares))}"


def rounded(decimals):
    return lambda share: f"{share:.{decimals}f}"


@pytest.mark.parametrize(
    "written",
    [
        lambda share: repr(float(share)),
        rounded(17),
        rounded(8),
        rounded(5),
        lambda share: repr(np.float32(share).item()),
        lambda s: f"{s:.7g}",
    ],
)
def test_labels_are_those_of_the_votes_behind_the_shares(make_shares, written):
    random = np.random.default_rng(5)
    counts = random.integers(0, 40, (400, 10))
    for row in counts[:200]:  # close to 5, or there exactly
        while (above := (row * np.arange(-4, 6)).sum()) not in (-1, 0, 1):
            row[4 - np.sign(above)] += 1
    shares = [row / row.sum() for row in counts]
    photos = read_photos(make_shares(*(line(n, map(written, row)) for n, row in enumerate(shares))))
    above = (counts * np.arange(-4, 6)).sum(axis=1)
    assert [photo.label for photo in photos] == (above >= 0).astype(int).tolist()
    assert {photo.votes for photo in photos} == {0}
    (note, _) = Copy(photos[0].folder, "large", 1).partition().notes[2:]
    assert f"rounded: {(above == 0).sum()} photos have a mean within" in note


def test_the_mean_is_that_of_the_decimals_exactly(make_shares):
    (photo,) = read_photos(make_shares(line(7, ["0.1", "1e-1", "0", "0.0", ".3", "0", "0.50", "0", "0", "0"])))
    assert (photo.photo_id, Fraction(photo.score)) == ("7", Fraction(1 + 2 + 3 * 5 + 5 * 7, 10))


def test_numbers_of_votes_in_the_place_of_shares_are_votes(make_shares):
    root = make_shares(line(7, [0, 1, 0, 0, 8, 0, 0, 0, 0, 1]), line(8, ["0.0"] * 9 + ["90.0"]))
    assert [(photo.score, photo.votes) for photo in read_photos(root)] == [("52/10", 10), ("900/90", 90)]


def test_the_photos_are_where_kaggles_copy_has_them_and_the_notes_say_what_to_fetch(make_shares):
    root = make_shares(*(line(n, [0.1] * 10) for n in range(10, 40)))
    (root / "images").mkdir()
    for number in range(10, 40):
        (root / "images" / f"{number}.jpg").touch()
    copy = Copy(root, "large", 1)
    copy.require_pictures()
    notes = " ".join(copy.partition().notes)
    assert "our own draw" in notes
    assert "put AVA.txt and aesthetics_image_lists/" in notes


def test_avas_own_table_and_list_count_where_they_are_there_too(make_shares, ava_line):
    root = make_shares(*(line(n, [0.1] * 10) for n in range(10, 40)))
    (root / "AVA.txt").write_text("".join(ava_line(1, n, [0, 1] * 5) for n in range(10, 15)))
    (root / "generic_test.jpgl").write_text("10\n")
    copy = Copy(root, "large", 1)
    assert [photo.score for photo in copy.photos] == ["30/5"] * 5
    (root / "AVA.txt").unlink()
    assert "that ground_truth_dataset.csv has" in Copy(root, "large", 1).partition().rule


def test_the_columns_are_found_by_name(make_shares):
    names = HEADER.split(",")
    header = ",".join(["", *reversed(names), "mean"])
    (photo,) = read_photos(make_shares(f"0,{','.join(['0.25'] * 2 + ['0'] * 7 + ['.5'])},7,x", header=header))
    assert (photo.photo_id, Fraction(photo.score)) == ("7", Fraction(10 + 9 + 2 * 1, 4))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("7,0.5,0.5", "only 3 fields"),
        (line(7, [0.05] * 10), r"add up to 0\.50, not to 1"),
        (line(7, [0.3] * 10), r"add up to 3\.0, not to 1"),
        (line(7, [0] * 10), "photo 7 has no votes"),
        (line(7, [0.1] * 9 + ["x"]), "'x' is not a share"),
        (line(7, [0.1] * 9 + ["nan"]), "'nan' is not a share"),
        (line(7, [0.1] * 9 + ["inf"]), "out of range"),
        (line(7, [0.1] * 9 + ["1e999999"]), "out of range"),
        (line(7, [0.1] * 9 + ["1e-999999"]), "'1e-999999' is not a share"),
        (line(7, [0.1] * 9 + ["-0.1"]), "out of range"),
        (line(7, [0.1] * 9 + ["1" * 5000]), "out of range"),
        (line(7, [0.1] * 9 + [""]), "'' is not a share"),
        (line("1" * 5000, [0.1] * 10), "is not the number of a photo"),
        (line("7.jpg", [0.1] * 10), "'7.jpg' is not the number of a photo"),
        (line(10, [0.1] * 10), "photo 10 is already on line 2"),
        ('7,"' + "x" * 1000, "only 2 fields"),
        ("\0" * 70_000, "a line of over"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(make_shares, bad, says):
    with pytest.raises(UserError, match=rf"ground_truth_dataset\.csv:[34]: .*{says}"):
        read_photos(make_shares(line(10, [0.1] * 10), bad))


def test_a_table_without_its_columns_or_lines_is_refused(make_shares):
    with pytest.raises(UserError, match=r"csv:1: no column vote_10"):
        read_photos(make_shares(header=HEADER.removesuffix(",vote_10")))
    with pytest.raises(UserError, match="holds no photo"):
        read_photos(make_shares())
