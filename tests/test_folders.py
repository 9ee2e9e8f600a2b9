"""Folders are read as people and machines leave them: links, thumbnails, archives, other spellings of names."""

from user_error import UserError

import os
from pathlib import Path

import pytest

from data_prep.photos import Photo
from data_prep.readers import folders


@pytest.fixture
def make(tmp_path):
    """make(path, ...): empty files below the folder that it returns."""

    def make(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return make


def test_thumbnails_and_hidden_files_are_no_pictures(make):
    folder = make("a.JPG", "deep/b.webp", "@eaDir/a.JPG", "__MACOSX/._a.JPG", ".cache/c.jpg", "._a.JPG", "d.txt")
    assert folders.pictures_below(folder) == ["a.JPG", "deep/b.webp"]
    assert [path.name for path in folders.subfolders(folder)] == ["deep"]


def test_a_folder_that_two_links_lead_to_is_visited_once(make):
    folder = make("real/a.jpg")
    (folder / "link").symlink_to("real")
    (folder / "real" / "loop").symlink_to("..")
    assert folders.pictures_below(folder) == ["link/a.jpg"]


def test_a_link_that_leads_to_itself_hides_nothing(make):
    folder = make("a/1.jpg")
    (folder / "loop").symlink_to("loop")
    assert folders.subfolders(folder) == [folder / "a"]
    assert folders.pictures_below(folder) == ["a/1.jpg"]


def test_a_folder_that_may_not_be_read_is_named_and_one_that_is_not_there_is_empty(make, monkeypatch):
    folder = make("shut/a.jpg")
    assert folders.pictures_below(folder / "none") == folders.pictures_in(folder / "none") == []
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="shut cannot be listed: Permission denied"):
        folders.pictures_below(folder)
    with pytest.raises(UserError, match="shut cannot be listed: Permission denied"):
        folders.require_most([Photo("a", folder, "shut/a.jpg", 1)], "")


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["b.zip", "a b.tar.gz"], "tar xf 'a b.tar.gz'"),
        (["images.7z.001", "images.7z.002"], "7z x images.7z.001"),
        (["A.ZIP"], "unzip A.ZIP"),
        (["Photos.RAR"], "7z x Photos.RAR"),
    ],
)
def test_an_archive_is_named_with_the_command_that_unpacks_it(make, names, command):
    folder = make(*names)
    assert f"`cd {folder} && {command}`" in folders.how_to_unpack(folder)
    assert folders.how_to_unpack(folder / "none") == ""


@pytest.mark.parametrize(
    ("listed", "there"),
    [("a/1.jpg", "a/1.JPG"), ("a/1", "a/1.jpg"), ("photos/1.jpg", "1.jpg"), ("a/1.jpg", ""), ("a/1.jpg", "a/11.jpg")],
)
def test_what_is_there_in_place_of_a_listed_photo_is_named(make, listed, there):
    folder = make(there) if there else make("other/2.jpg")
    with pytest.raises(UserError, match="1 of the 1 photos are not there") as refused:
        folders.require_most([Photo("x", folder, listed, 1)], "the fix")
    assert (f"({folder / there} is there)" in str(refused.value)) == (there not in ("", "a/11.jpg"))
    assert str(refused.value).endswith("; the fix")


def test_half_of_the_photos_are_enough(make):
    folder = make("1.jpg")
    folders.require_most([Photo("1", folder, "1.jpg", 1), Photo("2", folder, "2.jpg", 1)], "")
    folders.require_most([], "")


def test_names_too_long_for_a_file_system_are_not_there(tmp_path: Path):
    listing = folders.Listing(tmp_path)
    assert "x" * 300 + "/" + "y" * 300 not in listing
