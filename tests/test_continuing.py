"""A run that is stopped, moved, damaged, shortened or lengthened ends in the bits and the result that it should."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from harness import (
    ALEXNET,
    LONG,
    MAX_ITER,
    RUN,
    RUN_ALL,
    TEST,
    call,
    children,
    edit,
    final_weights,
    photos_from_files,
    record,
    rows,
    run_folder,
    start,
    wait_for_iteration,
)

pytest.importorskip("caffe", reason="Caffe is not built here")

NET, SOLVER = f"prototxt/{ALEXNET}/train_val.prototxt", f"solvers/{ALEXNET}.prototxt"


def to(iteration: int) -> tuple[str, ...]:
    return (*RUN, "--max-iter", str(iteration))


def done_at(checkout) -> int:
    return json.loads((run_folder(checkout) / "done").read_text())["iteration"]


def kill(process: subprocess.Popen) -> None:
    """The driver and its children, at once."""
    for pid in children(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def test_a_finished_result_stays_while_the_run_is_continued(checkout):
    call(checkout, *to(4))
    process = start(checkout, *to(LONG))
    wait_for_iteration(checkout, 8, process)
    assert re.search(r"^Global view, AlexNet .* 4 of 400 iterations$", call(checkout, "table", "demo"), re.M)
    kill(process)
    assert done_at(checkout) == 4
    assert len(rows(run_folder(checkout) / "predictions.csv")) == TEST
    further = max(int(path.stem[5:]) for path in (run_folder(checkout) / "snapshots").glob("iter_*.json")) + 2
    call(checkout, *to(further))
    assert done_at(checkout) == further


def test_a_run_beyond_what_is_asked_for_is_refused_and_keeps_what_it_has(checkout):
    process = start(checkout, *to(LONG))
    wait_for_iteration(checkout, 8, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    for options in ((), ("--dry-run",)):
        output = call(checkout, *to(5), *options, status=2)
        assert re.search(
            r"^error: .*the run is at iteration \d+ already, beyond the 5 asked for: give a larger", output
        )
    assert "failure" not in record(checkout)
    assert not (run_folder(checkout) / "done").exists()
    assert "Global view, AlexNet" in call(checkout, "table", "demo")


def test_a_run_that_lost_its_result_but_not_its_last_snapshot_is_evaluated_again(checkout):
    call(checkout, *to(8))
    expected = (run_folder(checkout) / "predictions.csv").read_bytes()
    for name in ("done", "predictions.csv", "predictions_iter_8.csv"):
        (run_folder(checkout) / name).unlink()
    call(checkout, *to(8))
    assert (run_folder(checkout) / "predictions.csv").read_bytes() == expected
    assert record(checkout)["attempts"][-1]["from_iteration"] == 8


def test_a_result_with_lost_lines_is_named_and_made_again_once_it_is_removed(checkout):
    call(checkout, *to(4))
    kept = run_folder(checkout) / "predictions_iter_4.csv"
    content = kept.read_bytes()
    kept.write_bytes(content[:-30])
    output = call(checkout, *to(4), status=2)
    assert "predictions_iter_4.csv: is not the file that the run wrote (sha256 differs): remove it" in output
    kept.unlink()
    call(checkout, *to(4))
    assert kept.read_bytes() == content


def test_a_shorter_solver_later_makes_no_result_of_the_papers_length(checkout):
    call(checkout, *to(4))
    edit(checkout / SOLVER, r"max_iter: \d+", "max_iter: 4")
    assert "done already" in call(checkout, *RUN)
    assert re.search(r"^Global view, AlexNet .* 4 of 400 iterations$", call(checkout, "table", "demo"), re.M)


def test_a_run_whose_rates_depend_on_its_length_is_not_lengthened(checkout):
    edit(checkout / SOLVER, '"fixed"', '"poly" power: 1')
    call(checkout, *to(6))
    assert "holds a run from before the solver changed" in call(checkout, *to(10), status=2)


def test_seeds_of_different_lengths_stand_in_rows_of_their_own(checkout):
    call(checkout, *to(4))
    call(checkout, *to(8), "--seeds", "2", "2")
    table = call(checkout, "table", "demo")
    assert re.search(r"^Global view, AlexNet +– .* 1 +\d.* 4 of 400 iterations$", table, re.M)
    assert re.search(r"^Global view, AlexNet \(seed 2\) +– .* 1 +\d.* 8 of 400 iterations$", table, re.M)
    assert "not averaged" in table


def test_a_solver_that_changes_while_a_run_waits_is_refused_not_mixed(checkout):
    process = start(checkout, *RUN, "--seeds", "1", "2", "--threads", "64")  # one after the other
    wait_for_iteration(checkout, 1, process)
    edit(checkout / SOLVER, "momentum: 0.9", "momentum: 0.8")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert f"{ALEXNET}/seed-1: done" in output
    assert f"{ALEXNET}/seed-2: failed: the solver changed while this run waited: call again" in output


def test_threads_belong_to_the_run_whatever_is_left_or_set_later(checkout):
    call(checkout, *to(3), "--threads", "2")
    process = start(checkout, *RUN, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    assert process.wait(60) == 0
    assert record(checkout)["threads"] == 2
    assert [attempt["threads"] for attempt in record(checkout)["attempts"]] == [2, 2]
    resumed = final_weights(checkout)
    shutil.rmtree(checkout / "results")
    call(checkout, *RUN, "--threads", "2")
    assert final_weights(checkout) == resumed


def test_a_moved_run_resumes_to_the_same_bits(checkout):
    call(checkout, *to(6))
    (checkout / "results").rename(checkout / "elsewhere")
    call(checkout, *RUN, "--results", "elsewhere")
    assert not (checkout / "results").exists()
    (checkout / "elsewhere").rename(checkout / "results")
    moved = final_weights(checkout)
    assert record(checkout)["attempts"][-1]["from_iteration"] == 6
    shutil.rmtree(checkout / "results")
    call(checkout, *RUN)
    assert final_weights(checkout) == moved


def test_a_resumed_run_that_reads_image_files_ends_in_the_bits_of_an_undisturbed_one(checkout):
    photos_from_files(checkout, NET)
    call(checkout, *to(5))
    call(checkout, *RUN)
    resumed = final_weights(checkout)
    shutil.rmtree(checkout / "results")
    call(checkout, *RUN)
    assert final_weights(checkout) == resumed


def test_losses_counted_before_a_stop_are_not_counted_twice_after_it(checkout):
    call(checkout, *RUN)
    undisturbed = rows(run_folder(checkout) / "metrics.csv")
    shutil.rmtree(checkout / "results")
    call(checkout, *to(8))
    marker = run_folder(checkout) / "snapshots/iter_8.json"
    content = json.loads(marker.read_text())
    marker.write_text(
        json.dumps(content | {"losses": [9.0, 9.0]})
    )  # as after a stop in the evaluation, resumed and killed
    call(checkout, *RUN)
    resumed = rows(run_folder(checkout) / "metrics.csv")
    assert [row["train_loss"] for row in resumed] == [row["train_loss"] for row in undisturbed]
    assert [row["test_loss"] for row in resumed] == [row["test_loss"] for row in undisturbed]
    seconds = [float(row["seconds"]) for row in resumed]
    assert seconds == sorted(seconds)


def test_a_resume_leaves_the_snapshot_that_it_comes_from_alone(checkout):
    call(checkout, *to(3))
    snapshots = run_folder(checkout) / "snapshots"
    written = {path.name: path.stat().st_mtime_ns for path in snapshots.glob("*iter_3.*")}
    call(checkout, *to(5))
    assert {path.name: path.stat().st_mtime_ns for path in snapshots.glob("*iter_3.*")} == written


def test_the_training_loss_is_the_one_that_caffe_displays_over_all_sub_batches(checkout):
    edit(checkout / SOLVER, "momentum: 0.9", "momentum: 0.9 iter_size: 3")
    call(checkout, *RUN)
    log = (run_folder(checkout) / "caffe.log").read_text()
    displayed = [float(loss) for loss in re.findall(r"\] Iteration \d+ .*, loss = (\S+)", log)]
    assert len(displayed) == MAX_ITER
    ours = [float(row["train_loss"]) for row in rows(run_folder(checkout) / "metrics.csv")[1:]]  # 0: no training yet
    assert ours == pytest.approx(np.mean(np.reshape(displayed, (3, 4)), axis=1), rel=1e-4)


def test_a_last_update_that_breaks_the_net_is_a_failed_run_and_spoils_no_table(checkout):
    edit(checkout / SOLVER, "base_lr: 0.0001", "base_lr: 1e38")
    output = call(checkout, *to(1), status=1)
    assert "failed: the net's outputs are not finite: the run diverged" in output
    assert re.search(r"^Global view, AlexNet +–.* failed$", call(checkout, "table", "demo"), re.M)


def test_leftovers_of_killed_writers_are_removed_and_a_persons_files_stay(checkout):
    call(checkout, *to(3))
    (run_folder(checkout) / ".run.json.4242.partial").write_text("{")
    (run_folder(checkout) / "snapshots/.x.solverstate.4242.partial").write_text("{")
    (run_folder(checkout) / "snapshots/best.caffemodel").write_text("mine")
    (run_folder(checkout) / "snapshots/old").mkdir()
    call(checkout, *to(6))
    assert not list(run_folder(checkout).rglob(".*.partial"))
    assert len(list((run_folder(checkout) / "snapshots").glob("iter_*.json"))) == 2
    assert (run_folder(checkout) / "snapshots/best.caffemodel").read_text() == "mine"


def test_a_stop_is_heard_from_the_first_moment_of_a_child_on(checkout):
    process = start(checkout, *to(LONG))
    while not children(process.pid) and process.poll() is None:
        time.sleep(0.001)
    while process.poll() is None and not (run_folder(checkout) / "caffe.log").exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "Traceback" not in output + (run_folder(checkout) / "caffe.log").read_text()
    assert "stopped, no snapshot yet" in output


def test_a_batch_stopped_between_two_runs_does_not_begin_the_next(checkout):
    process = start(checkout, *RUN_ALL, "--threads", "64")
    while process.poll() is None and not (checkout / "results/demo/vgg16_global/seed-1/caffe.log").exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert [path.parent.name for path in (checkout / "results/demo").glob("*/seed-1")] == ["vgg16_global"]


@pytest.mark.parametrize("changed", ["the pretrained model", "an LMDB"])
def test_an_input_that_changes_while_a_run_loads_is_no_input_of_a_result(checkout, changed):
    data = checkout / "own" / "demo"
    shutil.copytree(checkout / "data/demo", data)
    model = checkout / "models/demo/alexnet.caffemodel"
    model.with_name("other").write_bytes(model.read_bytes().replace(b"\x00\x00", b"\x00\x01", 1))
    shutil.copytree(data / "train_local_lmdb", data / "other_lmdb")
    process = start(checkout, *RUN, "--data", "own")
    while process.poll() is None and not (run_folder(checkout) / "run.json").exists():
        time.sleep(0.001)
    if changed == "an LMDB":
        (data / "train_global_lmdb").rename(data / "old_lmdb")
        (data / "other_lmdb").rename(data / "train_global_lmdb")
    else:
        model.with_name("other").replace(model)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert f"failed: {changed} changed while this run waited: call again" in output


def test_a_store_that_was_exchanged_between_two_attempts_is_refused(checkout):
    data = checkout / "own" / "demo"
    shutil.copytree(checkout / "data/demo", data)
    call(checkout, *to(4), "--data", "own")
    shutil.rmtree(data / "train_global_lmdb")
    shutil.copytree(data / "train_local_lmdb", data / "train_global_lmdb")
    assert "holds a run from before an LMDB changed" in call(checkout, *to(8), "--data", "own", status=2)


def test_a_run_folder_that_cannot_be_used_fails_alone(checkout):
    (run_folder(checkout) / "caffe.log").mkdir(parents=True)
    output = call(checkout, *to(2), "--seeds", "1", "2", status=1)
    assert re.search(rf"{ALEXNET}/seed-1: failed: .*caffe.log: Is a directory", output)
    assert f"{ALEXNET}/seed-2: done" in output
    assert "1 of 2 runs done, 1 failed" in output


def test_a_damaged_snapshot_is_named_by_the_run_that_begins_before_it(checkout):
    call(checkout, *to(3))
    for path in (run_folder(checkout) / "snapshots").glob("*.solverstate"):
        path.write_bytes(path.read_bytes()[:-9])
    said = call(checkout, *to(4))
    assert f"the snapshot of iteration 3 is damaged: {ALEXNET}/seed-1 begins at 0" in said
