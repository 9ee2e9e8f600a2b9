"""An exported net gives the run's numbers without this repository, and is whole and right or not there."""

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

caffe = pytest.importorskip("caffe")
onnx = pytest.importorskip("onnx")

from user_error import UserError  # noqa: E402

import tiny_run  # noqa: E402
import yaml  # noqa: E402
from conftest import ROOT  # noqa: E402
from harness import TEST  # noqa: E402

from data_prep import manifest  # noqa: E402
from data_prep.decoder import decode  # noqa: E402
from data_prep.records import JPEG_QUALITY  # noqa: E402
from data_prep.stores import read_records  # noqa: E402
from data_prep.views import MAKE_VIEW  # noqa: E402
from deploy import card, export_check, pair, which  # noqa: E402
from deploy.export import _whole_or_not_there, export, is_replaceable, write_pair  # noqa: E402
from deploy.export_caffe import _convert  # noqa: E402
from deploy.export_check import Check, check  # noqa: E402
from deploy.net import of_run  # noqa: E402
from experiments.evaluation import Scores  # noqa: E402
from experiments.finetuning import predictions  # noqa: E402
from experiments.planning import dataset_digest  # noqa: E402
from experiments.run_folder import RunFolder  # noqa: E402
from files import sha256  # noqa: E402
from paper import LAST_LAYER  # noqa: E402
from prototxt.messages import caffe_pb2  # noqa: E402

FILES = ["demo_alexnet_global.caffemodel", "deploy.prototxt", "example.py", "model.onnx", "net.json", "readme.md"]
TRANSFORM = "crop_size: 131 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.02"
BODY = f"""
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" param {{ lr_mult: 1 }}
  convolution_param {{ num_output: 4 kernel_size: 7 stride: 5 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param {{ alpha: 0.5 }} }}
layer {{ name: "prob" type: "Pooling" bottom: "norm" top: "prob" pooling_param {{ kernel_size: 4 stride: 3 }} }}
layer {{ name: "{LAST_LAYER}" type: "InnerProduct" bottom: "prob" top: "scores"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
"""
PLACED = """layer { name: "place" type: "Power" bottom: "scores" top: "scores" power_param { scale: 3 shift: 1 } }"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, data) -> RunFolder:
    """A finished run of a small net, its predictions made by the test pass."""
    folder, p_good = tiny_run.make(tmp_path_factory.mktemp("结 果"), data / "demo", transform=TRANSFORM, body=BODY)
    assert np.ptp(p_good) > 0.05
    folder.write_record(
        folder.record()
        | {
            "inputs": {"dataset": dataset_digest(data / "demo"), "weights": "0" * 64},
            "edited": {"train_val": True},
            "marks": ["in the edited net no layer starts from the pretrained model"],
            "data": str(data),
            "dataset": {
                "photos": {"train": 40, "test": TEST},
                "rule": "noise, brighter where it is good",
                "notes": ["one photo is odd"],
                "command": f"python -m data_prep photos --root {data}",
                "lists_sha256": {"test": "1" * 64},
            },
            "max_iter": 7,
            "attempts": [
                {
                    "started": "2026-11-26T02:24:25+00:00",
                    "git": {"commit": "2" * 40, "dirty": True},
                    "caffe": {"caffe": "1.0.0", "source": f"upstream at {'3' * 40}"},
                }
            ],
            "finished": "2026-11-27T02:24:25+00:00",
        }
    )
    scores = Scores(np.array([label for _, label in manifest.test_photos(data / "demo")]), p_good, 0.0)
    folder.write_predictions(7, predictions(manifest.test_photos(data / "demo"), scores))
    folder.finish(7)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory, run, data) -> tuple[Path, str]:
    """What the command made of the run in a place with spaces, and what it printed."""
    out = tmp_path_factory.mktemp("exports") / "not yet there" / "my net 网"
    words = ["export", "demo/alexnet_global", "--out", out, "--results", run.path.parents[2], "--data", data]
    done = subprocess.run([sys.executable, "run_experiments.py", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture(scope="module")
def lib(tmp_path_factory) -> Path:
    """A folder with numpy, cv2 and onnxruntime, and nothing else that Python's own library lacks."""
    folder, packages = tmp_path_factory.mktemp("lib"), Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "cv2", "opencv_python_headless.libs", "onnxruntime"):
        if (packages / name).exists():
            (folder / name).symlink_to(packages / name)
    return folder


