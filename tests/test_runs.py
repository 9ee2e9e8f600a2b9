"""A run ends as it should, whatever happens to it on the way: the demo's nets, small batches, a small dataset."""

import json
import os
import random
import re
import shutil
import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest
from harness import (
    ALEXNET,
    LONG,
    MAX_ITER,
    RUN,
    RUN_ALL,
    SNAPSHOT_EVERY,
    TEST,
    caffe_program,
    call,
    children,
    edit,
    final_weights,
    record,
    rows,
    run_folder,
    start,
    stock_weights,
    wait_for_iteration,
)

pytest.importorskip("caffe", reason="Caffe is not built here")


def test_predictions_hold_each_test_photo_once_and_give_the_accuracy_of_the_last_iteration(checkout):
    call(checkout, *RUN)
    predictions = rows(run_folder(checkout) / "predictions.csv")
    assert [p["photo_id"] for p in predictions] == [f"test{i}" for i in range(TEST)]
    expected = {row["photo_id"]: row["label"] for row in rows(checkout / "data/demo/manifest.csv")}
    assert all(p["label"] == expected[p["photo_id"]] for p in predictions)
    metrics = rows(run_folder(checkout) / "metrics.csv")
    assert [int(m["iteration"]) for m in metrics] == [0, 4, 8, 12]
    accuracy = np.mean([p["label"] == p["predicted"] for p in predictions])
    assert float(metrics[-1]["test_accuracy"]) == pytest.approx(accuracy)
    assert all((float(p["p_good"]) > 0.5) == (p["predicted"] == "1") for p in predictions)


def test_accuracy_of_the_predictions_is_that_of_caffe_test_over_a_covering_batch(checkout):
    call(checkout, *RUN)
    folder = run_folder(checkout)
    predictions = rows(folder / "predictions.csv")
    accuracy = np.mean([p["label"] == p["predicted"] for p in predictions])
    model = folder / "train_val.prototxt"
    edit(model, r"(test_global_lmdb\"\s+batch_size:) \d+", rf"\1 {TEST}")
    weights = folder / f"snapshots/demo_alexnet_global_iter_{MAX_ITER}.caffemodel"
    tested = caffe_program("test", f"--model={model}", f"--weights={weights}", "--iterations=1", cwd=folder)
    printed = re.findall(r"\] accuracy = (.*)", tested.stderr)
    assert float(printed[-1]) == pytest.approx(accuracy, abs=1e-5)


def test_what_is_done_is_skipped(checkout):
    call(checkout, *RUN)
    log = (run_folder(checkout) / "caffe.log").read_bytes()
    assert call(checkout, *RUN) == f"{ALEXNET}/seed-1: done already\n"
    assert (run_folder(checkout) / "caffe.log").read_bytes() == log


def test_a_done_run_is_continued_when_asked_for_more_iterations(checkout):
    call(checkout, *RUN, "--max-iter", "5")
    call(checkout, *RUN)
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
        wait_for_iteration(checkout, chance.randint(1, MAX_ITER - 1), process)
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()
        killed += 1
        (run_folder(checkout) / "caffe.log").write_text("")
    call(checkout, *RUN)
    places = [attempt["from_iteration"] for attempt in record(checkout)["attempts"]]
    assert final_weights(checkout) == stock_weights(checkout), (seed, places)


