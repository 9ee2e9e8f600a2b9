"""The figures for a paper: of a column's width, with their fonts, the same bytes each time."""

from user_error import UserError

import re
import shutil
import zlib

import cv2
import pytest
import sample

from paper import tables
from report.paper_figures import write

NAMES = ["figure-1-demo", "figure-3-demo-vgg16_global", "figure-4-demo-vgg16_global"]
WIDTH = 252  # points


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("figures")
    sample.dataset(root / "data/demo")
    for seed in (1, 2):
        sample.run(root / "results", "demo/vgg16_global", seed)
    return root


def draw(home, out, data="data"):
    return write([tables()["demo"]], home / data, home / "results", out)


def test_figures_are_a_column_wide_hold_their_fonts_and_no_date_and_repeat_to_the_byte(home, tmp_path):
    assert draw(home, tmp_path / "a") == (NAMES, [])
    draw(home, tmp_path / "b")
    for name in NAMES:
        for kind in ("pdf", "png"):
            first, second = ((tmp_path / folder / f"{name}.{kind}").read_bytes() for folder in "ab")
            assert first == second
        assert abs(cv2.imread(f"{tmp_path}/a/{name}.png").shape[1] - WIDTH / 72 * 300) <= 1
        pdf = (tmp_path / "a" / f"{name}.pdf").read_bytes()
        assert re.search(rb"/MediaBox \[ *0 0 252 ", pdf)
        assert b"Date" not in pdf
        streams = b"".join(map(_inflated, re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.S)))
        assert b"STIXGeneral" in pdf + streams
        assert b"/FontFile2" in pdf + streams


def test_without_photos_there_is_figure_4_and_a_line_about_the_others(home, tmp_path):
    written, lacking = draw(home, tmp_path, data="nothing here")
    assert written == NAMES[2:]
    assert lacking == [f"demo: no Figures 1 and 3: {home}/nothing here/demo is not on this machine"]


@pytest.mark.parametrize("is_there", [False, True])
def test_without_an_lmdb_that_can_be_read_there_is_figure_4_and_a_line_about_it(home, tmp_path, is_there):
    shutil.copytree(home / "data", tmp_path / "data")
    store = tmp_path / "data/demo/test_global_lmdb/data.mdb"
    store.unlink()
    if is_there:
        store.symlink_to(store)  # what root cannot read either
    written, lacking = draw(home, tmp_path / "out", data=tmp_path / "data")
    assert written == NAMES[2:]
    reason = "Too many levels of symbolic links" if is_there else "No such file or directory"
    assert lacking == [f"demo: no Figures 1 and 3: {store} cannot be read: {reason}"]


def test_where_nothing_can_be_written_it_is_one_line(home, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*: give another --out DIR"):
        draw(home, tmp_path / "file")


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
