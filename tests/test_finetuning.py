"""What an evaluation leaves behind: a row of metrics.csv, predictions where they are kept, a word where all is one."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments.course import Course
from experiments.evaluation import Scores
from experiments.finetuning import evaluate
from experiments.run_folder import Evaluation, RunFolder

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


def test_an_evaluation_made_again_for_its_predictions_changes_no_row(evaluated):
    course = Course(400, losses=[0.1], evaluations=[Evaluation(400, 0.6, 0.5, 0.5, 9.0)])
    folder, sent = evaluated(400, [0.9, 0.1, 0.8, 0.2], course)
    assert folder.predictions(400).exists()
    assert course.evaluations == [Evaluation(400, 0.6, 0.5, 0.5, 9.0)]
    assert not any("evaluation" in message for message in sent)


@pytest.mark.parametrize(("p_good", "verdict"), [(0.9, "good"), (0.2, "bad"), (0.5, "bad")])
def test_a_net_that_says_the_same_of_all_photos_is_named(evaluated, p_good, verdict):
    _, sent = evaluated(100, [p_good] * 4, Course(0))
    assert {"warning": f"at iteration 100 all photos are '{verdict}'"} in sent
    _, sent = evaluated(100, [0.9, 0.1, 0.8, 0.2], Course(0))
    assert not any("warning" in message for message in sent)


def test_a_row_without_training_before_it_has_no_training_loss(evaluated):
    folder, _ = evaluated(100, [0.9, 0.1, 0.8, 0.2], Course(0))
    assert math.isnan(folder.evaluations()[0].train_loss)