def alone(lib, code: str, *words: object) -> subprocess.CompletedProcess:
    """Run code with the packages in `lib` alone: isolated (-I), without site-packages (-S)."""
    start = "import sys; lib, *sys.argv = sys.argv[1:]; sys.path.append(lib); "
    command = [sys.executable, "-I", "-S", "-c", start + code, lib, *words]
    return subprocess.run(command, cwd=lib, capture_output=True, text=True)


def examples(lib, folders, photos) -> list[list[tuple[str, str]]]:
    """What example.py of each exported folder prints: p(good) and path of each photo."""
    code = (
        f"import runpy; photos = sys.argv[{len(folders)}:]\n"
        f"for folder in sys.argv[:{len(folders)}]:\n"
        "    sys.argv = [folder, *photos]; runpy.run_path(f'{folder}/example.py', run_name='__main__')"
    )
    done = alone(lib, code, *folders, *photos)
    assert done.returncode == 0, done.stderr
    lines = [tuple(line.split("  ")) for line in done.stdout.splitlines()]
    return [lines[first : first + len(photos)] for first in range(0, len(lines), len(photos))]


@pytest.fixture
def photos(tmp_path, draw_picture) -> list[Path]:
    """Photos of odd shapes: large, small, a line, grey."""
    paths = []
    for number, (width, height) in enumerate([(700, 301), (90, 255), (3, 2000), (300, 256)]):
        path = tmp_path / f"photo {number} 照.png"
        picture = draw_picture(number, width, height)
        path.write_bytes(cv2.imencode(".png", picture[:, :, 0] if number == 3 else picture)[1].tobytes())
        paths.append(path)
    return paths


def test_the_export_gives_the_runs_numbers_on_its_test_photos(exported):
    out, printed = exported
    assert sorted(path.name for path in out.iterdir()) == FILES
    onnx_line, caffe_line = printed.splitlines()[-2:]
    assert f"on {TEST} test photos" in printed
    assert float(onnx_line.split()[-1]) < 2e-6
    assert float(caffe_line.split()[-1]) < 2e-6


def test_the_exported_pair_is_read_as_the_runs_net(exported, run):
    theirs, ours = pair.of_pair(exported[0]), of_run(run)
    assert np.array_equal(theirs.transform.mean, ours.transform.mean)
    assert theirs.transform.crop == ours.transform.crop == 131
    for name in ("name", "view", "encoded", "iteration", "input", "output", "batch"):
        assert getattr(theirs, name) == getattr(ours, name)


@pytest.mark.parametrize(
    ("transform", "ends"),
    [
        ("crop_size: 131 MEAN scale: 0.02", tiny_run.ENDS),
        ("scale: 0.02", PLACED + tiny_run.ENDS),
        ("MEAN", tiny_run.ENDS),
    ],
)
def test_every_transform_and_a_layer_in_the_place_of_the_scores_are_exported(data, tmp_path, transform, ends):
    mean = np.random.default_rng(1).uniform(80, 160, 3 * 256 * 256)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=256, width=256, data=mean.tolist())
    (tmp_path / "own.binaryproto").write_bytes(blob.SerializeToString())
    transform = transform.replace("MEAN", f'mean_file: "{tmp_path / "own.binaryproto"}"')
    folder, expected = tiny_run.make(tmp_path, data / "demo", transform=transform, body=BODY, ends=ends)
    assert np.ptp(expected) > 0.01
    net, out = of_run(folder), tmp_path / "out"
    out.mkdir()
    write_pair(net, out, "a.caffemodel")
    _convert(out, net.weights, "a.caffemodel")
    views = np.stack([view for _, _, view in read_records(data / "demo" / "test_global_lmdb")])
    by_onnx = np.concatenate(list(export_check._by_onnx(out / "model.onnx", views)))
    assert by_onnx == pytest.approx(expected, abs=1e-5)


