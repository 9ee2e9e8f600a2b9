"""What real copies of CUHKPQ look like beside the books: doubled files, links, other editors' text files."""

from user_error import UserError

import os

import pytest

from data_prep.readers import cuhkpq, partitions

COUNTS = {"HighQuality": (1,) * 7, "LowQuality": (2,) * 7}


def test_every_kind_of_picture_counts_for_cuhkpq(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    names = ["a.jpg", "b.jpeg", "c.png", "d.bmp", "e.gif", "f.tif", "g.tiff", "h.webp", "i.JPEG"]
    for name in names:
        (root / "HighQuality" / "plant" / name).touch()
    photos = cuhkpq.read_cuhkpq(root)
    assert [p.photo_id for p in photos if p.cell == "HighQuality/plant"] == [
        f"HighQuality/plant/{name}" for name in ["0.jpg", *names]
    ]


def test_photos_are_listed_by_path_whatever_the_file_systems_order(make_cuhkpq, monkeypatch):
    root = make_cuhkpq({"HighQuality": (11,) * 7, "LowQuality": (11,) * 7})
    listdir = os.listdir
    listings = []
    for reverse in (False, True):
        monkeypatch.setattr(os, "listdir", lambda path, reverse=reverse: sorted(listdir(path), reverse=reverse))
        listings.append((cuhkpq.read_cuhkpq(root), cuhkpq.read_extra(root, [])))
    assert listings[0] == listings[1]


@pytest.fixture
def extra(tmp_path):
    """A folder of extra photos: ten of high quality in the folder, ten of low behind a link."""
    folder, elsewhere = tmp_path / "extra", tmp_path / "elsewhere"
    for place in (folder / "HighQuality", folder / "LowQuality", elsewhere):
        place.mkdir(parents=True)
    for number in range(10):
        (folder / "HighQuality" / f"{number}.jpg").touch()
        (elsewhere / f"{number}.jpg").touch()
    (folder / "LowQuality" / "linked").symlink_to(elsewhere)
    return folder


def test_extra_photos_behind_a_link_are_found_and_each_half_gets_as_many_good_ones(extra):
    photos = cuhkpq.read_extra(extra, [])
    assert sum(photo.label for photo in photos) == 10
    assert "extra/LowQuality/linked/3.jpg" in {photo.photo_id for photo in photos}
    for seed in range(3):
        for split in partitions.cuhkpq(photos, [], seed).splits().values():
            assert [photo.label for photo in split].count(1) == len(split) / 2 == 5


def test_one_extra_photo_under_two_names_is_refused(extra):
    (extra / "HighQuality" / "again.jpg").symlink_to(extra / "HighQuality" / "7.jpg")
    with pytest.raises(UserError, match=r"HighQuality/again\.jpg.*HighQuality/7\.jpg|7\.jpg.*again\.jpg"):
        cuhkpq.read_extra(extra, [])


def test_a_manifest_of_extra_photos_may_begin_with_a_byte_order_mark(extra):
    (extra / "manifest.csv").write_bytes(b"\xef\xbb\xbfpath,label\r\nHighQuality/1.jpg, GOOD \r\n")
    assert [(photo.path, photo.label) for photo in cuhkpq.read_extra(extra, [])] == [("HighQuality/1.jpg", 1)]
