"""AVA in parquet files: votes and ids without a look at pictures; pictures copied out of them byte for byte."""

from user_error import UserError

import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep import pictures as pictures_module
from data_prep import spool as spool_module
from data_prep import spool_index
from data_prep.photos import Photo
from data_prep.pictures import NotRead, Place, read
from data_prep.readers import ava_parquet, parquet
from data_prep.readers.ava import Copy
from data_prep.spool import Spool

COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
PICTURES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(number):
    """The bytes that stand for the picture of a photo; photo 1003's is empty, 1004 has none."""
    sizes = {1003: 0}
    return None if number == 1004 else np.random.default_rng(number).bytes(sizes.get(number, number))


def write(path, ids, *, plain=False, json_text=False, **columns):
    """A parquet file as on Hugging Face, three photos in a row group; a column that is None is left out."""
    pictures = [picture(number) for number in ids]
    structs = pa.array([{"bytes": data, "path": "x.jpg"} for data in pictures], PICTURES)
    counts = [[(number + score) % 9 for score in COUNTS] for number in ids]
    table = {
        "image_id": pa.array(ids),
        "image": pa.array(pictures, pa.binary()) if plain else structs,
        "mean_score": pa.array([5.0] * len(ids)),
        "rating_counts": pa.array([json.dumps(row) for row in counts] if json_text else counts),
    } | columns
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({name: column for name, column in table.items() if column is not None}), path, row_group_size=3
    )


@pytest.fixture
def root(tmp_path):
    """40 photos in four files, in data/."""
    for number in range(4):
        write(tmp_path / "hf" / "data" / f"train-{number}.parquet", list(range(1000 + number, 1040, 4)))
    return tmp_path / "hf"


def photos_of(root, **options):
    return Copy(root, "large", 1, **options).photos


def read_all(spool, photos):
    """The pictures of photos; None where there is none."""
    found = []
    for photo in photos:
        try:
            found.append(read(spool.place(photo)))
        except FileNotFoundError:
            found.append(None)
    return found


def expected(photos):
    return [picture(int(photo.photo_id)) for photo in photos]


def filled(folder, photos):
    spool = Spool(folder)
    spool.fill(photos)
    return spool


def refused(function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("json_text", [False, True])
@pytest.mark.parametrize("id_type", [pa.int64(), pa.int32(), pa.string()])
def test_ids_and_votes_are_those_of_the_files(tmp_path, json_text, id_type):
    ids = list(range(1000, 1010))
    write(tmp_path / "a.parquet", ids, json_text=json_text, image_id=pa.array(ids).cast(id_type))
    photos = photos_of(tmp_path)
    assert [(photo.photo_id, photo.path, photo.row) for photo in photos] == [
        (str(number), "a.parquet", row) for row, number in enumerate(ids)
    ]
    for number, photo in zip(ids, photos, strict=True):
        counts = [(number + score) % 9 for score in COUNTS]
        total = sum(score * count for score, count in enumerate(counts, 1))
        assert (photo.total, photo.divisor, photo.votes) == (total, sum(counts), sum(counts))
        assert photo.label == (total >= 5 * sum(counts))


def test_the_lists_are_made_without_a_look_at_the_pictures(root):
    """Every byte of the pictures is overwritten: a file that was read whole could not be."""
    for path in (root / "data").iterdir():
        content = bytearray(path.read_bytes())
        for group in range(pq.ParquetFile(path).metadata.num_row_groups):
            column = pq.ParquetFile(path).metadata.row_group(group).column(1)
            assert column.path_in_schema == "image.bytes"
            begin = column.dictionary_page_offset or column.data_page_offset
            content[begin : begin + column.total_compressed_size] = bytes(column.total_compressed_size)
        path.write_bytes(content)
    copy = Copy(root, "large", 1)
    copy.require_pictures()
    assert len(copy.partition().photos) == 40
    assert "damaged" in refused(filled, root / "spool", copy.photos)


def test_the_digest_is_of_ids_and_votes_however_the_files_are_cut(root, tmp_path):
    one = tmp_path / "one"
    write(one / "all.parquet", list(range(1039, 999, -1)), plain=True)
    assert Copy(one, "large", 1).digest() == Copy(root, "large", 1).digest()
    assert Copy(one, "small", 1).digest() != Copy(one, "large", 1).digest()
    write(one / "all.parquet", list(range(1039, 1000, -1)))
    assert Copy(one, "large", 1).digest() != Copy(root, "large", 1).digest()


def test_with_avas_own_table_the_votes_are_its_and_what_differs_is_noted(root, ava_line):
    (root / "AVA.txt").write_text(
        "".join(ava_line(1, n, [(n + score) % 9 for score in COUNTS]) for n in range(1000, 1050))
    )
    (root / "generic_test.jpgl").write_text("1001\n1049\n")
    copy = Copy(root, "large", 1)
    assert [photo.row is None for photo in copy.photos] == [n >= 1040 for n in range(1000, 1050)]
    assert "parquet" not in " ".join(copy.partition().notes)
    copy.require_pictures()
    table = (root / "AVA.txt").read_text().splitlines(keepends=True)
    (root / "AVA.txt").write_text("".join([ava_line(1, 1000, [1] * 10), ava_line(1, 1001, [2] * 10), *table[2:]]))
    notes = " ".join(Copy(root, "large", 1).partition().notes)
    assert "2 photos have other votes in the parquet files than in AVA.txt, whose votes count" in notes


def test_the_parquet_files_may_be_in_a_folder_of_their_own(root, tmp_path, ava_line):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "AVA.txt").write_text("".join(ava_line(1, n, COUNTS) for n in range(1000, 1040)))
    photos = photos_of(tmp_path / "lists", images=root)
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


