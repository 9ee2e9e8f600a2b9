"""A run's net without its LMDB says the same of the same views, bit for bit, whatever was edited in its prototxt."""

from user_error import UserError

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

import tiny_run
from tiny_run import BATCH, BODY, ENDS, USUAL

from data_prep.stores import read_records
from deploy import child, pair
from deploy.net import ScoringNet, of_run
from deploy.scorer import Scorer, fixing_layers
from deploy.scoring import LoadedNet
from deploy.scoring_work import Task
from experiments.run_folder import RunFolder
from paper import LAST_LAYER
from prototxt import messages
from prototxt.messages import caffe_pb2

POWER = """layer { name: "power" type: "Power" bottom: "scores" top: "scores" power_param { scale: 3 shift: 1 } }"""


@pytest.fixture
def make_run(tmp_path, data):
    """make_run(transform=..., body=..., ...): as tiny_run.make, on the harness's dataset."""
    return lambda **options: tiny_run.make(tmp_path / "results", data / "demo", **options)


def views(data, view: str) -> np.ndarray:
    records = read_records(data / "demo" / f"test_{view}_lmdb")
    return np.stack([picture.transpose(2, 0, 1) for _, _, picture in records])


def scored(net: ScoringNet, photos: np.ndarray, batch: int = BATCH, pads: bool = False) -> np.ndarray:
    """p(good) of all photos, `batch` at a time, in this process."""
    task = Task(messages.text(net.param), net.input, net.output, net.weights, net.transform, view=0)
    loaded = LoadedNet(task, batch)
    return np.concatenate([loaded.p_good(photos[i : i + batch], pads) for i in range(0, len(photos), batch)])


