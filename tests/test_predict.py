"""Photos in, p(good) out: the numbers of the test pass, every photo accounted for, in order, in constant memory."""

from user_error import UserError

import csv
import io
import json
import os
import signal
import subprocess
import sys
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

import tiny_run
from harness import RUN, TEST, call, rows, run_folder

from data_prep import manifest
from data_prep.stores import read_records
from deploy import predict as program
from deploy.monitor import Monitor
from deploy.photos import Photos, listed
from deploy.predict import rows_of
from deploy.rows import FORMATS, Row
from deploy.views import LARGEST_BLOCK, Viewed, _blocks
from deploy.which import net, nets
from paper import ROOT

PICTURE = b"\x89PNG\r\n\x1a\n"  # how a PNG begins


def command(*words: object) -> list[str]:
    return [sys.executable, "run_experiments.py", "predict", *map(str, words), "--cpu"]


def predict(
    *words: object, given: bytes = b"", status: int = 0, threads: int | None = None
) -> subprocess.CompletedProcess:
    own = os.environ | ({"OPENBLAS_NUM_THREADS": str(threads)} if threads else {})
    done = subprocess.run(command(*words), cwd=ROOT, env=own, input=given, capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr.decode()
    return done


@pytest.fixture
def prepare(tmp_path, draw_picture, data_prep):
    """prepare(*options): a dataset of one's own from 24 pictures; its folder, and its test photos in record order."""

    def run(*options) -> tuple[Path, list[str]]:
        for number in range(24):
            folder = tmp_path / "my 照片" / ("good" if number % 2 else "bad")
            folder.mkdir(parents=True, exist_ok=True)
            picture = draw_picture(number, 180 + 15 * number, 420 - 9 * number)  # some are enlarged
            picture = picture[..., 0] if number == 3 else picture
            cv2.imwrite(str(folder / f"{number}.{'png' if number % 5 == 0 else 'jpg'}"), picture)
        words = ["--good", folder.with_name("good"), "--bad", folder.with_name("bad"), "--test-share", "0.6"]
        done = data_prep("photos", *words, "--name", "mine", "--out", tmp_path / "data", *options)
        assert done.returncode == 0, done.stderr
        test = [row for row in manifest.read(tmp_path / "data/mine/manifest.csv") if row["split"] == "test"]
        test.sort(key=lambda row: int(row["position"]))
        return tmp_path / "data/mine", [str(folder.parent / row["path"]) for row in test]

    return run


@pytest.mark.parametrize("options", [(), ("--encoded",)])
def test_test_photos_get_the_p_good_of_the_test_pass_by_either_view_and_the_mean_by_both(prepare, tmp_path, options):
    dataset, paths = prepare(*options)
    summary = json.loads((dataset / "summary.json").read_text())
    by_view = {
        view: tiny_run.make(tmp_path / "results", dataset, view, command=summary["command"])[1]
        for view in ("global", "local")
    }
    assert len(paths) > 2 * tiny_run.BATCH
    assert len(paths) % tiny_run.BATCH
    listing = [*paths[:2], str(tmp_path / "gone.jpg"), *paths[2:]]  # a photo that is missing takes nobody's place
    words = ("mine/alexnet", "-", "--views", "both", "--format", "csv", "--results", tmp_path / "results")
    done = predict(*words, given="\0".join(listing).encode(), status=1)
    found = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["path"] for row in found] == paths
    for view, expected in by_view.items():
        assert [float(row[f"p_good_{view}"]) for row in found] == pytest.approx(expected, abs=1e-6)
    mean = np.mean(list(by_view.values()), axis=0)
    assert [float(row["p_good"]) for row in found] == pytest.approx(mean, abs=1e-7)
    assert [int(row["predicted"]) for row in found] == (mean > 0.5).astype(int).tolist()
    said = done.stderr.decode().splitlines()
    assert "not a score from 1 to 10" in said[0]
    assert said[1:] == [f"{tmp_path / 'gone.jpg'}: no such file", f"1 of {len(listing)} could not be scored"]


@pytest.fixture
def finished(tmp_path, data):
    """Results that hold one finished run."""
    tiny_run.make(tmp_path / "results", data / "demo")
    return tmp_path / "results"


