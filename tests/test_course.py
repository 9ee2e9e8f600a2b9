"""Where a run pauses: the paper's iterations are evaluated and kept, whatever the intervals; nothing is done twice."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.course import Course, Stop, stops
from experiments.run_folder import Evaluation, RunFolder


def planned(folder: Path, course: Course, dataset="ava-small", max_iter=10_000, evaluate_every=0, snapshot_every=0):
    texts = SimpleNamespace(max_iter=max_iter, evaluate_every=evaluate_every, snapshot_every=snapshot_every)
    job = SimpleNamespace(run=SimpleNamespace(dataset=dataset), folder=RunFolder(folder), prototxts=texts)
    return list(stops(job, course))


def iterations(stops: list[Stop], what: str) -> list[int]:
    return [stop.iteration for stop in stops if getattr(stop, what)]


@pytest.fixture
def kept(tmp_path):
    """keep(iteration): the run has kept its predictions of it."""
    return lambda iteration: RunFolder(tmp_path).write_predictions(iteration, [])


def test_the_papers_iterations_are_evaluated_whatever_the_interval(tmp_path):
    assert iterations(planned(tmp_path, Course(0)), "evaluate") == [5_000, 10_000]
    assert iterations(planned(tmp_path, Course(0), evaluate_every=4_000), "evaluate") == [4_000, 5_000, 8_000, 10_000]
    assert iterations(planned(tmp_path, Course(0), max_iter=12_000), "evaluate") == [5_000, 10_000, 12_000]
    assert iterations(planned(tmp_path, Course(0), max_iter=70), "evaluate") == [70]


def test_the_last_iteration_is_always_saved_and_the_first_never(tmp_path):
    assert iterations(planned(tmp_path, Course(0)), "snapshot") == [10_000]
    assert iterations(planned(tmp_path, Course(0), max_iter=7, snapshot_every=3), "snapshot") == [3, 6, 7]


def test_a_resumed_run_does_what_is_left_and_nothing_twice(tmp_path, kept):
    row = Evaluation(5_000, 0.5, 0.5, 0.5, 1.0)
    course = Course(5_000, evaluations=[row], snapshot_at=5_000)
    assert planned(tmp_path, course)[0] == Stop(5_000, evaluate=True, snapshot=False)  # its predictions are missing
    kept(5_000)
    assert planned(tmp_path, course)[0] == Stop(5_000, evaluate=False, snapshot=False)
    assert iterations(planned(tmp_path, course), "evaluate") == [10_000]


def test_a_run_stopped_at_its_last_iteration_is_evaluated_there(tmp_path):
    course = Course(8, evaluations=[Evaluation(8, 0.5, 0.5, 0.5, 1.0)], snapshot_at=8)
    assert planned(tmp_path, course, max_iter=8) == [Stop(8, evaluate=True, snapshot=False)]


def test_predictions_that_a_killed_attempt_left_without_their_row_are_made_again(tmp_path, kept):
    kept(5_000)
    kept(10_000)
    assert iterations(planned(tmp_path, Course(0)), "evaluate") == [5_000, 10_000]
