"""A dataset is complete and accounts for every photo, or it is not there; an interrupted one is resumed."""

from user_error import UserError

import csv
import dataclasses
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, namedtuple
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from conftest import ROOT
from harness import write_ava

import commands
from data_prep import manifest, prepare, progress, space, stores, texts, views, workers
from data_prep.decoder import decode
from data_prep.pictures import Place
from data_prep.readers import ava
from data_prep.records import Wanted
from data_prep.request import Request

PHOTOS = 220
TEST_LIST = range(1000, 1000 + PHOTOS, 4)
STORES = ("train_global_lmdb", "train_local_lmdb", "test_global_lmdb", "test_local_lmdb")


def arguments(root, out, *more):
    return ["ava", "--root", root, "--partition", "large", "--out", out, "--jobs", 2, *more]


def start(root, out, *more, **options):
    command = [sys.executable, "-m", "data_prep", *map(str, arguments(root, out, *more))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def digests(folder):
    """The SHA-256 of every file of a dataset by its path, whatever the dataset's place."""
    files = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): hashlib.sha256(without_place(path)).hexdigest() for path in files}


def without_place(path):
    """The bytes of a file; of a summary without the command, which names the dataset's place."""
    if path.name != "summary.json":
        return path.read_bytes()
    return json.dumps(json.loads(path.read_text()) | {"command": ""}).encode()


def one_error(ended):
    """The one line that a command has ended with, status 2."""
    assert ended.returncode == 2, ended.stdout + ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: "), ended.stderr
    assert "Traceback" not in ended.stderr
    return last