def test_ctrl_c_takes_a_snapshot_and_stops_and_the_same_command_resumes(checkout):
    process = start(checkout, *RUN, "--max-iter", str(LONG))
    wait_for_iteration(checkout, 1, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped" in output
    stopped_at = max(int(path.stem[5:]) for path in (run_folder(checkout) / "snapshots").glob("iter_*.json"))
    assert 0 < stopped_at < LONG
    assert "stopped" in call(checkout, "status")
    call(checkout, *RUN, "--max-iter", str(stopped_at + 1))
    assert [attempt["from_iteration"] for attempt in record(checkout)["attempts"]] == [0, stopped_at]


def test_how_long_a_snapshot_took_is_kept_for_the_jobs_of_a_cluster(checkout):
    call(checkout, *RUN, "--max-iter", "3")
    assert 0 < record(checkout)["snapshot_seconds"] < 60


def test_a_second_ctrl_c_stops_at_once_and_nothing_taken_before_is_lost(checkout):
    process = start(checkout, *RUN, "--max-iter", str(LONG))
    wait_for_iteration(checkout, SNAPSHOT_EVERY + 1, process)
    child = children(process.pid)[0]
    os.kill(child, signal.SIGSTOP)  # it cannot take the snapshot that the first one asks for
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "stopped" in output
    call(checkout, *RUN, "--max-iter", "20")
    assert record(checkout)["attempts"][-1]["from_iteration"] >= SNAPSHOT_EVERY


def test_a_second_driver_leaves_a_run_alone_that_is_at_work(checkout):
    first = start(checkout, *RUN, "--max-iter", str(LONG))
    wait_for_iteration(checkout, 1, first)
    output = call(checkout, *RUN, "--max-iter", str(LONG), status=2)
    assert len(output.splitlines()) == 1
    assert "another process is at work on this run" in output
    deadline = time.monotonic() + 20
    while not re.search(rf"{ALEXNET}/seed-1 +running +\d+ of {LONG} +\d:\d\d:\d\d left", call(checkout, "status")):
        assert time.monotonic() < deadline
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 130
    assert "failure" not in record(checkout)


def test_a_failing_run_says_why_and_takes_no_other_with_it(checkout):
    vgg_local = checkout / "prototxt/demo/vgg16_local/train_val.prototxt"
    edit(vgg_local, "kernel_size: 3", "kernel_size: 999")  # Caffe aborts the process
    vgg_global = checkout / "prototxt/demo/vgg16_global/train_val.prototxt"
    edit(vgg_global, "data/demo/train_global_lmdb", "data/demo/nowhere_lmdb")
    alexnet_local = checkout / "prototxt/demo/alexnet_local/train_val.prototxt"
    edit(alexnet_local, "num_output: 256", "num_output: 128")  # fc6, fc7: not the pretrained shapes
    output = call(checkout, *RUN_ALL, status=1)
    assert re.search(r"demo/vgg16_local/seed-1: failed: Caffe says of layer conv\d_\d: Check failed: ", output)
    assert re.search(r"demo/vgg16_global/seed-1: failed: .*nowhere_lmdb, which is not there", output)
    assert re.search(r"demo/alexnet_local/seed-1: failed: layer fc6: .* another name", output)
    assert "Traceback" not in output
    assert (run_folder(checkout) / "done").exists()
    listed = call(checkout, "status")
    assert re.search(r"demo/vgg16_global/seed-1 +failed .*nowhere_lmdb", listed)
    edit(vgg_global, "nowhere_lmdb", "train_global_lmdb")  # fixed: the same command does what is left
    output = call(checkout, *RUN_ALL, status=1)
    assert "demo/vgg16_global/seed-1: done" in output
    assert "demo/alexnet_global/seed-1: done already" in output


@contextmanager
def disk_trouble(checkout, variant: str, before: str = "pass", after: str = "pass"):
    """Within it the snapshot of iteration 6 of one variant meets trouble: code on its `path`, without the suffix."""
    (checkout / "trouble.py").write_text(
        f"""
import os, caffe
from experiments import finetuning
take = caffe.SGDSolver.snapshot
def snapshot(solver):
    path = "{checkout}/results/{variant}/seed-1/snapshots/{variant.replace("/", "_")}_iter_6"
    strikes = solver.iter == 6 and os.path.exists(os.path.dirname(path)) and job.run.variant == "{variant}"
    if strikes: {before}
    take(solver)
    if strikes: {after}
caffe.SGDSolver.snapshot = snapshot
from experiments.job import Job
read = Job.from_json
def from_json(text):
    global job
    job = read(text)
    return job
Job.from_json = staticmethod(from_json)
raise SystemExit(finetuning.main())
"""
    )
    edit(checkout / "experiments/launch.py", '"experiments.finetuning"', '"trouble"')
    yield
    edit(checkout / "experiments/launch.py", '"trouble"', '"experiments.finetuning"')


def test_a_full_disk_fails_one_run_of_four_and_the_same_command_resumes(checkout):
    with disk_trouble(checkout, "demo/vgg16_local", before='os.symlink("/dev/full", path + ".solverstate")'):
        output = call(checkout, *RUN_ALL, status=1)
    assert re.search(r"demo/vgg16_local/seed-1: failed: .*make room", output)
    assert (
        "3 of 4 runs done, 1 failed. Fix what is said above and type the same command: it does what is left" in output
    )
    call(checkout, *RUN_ALL)
    assert record(checkout, "demo/vgg16_local")["attempts"][-1]["from_iteration"] == 3
    left = {path.name for path in (run_folder(checkout, "demo/vgg16_local") / "snapshots").glob("*_iter_6.*")}
    assert not left


def test_a_snapshot_that_lost_its_last_bytes_is_not_called_one(checkout):
    """Caffe's streams flush their last bytes when nobody looks: a disk that fills up there goes unnoticed."""
    with disk_trouble(checkout, ALEXNET, after='open(path + ".caffemodel", "r+b").truncate(1_600_000)'):
        output = call(checkout, *RUN, status=1)
    assert "iter_6.caffemodel was not written whole: make room on the disk" in output
    call(checkout, *RUN)
    assert record(checkout)["attempts"][-1]["from_iteration"] == 3


def test_a_run_on_other_inputs_is_not_mixed_with_the_old_one(checkout):
    call(checkout, *RUN, "--max-iter", "3")
    edit(checkout / f"prototxt/{ALEXNET}/train_val.prototxt", "dropout_ratio: 0.5", "dropout_ratio: 0.6")
    output = call(checkout, *RUN, status=2)
    assert "holds a run from before the net changed: move it away" in output
    assert len(output.splitlines()) == 1


def test_wrong_pretrained_weights_are_refused(checkout):
    model = checkout / "models/demo/alexnet.caffemodel"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    output = call(checkout, *RUN, status=2)
    assert "sha256 differs" in output


def test_transfer_report_names_the_one_new_layer(checkout):
    output = call(checkout, *RUN, "--max-iter", "1")
    assert "7 layers from the pretrained model, new: fc8_aesthetics, ignored: fc8_scenes" in output
    transfer = record(checkout)["transfer"]
    assert transfer["new"] == ["fc8_aesthetics"]
    assert transfer["ignored"] == ["fc8_scenes"]
    assert transfer["copied"] == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]