def assert_the_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal in the bits of whole batches; the test pass fills its last one up with its first photos, we do not."""
    whole = len(expected) // BATCH * BATCH
    assert np.array_equal(found[:whole], expected[:whole])
    assert found == pytest.approx(expected, abs=1e-6)


def mean_file(tmp_path) -> str:
    mean = np.random.default_rng(1).uniform(80, 160, (3, 256, 256)).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=256, width=256, data=mean.ravel().tolist())
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    return f'mean_file: "{tmp_path / "mean.binaryproto"}"'


@pytest.mark.parametrize(
    "transform",
    [
        USUAL,
        "crop_size: 199 mean_value: 100 scale: 0.0173",
        "scale: 0.00390625",
        "crop_size: 128 MEAN_FILE",
        "MEAN_FILE scale: 2",
    ],
)
def test_every_transform_gives_the_bits_of_the_test_pass(make_run, data, tmp_path, transform):
    folder, expected = make_run(transform=transform.replace("MEAN_FILE", mean_file(tmp_path)))
    assert np.ptp(expected) > 1e-3
    assert_the_same(scored(of_run(folder), views(data, "global")), expected)


@pytest.mark.parametrize(
    "layers",
    [
        POWER,  # in the place of the scores, which the test pass reads behind it
        POWER + ENDS,
        ENDS + 'layer { name: "softmax" type: "Softmax" bottom: "scores" top: "p" } '
        'layer { name: "files" type: "Silence" bottom: "p" bottom: "label" }',
    ],
)
def test_layers_behind_the_last_one_count_where_the_test_pass_counts_them(make_run, data, layers):
    folder, expected = make_run(ends=layers if "label" in layers else layers + ENDS)
    net = of_run(folder)
    assert_the_same(scored(net, views(data, "global")), expected)
    assert not {"accuracy", "loss", "softmax", "files"} & {layer.name for layer in net.param.layer}


def test_another_batch_gives_the_same_but_for_the_last_digits(make_run, data):
    folder, expected = make_run()
    for batch in (4, 50):
        assert scored(of_run(folder), views(data, "global"), batch) == pytest.approx(expected, abs=1e-6)


def test_a_net_that_states_its_batch_is_scored_with_that_one(make_run, data):
    reshape = (
        'layer { name: "shape" type: "Reshape" bottom: "conv" top: "flat" reshape_param { shape { dim: 5 dim: -1 } } }'
    )
    body = BODY.replace(f'layer {{ name: "{LAST_LAYER}"', reshape + f'layer {{ name: "{LAST_LAYER}"')
    folder, expected = make_run(body=body.replace('bottom: "conv" top: "scores"', 'bottom: "flat" top: "scores"'))
    net = of_run(folder)
    assert fixing_layers(net.param) == ["shape"]
    assert_the_same(scored(net, views(data, "global"), pads=True), expected)
    with pytest.raises(UserError, match="layer shape may state the batch: it is scored with --batch 5"):
        Scorer([net], gpu=None, batch=4)


def test_the_view_is_that_of_the_store_which_the_test_pass_reads(make_run, data):
    folder, expected = make_run(view="local")
    assert of_run(folder).view == "local"
    text = (folder.path / "train_val.prototxt").read_text()
    (folder.path / "train_val.prototxt").write_text(text.replace("test_local_lmdb", "test_global_lmdb"))
    assert of_run(folder).view == "global"
    assert not np.array_equal(scored(of_run(folder), views(data, "global")), expected)


@pytest.mark.parametrize("command", ["python -m data_prep ava --encoded --out 'a b'", "python -m data_prep ava", ""])
def test_whether_photos_were_stored_as_jpegs_is_known_by_the_command_that_prepared_them(make_run, command):
    assert of_run(make_run(command=command)[0]).encoded == ("--encoded" in command)


def test_an_unfinished_run_gives_its_newest_sound_snapshot_and_says_so(make_run):
    folder, _ = make_run(done=False)
    net = of_run(folder)
    assert net.iteration == 7
    assert net.notes == (f"{folder.path}: the run is not finished, its newest snapshot is of iteration 7",)
    net.weights.write_bytes(b"cut")
    with pytest.raises(UserError, match="has no sound snapshot"):
        of_run(folder)


def test_a_result_whose_weights_are_gone_is_not_taken_for_the_snapshot_that_is_left(make_run):
    folder, _ = make_run()
    folder.done.write_text('{"iteration": 5, "sha256": {}}')
    net = of_run(folder)
    assert net.iteration == 7
    assert "weights of its result at iteration 5 are gone, these are of iteration 7" in net.notes[0]


def test_what_is_not_covered_is_refused_in_a_line(make_run):
    folder, _ = make_run()
    path = folder.path / "train_val.prototxt"
    whole = path.read_text()
    for pattern, replacement, says in (
        (f'name: "{LAST_LAYER}"', 'name: "other"', f"no layer {LAST_LAYER}"),
        ("crop_size: 227", "crop_size: 300", "a crop of 300 from views of 256"),
        ("crop_size: 227", "force_gray: true", "force_gray is not covered"),
        ("mean_value: 104", "", "2 times mean_value"),
        ('type: "Data"', 'type: "ImageData"', "is of type ImageData"),
        ('bottom: "conv" top: "scores"', 'bottom: "label" top: "scores"', "does not depend on the photos"),
        ("test_global_lmdb", "test_lmdb", "no store of a view"),
        ("crop_size: 227 mean_value: 104", 'mean_file: "/no/mean"', "/no/mean cannot be read"),
    ):
        assert pattern in whole, pattern
        path.write_text(whole.replace(pattern, replacement))
        with pytest.raises(UserError, match=says) as refused:
            of_run(folder)
        assert "\n" not in str(refused.value)


def test_weights_that_lack_a_layer_are_not_taken(make_run, data):
    folder, _ = make_run()
    net = of_run(folder)
    net.param.layer[-1].name = "fc9"
    with pytest.raises(UserError, match="has no weights for layer fc9"):
        scored(net, views(data, "global"))


@pytest.mark.parametrize("has_mean_file", [False, True])
def test_an_exported_pair_gives_the_same_bits(make_run, data, tmp_path, has_mean_file):
    transform = f"crop_size: 200 {mean_file(tmp_path)} scale: 0.3" if has_mean_file else USUAL
    folder, expected = make_run(transform=transform)
    net, exported = of_run(folder), tmp_path / "exported"
    exported.mkdir()
    (exported / pair.FACTS).write_text(pair.facts(net, "net.caffemodel"))
    (exported / pair.PROTOTXT).write_text(messages.text(net.param))
    (exported / "net.caffemodel").write_bytes(net.weights.read_bytes())
    if has_mean_file:
        (exported / pair.MEAN).write_bytes((tmp_path / "mean.binaryproto").read_bytes())
    pair.seal(exported)
    read = pair.of_pair(exported)
    assert_the_same(scored(read, views(data, "global")), expected)
    assert replace(read, weights=net.weights, mean_file=net.mean_file, transform=net.transform) == net


def test_a_pair_that_was_edited_cut_or_not_sealed_is_named_and_refused(make_run, tmp_path):
    net = of_run(make_run()[0])
    (tmp_path / pair.PROTOTXT).write_text(messages.text(net.param))
    (tmp_path / "net.caffemodel").write_bytes(net.weights.read_bytes())
    (tmp_path / pair.FACTS).write_text(pair.facts(net, "net.caffemodel"))
    with pytest.raises(UserError, match=r"net.json is not as `export` wrote it: export the run again$"):
        pair.of_pair(tmp_path)
    pair.seal(tmp_path)
    facts = json.loads((tmp_path / pair.FACTS).read_text())
    for edit in ({"output": "prob"}, {"crop_size": 500}, {"scale": float("nan")}, {"sha256": {}}, {"mean_bgr": [1]}):
        (tmp_path / pair.FACTS).write_text(json.dumps(facts | edit))
        with pytest.raises(UserError, match=r"net.json is not as `export` wrote it: export the run again$"):
            pair.of_pair(tmp_path)
    (tmp_path / pair.FACTS).write_text(json.dumps(facts, indent=7))  # the same facts
    assert pair.of_pair(tmp_path).weights == tmp_path / "net.caffemodel"
    for name, content in ((pair.PROTOTXT, b""), ("net.caffemodel", net.weights.read_bytes()[:-9])):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} is not as `export` wrote it: export the run again$"):
            pair.of_pair(tmp_path)
        (tmp_path / name).write_bytes(whole)
    (tmp_path / "net.caffemodel").unlink()
    with pytest.raises(UserError, match=r"net.caffemodel is not there"):
        pair.of_pair(tmp_path)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"run": {}}, "its run lacks a dataset, a network or a seed"),
        ({"run": {"dataset": "demo", "network": [], "seed": 1}}, "its run lacks a dataset, a network or a seed"),
        ({"dataset": {"command": "python -m 'data_prep"}}, "its dataset.command has no closing quotation"),
    ],
)
def test_a_record_that_was_damaged_by_hand_is_named(make_run, edit, says):
    folder, _ = make_run()
    folder.write_record(folder.record() | edit)
    with pytest.raises(UserError, match=f"run.json is damaged: {says}$"):
        of_run(folder)


def test_a_record_that_is_a_pipe_is_refused_and_not_waited_for(make_run):
    folder, _ = make_run()
    (folder.path / "run.json").unlink()
    os.mkfifo(folder.path / "run.json")
    with pytest.raises(UserError, match=r"run.json: is not a file$"):
        of_run(folder)


def test_a_folder_whose_name_is_not_utf8_is_read(make_run, data):
    folder, expected = make_run()
    odd = folder.path.with_name(os.fsdecode(b"seed\xe9"))
    folder.path.rename(odd)
    net = of_run(RunFolder(odd))
    assert_the_same(scored(net, views(data, "global")), expected)


def test_weights_are_loaded_before_the_first_photo(make_run):
    net = of_run(make_run()[0])
    net.weights.unlink()
    with Scorer([net], gpu=None) as scorer:
        assert scorer.connection.poll(30)  # though nothing was submitted
        assert str(scorer.connection.recv()) == f"{net.weights}: No such file or directory"


def test_a_batch_beyond_the_memory_is_told_with_its_option(make_run):
    net = of_run(make_run()[0])
    for batch in (2 * 10**9, 10**30):
        with pytest.raises(UserError, match=r"give a smaller --batch$"), Scorer([net], gpu=None, batch=batch):
            pass


def test_the_process_that_holds_caffe_ends_with_the_one_that_started_it():
    words = child.command("timeit", "-n", 1, "-r", 1, "-s", "import time; print('ready', flush=True)", "time.sleep(20)")
    code = f"import subprocess; subprocess.run({words})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        assert parent.stdout.read() == ""  # it ends once both are dead; timeit would have its say after the 20 seconds


def test_what_ends_caffe_is_told_in_a_line(make_run):
    net = of_run(make_run()[0])
    net.param.layer[1].convolution_param.kernel_size[0] = 999
    with Scorer([net], gpu=None) as scorer:
        scorer.submit(1)
        with pytest.raises(UserError, match="alexnet_global/seed-1: Caffe says") as told:
            scorer.collect()
    assert "\n" not in str(told.value)
