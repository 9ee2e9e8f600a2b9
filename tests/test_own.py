"""Photos of one's own become a partition as their list says or by a draw, or the list is refused in one line."""

from user_error import UserError

import json
import os
import shlex
import shutil
from decimal import Decimal
from fractions import Fraction

import cv2
import pytest

from data_prep import manifest
from data_prep.photos import BAD, GOOD
from data_prep.readers.own_folders import SortedPhotos
from data_prep.readers.own_list import ListedPhotos

SCORES = "name,mos,std\n" + "".join(f"{n}.jpg,{n / 10},1.2\n" for n in range(100))


@pytest.fixture
def listed(tmp_path):
    """listed(content, ...): the photos of a list with that content, in a folder that holds all files of the list."""

    def make(content, threshold=None, **options):
        path = tmp_path / "scores.csv"
        path.write_text(content)
        threshold = None if threshold is None else Decimal(threshold)
        return ListedPhotos(tmp_path, path, options.pop("seed", 1), threshold, **options)

    return make


def split_of(partition):
    return {photo.photo_id: split for split, photos in partition.splits().items() for photo in photos}


def test_a_photo_is_good_from_the_threshold_on_and_its_score_is_exact(listed):
    partition = listed("path,score,votes\na,5,210\nb,4.99999999999999999999,\nc,7.25,3\nd,1,9\n", 5).partition()
    photos = {photo.photo_id: photo for photo in partition.photos}
    assert {name: photo.label for name, photo in photos.items()} == {"a": GOOD, "b": BAD, "c": GOOD, "d": BAD}
    assert photos["c"].score == "29/4"
    assert Fraction(photos["b"].score) == 5 - Fraction(1, 10**20)
    assert [photos[name].votes for name in "abcd"] == [210, 0, 3, 9]


def test_the_rule_says_threshold_range_and_share_and_how_test_photos_are_drawn(listed):
    rule = listed(SCORES, 8).partition().rule
    assert "column 'mos' at least 8, in a range from 0 to 9.9: 20.0% of the photos" in rule
    assert "a seeded draw of 10% of the good and of the bad ones" in rule


def test_a_list_with_scores_needs_a_threshold_and_its_lack_shows_what_thresholds_would_do(listed):
    with pytest.raises(UserError) as refused:
        listed("path,score\na,0\nb,40\nc,60\nd,100\n").partition()
    assert "from 0 to 100 (median 50); 50 makes 50.0% of the photos good" in str(refused.value)
    assert "the paper's 5 fits scores of 1 to 10 only" in str(refused.value)
    with pytest.raises(UserError, match=r"with --threshold 5 no photo is bad: .* from 7 to 9 \(median 8\)"):
        listed("path,score\na,7\nb,9\n", 5).partition()
    with pytest.raises(UserError, match=r"; 5 makes 100.0%, 8 makes 50.0% of the photos good"):
        listed("path,score\na,7\nb,9\n").partition()


def test_test_photos_are_a_tenth_of_each_label_whatever_the_order_of_the_list(listed):
    source = listed(SCORES, 8)
    partition = source.partition()
    assert sorted(photo.label for photo in partition.test) == [BAD] * 8 + [GOOD] * 2
    head, *lines = SCORES.splitlines()
    again = listed("\n".join([head, *reversed(lines)]), 8).partition()
    assert (again.train, again.test) == (partition.train, partition.test)
    assert split_of(listed(SCORES, 8, seed=2).partition()) != split_of(partition)


def test_each_split_has_a_photo_of_each_label_however_small_the_share(listed):
    content = "path,label\na,1\nb,1\nc,0\nd,0\ne,0\n"
    for share in ("0.001", "0.999"):
        partition = listed(content, test_share=Decimal(share)).partition()
        for photos in partition.splits().values():
            assert {photo.label for photo in photos} == {GOOD, BAD}
    with pytest.raises(UserError, match="there is 1 good photo"):
        listed("path,label\na,1\nc,0\nd,0\n").partition()