def test_files_that_do_not_say_which_photo_a_picture_is_are_refused(tmp_path):
    write(tmp_path / "a.parquet", [1000], image_id=None)
    assert "no column image_id, so nothing tells which photo of AVA a picture is" in refused(photos_of, tmp_path)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"rating_counts": None}, "no votes (rating_counts): put AVA.txt beside them"),
        ({"rating_counts": pa.array([[1] * 10, [1] * 9])}, "a.parquet#1: rating_counts is no list"),
        ({"rating_counts": pa.array([[1] * 10, None])}, "a.parquet#1: rating_counts is no list"),
        ({"rating_counts": pa.array([[1] * 10, [1] * 9 + [None]])}, "a.parquet#1: rating_counts is out of range"),
        ({"rating_counts": pa.array([[0] * 10, [1] * 10])}, "a.parquet#0: rating_counts is out of range, or all are 0"),
        ({"rating_counts": pa.array([[-1] * 10, [1] * 10])}, "a.parquet#0: rating_counts is out of range"),
        ({"rating_counts": pa.array([[0.5] * 10] * 2)}, "rating_counts is no list"),
        ({"rating_counts": pa.array([1, 2])}, "rating_counts is no list"),
        ({"rating_counts": pa.array(["[1.5,1,1,1,1,1,1,1,1,1]"] * 2)}, "rating_counts is no list"),
        ({"rating_counts": pa.array([b"\xff", b"[1]"]).view(pa.string())}, "a.parquet#0: rating_counts is no list"),
        ({"rating_counts": pa.array(["[1]", "[1]"])}, "a.parquet#0: rating_counts is no list"),
        ({"rating_counts": pa.array(["{", "[1]"])}, "a.parquet#0: rating_counts is no list"),
        ({"rating_counts": pa.array(['"ab"', "[1]"])}, "rating_counts is no list"),
        ({"rating_counts": pa.array(["[" + ",".join(["9" * 30] * 10) + "]"] * 2)}, "rating_counts is no list"),
        ({"image_id": pa.array([1000, None])}, "a.parquet#1: image_id is no number"),
        ({"image_id": pa.array([1000, -1])}, "a.parquet#1: image_id is no number"),
        ({"image_id": pa.array(["1000", "x.jpg"])}, "image_id is no number"),
        ({"image_id": pa.array([b"1000", b"\xff"]).view(pa.string())}, "image_id is no number"),
        ({"image_id": pa.array([1000, 1000])}, "a.parquet#1: photo 1000 is also a.parquet#0"),
        ({"image_id": pa.array([[1], [2]])}, "image_id is no number"),
    ],
)
def test_columns_that_are_not_as_they_should_be_are_refused(tmp_path, columns, says):
    write(tmp_path / "a.parquet", [1000, 1001], **columns)
    assert says in refused(photos_of, tmp_path)


@pytest.mark.parametrize("name", ["image_id", "image", "rating_counts"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, name):
    write(tmp_path / "a.parquet", [1000, 1001])
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.append_column(name, table.column(name)), tmp_path / "a.parquet")

    def read_it():
        assert Copy(tmp_path, "large", 1).photos
        ava_parquet.require_readable(tmp_path, ["a.parquet"])

    assert f"a.parquet has 2 columns {name}" in refused(read_it)