def test_an_output_that_is_closed_ends_it_quietly(finished, tmp_path, draw_picture):
    cv2.imwrite(str(tmp_path / "a.png"), draw_picture(1))
    reading, writing = os.pipe()
    os.close(reading)
    words = command("demo/alexnet_global", tmp_path / "a.png", "--results", finished)
    done = subprocess.run(words, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert done.returncode == 141
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_ctrl_c_stops_it_with_what_is_known_printed(finished, tmp_path, draw_picture):
    cv2.imwrite(str(tmp_path / "a.png"), draw_picture(1))
    words = command("demo/alexnet_global", "-", "--results", finished, "--format", "jsonl")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as process:
        process.stdin.write(f"{tmp_path / 'a.png'}\n".encode())
        process.stdin.flush()  # and the list stays open
        row = json.loads(process.stdout.readline())
        assert row["path"] == str(tmp_path / "a.png")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read().decode().splitlines()[-1] == "stopped"


class FakeScorer:
    """Answers that each photo's p(good) is its first pixel / 256, and knows how many batches were on their way."""

    def __init__(self, batch: int) -> None:
        self.batch, self.pending, self.counts = batch, [], []
        self.views = np.zeros((1, batch, 1, 1, 1), np.uint8)

    @property
    def is_full(self) -> bool:
        return len(self.pending) == 2

    def batch_views(self) -> np.ndarray:
        assert not self.is_full
        return self.views

    def submit(self, count: int) -> None:
        self.counts.append(count)
        self.pending.append(self.views[:, :count].reshape(1, count) / 256)

    def collect(self) -> np.ndarray:
        return self.pending.pop(0)


def seen(number: int) -> Viewed:
    return Viewed(f"{number}.jpg", [np.full((1, 1, 1), number, np.uint8)])


def test_rows_are_in_the_order_of_the_photos_and_each_batch_but_the_last_is_whole():
    failed = []
    photos = [seen(n) if n % 4 != 2 else Viewed(f"{n}.jpg", [], "cut off") for n in range(30)]
    scorer = FakeScorer(5)
    scored = [row for batch in rows_of(scorer, photos, ["global"], failed.append) for row in batch]
    assert [row.path for row in scored] == [photo.path for photo in photos if photo.views]
    assert [row.p_good for row in scored] == [n / 256 for n in range(30) if n % 4 != 2]
    assert scorer.counts == [5, 5, 5, 5, 3]
    assert failed == [f"{n}.jpg: cut off" for n in range(2, 30, 4)]


def test_what_came_before_a_pause_of_the_list_is_scored_before_it_goes_on():
    fed = []

    def photos():
        for item in (seen(0), seen(1), None, seen(2)):
            fed.append(item)
            yield item

    batches = rows_of(FakeScorer(5), photos(), ["global"], pytest.fail)
    assert [row.path for row in next(batches)] == ["0.jpg", "1.jpg"]
    assert fed[-1] is None
    assert [row.path for row in next(batches)] == ["2.jpg"]


def test_photos_are_fetched_no_further_ahead_than_a_block():
    blocks = _blocks((str(n) for n in count()), 16)  # a list without an end
    sizes = [len(block) for block, _ in islice(blocks, 10)]
    assert sizes[:3] == [16, 32, 64]
    assert sizes[-1] == LARGEST_BLOCK
    assert list(_blocks(iter(["a", None, "b"]), 16)) == [(["a"], True), (["b"], False)]


def run_in_process(monkeypatch, capfdbinary, photos, **options) -> tuple[int, list[str]]:
    """`predict` with stand-ins for the net and for the decoding; its status and the lines that it printed."""

    class Scorer(FakeScorer):
        view_names = ("global",)
        __enter__, __exit__ = (lambda self: self), (lambda *_: None)

    monkeypatch.setattr(program, "Scorer", lambda nets, gpu, batch: Scorer(4))
    monkeypatch.setattr(program, "viewed", lambda *_: iter(photos))
    stand_in = SimpleNamespace(
        name="demo/alexnet_global/seed-1", iteration=1200, view="global", encoded=False, notes=()
    )
    status = program.predict([stand_in], ["x.jpg"], **options)
    return status, capfdbinary.readouterr().out.decode().splitlines()


def test_top_prints_the_best_ones_the_best_first_and_ties_in_the_order_they_came(monkeypatch, capfdbinary):
    photos = [seen(n) for n in (7, 200, 3, 200, 90, 150, 1)] + [Viewed("bad.jpg", [], "cut off")]
    status, lines = run_in_process(monkeypatch, capfdbinary, photos, top=4)
    assert status == 1
    assert [line.split()[2] for line in lines] == ["photo", "200.jpg", "200.jpg", "150.jpg", "90.jpg"]
    assert lines[1:] == [
        " 0.7812  good  200.jpg",
        " 0.7812  good  200.jpg",
        " 0.5859  good  150.jpg",
        " 0.3516  bad   90.jpg",
    ]


def test_a_bad_photo_is_named_in_one_line_whatever_its_name(capfdbinary):
    monitor = Monitor(is_shown=False)
    monitor.fail("a\nb\x1b[2J.jpg: cut off")
    assert capfdbinary.readouterr().err == b"a\\nb\\x1b[2J.jpg: cut off\n"


def test_no_photo_at_all_is_an_error(monkeypatch, capfdbinary):
    with pytest.raises(UserError, match="no photo was given"):
        run_in_process(monkeypatch, capfdbinary, [])


def test_numbers_are_written_as_in_predictions_csv_and_names_keep_their_bytes():
    p = float(str(np.float32(0.1) + np.float32(0.7)))
    for name in (b'a, b\n"c".jpg', b"a\rb.jpg", b"c\r\nd.jpg", "照片/一.jpg".encode(), b"latin\xe9.jpg"):
        row = Row(os.fsdecode(name), {"global": p})
        text = FORMATS["csv"].heading(["global"]) + FORMATS["csv"].line(row)
        (read,) = csv.DictReader(io.StringIO(text.decode(errors="surrogateescape"), newline=""))
        assert os.fsencode(read["path"]) == name
        assert (read["p_good"], read["predicted"]) == (str(p), "1")
        line = FORMATS["jsonl"].line(row)
        assert line.count(b"\n") == 1
        assert json.loads(line) == {"path": os.fsdecode(name), "p_good": p, "predicted": 1}
        assert FORMATS["table"].line(row).count(b"\n") == 1
    assert b"latin\xe9.jpg" in FORMATS["table"].line(row)


def test_a_tie_goes_to_bad_as_in_the_test_pass():
    assert Row("a", {"global": 0.5}).predicted == 0
    assert Row("a", {"global": 0.25, "local": 0.75}).predicted == 0
    assert Row("a", {"global": 0.3, "local": 0.71}).predicted == 1


def test_a_folder_stands_for_its_pictures_by_content_sorted_and_without_hidden_ones(tmp_path):
    for name, content in {
        "b.txt": PICTURE,
        "a.jpg": b"\xff\xd8\xff\xe0 a JPEG",
        "c.jpg": b"no picture",
        "d.jpg": b"",
        "e.heic": b"\0\0\0\x18ftypheic",
        "f.pdf": b"%PDF-1.7",
        "sub/2.png": PICTURE,
        "sub/10.png": PICTURE,
        "sub.png": PICTURE,
        ".hidden.jpg": PICTURE,
        ".thumbnails/1.png": PICTURE,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    photos = Photos([f"{tmp_path}/", str(tmp_path / "c.jpg")], pytest.fail)
    assert photos.count is None
    found = ["a.jpg", "b.txt", "e.heic", "sub/10.png", "sub/2.png", "sub.png", "c.jpg"]  # what is named is tried
    assert list(photos) == [f"{tmp_path}/{name}" for name in found]
    assert photos.others == 5


def test_a_folder_that_may_not_be_read_is_named_and_the_rest_is_done(tmp_path, monkeypatch):
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(PICTURE)
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    said = []
    assert list(Photos([str(tmp_path)], said.append)) == [f"{tmp_path}/open/1.png"]
    assert said == [f"{tmp_path}/closed: Permission denied"]


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (b"a.jpg\nb c.jpg\n", ["a.jpg", "b c.jpg"]),
        (b"a.jpg\r\n\r\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"\xef\xbb\xbfa.jpg\n", ["a.jpg"]),
        (b"a\nb.jpg\0c.jpg\0", ["a\nb.jpg", "c.jpg"]),
        (b"\xff.jpg\n", ["\udcff.jpg"]),
        (b"", []),
        (b"n.jpg\n" * 30_000, ["n.jpg"] * 30_000),  # more than one piece
    ],
)
def test_a_list_has_a_path_a_line_or_ended_by_a_nul_byte(tmp_path, given, paths):
    (tmp_path / "list").write_bytes(given)
    with (tmp_path / "list").open("rb") as file:
        assert [path for path in listed(file.fileno()) if path is not None] == paths


def test_a_list_of_both_kinds_is_refused(tmp_path):
    (tmp_path / "list").write_bytes(b"n.jpg\n" * 30_000 + b"a\0b\n")
    with (tmp_path / "list").open("rb") as file, pytest.raises(UserError, match="lines and NUL bytes"):
        list(listed(file.fileno()))
    with pytest.raises(UserError, match="given twice"):
        Photos(["-", "-"], pytest.fail)


def test_an_empty_name_of_a_photo_is_an_error():
    with pytest.raises(UserError, match="one PHOTO is empty"):
        Photos(["a.jpg", ""], pytest.fail)


def test_a_run_is_found_by_its_name_its_folder_or_its_variants(finished, tmp_path):
    folder = finished / "demo/alexnet_global/seed-1"
    for name in ("demo/alexnet_global", "demo/alexnet_global/", "demo/alexnet_global/seed-1", str(folder)):
        assert net(name, finished).weights.parent == folder / "snapshots"
    assert net(str(folder.parent), tmp_path / "none").weights.parent == folder / "snapshots"
    folder.rename(folder.with_name("seed-4"))
    assert net("demo/alexnet_global", finished).name == "demo/alexnet_global/seed-4"  # the only one


@pytest.mark.parametrize(
    ("name", "views", "says"),
    [
        ("demo/vgg16_global", None, "there is no run 'demo/vgg16_global'"),
        ("demo/alexnet", None, "give demo/alexnet_global or demo/alexnet_local .predict takes both"),
        ("demo/alexnet_global", "both", "with --views give demo/alexnet$"),
        ("demo/alexnet/", None, "give demo/alexnet_global or demo/alexnet_local .predict takes both"),
        ("demo/alexnet", "both", "there is no run 'demo/alexnet_local'"),
        (str(ROOT / "paper.toml"), None, "is no net that can be scored with"),
    ],
)
def test_a_run_that_is_not_there_is_told_in_a_line(finished, name, views, says):
    with pytest.raises(UserError, match=says):
        nets(name, finished, views)


def test_of_several_seeds_without_the_usual_one_a_person_has_to_choose(finished):
    variant = finished / "demo/alexnet_global"
    (variant / "seed-1").rename(variant / "seed-2")
    (variant / "seed-3").mkdir()
    (variant / "seed-3" / "done").write_text('{"iteration": 7}')
    with pytest.raises(UserError, match="has no seed-1, but seed-2, seed-3: give one of them"):
        net("demo/alexnet_global", finished)


def test_a_run_of_the_driver_gives_photos_of_its_test_set_the_numbers_in_its_predictions(checkout, tmp_path):
    call(checkout, *RUN, "--max-iter", "1", "--threads", "1")
    folder = tmp_path / "photos"
    folder.mkdir()
    for position, _, view in read_records(checkout / "data/demo/test_global_lmdb"):
        cv2.imwrite(str(folder / f"{position:04}.png"), view)  # 256x256: its global view is itself
    done = predict(run_folder(checkout), folder, "--format", "csv", threads=1)
    scored = [float(row["p_good"]) for row in csv.DictReader(io.StringIO(done.stdout.decode()))]
    expected = [float(row["p_good"]) for row in rows(run_folder(checkout) / "predictions.csv")]
    assert scored[: TEST - TEST % 4] == expected[: TEST - TEST % 4]  # of whole batches the bits, too
    assert scored == pytest.approx(expected, abs=1e-6)