def test_seeds_are_runs_of_their_own(checkout):
    call(checkout, *RUN, "--seeds", "1", "2")
    assert final_weights(checkout, seed=1) != final_weights(checkout, seed=2)


EXTRA_LAYER = """layer { name: "fc7b" type: "InnerProduct" bottom: "fc7" top: "fc7b"
        inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer {
  name: "fc8_aesthetics"
  type: "InnerProduct"
  bottom: "fc7b"
"""


def test_a_hand_edited_prototxt_is_what_runs_and_the_table_says_edited(checkout):
    path = checkout / f"prototxt/{ALEXNET}/train_val.prototxt"
    edit(path, "mean_value: 104", "mean_value: 100")
    edit(path, r'layer {\n  name: "fc8_aesthetics"\n  type: "InnerProduct"\n  bottom: "fc7"\n', EXTRA_LAYER)
    output = call(checkout, *RUN)
    assert "in the edited net fc7b, fc8_aesthetics start from fillers" in output
    assert record(checkout)["transfer"]["new"] == ["fc7b", "fc8_aesthetics"]
    ran = (run_folder(checkout) / "train_val.prototxt").read_text()
    assert "batch_size: 4" in ran
    assert "mean_value: 100" in ran
    assert "fc7b" in final_weights(checkout)
    table = call(checkout, "table", "demo")
    assert re.search(r"^Global view, AlexNet .* edited", table, re.MULTILINE)
    assert "Global view, AlexNet, seed 1: train_val.prototxt and the solver edited by hand" in table
    assert re.search(r"^Local view, AlexNet +– .* missing", table, re.MULTILINE)