def test_a_columns_name_that_is_not_utf_8_is_refused(tmp_path):
    write(tmp_path / "a.parquet", [1000, 1001], other=pa.array([1, 2]))
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content.replace(b"other", b"\xff" * 5))
    assert "a.parquet is no parquet file" in refused(photos_of, tmp_path)


def test_more_rows_than_ava_can_have_are_refused_before_they_are_read(root, monkeypatch):
    monkeypatch.setattr(ava_parquet, "MAX_ROWS", 39)
    assert "holds more than 39 photos, at data/train-3.parquet" in refused(photos_of, root)


def test_a_small_file_that_holds_too_much_for_photos_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "SMALL", 1000)
    zeros = pa.array([bytes(100_000 + number) for number in range(2)])
    table = pa.table({"image_id": [1000, 1001], "image": zeros, "rating_counts": [COUNTS] * 2})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    says = refused(ava_parquet.require_readable, tmp_path, ["a.parquet"])
    assert "a.parquet holds no photos: 200,055 bytes of pictures in" in says


def test_files_without_pictures_are_refused_before_anything_is_copied(tmp_path):
    for column in (None, pa.array(["a", "b"]), pa.array([{"path": "x"}] * 2)):
        write(tmp_path / "a.parquet", [1000, 1001], image=column)
        assert "has no pictures" in refused(Copy(tmp_path, "large", 1).require_pictures)