def test_the_lists_own_split_is_taken_and_photos_for_validation_are_left_out(listed):
    content = "name,mos,split\na,9,train\nb,1,Training\nc,9,test\nd,1,TEST\ne,5,val\n"
    partition = listed(content, 5).partition()
    assert split_of(partition) == {"a": "train", "b": "train", "c": "test", "d": "test"}
    assert [(photo.photo_id, "validation" in why) for photo, why in partition.excluded] == [("e", True)]
    with pytest.raises(UserError, match=r"--test-share .* column 'split'"):
        listed(content, 5, test_share=Decimal("0.2")).partition()


@pytest.mark.parametrize(
    ("content", "threshold", "columns", "says"),
    [
        ("path,score\na,1\nb,nan\n", 5, {}, ":3: the score 'nan' is not"),
        ("path,score\na,1\nb,1e999\n", 5, {}, ":3: the score '1e999' is not"),
        ("path,score\na,1\nb," + "9" * 5000, 5, {}, ":3: the score '999"),
        ("path,score\na,1\nb,\n", 5, {}, ":3: the score '' is not"),
        ("path,score,votes\na,1,many\n", 5, {}, ":2: the number of votes is 'many'"),
        ("path,label\na,1\nb,7\n", None, {}, ":3: the label is '7'; .*--score-column"),
        ("path,label\na,1\nb,good\n", None, {}, " has no bad photo in column 'label'"),
        ("path,score,label\na,1,1\n", None, {}, " has scores and labels: give --threshold"),
        ("path,score,label\na,1,1\n", 5, {"score": "score", "label": "label"}, " has scores and labels"),
        ("path,note\na,1\n", None, {}, ": no column is named score, .*'path', 'note': .*--score-column"),
        ("path,label,split\na,1,train\nb,0,train\nc,1,dev\n", None, {}, ":4: the split is 'dev'; it is train or test"),
        ("path,label,split\na,1,train\nb,0,train\nc,1,test\n", None, {}, " has no bad photo for test"),
        ("path,label,split\na,1,test\nb,0,test\n", None, {}, " has no good photo for train"),
    ],
)
def test_what_no_net_can_learn_from_is_refused_in_one_line(listed, content, threshold, columns, says):
    with pytest.raises(UserError, match=f"scores.csv{says}") as refused:
        listed(content, threshold, columns=columns).partition()
    assert len(str(refused.value).splitlines()) == 1


def test_a_threshold_for_labels_is_refused(listed):
    for content, named in (("path,label\na,1\nb,0\n", {}), ("path,label,score\na,1,1\nb,0,9\n", {"label": "label"})):
        with pytest.raises(UserError, match="--threshold is for scores, and column 'label' has labels"):
            listed(content, 5, columns=named).partition()


def test_of_scores_and_labels_the_one_is_taken_that_is_asked_for(listed):
    content = "path,score,label\na,1,1\nb,9,0\nc,2,1\nd,8,0\n"
    for threshold, columns, good in ((5, {}, "bd"), (None, {"label": "label"}, "ac"), (5, {"score": "score"}, "bd")):
        photos = listed(content, threshold, columns=columns).partition().photos
        assert {photo.photo_id for photo in photos if photo.label} == set(good)


def test_a_list_most_of_whose_photos_are_not_there_is_refused_at_once_with_one_that_was_looked_for(listed, tmp_path):
    source = listed("path,label\nin/a.jpg,1\nin/b.jpg,0\nin/c.jpg,1\nin/d.jpg,0\n")
    (tmp_path / "photos.zip").touch()
    with pytest.raises(UserError, match=rf"4 of the 4 photos are not there, {tmp_path}/in/a.jpg .*unzip photos.zip"):
        source.require_pictures()
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.jpg").touch()
    ListedPhotos(source.root, source.file, source.seed).require_pictures()


