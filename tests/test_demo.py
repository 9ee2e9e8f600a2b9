"""The embedded dataset: the same bytes from the same seed, in AVA's and CUHKPQ's layouts, whatever happens."""

from user_error import UserError

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from demo import dataset, layout, score
from demo.camera import draw_size
from demo.dataset import draw_dataset
from demo.score import SCENES, rate

REPOSITORY = Path(__file__).parents[1]
PHOTOS, SEED = 40, 1
DRAWN = (1, "b909ab686c7711944ce3a58ec0a15194945f8276670d9caef806dedc2f20775d")  # version, digest of the drawings
HASH_OF_VERSION_1 = "f759388317bb3d5e002501f39fe4663dcee39b121fb303c0316b834fa71023a6"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "set"
    return out, draw_dataset(out, PHOTOS, SEED, jobs=2)


@pytest.fixture
def plain_opencv():
    """OpenCV with the one code that every processor can run: its faster ones round differently."""
    optimized, threads = cv2.useOptimized(), cv2.getNumThreads()
    cv2.setUseOptimized(False)
    cv2.setNumThreads(1)
    yield
    cv2.setUseOptimized(optimized)
    cv2.setNumThreads(threads)


def rows(out: Path) -> list[list[int]]:
    return [list(map(int, line.split(" "))) for line in (out / "ava/AVA.txt").read_text().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_seed_draws_the_same_bytes_whatever_the_number_of_jobs(drawn, tmp_path):
    out, summary = drawn
    assert draw_dataset(tmp_path / "again", PHOTOS, SEED, jobs=1) == summary
    assert contents(tmp_path / "again") == contents(out)


def test_a_photo_does_not_depend_on_how_many_are_drawn_and_does_on_the_seed(drawn, tmp_path):
    out, _ = drawn
    for name, seed in (("few", SEED), ("other", SEED + 1)):
        draw_dataset(tmp_path / name, 20, seed, jobs=2)
    few, other, all_photos = (contents(f / "ava/images") for f in (tmp_path / "few", tmp_path / "other", out))
    assert few.items() <= all_photos.items()
    assert not set(few.values()) & set(other.values())
    assert rows(tmp_path / "few") == rows(out)[:20]


def test_ava_txt_has_fifteen_columns_and_ids_as_scattered_as_avas(drawn):
    out, summary = drawn
    table = rows(out)
    assert len(table) == summary.photos == PHOTOS
    assert {len(row) for row in table} == {15}
    assert [row[0] for row in table] == list(range(1, PHOTOS + 1))
    ids = [row[1] for row in table]
    assert len(set(ids)) == PHOTOS
    assert ids != sorted(ids)
    assert max(ids) - min(ids) > PHOTOS
    assert [tuple(row[2:12]) for row in table] == [rate(SEED, i).votes for i in range(PHOTOS)]


def test_ids_stay_unique_up_to_the_largest_set():
    ids = {layout.photo_id(3, i) for i in range(dataset.MAX_PHOTOS + layout.GHOSTS)}
    assert len(ids) == dataset.MAX_PHOTOS + layout.GHOSTS


def test_every_tag_and_challenge_is_named_and_the_first_tag_is_the_scene(drawn):
    out, _ = drawn
    tags, challenges = (
        dict(line.split(" ", 1) for line in (out / "ava" / name).read_text().splitlines())
        for name in ("tags.txt", "challenges.txt")
    )
    assert list(tags.values()) == sorted(tags.values())
    assert list(challenges.values()) == sorted(challenges.values())
    for index, row in enumerate(rows(out)):
        assert row[12] == layout.SCENE_TAGS[rate(SEED, index).scene][0]
        assert {str(tag) for tag in row[12:14] if tag} <= tags.keys()
        assert str(row[14]) in challenges


def test_the_test_list_is_shuffled_and_names_ids_that_ava_txt_lacks(drawn):
    out, summary = drawn
    listed = list(map(int, (out / "ava/aesthetics_image_lists/generic_test.jpgl").read_text().split()))
    in_ava = [number for number in listed if number in {row[1] for row in rows(out)}]
    assert len(set(listed)) == len(listed)
    assert len(in_ava) == summary.test == round(PHOTOS * 3 / 13)
    assert len(listed) - len(in_ava) == layout.GHOSTS
    assert listed != sorted(listed)


def test_one_photo_is_missing_one_cut_off_one_cmyk_and_a_few_grey(drawn):
    out, _ = drawn
    kinds = []
    for row in rows(out):
        try:
            with Image.open(out / f"ava/images/{row[1]}.jpg") as image:
                image.load()
                assert image.format == "JPEG"
                kinds.append(image.mode)
        except FileNotFoundError:
            kinds.append("missing")
        except (UnidentifiedImageError, OSError):
            kinds.append("cut off")
    assert (kinds.count("missing"), kinds.count("cut off"), kinds.count("CMYK"), kinds.count("L")) == (1, 1, 1, 1)
    assert kinds.count("RGB") == PHOTOS - 4
    assert len(list((out / "ava/images").iterdir())) == PHOTOS - 1


def test_sides_are_160_to_800_pixels_upright_and_wide():
    sizes = np.array([draw_size(score.generators(SEED, index)[1]) for index in range(2000)])
    assert (sizes.min(), sizes.max()) == (160, 800)
    long_sides = sizes.max(1)
    assert 400 <= np.median(long_sides) <= 640
    assert 0.02 < (long_sides == 800).mean() < 0.1
    assert 0.03 < (long_sides < 256).mean() < 0.15
    assert 0.15 < (sizes[:, 0] < sizes[:, 1]).mean() < 0.4


def test_cuhkpq_links_the_photos_that_eight_of_ten_viewers_agree_on(drawn):
    out, summary = drawn
    folders = {f"{quality}/{scene}" for quality in ("HighQuality", "LowQuality") for scene in SCENES}
    assert {str(p.relative_to(out / "cuhkpq")) for p in out.glob("cuhkpq/*/*")} == folders
    linked = {p.stat().st_ino: p for p in out.glob("cuhkpq/*/*/*.jpg")}
    assert len(linked) == summary.cuhkpq_high + summary.cuhkpq_low
    for index, row in enumerate(rows(out)):
        rating, file = rate(SEED, index), out / f"ava/images/{row[1]}.jpg"
        agreed = rating.approvals >= 8 or rating.approvals <= 2
        if index in (layout.MISSING, layout.TRUNCATED) or not agreed:
            assert not file.exists() or file.stat().st_nlink == 1
            continue
        quality = "HighQuality" if rating.approvals >= 8 else "LowQuality"
        assert linked[file.stat().st_ino].relative_to(out / "cuhkpq").parts[:2] == (quality, rating.scene)


def test_without_hard_links_the_photos_are_copied(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    ratings = [rate(SEED, index) for index in range(20)]
    for index in range(20):
        (tmp_path / f"{layout.photo_id(SEED, index)}.jpg").write_bytes(b"photo")
    high, low = layout.write_cuhkpq(tmp_path / "cuhkpq", tmp_path, SEED, ratings)
    copies = [path.read_bytes() for path in tmp_path.glob("cuhkpq/*/*/*.jpg")]
    assert copies == [b"photo"] * (high + low)


def test_a_second_call_says_so_and_does_nothing(drawn, capsys):
    out, summary = drawn
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert draw_dataset(out, PHOTOS, SEED, jobs=2) == summary
    assert capsys.readouterr().out == f"{out} is already drawn\n"
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize(("photos", "seed"), [(PHOTOS + 1, SEED), (PHOTOS, SEED + 1)])
def test_other_numbers_for_the_same_folder_are_refused(drawn, photos, seed):
    out, _ = drawn
    with pytest.raises(UserError, match=f"--photos {PHOTOS} --seed {SEED}.*remove .*--out"):
        draw_dataset(out, photos, seed, jobs=1)


def test_a_set_of_another_version_is_refused(drawn, monkeypatch):
    out, _ = drawn
    monkeypatch.setattr(dataset, "DRAWING_VERSION", dataset.DRAWING_VERSION + 1)
    with pytest.raises(UserError, match=r"another version.*remove .*--out"):
        draw_dataset(out, PHOTOS, SEED, jobs=1)


@pytest.mark.parametrize(
    ("drawing", "version", "current"),
    [(HASH_OF_VERSION_1, 1, True), (HASH_OF_VERSION_1, 2, False), ("0" * 64, 1, False), (2, 1, False)],
)
def test_a_set_stamped_with_a_hash_is_current_if_it_was_drawn_alike(
    drawn, tmp_path, monkeypatch, drawing, version, current
):
    stamp = json.loads((drawn[0] / "demo.json").read_text()) | {"drawing": drawing}
    (tmp_path / "demo.json").write_text(json.dumps(stamp))
    monkeypatch.setattr(dataset, "DRAWING_VERSION", version)
    with nullcontext() if current else pytest.raises(UserError, match="another version"):
        assert draw_dataset(tmp_path, PHOTOS, SEED, jobs=1) == drawn[1]


def test_drawings_that_change_have_another_version(tmp_path, plain_opencv):
    photos = 160  # run every line of the painters
    images = tmp_path / "ava/images"
    images.mkdir(parents=True)
    for index in range(photos):
        dataset.draw_photo(images, SEED, index)
    ratings = [rate(SEED, index) for index in range(photos)]
    layout.write_ava(tmp_path / "ava", SEED, ratings)
    layout.write_cuhkpq(tmp_path / "cuhkpq", images, SEED, ratings)
    digest = hashlib.sha256()
    for name, content in sorted(contents(tmp_path).items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    assert (dataset.DRAWING_VERSION, digest.hexdigest()) == DRAWN, (
        f"the drawings changed: raise DRAWING_VERSION, and put it and this digest into DRAWN: {digest.hexdigest()}"
    )


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"drawing": []}', b'{"drawing": "", "photos": "many"}']
)
def test_a_damaged_stamp_is_refused(tmp_path, damage):
    (tmp_path / "demo.json").write_bytes(damage)
    with pytest.raises(UserError, match="damaged"):
        draw_dataset(tmp_path, PHOTOS, SEED, jobs=1)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="no demo dataset"):
        draw_dataset(tmp_path, PHOTOS, SEED, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("numbers", "option"),
    [((19, 0, 1), "--photos 19"), ((100_001, 0, 1), "--photos"), ((60, -1, 1), "--seed"), ((60, 0, 0), "--jobs")],
)
def test_numbers_out_of_range_are_refused(tmp_path, data_prep, numbers, option):
    given = [word for pair in zip(("--photos", "--seed", "--jobs"), numbers, strict=True) for word in pair]
    ended = data_prep("demo", "--out", tmp_path / "set", *given)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert option in line
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot draw into"):
        draw_dataset(tmp_path / "file" / "set", PHOTOS, SEED, jobs=1)


