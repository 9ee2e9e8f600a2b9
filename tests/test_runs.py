"""A run ends as it should, whatever happens to it on the way: the demo's nets, small batches, a small dataset."""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from data_prep.lmdb_store import Datum, checkpoint
from paper import ROOT

pytest.importorskip("caffe")
from caffe.proto import caffe_pb2

CODE = ("caffe_build", "data_prep", "experiments", "prototxt", "solvers", "report", "models")
TRAIN, TEST = 40, 23  # photos; 23 is no multiple of the test batch
MAX_ITER, SNAPSHOT_EVERY, EVALUATE_EVERY = 12, 3, 4
ALEXNET = "demo/alexnet_global"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset in the harness's own layout: noise, brighter where it is good."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = []
    for split, count in (("train", TRAIN), ("test", TEST)):
        labels = rng.integers(0, 2, count)
        for view in ("global", "local"):
            with checkpoint(root / "demo" / f"{split}_{view}_lmdb", count) as put:
                for i, label in enumerate(labels):
                    planes = rng.integers(0, 180 + 20 * label, (3, 256, 256), dtype=np.uint8)
                    datum = Datum(channels=3, height=256, width=256, data=planes.tobytes(), label=int(label))
                    put(i, datum.SerializeToString())
        rows += [[f"{split}{i}", split, i, label, "written"] for i, label in enumerate(labels)]
    with (root / "demo" / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_id", "split", "position", "label", "status"])
        writer.writerows(rows)
    splits = {"train": {"written": TRAIN}, "test": {"written": TEST}}
    (root / "demo" / "summary.json").write_text(json.dumps({"splits": splits, "views": ["global", "local"]}))
    return root


@pytest.fixture
def checkout(tmp_path, data):
    """A copy of the code whose prototxts and solvers a test may edit."""
    root = tmp_path / "a checkout 我的"
    for name in CODE:
        ignore = shutil.ignore_patterns("__pycache__", "bvlc_*", "VGG_*")
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*.toml")]:
        shutil.copy(path, root)
    for path in (root / "prototxt" / "demo").glob("*/train_val.prototxt"):
        edit(path, r"batch_size: \d+", "batch_size: 4")
    for path in (root / "solvers" / "demo").glob("*.prototxt"):
        edit(path, r"max_iter: \d+", f"max_iter: {MAX_ITER}")
        edit(path, r"snapshot: \d+", f"snapshot: {SNAPSHOT_EVERY}")
        edit(path, r"test_interval: \d+", f"test_interval: {EVALUATE_EVERY}")
        edit(path, r"display: \d+", "display: 1")
    (root / "data").symlink_to(data)
    return root


def edit(path, pattern, replacement):
    text = path.read_text()
    edited = re.sub(pattern, replacement, text)
    assert edited != text
    path.write_text(edited)


def start(checkout, *arguments, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "run_experiments.py", *arguments],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def call(checkout, *arguments) -> tuple[int, str]:
    process = start(checkout, *arguments)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


RUN_ALL = ("run", "--dataset", "demo", "--cpu")
RUN = (*RUN_ALL, "--network", "alexnet", "--view", "global")


def run_folder(checkout, variant=ALEXNET, seed=1):
    return checkout / "results" / variant / f"seed-{seed}"


def final_weights(checkout, variant=ALEXNET, seed=1) -> dict[str, list[bytes]]:
    snapshots = run_folder(checkout, variant, seed) / "snapshots"
    return weights_in(snapshots / f"{variant.replace('/', '_')}_iter_{MAX_ITER}.caffemodel")


def weights_in(caffemodel) -> dict[str, list[bytes]]:
    """The bits of all blobs by layer."""
    net = caffe_pb2.NetParameter.FromString(caffemodel.read_bytes())
    return {layer.name: [np.array(blob.data).tobytes() for blob in layer.blobs] for layer in net.layer if layer.blobs}


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_hold_each_test_photo_once_and_give_the_accuracy_of_the_last_iteration(checkout):
    assert call(checkout, *RUN)[0] == 0
    predictions = rows(run_folder(checkout) / "predictions.csv")
    assert [p["photo_id"] for p in predictions] == [f"test{i}" for i in range(TEST)]
    expected = {row["photo_id"]: row["label"] for row in rows(checkout / "data/demo/manifest.csv")}
    assert all(p["label"] == expected[p["photo_id"]] for p in predictions)
    metrics = rows(run_folder(checkout) / "metrics.csv")
    assert [int(m["iteration"]) for m in metrics] == [4, 8, 12]
    accuracy = np.mean([p["label"] == p["predicted"] for p in predictions])
    assert float(metrics[-1]["test_accuracy"]) == pytest.approx(accuracy)
    assert all((float(p["p_good"]) > 0.5) == (p["predicted"] == "1") for p in predictions)


def test_what_is_done_is_skipped(checkout):
    call(checkout, *RUN)
    log = (run_folder(checkout) / "caffe.log").read_bytes()
    status, output = call(checkout, *RUN)
    assert (status, output) == (0, f"{ALEXNET}/seed-1: done already\n")
    assert (run_folder(checkout) / "caffe.log").read_bytes() == log


def test_a_done_run_goes_further_when_asked_for_more_iterations(checkout):
    call(checkout, *RUN, "--max-iter", "5")
    assert call(checkout, *RUN)[0] == 0
    further = final_weights(checkout)
    shutil.rmtree(checkout / "results")
    call(checkout, *RUN)
    assert final_weights(checkout) == further


def test_a_killed_run_ends_in_the_weights_of_an_undisturbed_one_and_of_stock_caffe(checkout):
    """Killed at random moments, the driver and its child alike."""
    killed, seed = 0, random.randrange(1 << 32)
    chance = random.Random(seed)
    while killed < 3:
        process = start(checkout, *RUN, start_new_session=True)
        log = run_folder(checkout) / "caffe.log"
        goal = chance.randint(1, MAX_ITER - 1)
        while process.poll() is None and not (log.exists() and f"Iteration {goal} " in log.read_text()):
            time.sleep(0.01)
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()
        killed += 1
        log.write_text("")
    assert call(checkout, *RUN)[0] == 0
    record = json.loads((run_folder(checkout) / "run.json").read_text())
    assert final_weights(checkout) == stock_weights(checkout), (seed, record["resumed_at"])


def children(pid: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(child) for child in done.stdout.split()]


def stock_weights(checkout) -> dict[str, list[bytes]]:
    """What `caffe train` makes of the same solver, seed and weights, from the repository's root."""
    program = shutil.which("caffe", path=os.path.dirname(sys.executable))
    solver = f"solvers/{ALEXNET}.prototxt"
    subprocess.run(
        [program, "train", f"--solver={solver}", "--weights=models/demo/alexnet.caffemodel"],
        cwd=checkout,
        check=True,
        capture_output=True,
        env=os.environ | threads_of_one_run(),
    )
    return weights_in(checkout / f"solvers/{ALEXNET}_iter_{MAX_ITER}.caffemodel")


def threads_of_one_run() -> dict[str, str]:
    cores = str(len(os.sched_getaffinity(0)))
    return {"OMP_NUM_THREADS": cores, "MKL_NUM_THREADS": cores, "GLOG_minloglevel": "2"}


def test_ctrl_c_takes_a_snapshot_and_stops_and_the_same_command_goes_on(checkout):
    process = start(checkout, *RUN, "--max-iter", "2000")
    log = run_folder(checkout) / "caffe.log"
    while not (log.exists() and "Iteration 1 " in log.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped" in output
    stopped_at = max(int(path.stem[5:]) for path in (run_folder(checkout) / "snapshots").glob("iter_*.json"))
    assert 0 < stopped_at < 2000
    assert "stopped" in call(checkout, "status")[1]
    call(checkout, *RUN, "--max-iter", str(stopped_at + 1))
    record = json.loads((run_folder(checkout) / "run.json").read_text())
    assert record["resumed_at"] == [stopped_at]


def test_a_second_driver_leaves_a_run_alone_that_is_at_work(checkout):
    first = start(checkout, *RUN, "--max-iter", "2000")
    log = run_folder(checkout) / "caffe.log"
    while not (log.exists() and "Iteration 1 " in log.read_text()):
        time.sleep(0.02)
    status, output = call(checkout, *RUN, "--max-iter", "2000")
    assert (status, len(output.splitlines())) == (2, 1)
    assert "another process is at work on this run" in output
    assert re.search(rf"{ALEXNET}/seed-1 +running +\d+ of 2,000", call(checkout, "status")[1])
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 130
    assert "failure" not in json.loads((run_folder(checkout) / "run.json").read_text())


def test_a_failing_run_says_why_and_takes_no_other_with_it(checkout):
    vgg_local = checkout / "prototxt/demo/vgg16_local/train_val.prototxt"
    edit(vgg_local, "kernel_size: 3", "kernel_size: 999")  # Caffe aborts the process
    vgg_global = checkout / "prototxt/demo/vgg16_global/train_val.prototxt"
    edit(vgg_global, "data/demo/train_global_lmdb", "data/demo/nowhere_lmdb")
    alexnet_local = checkout / "prototxt/demo/alexnet_local/train_val.prototxt"
    edit(alexnet_local, "num_output: 256", "num_output: 128")  # fc6, fc7: not the pretrained shapes
    status, output = call(checkout, *RUN_ALL)
    assert status == 1
    assert re.search(r"demo/vgg16_local/seed-1: failed: Caffe says: Check failed: .*caffe.log", output)
    assert re.search(r"demo/vgg16_global/seed-1: failed: .*nowhere_lmdb, which is not there", output)
    assert re.search(r"demo/alexnet_local/seed-1: failed: layer fc6: .* another name", output)
    assert "Traceback" not in output
    assert (run_folder(checkout) / "done").exists()
    listed = call(checkout, "status")[1]
    assert re.search(r"demo/vgg16_global/seed-1 +failed .*nowhere_lmdb", listed)


def test_a_run_on_other_inputs_is_not_mixed_with_the_old_one(checkout):
    call(checkout, *RUN, "--max-iter", "3")
    edit(checkout / f"prototxt/{ALEXNET}/train_val.prototxt", "dropout_ratio: 0.5", "dropout_ratio: 0.6")
    status, output = call(checkout, *RUN)
    assert status == 2
    assert "train_val changed since" in output
    assert len(output.splitlines()) == 1


def test_wrong_pretrained_weights_are_refused(checkout):
    model = checkout / "models/demo/alexnet.caffemodel"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    status, output = call(checkout, *RUN)
    assert status == 2
    assert "sha256 differs" in output


def test_transfer_report_names_the_one_new_layer(checkout):
    output = call(checkout, *RUN, "--max-iter", "1")[1]
    assert "7 layers from the pretrained model, new: fc8_aesthetics, ignored: fc8_scenes" in output
    transfer = json.loads((run_folder(checkout) / "run.json").read_text())["transfer"]
    assert transfer["new"] == ["fc8_aesthetics"]
    assert transfer["ignored"] == ["fc8_scenes"]
    assert transfer["copied"] == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]


def test_seeds_are_runs_of_their_own(checkout):
    call(checkout, *RUN, "--seeds", "1", "2")
    assert final_weights(checkout, seed=1) != final_weights(checkout, seed=2)


def test_a_hand_edited_prototxt_is_what_runs_and_the_table_says_edited(checkout):
    call(checkout, *RUN)
    ran = (run_folder(checkout) / "train_val.prototxt").read_text()
    assert "batch_size: 4" in ran
    status, table = call(checkout, "table", "demo")
    assert status == 0
    assert re.search(r"^Global view, AlexNet .* edited", table, re.MULTILINE)
    assert re.search(r"^Local view, AlexNet +– .* missing", table, re.MULTILINE)


def test_a_run_that_diverges_is_stopped_and_says_so(checkout):
    edit(checkout / f"solvers/{ALEXNET}.prototxt", "base_lr: 0.0001", "base_lr: 1000")
    status, output = call(checkout, *RUN)
    assert status == 1
    assert "the run diverged" in output


def test_what_is_missing_is_said_in_a_line_each_before_anything_starts(checkout):
    (checkout / "models/demo/alexnet.caffemodel").unlink()
    (checkout / "prototxt/demo/alexnet_global/train_val.prototxt").unlink()
    status, output = call(checkout, *RUN, "--data", "nowhere")
    assert status == 2
    assert re.search(r"^error: demo: nowhere/demo is not prepared: type `make demo`$", output, re.MULTILINE)
    assert re.search(r"^error: model: .*alexnet.caffemodel is missing", output, re.MULTILINE)
    assert re.search(r"^error: prototxt: .*train_val.prototxt is missing", output, re.MULTILINE)
    assert len(output.splitlines()) == 3
    assert not (checkout / "results").exists()


def test_a_store_that_lost_photos_is_found_before_the_run(checkout):
    summary = checkout / "data" / "demo" / "summary.json"
    (checkout / "short" / "demo").mkdir(parents=True)
    for path in summary.parent.iterdir():
        (checkout / "short" / "demo" / path.name).symlink_to(path.resolve())
    short = checkout / "short" / "demo" / "summary.json"
    content = json.loads(short.read_text())
    content["splits"]["test"]["written"] += 1
    short.unlink()
    short.write_text(json.dumps(content))
    status, output = call(checkout, *RUN, "--data", "short")
    assert status == 2
    assert f"holds {TEST} photos, not {TEST + 1}" in output
