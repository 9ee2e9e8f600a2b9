"""Lists of photos are read as people and spreadsheets write them, or are refused in one line with file and line."""

from user_error import UserError

import os

import pytest

from data_prep.readers import lists

ADVICE = "the advice"


@pytest.fixture
def read(tmp_path):
    """read(content, files=..., **columns): the list with that content, which stands in the folder of its photos."""

    def read(content, files=(), **asked):
        for name in files:
            place = os.path.join(os.fsencode(tmp_path), name if isinstance(name, bytes) else name.encode())
            os.makedirs(os.path.dirname(place), exist_ok=True)
            open(place, "wb").close()
        path = tmp_path / "list.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return lists.read(path, tmp_path, asked, ADVICE)

    return read


def cells(photos):
    return [(entry.path, entry.score or entry.label) for entry in photos.entries]


@pytest.mark.parametrize(
    "content",
    [
        "path,score\na b.jpg,7.5\n图/片.jpg,2\n",
        "\ufeffpath,score\r\na b.jpg,7.5\r\n图/片.jpg,2",
        "path;score\na b.jpg;7.5\n图/片.jpg;2\n",
        "path\tscore\ra b.jpg\t7.5\r图/片.jpg\t2\r",
        "path\tscore\r\na b.jpg\t7.5\r\n图/片.jpg\t2\r\n".encode("utf-16"),
        "\ufeffpath,score\n图/片.jpg,2\n".replace("\n", "\na b.jpg,7.5\n", 1).encode("utf-16-be"),
        '\n\n"path" , "score"\n'.replace(" ", "") + '"a b.jpg", 7.5,,\n,,,\n./图//片.jpg,2,,\n',
        "std,MOS,Image Name,note\n1,7.5,a b.jpg,x\n,2,图/片.jpg,\n",
        "a b.jpg,7.5\n图/片.jpg,2\n",
    ],
)
def test_a_list_is_read_in_the_forms_that_editors_and_spreadsheets_write(read, content):
    asked = {"path": "1", "score": "2"} if "path" not in str(content) and "Image" not in str(content) else {}
    asked = {} if isinstance(content, bytes) else asked
    assert cells(read(content, **asked)) == [("a b.jpg", "7.5"), ("图/片.jpg", "2")]


def test_columns_may_be_named_or_numbered_with_and_without_a_header(read):
    found = [("a.jpg", "7")]
    assert cells(read("x,foto,punkte\n1,a.jpg,7\n", path="Foto", score="punkte")) == found
    assert cells(read("x,foto,punkte\n1,a.jpg,7\n", path="2", score="3")) == found
    assert cells(read("1,a.jpg,7\n", path="2", score="3")) == found
    assert cells(read("1,a,7\n", path="2", score="3")) == [("a", "7")]
    assert cells(read("a.jpg,good\n", path="1", label="2")) == [("a.jpg", "good")]
    assert cells(read("a.jpg,1\nb.jpg,2\n", path="1", label="2")) == [("a.jpg", "1"), ("b.jpg", "2")]
    assert cells(read("a,good\n", path="1", label="2")) == [("a", "good")]
    assert cells(read("file,good\na,1\n", path="1", label="2")) == [("a", "1")]
    assert cells(read("score,mos,name\n6,7,a.jpg\n", score="mos")) == found