def test_the_digest_is_of_the_list_or_of_the_sorted_photos(listed, sort):
    assert listed(SCORES).digest() == listed(SCORES, 5, seed=3).digest() != listed(SCORES + "100.jpg,5,1\n").digest()
    source = sort(good=["a.jpg"], bad=["b.jpg"])
    before = source.digest()
    assert SortedPhotos(source.good, source.bad, 2).digest() == before
    (source.good / "c.jpg").touch()
    assert SortedPhotos(source.good, source.bad, 1).digest() != before


@pytest.fixture
def sort(tmp_path):
    """sort(good=[names], bad=[names]): photos in the folders liked/ and rest/."""

    def make(good, bad):
        for folder, names in (("liked", good), ("rest", bad)):
            for name in names:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return SortedPhotos(tmp_path / "liked", tmp_path / "rest", 1)

    return make


def test_a_threshold_that_leaves_one_photo_of_a_label_shows_what_others_would_do(listed):
    with pytest.raises(UserError, match=r"there is 1 bad photo.*: column 'score' of .* goes from 3 to 98"):
        listed("path,score\na,3\nb,40\nc,60\nd,98\n", 5).partition()


def test_a_list_that_is_separated_by_spaces_or_is_not_utf8_is_told_so(listed, tmp_path):
    with pytest.raises(UserError, match=r"the first row is one column, 'a.jpg 7'.*not by spaces"):
        listed("a.jpg 7\nb.jpg 3\n", 5, columns={"path": "1", "score": "2"}).partition()
    file = tmp_path / "scores.csv"
    file.write_bytes("Bildgröße;Wertung\na.jpg;7\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8: save it as 'CSV UTF-8'"):
        ListedPhotos(tmp_path, file, 1, Decimal(5)).partition()


