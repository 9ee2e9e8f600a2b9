"""A dataset with a delta is copied out of the one without, and is what the photos would give, byte for byte."""

import csv
import json
import os
import shutil
from collections import namedtuple
from decimal import Decimal
from functools import cache
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from harness import write_ava

from data_prep import __main__ as program
from data_prep import deltas, donor, journal, manifest, stores, summary, workers
from data_prep.request import Request

PHOTOS, BASE, DERIVED = 160, "ava-large", "ava-large-delta-0.25"
TEST_LIST = range(1000, 1000 + PHOTOS, 5)
CUT, LACKING = 1001, 1002  # training photos: one is cut off, one is missing


def run(root, out, *more):
    """Prepare in this process; the folder of the dataset."""
    words = ["ava", "--root", root, "--partition", "large", "--out", out, "--allow-bad", 2, "--jobs", 1, *more]
    arguments = program._parser().parse_args([*map(str, words)])
    arguments.run(arguments)
    return out


def derive(root, out, *more):
    return run(root, out, "--delta", "0.25", *more) / DERIVED


def content(folder):
    """The bytes of every file of a dataset by its path, but for what names its place and the donor."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    found = {name: path.read_bytes() for name, path in files.items() if name not in (".lock", "summary.json")}
    parts = json.loads(files["summary.json"].read_text()) | {"command": "", "inputs": {}, "roots": {}}
    return found | {"summary.json": {name: parts[name] for name in parts if name != "derived_from"}}


def records(folder):
    return {name: data for name, data in content(folder).items() if name.endswith("data.mdb")}


@pytest.fixture
def decoded(monkeypatch):
    """The ids of the photos that are decoded from here on."""
    found, decode = [], workers.Pool.decoded

    def seen(pool, photos, place):
        found.extend(int(photo.photo_id) for photo in photos)
        return decode(pool, photos, place)

    monkeypatch.setattr(workers.Pool, "decoded", seen)
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory, ava_line, draw_picture):
    """A copy of AVA, and what its photos give, made(*options): the datasets without a delta and with one."""
    root = tmp_path_factory.mktemp("copy") / "ava"
    generator = np.random.default_rng(1)
    lines = [ava_line(number + 1, 1000 + number, generator.integers(0, 60, 10)) for number in range(PHOTOS)]
    pictures = [draw_picture(number, *generator.integers(200, 400, 2).tolist()) for number in range(PHOTOS)]
    write_ava(root, lines, pictures, TEST_LIST)
    pictures = root / "images"
    (pictures / f"{CUT}.jpg").write_bytes((pictures / f"{CUT}.jpg").read_bytes()[:2000])
    (pictures / f"{LACKING}.jpg").unlink()
    shutil.copy2(pictures / "1000.jpg", pictures / "1003.jpg")  # a test photo that is a training photo too

    @cache
    def made(*options):
        out = run(root, root.parent / "-".join(["without", *options]), *options)
        return out / BASE, derive(root, root.parent / "-".join(["fresh", *options]), *options)

    return namedtuple("Copy", "root made")(root, made)


@pytest.fixture
def own(copy, tmp_path):
    """The same copy of AVA and its dataset without delta, of JPEGs, to be changed; and what its photos give."""
    shutil.copytree(copy.root, tmp_path / "照片 of mine")
    base, fresh = copy.made("--encoded")
    shutil.copytree(base, tmp_path / "out" / BASE)
    return namedtuple("Own", "root out base fresh")(
        tmp_path / "照片 of mine", tmp_path / "out", tmp_path / "out" / BASE, fresh
    )


def training_photos(folder):
    return [row for row in manifest.read(folder / "manifest.csv") if row["split"] == "train"]


def swap_bytes(file, begin):
    data = bytearray(file.read_bytes())
    data[begin : begin + 8] = data[begin : begin + 8][::-1]
    file.write_bytes(data)


def damage_record(store, position):
    """Change bytes in the middle of a record, as a disk may."""
    with lmdb.open(str(store), readonly=True, lock=False) as environment, environment.begin() as transaction:
        middle = transaction.get(stores.key(position))[2000:2200]
    place = (store / "data.mdb").read_bytes().index(middle)
    swap_bytes(store / "data.mdb", place)


@pytest.mark.parametrize("options", [(), ("--encoded",)], ids=["raw", "encoded"])
def test_what_is_copied_is_what_the_photos_give_byte_for_byte(copy, tmp_path, decoded, options):
    base, fresh = copy.made(*options)
    decoded.clear()
    (tmp_path / BASE).symlink_to(base)
    derived = derive(copy.root, tmp_path, *options)
    assert content(derived) == content(fresh)
    assert {row["photo_id"] for row in training_photos(derived)} < {row["photo_id"] for row in training_photos(base)}
    assert set(decoded) <= {CUT, LACKING}
    said = json.loads((derived / "summary.json").read_text())
    assert said["derived_from"] == {"dataset": BASE, "folder": str(base)}
    assert any("same picture as a test photo" in note for note in said["notes"])


@pytest.mark.parametrize("view", ["global", "local"])
def test_one_view_is_copied_out_of_a_dataset_of_both(own, tmp_path, decoded, view):
    derived = derive(own.root, own.out, "--encoded", "--views", view)
    assert set(decoded) <= {CUT, LACKING}
    fresh = {name: data for name, data in records(own.fresh).items() if view in name}
    assert records(derived) == fresh


def test_a_dataset_with_a_name_of_its_own_is_copied_out_of_the_one_whose_name_it_extends(own, decoded):
    own.base.rename(own.out / "mine")
    run(own.root, own.out, "--delta", "0.25", "--encoded", "--name", "mine-delta-0.25")
    assert set(decoded) <= {CUT, LACKING}
    assert deltas.base_of("mine-delta-1", Decimal("1.0"), "usual") == "mine"
    assert deltas.base_of("another", Decimal(1), "usual") == "usual"


@pytest.mark.parametrize("then", ["resumed", "without the donor", "with another picture"])
def test_copying_is_killed_and_resumed_to_the_same_bytes(own, monkeypatch, draw_picture, then, capsys):
    fresh, checkpoints, add = own.fresh, [], journal.add

    def killed(path, outcomes):
        checkpoints.append(path)
        if len(checkpoints) == 3:  # test, train, then a checkpoint whose records are in the stores
            raise KeyboardInterrupt
        add(path, outcomes)

    monkeypatch.setattr(journal, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        derive(own.root, own.out, "--encoded")
    monkeypatch.undo()
    if then == "without the donor":
        shutil.rmtree(own.base)
    if then == "with another picture":
        photo = training_photos(fresh)[70]["photo_id"]
        cv2.imwrite(str(own.root / "images" / f"{photo}.jpg"), draw_picture(999))
        fresh = derive(own.root, own.root.parent / "afresh", "--encoded")
    derived = derive(own.root, own.out, "--encoded")
    assert ("again" in capsys.readouterr().err) == (then == "with another picture")
    assert records(derived) == records(fresh)
    assert json.loads((derived / "summary.json").read_text())["derived_from"]["dataset"] == BASE


def test_a_record_that_the_donors_disk_changed_is_not_copied(own, capsys, decoded):
    row = next(row for row in training_photos(own.base) if row["photo_id"] == training_photos(own.fresh)[3]["photo_id"])
    damage_record(own.base / "train_local_lmdb", int(row["position"]))
    assert content(derive(own.root, own.out, "--encoded")) == content(own.fresh)
    assert set(decoded) - {CUT, LACKING} == {int(row["photo_id"])}
    assert f"{own.base} lost or changed records of 1 train photos" in capsys.readouterr().err


def test_a_photo_that_was_replaced_since_is_decoded_and_one_that_was_only_touched_is_not(own, draw_picture, decoded):
    written = [row["photo_id"] for row in training_photos(own.fresh) if row["status"] == "written"]
    replaced, touched = (own.root / "images" / f"{name}.jpg" for name in written[:2])
    cv2.imwrite(str(replaced), draw_picture(999, 321, 258))
    os.utime(touched)
    derived = derive(own.root, own.out, "--encoded")
    assert set(decoded) - {CUT, LACKING} == {int(written[0])}
    assert content(derived) == content(derive(own.root, own.root.parent / "afresh", "--encoded"))


def test_a_photo_that_was_bad_and_is_there_now_is_in(own, draw_picture):
    lacking = own.root / "images" / f"{LACKING}.jpg"
    cv2.imwrite(str(lacking), draw_picture(5))
    assert LACKING in {int(row["photo_id"]) for row in training_photos(own.fresh)}
    derived = derive(own.root, own.out, "--encoded")
    assert records(derived) == records(derive(own.root, own.root.parent / "afresh", "--encoded"))


def test_the_photos_may_be_gone(own):
    shutil.rmtree(own.root / "images")
    assert records(derive(own.root, own.out, "--encoded")) == records(own.fresh)


def test_no_file_of_the_two_datasets_is_one(own):
    derived = derive(own.root, own.out, "--encoded")
    shutil.rmtree(own.base)
    assert all(path.stat().st_nlink == 1 for path in derived.rglob("*.mdb"))
    assert records(derived) == records(own.fresh)


def test_what_will_be_copied_is_announced_with_its_size(own, capsys):
    derive(own.root, own.out, "--encoded", "--dry-run")
    printed = capsys.readouterr().out
    assert "  disk      about " in printed
    assert f"copied out of {own.base}/, " in printed
    assert not (own.out / DERIVED).exists()


def other_lists(own):
    with (own.root / "aesthetics_image_lists" / "generic_test.jpgl").open("a") as file:
        file.write("\n1001")


def other_packages(own):
    path = own.base / "summary.json"
    there = json.loads(path.read_text())
    there["versions"]["numpy"] = "0.1"
    path.write_text(json.dumps(there))


def other_labels(own):
    rows = list(csv.reader((own.base / "manifest.csv").open(newline="")))
    rows[1][4] = str(1 - int(rows[1][4]))
    with (own.base / "manifest.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def no_digests(own):
    shutil.rmtree(own.base / ".journal")


def other_digests(own):
    path = journal.kept(own.base, "train")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[::-1]))


def cut_off(own):
    os.truncate(own.base / "train_global_lmdb" / "data.mdb", 1_000_000)


def half_done(own):
    (own.base / "summary.json").unlink()


@pytest.mark.parametrize(
    ("change", "options", "why"),
    [
        (other_lists, (), "the photos' list has changed"),
        (half_done, (), "it is not complete"),
        (other_packages, (), "it was made by numpy 0.1"),
        (other_labels, (), "manifest.csv is damaged, or not its own"),
        (no_digests, (), "an earlier version made it"),
        (other_digests, (), "train.csv is damaged, or not its own"),
        (cut_off, (), "is cut off"),
        (None, ("--seed", "3"), "seed 2016 there, 3 asked for"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_dataset_that_cannot_serve_is_not_taken_and_it_says_why(own, capsys, change, options, why):
    if change:
        change(own)
    derive(own.root, own.out, "--encoded", "--dry-run", *options)
    printed = capsys.readouterr()
    assert why in printed.err
    assert printed.err.startswith(f"{DERIVED}: the photos are decoded, for {own.base} gives no records: ")
    assert "copied" not in printed.out


def test_a_dataset_of_other_views_or_none_gives_nothing(own, tmp_path, capsys):
    content = summary.read(own.base)
    path = own.base / "summary.json"
    parameters = content["parameters"] | {"views": ["global"]}
    path.write_text(json.dumps(content | {"views": ["global"], "parameters": parameters}))
    asked = Request(DERIVED, own.out, {}, ("local",), True, parameters | {"views": ["local"], "delta": "0.25"})
    assert donor.find(asked) is None
    assert "it has no local view" in capsys.readouterr().err
    assert donor.find(Request(DERIVED, Path("nowhere"), {}, ("local",), True, asked.parameters)) is None
    assert donor.find(Request(BASE, own.out, {}, ("local",), True, content["parameters"])) is None
    assert capsys.readouterr().err == ""