@pytest.mark.parametrize(
    ("content", "asked", "says"),
    [
        ("", {}, " is empty"),
        ("\n\n", {}, " is empty"),
        ("path,score\n", {}, " names its columns, but no photo"),
        ("a.jpg,7\nb.jpg,3\n", {}, ":1: .*'a.jpg', '7': the advice"),
        ("path,score,mos\n", {}, ":1: 'score' and 'mos' may both be the score: the advice"),
        ("path,score\na.jpg,1\n", {"score": "mean"}, ":1: no column is 'mean'; .*'path', 'score': the advice"),
        ("path,score\na.jpg,1\n", {"score": "3"}, ":1: no column is '3'"),
        ("path,score\na.jpg,1\n", {"score": "9" * 5000}, ":1: no column is '9999"),
        ("path,score\na.jpg\n", {}, ":2: 1 columns where the first row has 2"),
        ("path,score\na,b.jpg,1\n", {}, ":2: 3 columns where the first row has 2: .*quotation marks"),
        ("path,score\n\n ,1\n", {}, ":3: the path is empty"),
        ("path,score\n.,1\n", {}, ":2: '.' is no path below"),
        ("path,score\na/../../b.jpg,1\n", {}, ":2: 'a/../../b.jpg' is no path below"),
        ("path,score\n/etc/b.jpg,1\n", {}, ":2: '/etc/b.jpg' is no path below"),
        ("path,score\nC:\\b.jpg,1\n", {}, r":2: 'C:\\\\b.jpg' is no path below"),
        ("path,score\na.jpg,1\n./a.jpg,1\n", {}, ":3: a.jpg is the photo of line 2 again"),
        ('path,score\n"a.jpg,1\nb.jpg,1\n', {}, ":2: a quotation mark is out of place"),
        ('path,score\n"a.jpg"b,1\n', {}, ":2: a quotation mark is out of place"),
        ('path,score\na.jpg,1\n"b.jpg,1\n' + "c.jpg,1\n" * 50_000, {}, ":3: a quotation mark is out of place"),
        ("path,score\na\0.jpg,1\n", {}, ":2: holds NUL characters"),
        ("path,score\n".encode("utf-16-le"), {}, ":1: holds NUL characters"),
        ("path,score\n" + "a" * 200_000 + ",1\n", {}, ":2: longer than 65,536 characters"),
        ("path,score\n风景.jpg,1\n".encode("gbk"), {}, ":2: the path is not UTF-8, .*save it as 'CSV UTF-8'"),
        (b"\xff\xfep\0a", {}, " begins as UTF-16 but is not"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line_with_its_place(read, content, asked, says):
    with pytest.raises(UserError, match=f"list.csv{says}") as refused:
        read(content, **asked)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 600


def test_a_list_of_hundreds_of_megabytes_of_nothing_is_refused_at_its_first_line(read, tmp_path):
    path = tmp_path / "list.csv"
    with path.open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(UserError, match=r"list.csv:1: holds NUL"):
        lists.read(path, tmp_path, {}, ADVICE)


def test_a_list_that_cannot_be_opened_is_named(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, says in (("fifo", "special file"), (".", "folder"), ("missing", "No such file"), ("a/b", "No such file")):
        with pytest.raises(UserError, match=says):
            lists.read(tmp_path / name, tmp_path, {}, ADVICE)


def test_a_path_is_taken_as_written_if_the_file_is_there_else_as_windows_means_it(read):
    files = ["a/b.jpg", "c\\d.jpg", " e.jpg", "f.jpg"]
    content = "path,score\na\\b.jpg,1\nc\\d.jpg,1\n e.jpg,1\n f.jpg ,1\nno\\such.jpg,1\n"
    paths = [entry.path for entry in read(content, files).entries]
    assert paths == ["a/b.jpg", "c\\d.jpg", " e.jpg", "f.jpg", "no/such.jpg"]


def test_an_absolute_path_below_the_folder_is_a_relative_one(read, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    content = f"path,score\n{tmp_path}/sub/a.jpg,1\n{tmp_path.resolve()}//b.jpg,1\n"
    assert [entry.path for entry in read(content).entries] == ["sub/a.jpg", "b.jpg"]


def test_names_are_bytes_so_a_list_in_gbk_names_the_files_of_a_folder_in_gbk(read):
    name = "风景.jpg".encode("gbk")
    entry, missing = read(b"path,score\n" + name + b",1\n\xff.jpg,2\n", [name]).entries
    assert os.fsencode(entry.path) == name
    assert os.fsencode(missing.path) == b"\xff.jpg"


def test_a_photo_under_two_names_is_found_behind_links_of_files_and_folders(read, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "b.jpg").symlink_to("real/a.jpg")
    for second in ("folder/a.jpg", "b.jpg"):
        with pytest.raises(UserError, match=f":3: {second} is the photo of line 2 again"):
            read(f"path,score\nreal/a.jpg,1\n{second},1\n")


def test_numbers_are_exact_and_plain():
    assert lists.number("7.25") == lists.number("7,25") == lists.number("+725e-2")
    assert lists.number("5.000000000000000000000000000000000001") > 5
    assert str(lists.number("-.5")) == "-0.5"
    for text in ("", "nan", "inf", "1e999", "1" * 5000, "0x10", "1_000", "1,234.5", "٣", "7 5", "1/2"):
        assert lists.number(text) is None


def test_votes_are_whole_and_may_be_unknown():
    assert [lists.votes(text) for text in ("", "0", "210", "210.0")] == [0, 0, 210, 210]
    assert [lists.votes(text) for text in ("-1", "2.5", "x", "1e50")] == [None] * 4


def test_labels_are_the_words_that_people_write():
    assert {lists.label(text) for text in ("1", "1.0", "Good", " HIGH", "yes", "True")} == {1}
    assert {lists.label(text) for text in ("0", "0.0", "bad", "Low", "no", "FALSE")} == {0}
    assert {lists.label(text) for text in ("", "2", "-1", "maybe")} == {None}
