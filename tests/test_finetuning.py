"""What an evaluation leaves behind: a row of metrics.csv, predictions where they are kept, a word where all is one."""

from user_error import UserError

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import finetuning
from experiments.course import Course
from experiments.evaluation import Scores
from experiments.finetuning import evaluate
from experiments.run_folder import Evaluation, RunFolder
from experiments.runs import Run
from experiments.snapshots import Snapshot
from experiments.transfer import Transfer
from paper import LAST_LAYER

PHOTOS = [("a", 1), ("b", 0), ("c", 1), ("d", 1)]


@pytest.fixture
def evaluated(tmp_path):
    """evaluated(iteration, p_good, course): evaluate once; the folder, and the messages to the driver."""

    def call(iteration: int, p_good: list[float], course: Course):
        texts = SimpleNamespace(max_iter=400)
        job = SimpleNamespace(run=SimpleNamespace(dataset="demo"), folder=RunFolder(tmp_path), prototxts=texts)
        labels = np.array([label for _, label in PHOTOS])
        scores = Scores(labels, np.array(p_good, np.float32), loss=0.75)
        sent = []
        pulse = SimpleNamespace(check_stop=None, report=lambda **message: sent.append(message))
        evaluate(job, course, iteration, SimpleNamespace(run=lambda check: scores), PHOTOS, pulse)
        return job.folder, sent

    return call


def test_a_row_holds_the_mean_training_loss_since_the_last_one_and_the_test_pass(evaluated):
    course = Course(0, seconds_before=100.0, losses=[0.5, 0.7])
    folder, _ = evaluated(100, [0.9, 0.1, 0.8, 0.2], course)
    (row,) = folder.evaluations()
    assert (row.iteration, row.test_loss, row.test_accuracy) == (100, 0.75, 0.75)
    assert row.train_loss == pytest.approx(0.6)
    assert 100 <= row.seconds < 110
    assert course.losses == []
    course.losses.append(0.3)
    folder, _ = evaluated(200, [0.9, 0.1, 0.8, 0.2], course)
    assert [(r.iteration, r.train_loss) for r in folder.evaluations()] == [(100, row.train_loss), (200, 0.3)]


def test_predictions_are_kept_at_the_iteration_that_is_reported_and_at_no_other(evaluated):
    folder, _ = evaluated(100, [0.9, 0.1, 0.8, 0.5], Course(0))
    assert not list(folder.path.glob("predictions*"))
    folder, _ = evaluated(400, [0.9, 0.1, 0.8, 0.5], Course(0))
    text = folder.predictions(400).read_text()
    assert text == "photo_id,label,p_good,predicted\na,1,0.9,1\nb,0,0.1,0\nc,1,0.8,1\nd,1,0.5,0\n"


def test_predictions_that_a_finished_result_names_stay_as_they_are(evaluated):
    folder, _ = evaluated(400, [0.9, 0.1, 0.8, 0.5], Course(0))
    folder.finish(400)
    before = folder.predictions(400).read_bytes()
    evaluated(400, [0.9, 0.9, 0.9, 0.9], Course(0))
    assert folder.predictions(400).read_bytes() == before


def test_an_evaluation_made_again_for_its_predictions_changes_no_row(evaluated):
    course = Course(400, losses=[0.1], evaluations=[Evaluation(400, 0.6, 0.5, 0.5, 9.0)])
    folder, sent = evaluated(400, [0.9, 0.1, 0.8, 0.2], course)
    assert folder.predictions(400).exists()
    assert course.evaluations == [Evaluation(400, 0.6, 0.5, 0.5, 9.0)]
    assert not any("evaluation" in message for message in sent)


@pytest.mark.parametrize(("p_good", "verdict"), [(0.9, "good"), (0.2, "bad"), (0.5, "bad")])
def test_a_net_that_says_the_same_of_all_photos_is_named(evaluated, p_good, verdict):
    _, sent = evaluated(100, [p_good] * 4, Course(0))
    assert {"warning": f"at iteration 100 the net answers '{verdict}' for every photo"} in sent
    _, sent = evaluated(100, [0.9, 0.1, 0.8, 0.2], Course(0))
    assert not any("warning" in message for message in sent)


def test_before_the_first_update_one_answer_for_all_is_no_news(evaluated):
    folder, sent = evaluated(0, [0.9] * 4, Course(0))
    assert [row.iteration for row in folder.evaluations()] == [0]
    assert not any("warning" in message for message in sent)


