"""CUHKPQ's own layout is read exactly; its large partition asks for what the paper does not name."""

from user_error import UserError

import os

import pytest

from data_prep import cuhkpq

COUNTS = {"HighQuality": (1,) * 7, "LowQuality": (2,) * 7}


def test_the_id_of_a_photo_is_its_path_and_its_quality_is_its_label(make_cuhkpq):
    photos = cuhkpq.read_cuhkpq(make_cuhkpq(COUNTS))
    assert len(photos) == 21
    assert photos[0].photo_id == photos[0].path == "HighQuality/animal/0.jpg"
    assert {(p.path.split("/")[0], p.label) for p in photos} == {
        ("HighQuality", 1),
        ("LowQuality", 0),
    }
    assert len({photo.photo_id for photo in photos}) == 21
    assert {photo.score for photo in photos} == {""}


def test_the_folder_that_the_archive_unpacks_to_may_be_the_root_or_inside_it(make_cuhkpq, tmp_path):
    root = make_cuhkpq(COUNTS, "above/PhotoQualityDataset")
    inside, itself = cuhkpq.read_cuhkpq(root.parent), cuhkpq.read_cuhkpq(root)
    assert inside == itself


def test_hidden_and_foreign_files_are_no_photos(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    for name in (".1.jpg", "Thumbs.db", "notes.txt", "._0.jpg"):
        (root / "HighQuality" / "night" / name).touch()
    (root / "HighQuality" / "night" / "9.JPG").touch()
    assert len(cuhkpq.read_cuhkpq(root)) == 22


def test_a_missing_category_is_named(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    (root / "LowQuality" / "plant" / "0.jpg").unlink()
    (root / "LowQuality" / "plant" / "1.jpg").unlink()
    with pytest.raises(UserError, match="LowQuality/plant"):
        cuhkpq.read_cuhkpq(root)
    with pytest.raises(UserError, match="no HighQuality/"):
        cuhkpq.read_cuhkpq(root / "LowQuality")


def test_a_picture_whose_name_is_not_utf8_is_named_and_a_name_in_any_script_is_read(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    (root / "LowQuality" / "plant" / "图\u3000片.jpg").touch()
    assert len(cuhkpq.read_cuhkpq(root)) == 22
    (root / "LowQuality" / "plant" / os.fsdecode(b"\xff.jpg")).touch()
    with pytest.raises(UserError, match=r"LowQuality/plant holds a picture whose name is not UTF-8"):
        cuhkpq.read_cuhkpq(root)


def test_extra_photos_come_from_folders_or_from_a_manifest(make_cuhkpq, tmp_path):
    known = cuhkpq.read_cuhkpq(make_cuhkpq(COUNTS))
    extra = tmp_path / "extra"
    for path in ("HighQuality/a.jpg", "HighQuality/deep/b.png", "LowQuality/c.jpg"):
        (extra / path).parent.mkdir(parents=True, exist_ok=True)
        (extra / path).touch()
    photos = cuhkpq.read_extra(extra, known)
    assert [(photo.photo_id, photo.label) for photo in photos] == [
        ("extra/HighQuality/a.jpg", 1),
        ("extra/HighQuality/deep/b.png", 1),
        ("extra/LowQuality/c.jpg", 0),
    ]
    (extra / "manifest.csv").write_text("label,path\n0,LowQuality/c.jpg\nGood,HighQuality/a.jpg\n")
    photos = cuhkpq.read_extra(extra, known)
    assert [(photo.path, photo.label) for photo in photos] == [
        ("HighQuality/a.jpg", 1),
        ("LowQuality/c.jpg", 0),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.jpg,1\n", ":1: .*path,label"),
        ("path,label\na.jpg,1\nb.jpg,2\n", ":3: "),
        ("path,label\na.jpg\n", ":2: "),
        ("path,label\na.jpg,1\na.jpg,0\n", ":3: a.jpg is there twice"),
        ("path,label\na\0.jpg,1\n", ":2: "),
        (b"path,label\n\xff.jpg,1\n", " is not a CSV file in UTF-8"),
        ("path,label\n" + "a" * 200_000 + ",1\n", " is not a CSV file"),
        ("", ":1: .*path,label"),
    ],
)
def test_a_bad_manifest_is_named_with_file_and_line(tmp_path, text, says):
    (tmp_path / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"manifest.csv{says}"):
        cuhkpq.read_extra(tmp_path, [])


def test_an_extra_photo_that_is_already_in_the_dataset_is_refused(make_cuhkpq, tmp_path):
    root = make_cuhkpq(COUNTS)
    known = cuhkpq.read_cuhkpq(root)
    (tmp_path / "extra").mkdir()
    os.symlink(root / "HighQuality", tmp_path / "extra" / "HighQuality")
    with pytest.raises(UserError, match=r"same file as HighQuality/animal/0\.jpg"):
        cuhkpq.read_extra(tmp_path / "extra", known)


def test_large_without_extra_says_what_is_known_about_those_photos(data_prep, make_cuhkpq):
    ended = data_prep("cuhkpq", "--root", make_cuhkpq(COUNTS), "--partition", "large")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "12,000" in ended.stderr
    assert "--extra" in ended.stderr
    assert "unconfirmed" in ended.stderr
