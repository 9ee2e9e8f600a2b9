"""CUHKPQ's own layout is read exactly; its large partition asks for what the paper does not name."""

from user_error import UserError

import os

import pytest

from data_prep.readers import cuhkpq

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


def test_a_link_that_leads_to_itself_hides_nothing(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    photos = cuhkpq.read_cuhkpq(root)
    for place in (root, root / "HighQuality", root / "HighQuality" / "plant"):
        (place / "loop").symlink_to("loop")
    assert cuhkpq.read_cuhkpq(root) == photos


def test_a_name_in_any_script_and_code_page_is_a_name(make_cuhkpq):
    root = make_cuhkpq(COUNTS)
    names = ["图\u3000片.jpg", os.fsdecode("风景.jpg".encode("gbk"))]
    for name in names:
        (root / "LowQuality" / "plant" / name).touch()
    photos = cuhkpq.read_cuhkpq(root)
    assert {f"LowQuality/plant/{name}" for name in names} <= {photo.photo_id for photo in photos}
    assert cuhkpq.Copy(root, "small", 1).digest()


def test_the_folders_may_be_written_in_any_case_and_lie_two_levels_down_and_ids_stay_the_same(make_cuhkpq, tmp_path):
    usual = make_cuhkpq(COUNTS)
    odd = make_cuhkpq(COUNTS, "odd/unpacked/here")
    (odd / "HighQuality").rename(odd / "HIGH_QUALITY")
    (odd / "LowQuality").rename(odd / "lowquality")
    (odd / "lowquality" / "plant").rename(odd / "lowquality" / "Plant")
    (tmp_path / "odd" / "__MACOSX" / "HighQuality").mkdir(parents=True)
    photos = cuhkpq.read_cuhkpq(tmp_path / "odd")
    assert all(photo.file.exists() for photo in photos)
    assert [photo.photo_id for photo in photos] == [photo.photo_id for photo in cuhkpq.read_cuhkpq(usual)]
    digests = {cuhkpq.Copy(root, "small", 1).digest() for root in (usual, tmp_path / "odd")}
    assert len(digests) == 1
    (odd / "low quality").mkdir()
    with pytest.raises(UserError, match="has low quality and lowquality"):
        cuhkpq.read_cuhkpq(tmp_path / "odd")


def test_two_copies_below_the_root_are_named(make_cuhkpq, tmp_path):
    for name in ("above/one", "above/two"):
        make_cuhkpq(COUNTS, name)
    with pytest.raises(UserError, match=r"above/one and .*above/two both hold"):
        cuhkpq.read_cuhkpq(tmp_path / "above")


def test_archives_that_were_not_unpacked_are_named_with_the_command_that_does_it(make_cuhkpq, tmp_path):
    (tmp_path / "CUHKPQ photos.7z.001").touch()
    with pytest.raises(UserError, match=rf"`cd {tmp_path} && 7z x 'CUHKPQ photos.7z.001'`"):
        cuhkpq.read_cuhkpq(tmp_path)
    root = make_cuhkpq({**COUNTS, "LowQuality": (0,) * 7})
    (root / "LowQuality.zip").touch()
    with pytest.raises(UserError, match=r"LowQuality/animal is missing.*unzip LowQuality.zip`"):
        cuhkpq.read_cuhkpq(root)


def test_a_copy_that_is_not_whole_has_a_note_that_says_what_it_lacks(monkeypatch, make_cuhkpq):
    known = {"high": [1] * 7, "low": [2] * 7}
    monkeypatch.setattr(cuhkpq, "stated", lambda name: known[name.rpartition(".")[2]])
    root = make_cuhkpq(COUNTS)
    assert cuhkpq.Copy(root, "small", 1).partition().notes == ()
    known["high"][0], known["low"][6], known["low"][5] = 953, 5, 1
    assert cuhkpq.Copy(root, "small", 1).partition().notes == (
        "this copy lacks 955 of CUHKPQ's 975 photos: HighQuality/animal 953 -> 1, LowQuality/static 5 -> 2",
        "this copy has 1 beyond CUHKPQ's 975 photos: LowQuality/plant 1 -> 2",
    )
    known["high"] = [953] * 7
    assert (
        cuhkpq.Copy(root, "small", 1).partition().notes[0].endswith("HighQuality/landscape 953 -> 1 and 4 more folders")
    )


def test_a_copy_has_the_name_of_its_partition(tmp_path):
    assert cuhkpq.Copy(tmp_path, "large", 1, tmp_path).name == "cuhkpq-large"


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
        ("path,label\na.jpg,1\na.jpg,0\n", ":3: a.jpg is the photo of line 2 again"),
        ("path,label\na\0.jpg,1\n", ":2: "),
        ("path,label\n../a.jpg,1\n", ":2: .* is no path below"),
        (b"path,label\n\xff.jpg,1\n", ":2: the path is not UTF-8"),
        ("path,label\n" + "a" * 200_000 + ",1\n", ":2: longer than"),
        ("path,quality\na.jpg,1\n", ":1: .*path,label"),
        ("", " is empty"),
    ],
)
def test_a_bad_manifest_is_named_with_file_and_line(tmp_path, text, says):
    (tmp_path / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"manifest.csv{says}"):
        cuhkpq.read_extra(tmp_path, [])


def test_a_manifest_in_gbk_names_the_files_of_a_folder_in_gbk(tmp_path):
    name = "风景.jpg".encode("gbk")
    (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / "manifest.csv").write_bytes(b"path,label\n" + name + b",1\n")
    (photo,) = cuhkpq.read_extra(tmp_path, [])
    assert os.fsencode(photo.photo_id) == b"extra/" + name
    assert photo.file.exists()


def test_extra_photos_that_are_mostly_not_there_are_refused_at_once(make_cuhkpq, tmp_path):
    root = make_cuhkpq(COUNTS)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "manifest.csv").write_text("path,label\na.jpg,1\nb.jpg,0\n")
    copy = cuhkpq.Copy(root, "large", 1, tmp_path / "extra")
    with pytest.raises(UserError, match=r"2 of the 2 photos are not there, .*extra/a\.jpg .*manifest\.csv"):
        copy.require_pictures()
    (tmp_path / "extra" / "a.jpg").touch()
    copy.require_pictures()
    assert sum(photo.photo_id.startswith("extra/") for photo in copy.partition().photos) == 2


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
