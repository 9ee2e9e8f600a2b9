"""What real copies of the datasets look like beside the books: doubled files, links, other editors' text files."""

from user_error import UserError

import os

import pytest

from data_prep import ava, cuhkpq, partitions

COUNTS = {"HighQuality": (1,) * 7, "LowQuality": (2,) * 7}


@pytest.fixture
def make_table(tmp_path, ava_line):
    """make_table(counts of each photo, ...): the root of a copy of AVA with the photos 10, 11, ..."""

    def make(*counts):
        (tmp_path / "AVA.txt").write_text("".join(ava_line(1, 10 + n, c) for n, c in enumerate(counts)))
        return tmp_path

    return make


def test_of_two_files_of_one_id_the_shallower_is_taken_then_the_one_named_jpg(make_table):
    root = make_table(*[[1] * 10] * 3)
    (root / "images" / "images").mkdir(parents=True)
    for name in ("10.JPG", "10.jpg", "10.jpeg", "11.JPEG", "images/11.jpg", "12.jpeg.part", "images/12.jpg", "12"):
        (root / "images" / name).touch()
    assert [photo.path for photo in ava.read_ava(root)] == [
        "images/10.jpg",
        "images/11.JPEG",
        "images/images/12.jpg",
    ]


def test_more_votes_than_can_be_summed_exactly_are_refused(make_table):
    with pytest.raises(UserError, match=r"AVA\.txt:2: a number is out of range"):
        ava.read_ava(make_table([1] * 10, [2**31 + 1] + [0] * 9))


def test_an_empty_table_is_said_in_one_line_without_a_warning_of_numpys(make_table, recwarn):
    with pytest.raises(UserError, match="is empty"):
        ava.read_ava(make_table())
    assert not recwarn.list


def test_a_test_list_may_begin_with_a_byte_order_mark_and_its_ids_with_zeros(tmp_path):
    path = ava.test_list_path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbf0053\r\n 17 \r\n")
    assert ava.read_test_list(tmp_path) == ["53", "17"]
    path.write_text("53\n053\n")
    with pytest.raises(UserError, match="twice"):
        ava.read_test_list(tmp_path)


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