def test_a_row_without_training_before_it_has_no_training_loss(evaluated):
    folder, _ = evaluated(0, [0.9, 0.1, 0.8, 0.2], Course(0))
    assert math.isnan(folder.evaluations()[0].train_loss)


@pytest.fixture
def resumed(tmp_path, monkeypatch):
    """resumed(snapshot, rows of metrics.csv): the course of a run that resumes, and the batches that it replays."""

    def call(snapshot: Snapshot, evaluations: list[Evaluation]) -> tuple[Course, int]:
        replayed = []
        monkeypatch.setattr(
            finetuning.snapshots, "resume", lambda solver, snapshot, prefix, batches, before: replayed.append(batches)
        )
        job = SimpleNamespace(
            run=Run("demo", "alexnet", "global", 1),
            folder=RunFolder(tmp_path),
            prototxts=SimpleNamespace(solver="iter_size: 3"),
        )
        job.folder.write_evaluations(evaluations)
        course = finetuning.resume(None, job, snapshot, SimpleNamespace(report=lambda **message: None))
        return course, replayed[0]

    return call


def test_a_resume_knows_what_came_before_its_snapshot_and_nothing_of_what_came_after(resumed):
    first, second = Evaluation(100, 0.6, 0.5, 0.5, 9.0), Evaluation(200, 0.5, 0.5, 0.5, 19.0)
    course, batches = resumed(Snapshot(150, 14.0, [0.25, 0.75], {}), [first, second])
    assert course.evaluations == [first]
    assert course.losses == [0.25, 0.75]
    assert (course.from_iteration, course.snapshot_at, course.seconds_before) == (150, 150, 14.0)
    assert batches == 3 * 150


def test_a_resume_where_an_evaluation_was_counts_no_loss_twice(resumed):
    course, _ = resumed(Snapshot(200, 19.0, [0.25, 0.75], {}), [Evaluation(200, 0.5, 0.5, 0.5, 19.0)])
    assert course.losses == []


def test_a_snapshot_holds_the_losses_since_the_last_evaluation(tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(
        finetuning.snapshots, "take", lambda solver, prefix, seconds, losses: taken.append((seconds >= 9, *losses))
    )
    job = SimpleNamespace(run=Run("demo", "alexnet", "global", 1), folder=RunFolder(tmp_path))
    course = Course(0, seconds_before=9.0, losses=[0.25, 0.75])
    pulse = SimpleNamespace(report=lambda **message: None, give_sign_of_life=lambda: None)
    job.folder.write_record({"run": {}, "inputs": {}})
    finetuning.take_snapshot(job, course, SimpleNamespace(iter=150), pulse)
    assert taken == [(True, 0.25, 0.75)]
    assert course.snapshot_at == 150


@pytest.mark.parametrize("is_done", [False, True])
def test_a_start_removes_the_predictions_of_one_that_came_to_nothing_and_no_result(tmp_path, monkeypatch, is_done):
    folder = RunFolder(tmp_path)
    folder.write_record({"run": {}, "inputs": {}})
    folder.write_predictions(5_000, [])
    if is_done:
        folder.finish(5_000)
    job = SimpleNamespace(folder=folder, weights=tmp_path / "weights")
    monkeypatch.setattr(finetuning.transfer, "examine", lambda net, weights: Transfer([], [LAST_LAYER], []))
    solver = SimpleNamespace(net=SimpleNamespace(copy_from=lambda weights: None))
    finetuning.start(solver, job, is_edited=False, pulse=SimpleNamespace(report=lambda **message: None))
    assert folder.predictions(5_000).exists() is is_done


def test_a_net_that_nobody_edited_starts_with_the_last_layer_new_alone(tmp_path, monkeypatch):
    job = SimpleNamespace(folder=RunFolder(tmp_path), weights=tmp_path / "weights")
    job.folder.write_record({"run": {}, "inputs": {}})
    copied = Transfer(["conv2"], ["conv1", LAST_LAYER], [])
    monkeypatch.setattr(finetuning.transfer, "examine", lambda net, weights: copied)
    solver, sent = SimpleNamespace(net=SimpleNamespace(copy_from=lambda weights: None)), []
    pulse = SimpleNamespace(report=lambda **message: sent.append(message))
    with pytest.raises(UserError, match=f"conv1, {LAST_LAYER} would start from fillers"):
        finetuning.start(solver, job, is_edited=False, pulse=pulse)
    finetuning.start(solver, job, is_edited=True, pulse=pulse)
    assert f"in the edited net conv1, {LAST_LAYER} start from fillers" in str(sent)