def test_two_folders_are_walked_behind_links_without_loops(sort, tmp_path):
    source = sort(good=["1.jpg", "deep/er/2.PNG", ".hidden/3.jpg", "note.txt"], bad=["1.jpg", "4.webp"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "5.jpg").touch()
    (source.bad / "linked").symlink_to(tmp_path / "elsewhere")
    (source.bad / "loop").symlink_to(source.bad)
    partition = source.partition()
    assert {photo.photo_id: photo.label for photo in partition.photos} == {
        "good/1.jpg": GOOD, "good/deep/er/2.PNG": GOOD, "bad/1.jpg": BAD, "bad/4.webp": BAD, "bad/linked/5.jpg": BAD,
    }  # fmt: skip
    assert all(photo.file.exists() for photo in partition.photos)
    assert {photo.folder for photo in partition.photos} == {tmp_path}


def test_two_folders_that_share_a_file_or_hold_none_are_refused(sort, tmp_path):
    source = sort(good=["1.jpg", "2.jpg"], bad=["3.jpg"])
    (source.bad / "4.jpg").symlink_to(source.good / "2.jpg")
    with pytest.raises(UserError, match=r"liked/2\.jpg is found twice, as good/2\.jpg and as bad/4\.jpg"):
        source.partition()
    (tmp_path / "empty").mkdir()
    for bad, says in (("empty", "--bad .*empty holds no picture"), ("none", "--bad .*none is not a folder")):
        with pytest.raises(UserError, match=says):
            SortedPhotos(source.good, tmp_path / bad, 1).partition()


@pytest.fixture
def photos(tmp_path, draw_picture):
    """A folder with 12 pictures, odd names among them, and a list of them with scores of 0 to 110."""
    root = tmp_path / "my 照片"
    (root / "sub").mkdir(parents=True)
    names = [f"sub/{n}.jpg" for n in range(10)] + ["a, b.jpg", os.fsdecode(b"\xb7\xe7.jpg")]
    for n, name in enumerate(names):
        cv2.imwrite(str(tmp_path / "drawn.jpg"), draw_picture(n))
        shutil.move(tmp_path / "drawn.jpg", root / name)
    lines = [f'"{name}",{10 * n}\n' for n, name in enumerate(names)]
    (root / "list.csv").write_text("".join(lines), errors="surrogateescape")
    return root


def test_a_list_of_ones_own_is_prepared_and_its_command_makes_it_again(photos, tmp_path, data_prep):
    columns = ("--path-column", 1, "--score-column", 2)
    words = ["photos", "--root", photos, "--list", photos / "list.csv", "--name", "mine", "--out", tmp_path / "out"]
    ended = data_prep(*words, *columns, "--threshold", "55.50", "--test-share", "0.25", "--views", "global")
    assert ended.returncode == 0, ended.stderr
    content = json.loads((tmp_path / "out" / "mine" / "summary.json").read_text())
    assert [content["splits"]["test"][label] for label in ("good", "bad")] == [2, 2]
    assert "at least 55.5" in content["rule"]
    for words in (["--threshold", "55.5"], ["--test-share", "0.25"], ["--path-column", "1"]):
        assert " ".join(words) in content["command"]
    rows = manifest.read(tmp_path / "out" / "mine" / "manifest.csv")
    assert {row["score"] for row in rows} == {f"{10 * n}/1" for n in range(12)}
    again = data_prep(*words_of(content["command"]))
    assert "is already complete" in again.stdout, again.stderr


def test_the_list_may_be_in_the_root_and_photos_that_no_decoder_knows_are_named(photos, tmp_path, data_prep):
    (photos / "list.csv").write_text("path,label\n" + "".join(f"sub/{n}.jpg,{n % 2}\n" for n in range(10)))
    words = ["photos", "--root", photos, "--list", "list.csv", "--name", "mine", "--out", tmp_path / "out"]
    assert data_prep(*words).returncode == 0
    (photos / "sub" / "new.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    ended = data_prep("photos", "--good", photos / "sub", "--bad", photos, "--name", "both", "--out", tmp_path / "out")
    assert "give folders that do not overlap" in ended.stderr
    (photos / "bad").mkdir()
    for n in range(2):
        (photos / "sub" / f"{n}.jpg").rename(photos / "bad" / f"{n}.jpg")
    words = ["photos", "--good", photos / "sub", "--bad", photos / "bad", "--name", "phone", "--out", tmp_path / "out"]
    assert "1 corrupt" in data_prep(*words).stderr
    assert "new.heic: corrupt: an HEIC file" in (tmp_path / "out" / "phone" / "bad_photos.txt").read_text()


def words_of(command: str) -> list[str]:
    return shlex.split(command.partition("data_prep ")[2])


def test_two_folders_of_ones_own_are_prepared(photos, tmp_path, data_prep):
    (photos / "good").mkdir()
    for n in range(5):
        (photos / "sub" / f"{n}.jpg").rename(photos / "good" / f"{n}.jpg")
    words = ["photos", "--root", photos, "--good", "good", "--bad", "sub", "--name", "mine", "--out", tmp_path / "out"]
    ended = data_prep(*words, "--views", "global")
    assert ended.returncode == 0, ended.stderr
    content = json.loads((tmp_path / "out" / "mine" / "summary.json").read_text())
    assert [content["splits"][split]["written"] for split in ("train", "test")] == [8, 2]
    assert "is already complete" in data_prep(*words_of(content["command"])).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--root", "."], "needs --root DIR with --list FILE, or --good DIR with --bad DIR"),
        (["--good", "."], "needs --root DIR with --list FILE, or --good DIR with --bad DIR"),
        (["--list", "x.csv", "--root", ".", "--bad", "."], "--list, and --good with --bad, are two ways"),
        (["--good", ".", "--bad", ".", "--threshold", "5"], "--threshold and the options that name columns"),
        (["--list", "x.csv", "--root", "none"], "--root none is not a folder"),
        (["--threshold", "nan"], "'nan' is not a plain decimal number"),
        (["--test-share", "1"], "1 is not between 0 and 1"),
    ],
)
def test_options_that_do_not_fit_together_are_one_line(words, says, tmp_path, data_prep):
    ended = data_prep("photos", "--name", "mine", "--out", tmp_path, *words)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert says in ended.stderr
    assert not list(tmp_path.iterdir())