def test_stock_caffe_loads_the_pair_and_has_p_good_as_its_last_blob(exported, run):
    out, _ = exported
    net = caffe.Net(str(out / "deploy.prototxt"), str(out / FILES[0]), caffe.TEST)
    net.blobs["data"].data[...] = 1
    probabilities = net.forward()[f"{LAST_LAYER}_prob"]  # the run's net has a blob `prob` of its own
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert "filler" not in (out / "deploy.prototxt").read_text()


def test_the_example_takes_a_photo_to_p_good_with_three_packages_alone(exported, lib, photos, tmp_path):
    """It runs in a Python that has the standard library, numpy, cv2 and onnxruntime, and finds nothing else.

    So it imports nothing of this repository, of Caffe or of onnx, and its views are those of data_prep/views.py: the
    model gives the same for them, of photos that are enlarged, cut and grey, for both views, from JPEGs too.
    """
    assert "No module named" in alone(lib, "import lmdb").stderr
    assert "No module named" in alone(lib, "import data_prep").stderr
    folders, expected = [], []
    for view, stored_as in (("global", "pixels"), ("local", "pixels"), ("local", "JPEG")):
        folders.append(tmp_path / f"{view} {stored_as}")
        folders[-1].mkdir()
        model = onnx.load(exported[0] / "model.onnx")
        onnx.helper.set_model_props(model, {"view": view, "view_stored_as": stored_as})
        onnx.save(model, folders[-1] / "model.onnx")
        shutil.copy(exported[0] / "example.py", folders[-1])
        views = np.stack([MAKE_VIEW[view](decode(photo.read_bytes())) for photo in photos])
        if stored_as == "JPEG":
            quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            views = [cv2.imdecode(cv2.imencode(".jpg", each, quality)[1], cv2.IMREAD_COLOR) for each in views]
        expected.append(np.concatenate(list(export_check._by_onnx(exported[0] / "model.onnx", np.stack(views)))))
    assert len({round(float(p_good), 5) for p_good in np.concatenate(expected)}) == 3 * len(photos)
    for printed, theirs in zip(examples(lib, folders, photos), expected, strict=True):
        assert [path for _, path in printed] == [str(photo) for photo in photos]
        assert [float(p_good) for p_good, _ in printed] == pytest.approx(theirs, abs=2e-6)


def test_the_card_opens_as_caffes_model_zoo_reads_it(exported):
    out, _ = exported
    lines = (out / "readme.md").read_text().splitlines()
    facts = yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
    assert lines[0] == "---"
    assert facts["caffemodel"] == FILES[0]
    assert facts["sha1"] == hashlib.sha1((out / FILES[0]).read_bytes()).hexdigest()
    assert facts["caffe_commit"] == "3" * 40
    assert {"name", "caffemodel_url", "license"} <= facts.keys()


def test_the_card_has_the_runs_own_numbers_and_where_they_come_from(exported, run):
    text = (exported[0] / "readme.md").read_text()
    result = run.result()
    correct = sum(p.label == p.predicted for p in result.predictions)
    assert f"| accuracy | {100 * correct / TEST:.2f} % |" in text
    for said in (
        "noise, brighter where it is good",
        "one photo is odd.",
        "A person edited its net",
        "in the edited net no layer starts from the pretrained model.",
        f"{'2' * 40}, and changes",
        "2026-11-26 to 2026-11-27",
        sha256(exported[0] / "model.onnx"),
        "It is of no use for real photos",
    ):
        assert said in text
    assert "the paper |" not in text


