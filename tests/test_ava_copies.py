"""Copies of AVA as they circulate: where their pictures and tables are, and what stands in their place."""

from user_error import UserError

import os

import pytest

from data_prep.readers.ava import Copy
from data_prep.readers.ava_table import read_ids

VOTES = [1] * 10


@pytest.fixture
def make_table(tmp_path, ava_line):
    """make_table(counts of each photo, ..., folder=): a copy of AVA; photo 10 is for test, 11, ... train."""

    def make(*counts, folder="."):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "AVA.txt").write_text("".join(ava_line(1, 10 + n, c) for n, c in enumerate(counts)))
        (tmp_path / folder / "generic_test.jpgl").write_text("10\n")
        return tmp_path

    return make


def add(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def paths(root, **options):
    return [photo.path for photo in Copy(root, "large", 1, **options).photos]


def refused(root, **options):
    with pytest.raises(UserError) as error:
        Copy(root, "large", 1, **options).require_pictures()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_of_two_files_of_one_id_the_shallower_is_taken_then_the_one_named_jpg(make_table):
    root = make_table(*[VOTES] * 3)
    names = ("10.JPG", "10.jpg", "10.jpeg", "11.JPEG", "images/11.jpg", "12.jpeg.part", "images/12.jpg", "12")
    add(root / "images", *names)
    assert paths(root) == ["images/10.jpg", "images/11.JPEG", "images/images/12.jpg"]


def test_photos_are_found_through_a_link_and_one_that_is_not_there_has_its_usual_path(make_table, tmp_path):
    root = make_table(*[VOTES] * 3)
    add(tmp_path / "elsewhere", "10.JPG", "images/11.jpg")
    os.symlink(tmp_path / "elsewhere", root / "images")
    assert paths(root) == ["images/10.JPG", "images/images/11.jpg", "images/12.jpg"]


@pytest.mark.parametrize(
    ("table", "pictures", "found"),
    [
        (".", "images", "images"),
        (".", "images/images", "images/images"),
        (".", "images/a/b", "images/a/b"),
        (".", "Images", "Images"),
        (".", "ava_images", "ava_images"),
        (".", "AVA_dataset/images", "AVA_dataset/images"),
        (".", "AVA_dataset/ava_images", "AVA_dataset/ava_images"),
        (".", ".", ""),
        ("AVA_dataset", "AVA_dataset/images/images", "images/images"),
        ("AVA_dataset", "images", "images"),
        ("lists", "AVA/images/images", "AVA/images/images"),
    ],
)
def test_pictures_and_table_are_found_where_copies_have_them(make_table, table, pictures, found):
    root = make_table(VOTES, VOTES, folder=table)
    add(root / pictures, "10.jpg", "11.jpg")
    copy = Copy(root, "large", 1)
    assert [photo.path for photo in copy.photos] == [os.path.join(found, name) for name in ("10.jpg", "11.jpg")]
    assert all(photo.file.exists() for photo in copy.photos)
    copy.require_pictures()


@pytest.mark.parametrize("folder", [".", "AVA_dataset"])
def test_a_link_that_leads_to_itself_hides_nothing(make_table, folder):
    root = make_table(VOTES, VOTES, folder=folder)
    add(root / folder / "images", "10.jpg", "11.jpg")
    for place in (root, root / folder / "images"):
        (place / "loop").symlink_to("loop")
    assert paths(root) == ["images/10.jpg", "images/11.jpg"]


def test_the_pictures_may_be_in_a_folder_of_their_own(make_table, tmp_path):
    root = make_table(VOTES, VOTES)
    add(root / "images", "10.jpg")
    add(tmp_path / "disk 2", "images/images/10.jpg", "images/images/11.jpg")
    assert paths(root, images=tmp_path / "disk 2") == ["images/images/10.jpg", "images/images/11.jpg"]
    assert "disk 3 is not a folder" in refused(root, images=tmp_path / "disk 3")


def test_a_folder_of_pictures_of_another_dataset_gives_no_photo_of_ava(make_table):
    root = make_table(VOTES, VOTES)
    add(root, "images/10.jpg", "koniq/images/11.jpg")
    assert paths(root) == ["images/10.jpg", "images/11.jpg"]
    (root / "images" / "10.jpg").rename(root / "koniq" / "10.txt")
    add(root, "flickr/images/10.jpg")
    assert "several folders of pictures: name AVA's, --images" in refused(root)


def test_of_several_tables_one_has_to_be_named(make_table):
    make_table(VOTES, folder="my AVA")
    root = make_table(VOTES, folder="other")
    assert f"--root '{root}/my AVA' or --root {root}/other" in refused(root)


def test_a_folder_or_a_fifo_named_like_a_picture_is_no_reason_to_look_at_every_file(make_table, monkeypatch):
    root = make_table(VOTES, VOTES)
    (root / "images" / "10.jpg").mkdir(parents=True)
    os.mkfifo(root / "images" / "11.jpg")
    assert paths(root) == ["images/10.jpg", "images/11.jpg"]


@pytest.mark.parametrize("folder", [".", "images"])
def test_an_archive_that_was_not_unpacked_is_named_at_once_with_the_command(make_table, folder):
    root = make_table(*[VOTES] * 10)
    add(root / folder, *(f"images.7z.{number:03}" for number in range(1, 5)))
    message = refused(root)
    assert "0 of the 10 photos" in message
    assert "7z x images.7z.001" in message
    assert "64 parts and needs them all, 4 are there" in message
    for part in (root / folder).glob("*.7z.*"):
        part.unlink()
    add(root / folder, "ava.zip")
    assert "unzip ava.zip" in refused(root)
    (root / folder / "ava.zip").rename(root / "lists.zip")
    (root / "AVA.txt").unlink()
    assert "has no AVA.txt" in (message := refused(root))
    assert "unzip lists.zip" in message


def test_an_archive_beside_its_unpacked_pictures_is_no_matter(make_table):
    root = make_table(*[VOTES] * 10)
    add(root, "ava.zip")
    add(root / "images", *(f"{number}.jpg" for number in range(10, 15)))  # half of them
    Copy(root, "large", 1).require_pictures()


def test_pictures_of_hardly_any_photo_are_refused_with_what_is_there(make_table):
    root = make_table(*[VOTES] * 10)
    assert f"put AVA's pictures (<id>.jpg) into {root}/images" in refused(root)
    add(root / "images", "photo-12.jpg", "12.jpg")
    message = refused(root)
    assert "only 1 of the 10 photos" in message
    assert "images/12.jpg is one of the 2 that are" in message


def test_only_the_pictures_of_the_lists_have_to_be_there(make_ava):
    root = make_ava(100, pictures=False)
    lists = Copy(root, "small", 1, small_rule="decile").partition()
    add(root, *(photo.path for photo in lists.photos))
    Copy(root, "small", 1, small_rule="decile").require_pictures()
    assert "only 20 of the 100 photos" in refused(root)


@pytest.mark.parametrize("first", [0, 1])
def test_pictures_that_are_numbered_in_a_row_are_refused(tmp_path, ava_line, first):
    ids = range(53, 53 + 4 * 300, 4)
    (tmp_path / "AVA.txt").write_text("".join(ava_line(n, photo_id, VOTES) for n, photo_id in enumerate(ids)))
    (tmp_path / "generic_test.jpgl").write_text("53\n")
    add(tmp_path / "images", *(f"{number}.jpg" for number in range(first, 1400 + first) if number != 77))
    message = refused(tmp_path)
    assert f"the 1,399 pictures are numbered {first} to {1399 + first}, and only 299 of these are ids" in message


def test_a_table_and_a_list_may_begin_with_a_byte_order_mark(make_table):
    root = make_table(VOTES, VOTES)
    table = (root / "AVA.txt").read_bytes()
    (root / "AVA.txt").write_bytes(b"\xef\xbb\xbf" + table.replace(b"\n", b"\r\n"))
    (root / "generic_test.jpgl").write_bytes(b"\xef\xbb\xbf0010\r\n 17 \r\n")
    assert read_ids(root / "generic_test.jpgl") == ["10", "17"]
    assert [photo.photo_id for photo in Copy(root, "large", 1).partition().test] == ["10"]


def test_more_votes_than_can_be_summed_exactly_are_refused(make_table):
    assert "AVA.txt:2: a number is out of range" in refused(make_table(VOTES, [2**31 + 1] + [0] * 9))


def test_an_empty_table_is_said_in_one_line_without_a_warning_of_numpys(make_table, recwarn):
    assert "is empty" in refused(make_table())
    assert not recwarn.list