def test_a_drawing_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(images, *_):
        (images / "1.jpg").write_bytes(b"half a photo")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(dataset, "draw_photos", fail)
    with pytest.raises(UserError, match="No space left on device"):
        draw_dataset(tmp_path / "set", 20, SEED, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == [".set.lock"]


def start_drawing(out: Path) -> subprocess.Popen:
    """Begin a set that takes minutes, and wait for its first photo."""
    code = "import sys, pathlib, demo.dataset as d; d.draw_dataset(pathlib.Path(sys.argv[1]), 50_000, 0, 1)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, out], cwd=REPOSITORY, stderr=subprocess.PIPE, start_new_session=True
    )
    images = out.with_name(f".{out.name}.drawing") / "ava/images"
    deadline = time.monotonic() + 60
    while not (images.is_dir() and any(images.iterdir())):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_killed_drawing_leaves_no_set_and_no_process_and_the_next_call_draws_it(tmp_path):
    out = tmp_path / "set"
    process = start_drawing(out)
    with pytest.raises(UserError, match="another process"):
        draw_dataset(out, 20, SEED, jobs=1)
    process.kill()
    process.stderr.read()  # ends when the last process that holds it has ended
    process.wait()
    assert not out.exists()
    assert draw_dataset(out, 20, SEED, jobs=1).photos == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == [".set.lock", "set"]
    assert len(list((out / "ava/images").iterdir())) == 19


def test_ctrl_c_leaves_nothing(tmp_path):
    process = start_drawing(tmp_path / "set")
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode
    assert [path.name for path in tmp_path.iterdir()] == [".set.lock"]