def test_nothing_of_the_export_tells_where_the_run_lay(exported, run, data):
    for path in exported[0].iterdir():
        for place in (run.path.parents[2], data, ROOT):
            assert os.fsencode(place) not in path.read_bytes(), path


def test_an_export_takes_the_place_of_an_older_one_and_of_nothing_else(exported, tmp_path):
    assert is_replaceable(exported[0])
    (tmp_path / "empty").mkdir()
    assert is_replaceable(tmp_path / "empty")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(exported[0])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "readme.md").touch()
    (tmp_path / "more").mkdir()
    for name in (*FILES, "notes.txt"):
        (tmp_path / "more" / name).touch()
    for name in ("file", "link", "photos", "more"):
        assert not is_replaceable(tmp_path / name), name


def test_a_card_of_a_run_without_a_result_has_no_numbers_and_says_why(exported, run):
    net = replace(pair.of_pair(exported[0]), notes=("demo/alexnet_global/seed-1: the run is not finished",))
    text = card.text(exported[0], net, "prob", run.record(), None, Check(TEST, 1e-7, None))
    assert "There is no result of the test photos" in text
    assert "- demo/alexnet_global/seed-1: the run is not finished" in text
    assert "| accuracy" not in text
    assert "predictions.csv | – |" in text


@pytest.mark.parametrize(
    ("dataset", "network", "view", "accuracy"),
    [("cuhkpq-large", "alexnet", "local", "83.24 % (Table I)"), ("ava-large", "vgg16", "global", "(Table III)")],
)
def test_a_card_of_the_papers_datasets_has_the_papers_number_and_the_licence(
    exported, run, dataset, network, view, accuracy
):
    net = replace(pair.of_pair(exported[0]), dataset=dataset, network=network, view=view)
    text = card.text(exported[0], net, "prob", run.record(), run.result(), Check(TEST, 1e-7, 0.0))
    assert accuracy in text
    assert card.PRETRAINED[network].terms in text
    assert "drawn" not in text


@pytest.mark.parametrize(("start", "paper", "model"), [("scratch", False, False), ("frozen", False, True)])
def test_a_card_of_another_start_has_no_number_of_the_papers_and_a_model_where_there_is_one(
    exported, run, start, paper, model
):
    net = replace(pair.of_pair(exported[0]), dataset="ava-large", network="vgg16", view="global")
    record = run.record() | {"run": run.record()["run"] | {"start": start}}
    text = card.text(exported[0], net, "prob", record, run.result(), Check(TEST, 1e-7, 0.0))
    assert ("accuracy in the paper" in text) is paper
    assert (card.PRETRAINED["vgg16"].terms in text) is model
    assert ("It started from scratch: every layer from its filler." in text) is not model
    assert f"{'its last layer alone trained' if model else 'trained from scratch'} to tell good photos" in text


def test_an_export_is_no_run_to_export(exported, run):
    with pytest.raises(UserError, match="my net 网 is no run: give the folder of the run that it was made from"):
        which.run(str(exported[0]), run.path.parents[2])


def test_what_lies_in_the_place_stays_and_is_named(run, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(UserError, match="out is there, and not an export alone: give another --out"):
        export(run, tmp_path / "out", data)
    assert (tmp_path / "out" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("file/sub", "file/sub cannot be written (Not a directory): give another --out DIR"),
        ("file/sub/sub", "file/sub/sub cannot be written (Not a directory): give another --out DIR"),
        ("odd\udce9", "is not UTF-8, and ONNX Runtime opens no such path: give another --out DIR"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_and_left(run, data, tmp_path, name, says):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"{re.escape(says)}$"):
        export(run, tmp_path / name, data)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_and_a_folder_without_permission_name_the_place_alone(tmp_path, monkeypatch):
    out = tmp_path / "out"
    says = r"out cannot be written \({}\): give another --out DIR$".format
    with pytest.raises(UserError, match=says("No space left on device")), _whole_or_not_there(out):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match="mean"), _whole_or_not_there(out):
        (tmp_path / "mean").read_bytes()  # what is read has a name of its own

    def refuse(path: Path, *_, **__) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=says("Permission denied")), _whole_or_not_there(out):
        pass
    assert not any(tmp_path.iterdir())