def succeeded(ended):
    """What a command has printed, which has ended well."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def rows(folder):
    return list(manifest.read(folder / "manifest.csv"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory, ava_line, draw_picture):
    """A small copy of AVA that no test changes, and the dataset that an undisturbed call makes of it."""
    root = tmp_path_factory.mktemp("copy") / "ava"
    generator = np.random.default_rng(1)
    lines, pictures = [], []
    for number in range(PHOTOS):
        lines.append(ava_line(number + 1, 1000 + number, generator.integers(0, 60, 10)))
        pictures.append(draw_picture(number, *generator.integers(200, 400, 2).tolist()))
    write_ava(root, lines, pictures, TEST_LIST)
    out = root.parent / "out"
    process = start(root, out)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return namedtuple("Copy", "root made said")(root, out / "ava-large", stdout)


@pytest.fixture
def own_copy(copy, tmp_path):
    """The same copy of AVA, to be changed."""
    shutil.copytree(copy.root, tmp_path / "ava")
    return tmp_path / "ava"


def request(root, out):
    parameters = {"dataset": "ava", "partition": "large", "seed": 2016, "views": ["global", "local"]}
    return Request("ava-large", out, {"root": root}, ("global", "local"), False, {**parameters, "encoded": False})


def partition(root):
    return ava.Copy(root, "large", 2016).partition()


def place(photo):
    return Place(str(photo.file))


def test_manifest_summary_and_stores_agree_on_every_photo(copy):
    lists = {split: [row for row in rows(copy.made) if row["split"] == split] for split in ("train", "test")}
    summary = json.loads((copy.made / "summary.json").read_text())
    assert sorted(path.name for path in copy.made.iterdir() if path.name[0] != ".") == sorted(
        [*STORES, "manifest.csv", "summary.json"]
    )
    for split, split_rows in lists.items():
        labels = Counter(row["label"] for row in split_rows)
        counts = summary["splits"][split]
        assert (counts["good"], counts["bad"]) == (labels["1"], labels["0"])
        assert counts["majority_baseline"] == pytest.approx(100 * max(labels.values()) / len(split_rows))
        assert [row["position"] for row in split_rows] == [str(n) for n in range(len(split_rows))]
        for view in ("global", "local"):
            records = list(stores.read_records(copy.made / f"{split}_{view}_lmdb"))
            assert len(records) == counts["written"] == len(split_rows)
            for row, (position, label, pixels) in zip(split_rows, records, strict=True):
                assert (row["position"], row["label"]) == (str(position), str(label))
                picture = decode((copy.root / row["path"]).read_bytes())
                assert (row["width"], row["height"]) == tuple(map(str, picture.shape[1::-1]))
                assert np.array_equal(pixels, views.MAKE_VIEW[view](picture))
        content = "".join(f"{row['photo_id']} {row['label']}\n" for row in split_rows)
        assert summary["lists_sha256"][split] == hashlib.sha256(content.encode()).hexdigest()
    assert summary["majority_baseline"] == summary["splits"]["test"]["majority_baseline"]
    small = sum(min(int(row["width"]), int(row["height"])) < 256 for row in rows(copy.made))
    assert summary["enlarged"] == small > 0
    assert summary["seed"] == 2016
    assert summary["versions"]["opencv-python-headless"].startswith(cv2.__version__)


def test_the_order_of_the_records_is_random_and_not_that_of_labels_or_ids(copy):
    train = [row for row in rows(copy.made) if row["split"] == "train"]
    ids, labels = [int(row["photo_id"]) for row in train], [int(row["label"]) for row in train]
    assert abs(np.corrcoef(ids, range(len(ids)))[0, 1]) < 0.3
    assert abs(np.corrcoef(labels, range(len(ids)))[0, 1]) < 0.3


def test_the_closing_words_name_counts_baseline_place_and_the_next_command(copy):
    summary = json.loads((copy.made / "summary.json").read_text())
    assert f"{summary['majority_baseline']:.2f}%" in copy.said
    assert f"{summary['splits']['test']['good']:,} good" in copy.said
    assert str(copy.made) in copy.said
    last = copy.said.splitlines()[-1]
    device = "--gpu 0" if shutil.which("nvidia-smi") else "--cpu"
    advice = commands.experiments("run", "--dataset", "ava-large", "--data", copy.made.parent)
    assert last == f"next: {advice} {device}"


def test_the_next_command_names_a_gpu_only_if_there_is_one_and_the_data_only_if_they_are_elsewhere(copy, monkeypatch):
    summary = json.loads((copy.made / "summary.json").read_text())
    for program, device in (("/usr/bin/nvidia-smi", "--gpu 0"), (None, "--cpu")):
        monkeypatch.setattr(shutil, "which", lambda _, program=program: program)
        last = texts.complete(summary, request(copy.root, ROOT / "data")).splitlines()[-1]
        assert last == f"next: {commands.experiments('run', '--dataset', 'ava-large')} {device}"
    mine = dataclasses.replace(request(copy.root, ROOT / "data"), name="mine")
    last = texts.complete(summary | {"views": ["local"]}, mine).splitlines()[-1]
    assert last == f"next: {commands.experiments('run', '--dataset', 'mine', '--view', 'local')} {device}"


def test_every_command_that_is_printed_works_when_it_is_pasted(copy, tmp_path, data_prep):
    place = tmp_path / "it's 我的 $photos"
    shutil.copytree(copy.root, place / "ava")
    (place / "ava" / "images" / "1003.jpg").unlink()
    options = ("--delta", "0.25", "--views", "local", "--encoded", "--name", "mine", "--allow-bad", 1)
    said = succeeded(data_prep(*arguments(place / "ava", place / "out", *options)))
    made, kept = place / "out" / "mine", place / "made before"
    made.rename(kept)
    pasted(json.loads((kept / "summary.json").read_text())["command"], tmp_path)
    assert (made / "summary.json").read_bytes() == (kept / "summary.json").read_bytes()
    assert digests(made) == digests(kept)
    (line,) = [line for line in said.splitlines() if line.startswith("next: ")]
    assert shlex.split(line)[-3:-1] == ["--data", str(place / "out")]
    help = pasted(f"{line.removeprefix('next: ')} --help", ROOT)
    assert "--data" in help

    drawn = succeeded(data_prep("demo", "--out", place / "drawn", "--photos", 60, "--jobs", 1))
    (line,) = [line for line in drawn.splitlines() if line.startswith("next: ")]
    assert "demo: " in pasted(f"{line.removeprefix('next: ')} --dry-run", ROOT)

    usage = one_error(data_prep("ava", "--partition", "huge"))
    assert "usage: " in pasted(usage.rpartition("(")[2].removesuffix(")"), ROOT)


def pasted(line, folder):
    """What a line prints in a shell in that folder; it has to end well."""
    return succeeded(subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60))


def test_the_command_of_cuhkpq_names_the_extra_photos(tmp_path):
    parameters = {"dataset": "cuhkpq", "partition": "large", "seed": 3, "views": ["global"], "encoded": False}
    inputs = {"root": tmp_path, "extra": tmp_path / "the extra's"}
    asked = Request("x", tmp_path / "a b", inputs, ("global",), False, parameters)
    words = shlex.split(asked.command(0).partition(" && ")[2])
    assert words[:4] == [sys.executable, "-m", "data_prep", "cuhkpq"]
    given = dict(zip(words[4::2], words[5::2], strict=True))
    assert given == {
        "--root": str(tmp_path), "--extra": str(tmp_path / "the extra's"), "--partition": "large", "--seed": "3",
        "--views": "global", "--out": str(tmp_path / "a b"), "--name": "x",
    }  # fmt: skip


def test_the_number_of_jobs_changes_no_byte(copy, tmp_path, data_prep):
    succeeded(data_prep(*arguments(copy.root, tmp_path, "--jobs", 1)))
    assert digests(tmp_path / "ava-large") == digests(copy.made)


def test_a_dataset_that_is_there_is_reported_in_under_a_second_without_opening_photos(own_copy, copy, data_prep):
    shutil.rmtree(own_copy / "images")
    before = digests(copy.made)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = data_prep(*arguments(own_copy, copy.made.parent))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    succeeded(ended)
    assert "already complete" in ended.stdout
    assert after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime < 1
    assert digests(copy.made) == before


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (("--seed", 3), "seed 2016 there, 3 asked for"),
        (("--encoded",), "encoded False there, True asked for"),
        (("--views", "global"), "views global+local there, global asked for"),
    ],
)
def test_other_parameters_are_refused_by_name_and_change_nothing(copy, data_prep, more, difference):
    before = digests(copy.made)
    ended = data_prep(*arguments(copy.root, copy.made.parent, *more))
    one_error(ended)
    assert len(ended.stderr.splitlines()) == 1
    assert difference in ended.stderr
    assert digests(copy.made) == before


def test_bad_photos_are_refused_then_accepted_without_decoding_again(own_copy, tmp_path, data_prep):
    images = own_copy / "images"
    (images / "1003.jpg").unlink()
    whole = (images / "1008.jpg").read_bytes()
    (images / "1008.jpg").write_bytes(whole[: len(whole) // 2])
    ended = data_prep(*arguments(own_copy, tmp_path / "out"))
    made = tmp_path / "out" / "ava-large"
    one_error(ended)
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "1 photos are missing and 1 corrupt" in ended.stderr
    assert "--allow-bad 2" in ended.stderr
    assert "1008.jpg: corrupt: cut off" in (made / "bad_photos.txt").read_text()
    assert not [name for name in (*STORES, "manifest.csv", "summary.json") if (made / name).exists()]
    one_error(data_prep(*arguments(own_copy, tmp_path / "out", "--allow-bad", 1)))

    ended = data_prep(*arguments(own_copy, tmp_path / "out", "--allow-bad", 2))
    succeeded(ended)
    assert ended.stderr == ""  # as it would be said that photos are decoded
    by_id = {row["photo_id"]: row for row in rows(made)}
    assert (by_id["1003"]["status"], by_id["1003"]["position"]) == ("missing", "")
    assert (by_id["1008"]["status"], by_id["1008"]["position"]) == ("corrupt", "")
    assert Counter(row["status"] for row in by_id.values())["written"] == PHOTOS - 2
    summary = json.loads((made / "summary.json").read_text())
    assert summary["bad_photos"] == {"known_broken": 0, "other": 2}
    for split, store in (("train", "train_local_lmdb"), ("test", "test_global_lmdb")):
        positions = [position for position, *_ in stores.read_records(made / store)]
        assert positions == list(range(summary["splits"][split]["written"]))  # no holes
    assert not (made / "bad_photos.txt").exists()


def test_a_photo_that_is_replaced_is_used_by_the_next_call(own_copy, copy, tmp_path, data_prep):
    photo = own_copy / "images" / "1003.jpg"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:2000])
    one_error(data_prep(*arguments(own_copy, tmp_path / "out")))
    photo.write_bytes(whole)
    succeeded(data_prep(*arguments(own_copy, tmp_path / "out")))
    made, undisturbed = digests(tmp_path / "out" / "ava-large"), digests(copy.made)
    of_their_own = {"summary.json", ".journal/train.csv"}  # which has when the photo was last changed
    assert {name: made[name] for name in made.keys() - of_their_own} == {
        name: undisturbed[name] for name in undisturbed.keys() - of_their_own
    }


def test_the_ids_known_to_be_broken_may_be(tmp_path, ava_line, draw_picture, data_prep):
    root = tmp_path / "ava"
    (root / "images").mkdir(parents=True)
    ids = (440774, 11066, 5, 6, 7, 8, 9, 10)
    (root / "AVA.txt").write_text("".join(ava_line(1, number, [1] * 10) for number in ids))
    for number in ids[2:]:
        cv2.imwrite(str(root / "images" / f"{number}.jpg"), draw_picture(number))
    (root / "images" / "11066.jpg").touch()
    (root / "aesthetics_image_lists").mkdir()
    (root / "aesthetics_image_lists" / "generic_test.jpgl").write_text("440774\n5\n")
    succeeded(data_prep(*arguments(root, tmp_path / "out")))
    made = tmp_path / "out" / "ava-large"
    assert json.loads((made / "summary.json").read_text())["bad_photos"]["known_broken"] == 2
    status = {row["photo_id"]: row["status"] for row in rows(made)}
    assert (status["440774"], status["11066"]) == ("missing", "corrupt")


def test_photos_that_delta_excludes_are_in_the_manifest(copy, tmp_path, data_prep):
    succeeded(data_prep(*arguments(copy.root, tmp_path, "--delta", "0.25", "--name", "mine")))
    excluded = [row for row in rows(tmp_path / "mine") if row["status"] == "excluded"]
    for row in excluded:
        assert abs(Fraction(row["score"]) - 5) <= Fraction(1, 4)
        assert (row["split"], row["position"]) == ("", "")
        assert row["reason"] == "mean within 0.25 of 5"
    assert len(rows(tmp_path / "mine")) == PHOTOS
    assert len(excluded) > 10


@pytest.mark.parametrize("trial", range(3))
def test_killed_at_random_moments_the_stores_are_byte_for_byte_those_of_an_undisturbed_call(copy, tmp_path, trial):
    moments = random.Random(trial)
    unfinished = tmp_path / "ava-large" / ".unfinished"
    for _ in range(3):
        process = start(copy.root, tmp_path, start_new_session=True)
        files = [unfinished / "train.csv", *(unfinished / name / "data.mdb" for name in STORES)]
        wait_for_growth(process, moments.choice(files), moments.randint(1, 2))
        time.sleep(moments.uniform(0, 0.03))
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        process.kill()
        process.communicate()
        require_gone(children)
    process = start(copy.root, tmp_path)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert digests(tmp_path / "ava-large") == digests(copy.made)


def require_gone(processes):
    """Workers leave when their parent does, if not in the same instant."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        # an init process may leave the dead of others unburied
        if not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
            return
        time.sleep(0.01)
    raise AssertionError(f"still there: {processes}")