def test_what_is_no_whole_parquet_file_is_named(root):
    path = root / "data" / "train-2.parquet"
    whole = path.read_bytes()
    for content, says in (
        (whole[:-100], "its end was cut off"),
        (b"", "is no parquet file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ):
        path.write_bytes(content)
        assert f"{path} " in (message := refused(photos_of, root))
        assert says in message
    path.unlink()
    os.mkfifo(path)
    assert "not a file" in refused(photos_of, root)


@pytest.mark.parametrize("plain", [False, True])
def test_the_bytes_at_a_place_are_those_of_the_picture(tmp_path, plain):
    ids = list(range(1000, 1040))
    write(tmp_path / "b.parquet", ids[:25], plain=plain)
    write(tmp_path / "a.parquet", ids[25:], plain=plain)
    photos = photos_of(tmp_path)[::-1]
    found = read_all(filled(tmp_path / "spool", photos), photos)
    assert found == expected(photos)
    assert (found[photos.index(next(p for p in photos if p.photo_id == "1003"))], found.count(None)) == (b"", 1)


def test_only_the_wanted_pictures_are_copied_and_files_of_their_own_stay_where_they_are(root, tmp_path):
    photos = photos_of(root)
    few = [*photos[::7], Photo("5", tmp_path, "5.jpg", 1)]
    spool = filled(tmp_path / "spool", few)
    assert read_all(spool, few[:-1]) == expected(few[:-1])
    assert spool.place(few[-1]) == Place(str(tmp_path / "5.jpg"))
    size = sum(len(data) for data in expected(few[:-1]) if data)
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir() if path.name == "spool") == size


def test_the_disk_space_that_pictures_take_is_foreseen_however_small_they_are_packed(tmp_path):
    table = pa.table({"image_id": range(40), "image": [bytes(10_000 + n) for n in range(40)]})
    table = table.append_column("rating_counts", [[COUNTS] * 40])
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", row_group_size=7)
    photos = photos_of(tmp_path)
    for part in (photos, photos[:10]):
        assert Spool(tmp_path).bytes_needed(part) == pytest.approx(10_000 * len(part), rel=0.05)


def test_a_picture_that_is_too_large_is_not_copied_and_refused_like_a_file_that_is(root, tmp_path, monkeypatch):
    for module in (pictures_module, spool_module, spool_index):
        monkeypatch.setattr(module, "LARGEST_FILE", 1030)
    photos = photos_of(root)
    for _ in range(2):  # copied, and taken up
        spool = filled(tmp_path / "spool", photos)
        for photo in photos:
            if int(photo.photo_id) > 1030:
                with pytest.raises(NotRead, match=f"too large: 1,{photo.photo_id[1:]} bytes"):
                    read(spool.place(photo))
            else:
                assert read_all(spool, [photo]) == expected([photo])
    fitting = [data for data in expected(photos) if data and len(data) <= 1030]
    assert (tmp_path / "spool" / "spool").stat().st_size == sum(map(len, fitting))


def test_progress_counts_the_photos_and_ends_with_all_of_them(root, tmp_path):
    photos = photos_of(root)[3:30]
    shown = []
    Spool(tmp_path / "spool").fill(photos, shown.append)
    assert shown == sorted(shown)
    assert shown[-1] == 27
    again = []
    Spool(tmp_path / "spool").fill(photos, again.append)
    assert again == shown


def copying_that_dies(monkeypatch, groups):
    """Have the copying end without warning after so many row groups, as a kill would."""
    original = spool_module.read_pictures
    left = [groups]

    def pictures(*arguments):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return original(*arguments)

    monkeypatch.setattr(spool_module, "read_pictures", pictures)


@pytest.mark.parametrize("commit", [1, 2**26])
def test_a_killed_copying_is_resumed_after_the_last_row_group_that_was_on_the_disk(root, tmp_path, monkeypatch, commit):
    photos = photos_of(root)
    monkeypatch.setattr(spool_module, "COMMIT", commit)
    with monkeypatch.context() as patch:
        copying_that_dies(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            filled(tmp_path / "spool", photos)
    with monkeypatch.context() as patch:
        copying_that_dies(patch, 11 if commit == 1 else 16)  # of 16 row groups
        spool = filled(tmp_path / "spool", photos)
    assert read_all(spool, photos) == expected(photos)
    with monkeypatch.context() as patch:
        copying_that_dies(patch, 0)
        assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


@pytest.mark.parametrize(
    ("file", "damage"),
    [*product(["spool", "spool_index"], ["cut", "longer", "empty", "gone", "garbled"])],
)
def test_what_did_not_reach_the_disk_as_it_was_written_is_copied_again(root, tmp_path, file, damage):
    photos = photos_of(root)
    filled(tmp_path / "spool", photos)
    path = tmp_path / "spool" / file
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "longer":
            path.write_bytes(content + bytes(50))
        case "garbled":
            path.write_bytes(content[:-90] + bytes(40) + content[-50:])
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


def test_row_groups_whose_line_was_lost_are_copied_again(tmp_path):
    images = pa.array([None] * 3 + [picture(number) for number in range(1003, 1010)])
    write(tmp_path / "a.parquet", list(range(1000, 1010)), image=images)
    photos = photos_of(tmp_path)
    filled(tmp_path / "spool", photos)
    index = tmp_path / "spool" / "spool_index"
    lines = index.read_bytes().splitlines(keepends=True)
    for lost in range(len(lines)):
        index.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
        assert read_all(filled(tmp_path / "spool", photos), photos) == images.to_pylist()
        assert index.read_bytes() == b"".join(lines)


def replaced(root):
    """Two files change places: other ids, of the same votes in all."""
    a, b = root / "data" / "train-0.parquet", root / "data" / "train-1.parquet"
    a.rename(root / "c")
    b.rename(a)
    (root / "c").rename(b)


def shortened(root):
    write(root / "data" / "train-0.parquet", [1000, 1004])


def reordered(root):
    write(root / "data" / "train-0.parquet", list(range(1000, 1040, 4))[::-1])


@pytest.mark.parametrize("change", [replaced, shortened, reordered])
def test_no_picture_is_copied_from_a_file_that_is_not_the_one_whose_ids_were_read(root, tmp_path, change):
    photos = photos_of(root)
    change(root)
    says = refused(filled, tmp_path / "spool", photos)
    assert says == f"{root}/data/train-0.parquet changed while it was read: give the same command again"
    photos = photos_of(root)
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


@pytest.mark.parametrize("change", [shortened, reordered])
def test_a_file_that_is_written_into_while_it_is_copied_is_refused(root, tmp_path, monkeypatch, change):
    photos = photos_of(root)
    original = spool_module.read_pictures

    def pictures(*arguments):
        yield from original(*arguments)
        monkeypatch.undo()
        change(root)

    monkeypatch.setattr(spool_module, "read_pictures", pictures)
    assert "train-0.parquet changed while it was read" in refused(filled, tmp_path / "spool", photos)
    photos = photos_of(root)
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


def test_the_copying_starts_again_where_the_files_or_the_photos_are_others(root, tmp_path):
    photos = photos_of(root)
    for wanted in (photos[::2], photos[1::2], photos):
        assert read_all(filled(tmp_path / "spool", wanted), wanted) == expected(wanted)
    path = root / "data" / "train-3.parquet"
    write(path, list(range(1043, 1003, -4)))
    photos = photos_of(root)
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


def test_the_copying_starts_again_where_a_file_has_other_pictures_of_the_same_ids_and_sizes(tmp_path):
    path, ids = tmp_path / "a.parquet", list(range(1000, 1010))
    for seed in range(2):
        pictures = [np.random.default_rng([seed, number]).bytes(1000) for number in ids]
        write(path, ids, image=pa.array(pictures))
        os.utime(path, (seed, seed))
        photos = photos_of(tmp_path)
        assert read_all(filled(tmp_path / "spool", photos), photos) == pictures


def test_a_page_that_is_damaged_is_refused_with_the_files_name_and_the_copying_resumed_once_it_is_replaced(
    root, tmp_path
):
    photos = photos_of(root)
    path = Path(photos[0].folder) / photos[0].path
    whole, status = path.read_bytes(), path.stat()
    column = pq.ParquetFile(path).metadata.row_group(2).column(1)
    begin = column.dictionary_page_offset or column.data_page_offset
    path.write_bytes(whole[:begin] + b"\xff" * 60 + whole[begin + 60 :])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert f"{path} is damaged: download it again" in refused(filled, tmp_path / "spool", photos)
    path.write_bytes(whole)
    assert read_all(filled(tmp_path / "spool", photos), photos) == expected(photos)


def test_names_that_are_not_utf_8_are_names_like_any_other(tmp_path):
    write(tmp_path / "a.parquet", [1000, 1001])
    name = os.fsdecode("照片".encode("gbk"))
    root = tmp_path / name
    root.mkdir()
    (tmp_path / "a.parquet").rename(root / f"{name}.parquet")
    photos = photos_of(root)
    assert read_all(filled(root / "spool", photos), photos) == expected(photos)
    assert read_all(filled(root / "spool", photos), photos) == expected(photos)


def pack(path, ids, pictures):
    path.parent.mkdir(exist_ok=True)
    table = pa.table({"image_id": ids, "image": pa.array([{"bytes": data} for data in pictures])})
    pq.write_table(table, path, row_group_size=7)


@pytest.fixture
def packed(make_ava, tmp_path):
    """A copy of AVA of 40 photos in a parquet file, without the picture of 1013, and the same copy in files."""
    files = make_ava(40, test_list=range(1000, 1010))
    (files / "images" / "1013.jpg").unlink()
    (tmp_path / "packed").mkdir()
    for name in ("AVA.txt", "aesthetics_image_lists"):
        (tmp_path / "packed" / name).symlink_to(files / name)
    ids = list(range(1039, 999, -1))
    pictures = [None if n == 1013 else (files / "images" / f"{n}.jpg").read_bytes() for n in ids]
    pack(tmp_path / "packed" / "all.parquet", ids, pictures)
    return tmp_path / "packed", files


@pytest.fixture
def prepared(data_prep, tmp_path):
    """prepared(root, options, ...): the exit status, what was printed, and the stores of the dataset of that root."""

    def prepare(root, *options):
        out = ("--out", tmp_path / "out", "--name", root.name)
        ended = data_prep("ava", "--root", root, "--partition", "large", "--jobs", 2, *out, *options)
        folder = tmp_path / "out" / root.name
        stores = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*_lmdb/data.mdb")}
        return ended.returncode, ended.stdout + ended.stderr, stores

    return prepare


def test_a_dataset_from_parquet_files_is_that_from_files_to_the_byte_and_leaves_no_spool(packed, prepared, tmp_path):
    from_parquet, from_files = (prepared(root, "--allow-bad", 1) for root in packed)
    assert from_parquet[0] == from_files[0] == 0, from_parquet[1]
    assert "(1 missing, 0 corrupt)" in from_parquet[1]
    assert len(from_parquet[2]) == 4
    assert from_parquet[2] == from_files[2]
    assert not list(tmp_path.rglob("*spool*"))


def test_a_half_done_dataset_whose_files_were_replaced_by_others_of_the_same_ids_has_the_pictures_of_these(
    packed, prepared
):
    root, files = packed
    status, _, stores = prepared(root)
    assert (status, stores) == (2, {})  # a photo is missing: nothing is published, all is kept
    pictures = sorted((files / "images").iterdir())
    for one, other in zip(pictures[::2], pictures[1::2], strict=False):
        one.rename(files / "x")
        other.rename(one)
        (files / "x").rename(other)
    ids = list(range(1000, 1040))
    pack(root / "all.parquet", ids, [(files / "images" / f"{n}.jpg").read_bytes() if n != 1013 else None for n in ids])
    again, expected = (prepared(root, "--allow-bad", 1) for root in packed)
    assert again[0] == 0, again[1]
    assert again[2] == expected[2]