def test_a_run_that_diverges_is_stopped_and_says_so(checkout):
    edit(checkout / f"solvers/{ALEXNET}.prototxt", "base_lr: 0.0001", "base_lr: 1000")
    output = call(checkout, *RUN, status=1)
    assert "the run diverged" in output


def test_doctor_finds_what_caffe_will_refuse_hours_later(checkout):
    edit(checkout / "solvers/demo/alexnet_local.prototxt", "fixed", "fixd")
    edit(checkout / "prototxt/demo/vgg16_local/train_val.prototxt", "  mean_value: 116.779\n", "")
    edit(checkout / "prototxt/demo/vgg16_global/train_val.prototxt", 'name: "fc8_aesthetics"', 'name: "fc8_scenes"')
    output = call(checkout, "doctor", "--dataset", "demo", "--cpu", status=2)
    assert re.search(r"^PROBLEM prototxt +demo/alexnet_local: Caffe says: Unknown learning rate", output, re.M)
    assert re.search(r"^PROBLEM prototxt +demo/vgg16_local: Caffe says.*: Check failed: .*mean_value", output, re.M)
    assert re.search(r"^PROBLEM prototxt +demo/vgg16_global/seed-1: .*no layer is named fc8_aesthetics", output, re.M)
    assert re.search(r"^ok +prototxt +Caffe builds demo/alexnet_global$", output, re.M)


def test_what_is_missing_is_said_in_a_line_each_before_anything_starts(checkout):
    (checkout / "models/demo/alexnet.caffemodel").unlink()
    (checkout / "solvers/demo/alexnet_global.prototxt").unlink()
    output = call(checkout, *RUN, "--data", "nowhere", status=2)
    assert re.search(r"^error: demo: nowhere/demo is not prepared: type `make demo-data`, then", output, re.MULTILINE)
    assert re.search(r"^error: model: .*alexnet.caffemodel is missing: type `git checkout models`$", output, re.M)
    assert re.search(r"^error: prototxt: .*solvers/demo/alexnet_global.prototxt is missing", output, re.MULTILINE)
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
    output = call(checkout, *RUN, "--data", "short", status=2)
    assert f"holds {TEST} photos, not {TEST + 1}" in output


def test_scores_of_the_test_photos_are_those_of_caffe_test(checkout):
    """An accuracy may agree by chance, where both say the same of all photos; a loss does not."""
    call(checkout, *RUN)
    folder = run_folder(checkout)
    edit(folder / "train_val.prototxt", r"(test_global_lmdb\"\s+batch_size:) \d+", rf"\1 {TEST}")
    weights = folder / f"snapshots/demo_alexnet_global_iter_{MAX_ITER}.caffemodel"
    tested = caffe_program("test", "--model=train_val.prototxt", f"--weights={weights}", "--iterations=1", cwd=folder)
    loss = float(re.findall(r"\] loss = (\S+)", tested.stderr)[-1])
    assert float(rows(folder / "metrics.csv")[-1]["test_loss"]) == pytest.approx(loss, rel=1e-4)
    good = [(float(p["p_good"]), p["label"] == "1") for p in rows(folder / "predictions.csv")]
    assert np.mean([-np.log(p if is_good else 1 - p) for p, is_good in good]) == pytest.approx(loss, rel=1e-4)