def test_the_example_names_what_is_no_picture_in_a_line(exported, tmp_path, draw_picture):
    whole = cv2.imencode(".png", draw_picture(1))[1].tobytes()
    for name, content in (("empty", b""), ("text", b"a text"), ("cut", whole[:20])):
        (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            [sys.executable, exported[0] / "example.py", tmp_path / name], capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == f"{tmp_path / name} is no picture that OpenCV can read"
        assert "Traceback" not in done.stderr


def test_without_the_test_photos_it_says_how_to_name_them(run, tmp_path):
    with pytest.raises(UserError, match=r"test_global_lmdb is not there, .*: give --data, the folder with .* demo$"):
        export(run, tmp_path / "out", tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_fails_leaves_nothing_and_the_older_one_is_kept(tmp_path):
    out = tmp_path / "out"
    with suppress(KeyboardInterrupt), _whole_or_not_there(out) as folder:
        (folder / "model.onnx").touch()
        raise KeyboardInterrupt
    assert not any(tmp_path.iterdir())
    for content in ("older", "newer"):
        with _whole_or_not_there(out) as folder:
            (folder / "model.onnx").write_text(content)
            assert not out.exists() or (out / "model.onnx").read_text() == "older"
    assert (out / "model.onnx").read_text() == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ('"MVN"', r"^layer norm \(MVN\): a layer that is none of "),  # known before anything is written
        ('"Softmax" softmax_param { axis: 0 }', r"^layer norm \(Softmax\): an axis that runs over the photos"),
    ],
)
def test_a_layer_that_is_not_covered_is_one_line_and_leaves_nothing(run, data, tmp_path, kind, says):
    folder = RunFolder(tmp_path / "edited")
    folder.path.mkdir()
    for path in run.path.iterdir():
        (folder.path / path.name).symlink_to(path)
    (folder.path / "train_val.prototxt").unlink()
    text = (run.path / "train_val.prototxt").read_text()
    (folder.path / "train_val.prototxt").write_text(text.replace('"norm" type: "LRN"', f'"norm" type: {kind}'))
    with pytest.raises(UserError, match=f"{says}.* cannot be written to ONNX$"):
        export(folder, tmp_path / "out", data)
    assert [path.name for path in tmp_path.iterdir()] == ["edited"]


@pytest.mark.parametrize("off", [2e-5, float("nan")])
def test_numbers_that_differ_from_caffes_are_an_error(exported, data, monkeypatch, off):
    out, _ = exported
    by_onnx = np.concatenate(list(export_check._by_onnx(out / "model.onnx", np.zeros((TEST, 256, 256, 3), np.uint8))))
    monkeypatch.setattr(export_check, "_by_caffe", lambda net, views: [by_onnx])
    monkeypatch.setattr(export_check, "_by_onnx", lambda model, views: [by_onnx + np.float32(off)])
    store = data / "demo" / "test_global_lmdb"
    with pytest.raises(UserError, match=r"differs by up to .* between Caffe and ONNX Runtime on 23 test photos"):
        check(pair.of_pair(out), out / "model.onnx", store, None)


def test_two_hundred_photos_are_spread_over_the_test_set(exported, data, monkeypatch):
    asked = []
    monkeypatch.setattr(export_check, "PHOTOS", 5)
    monkeypatch.setattr(export_check, "views_at", lambda store, positions: asked.extend(positions) or {0: np.zeros(1)})
    for name in ("_by_caffe", "_by_onnx"):
        monkeypatch.setattr(export_check, name, lambda *_: [np.zeros(5, np.float32)])
    theirs = np.zeros(TEST)
    theirs[18] = 0.5
    found = check(pair.of_pair(exported[0]), Path(), data / "demo" / "test_global_lmdb", theirs)
    assert asked == [0, 4, 9, 13, 18]
    assert found.run == 0.5