def wait_for_growth(process, path, times):
    """Wait until a file has grown so many times, or the process has ended."""
    size = -1
    while times and process.poll() is None:
        now = path.stat().st_size if path.exists() else -1
        times -= now > size >= 0 or (size < 0 <= now)
        size = now
        time.sleep(0.001)


def test_killed_while_it_publishes_the_next_call_finishes(copy, tmp_path, monkeypatch):
    asked, lists = request(copy.root, tmp_path), partition(copy.root)
    undisturbed = prepare.prepare(asked, lists, 2, 0)
    expected = digests(tmp_path / "ava-large")
    out = tmp_path / "killed"
    asked = request(copy.root, out)
    for name in ("write", "summarize"):
        with monkeypatch.context() as patch:
            module = {"write": manifest, "summarize": prepare.summary}[name]
            patch.setattr(module, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                prepare.prepare(asked, lists, 2, 0)
    with monkeypatch.context() as patch:  # any decoding would fail
        patch.setattr(workers.Pool, "_start", None)
        assert prepare.prepare(asked, lists, 2, 0) | {"command": ""} == undisturbed | {"command": ""}
    assert digests(out / "ava-large") == expected


def test_a_journal_or_store_that_is_damaged_is_made_again(copy, tmp_path):
    for damage in ("torn journal", "nonsense in the journal", "lost store", "damaged store", "cut off store"):
        out = tmp_path / damage
        process = start(copy.root, out)
        unfinished = out / "ava-large" / ".unfinished"
        wait_for_growth(process, unfinished / "train.csv", 2)
        process.kill()
        process.communicate()
        if damage == "torn journal":
            with (unfinished / "train.csv").open("ab") as file:
                file.write(b'written,,300\n\0\0\0\0"')
        elif damage == "nonsense in the journal":
            with (unfinished / "train.csv").open("ab") as file:
                file.write(b"eaten,by the dog,300,200\n" * 64 + b"a" * 200_000 + b"\n")
        elif damage == "cut off store":
            os.truncate(unfinished / "train_local_lmdb" / "data.mdb", 100_000)
        elif damage == "lost store":
            shutil.rmtree(unfinished / "train_local_lmdb")
        else:
            with (unfinished / "train_global_lmdb" / "data.mdb").open("r+b") as file:
                file.write(bytes(8192))
        process = start(copy.root, out)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert digests(out / "ava-large") == digests(copy.made)


def test_a_full_disk_ends_in_one_line_and_the_next_call_resumes(copy, tmp_path):
    limit = 26 << 20  # bytes of a file, between the ring of records (22 MB) and the training store (33 MB)
    process = start(copy.root, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("error: ")
    assert "resumes from here" in stderr
    process = start(copy.root, tmp_path)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "resuming after" in stderr
    assert digests(tmp_path / "ava-large") == digests(copy.made)


@pytest.fixture
def slow_copy(tmp_path, ava_line, draw_picture):
    """A copy whose preparation takes some seconds."""
    root = tmp_path / "ava"
    (root / "images").mkdir(parents=True)
    (root / "AVA.txt").write_text("".join(ava_line(1, 1000 + n, [1 + n % 9] * 10) for n in range(1200)))
    for number in range(2):  # pictures of one size would be taken for a warped copy
        cv2.imwrite(str(root / "images" / f"{1000 + number}.jpg"), draw_picture(number, 1600, 1200 + number))
    for number in range(2, 1200):
        os.link(root / "images" / f"{1000 + number % 2}.jpg", root / "images" / f"{1000 + number}.jpg")
    return root


def test_ctrl_c_stops_within_a_second_and_a_second_call_at_once_is_refused(slow_copy, tmp_path, data_prep):
    process = start(slow_copy, tmp_path / "out", start_new_session=True)
    unfinished = tmp_path / "out" / "ava-large" / ".unfinished"
    wait_for_growth(process, unfinished / "train.csv", 2)  # made, then a checkpoint
    ended = data_prep(*arguments(slow_copy, tmp_path / "out"))
    one_error(ended)
    assert f"process {process.pid}" in ended.stderr
    assert process.poll() is None
    children = psutil.Process(process.pid).children()
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, stderr = process.communicate(timeout=10)
    assert time.monotonic() - begun < max(1, os.getloadavg()[0] / os.cpu_count())  # seconds, on a free core
    assert process.returncode == 130
    assert "Traceback" not in stderr
    require_gone(children)
    lines = (unfinished / "train.csv").read_text().splitlines()
    assert len(lines) % 64 == 0
    assert lines


def test_ctrl_c_while_workers_start_reaches_us_and_not_them():
    show = [sys.executable, "-c", "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"]
    blocked = []

    def start_interrupted():
        with workers.interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            blocked.append(subprocess.run(show, capture_output=True, text=True, check=True).stdout)

    with pytest.raises(KeyboardInterrupt):
        start_interrupted()
    assert blocked == ["True\n"]


@pytest.mark.parametrize("moment", [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6])
def test_ctrl_c_at_an_early_moment_ends_in_one_line(slow_copy, tmp_path, moment):
    process = start(slow_copy, tmp_path / "out", start_new_session=True)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    if stderr or process.returncode != -signal.SIGINT:  # else Python had not begun yet
        assert stderr.splitlines()[-1:] == ["stopped"], stderr
        assert "Traceback" not in stderr
        assert process.returncode in (130, -signal.SIGINT)  # which is 130 in a shell


def test_a_lock_ends_with_its_process_and_removes_what_killed_writers_left(tmp_path):
    (tmp_path / ".summary.json.123.partial").touch()
    with prepare.locked(tmp_path), pytest.raises(UserError, match=rf"process {os.getpid()}\)"):
        prepare.locked(tmp_path).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    (tmp_path / ".lock").write_text("123456789 was killed")
    with prepare.locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_disk_need_is_checked_before_anything_is_written(copy, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(1, 1, 50_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"89 MB are needed, 50 MB are free; .*--encoded"):
        prepare.prepare(request(copy.root, tmp_path / "out"), partition(copy.root), 1, 0)
    assert not (tmp_path / "out").exists()


def test_the_announced_disk_need_is_what_the_stores_take(copy):
    need = space.disk_need(request(copy.root, copy.made.parent), partition(copy.root))
    used = sum((copy.made / name / "data.mdb").stat().st_size for name in STORES)
    assert used <= need <= 1.1 * used


def test_a_dry_run_writes_nothing_and_needs_no_photo(own_copy, tmp_path, data_prep):
    shutil.rmtree(own_copy / "images")
    ended = data_prep(*arguments(own_copy, tmp_path / "out", "--dry-run"))
    succeeded(ended)
    assert "disk      89 MB in " in ended.stdout
    assert "165 =" in ended.stdout
    assert not (tmp_path / "out").exists()
    ended = data_prep(*arguments(own_copy, tmp_path / "out"))
    one_error(ended)
    assert "holds no pictures" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_copy_warped_to_256x256_has_no_local_view_but_a_global_one(own_copy, tmp_path, data_prep):
    for path in (own_copy / "images").iterdir():
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (256, 256)))
    ended = data_prep(*arguments(own_copy, tmp_path / "out"))
    one_error(ended)
    assert "already warped" in ended.stderr
    assert "--views global" in ended.stderr
    succeeded(data_prep(*arguments(own_copy, tmp_path / "out", "--views", "global")))
    made = tmp_path / "out" / "ava-large"
    assert sorted(path.name for path in made.glob("*_lmdb")) == ["test_global_lmdb", "train_global_lmdb"]


def test_encoded_stores_hold_jpegs_of_the_same_views_in_far_less_space(copy, tmp_path, data_prep):
    succeeded(data_prep(*arguments(copy.root, tmp_path, "--encoded")))
    made = tmp_path / "ava-large"
    for name in STORES:
        raw, encoded = copy.made / name, made / name
        assert (encoded / "data.mdb").stat().st_size < (raw / "data.mdb").stat().st_size / 3
        for (_, label, one), (_, same, other) in zip(
            stores.read_records(raw), stores.read_records(encoded), strict=True
        ):
            assert label == same
            assert np.abs(one.astype(int) - other).mean() < 4


def test_cuhkpq_is_prepared_from_its_own_layout(tmp_path, make_cuhkpq, draw_picture, data_prep):
    root = make_cuhkpq({"HighQuality": (3,) * 7, "LowQuality": (4,) * 7})
    extra = tmp_path / "extra"
    for number in range(6):
        path = extra / ("HighQuality", "LowQuality")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw_picture(100 + number))
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        cv2.imwrite(str(path), draw_picture(number, 300 + number))
    for partition, more, size in (("small", (), (25, 24)), ("large", ("--extra", extra), (28, 27))):
        options = ("--root", root, "--partition", partition, "--out", tmp_path / "out", "--jobs", 2)
        succeeded(data_prep("cuhkpq", *options, *more))
        made = tmp_path / "out" / f"cuhkpq-{partition}"
        counts = json.loads((made / "summary.json").read_text())["splits"]
        assert (counts["train"]["written"], counts["test"]["written"]) == size
        for row in rows(made):
            assert row["label"] == str(int("HighQuality" in row["path"]))
            assert row["score"] == row["votes"] == ""


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--name", "../elsewhere"), "--name"),
        (("--jobs", "0"), "--jobs"),
        (("--delta", "5"), "--delta"),
        (("--delta", "nan"), "--delta"),
        (("--delta", "1e-9999999"), "--delta"),
        (("--delta", "0.0000001"), "--delta"),
        (("--allow-bad", "-1"), "--allow-bad"),
        (("--small-rule", "decile"), "--partition small"),
    ],
)
def test_options_that_make_no_sense_are_refused(copy, tmp_path, data_prep, more, says):
    ended = data_prep(*arguments(copy.root, tmp_path, *more))
    one_error(ended)
    assert says in ended.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_stores_of_someone_else_are_left_alone(copy, tmp_path, data_prep):
    (tmp_path / "ava-large" / "train_global_lmdb").mkdir(parents=True)
    ended = data_prep(*arguments(copy.root, tmp_path))
    one_error(ended)
    assert "but no summary.json" in ended.stderr


def test_workers_that_are_killed_lose_no_photo(copy):
    photos = partition(copy.root).train
    with workers.pool(Wanted(("global",), False), 2, len(photos)) as pool:
        results = pool.decoded(photos, place)
        outcomes = [next(results)[0]]
        for child in multiprocessing.active_children():
            child.kill()
        outcomes += [outcome for outcome, _ in results]
    assert [outcome.status for outcome in outcomes] == ["written"] * len(photos)


def test_without_a_terminal_progress_is_a_line_with_speed_time_left_and_bad_photos(capsys, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)
    with progress.progress(1000, 100, 1) as show:
        time.sleep(0.01)
        show(550, 3)
    line = capsys.readouterr().err
    assert line.startswith("550 of 1,000 photos, ")
    assert line.endswith("photos/s, 0:00 left, 3 bad\n")


def test_the_manifest_is_plain_csv_with_the_agreed_columns(copy):
    with (copy.made / "manifest.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert ",".join(header) == ("photo_id,path,split,position,label,score,votes,width,height,status,reason")
