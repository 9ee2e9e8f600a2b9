"""Where a run pauses: the early iterations and the paper's are evaluated, whatever the intervals; nothing is twice."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.course import Course, Stop, stops
from experiments.run_folder import Evaluation, RunFolder

EARLY = [0, 100, 200, 500]


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
    assert iterations(planned(tmp_path, Course(0)), "evaluate") == [*EARLY, 5_000, 10_000]
    every = iterations(planned(tmp_path, Course(0), evaluate_every=4_000), "evaluate")
    assert every == [*EARLY, 4_000, 5_000, 8_000, 10_000]
    assert iterations(planned(tmp_path, Course(0), max_iter=12_000), "evaluate") == [*EARLY, 5_000, 10_000, 12_000]
    assert iterations(planned(tmp_path, Course(0), max_iter=70), "evaluate") == [0, 70]


def test_a_run_as_it_is_written_is_evaluated_early_and_then_every_1000_iterations(tmp_path):
    written = planned(tmp_path, Course(0), evaluate_every=1_000, snapshot_every=1_000)
    assert iterations(written, "evaluate") == [*EARLY, *range(1_000, 10_001, 1_000)]
    demo = planned(tmp_path, Course(0), "demo", max_iter=400, evaluate_every=100, snapshot_every=100)
    assert iterations(demo, "evaluate") == [0, 100, 200, 300, 400]


def test_the_early_points_move_no_snapshot_and_are_added_to_what_a_person_asks_for(tmp_path):
    asked = planned(tmp_path, Course(0), max_iter=900, evaluate_every=400, snapshot_every=300)
    assert iterations(asked, "evaluate") == [0, 100, 200, 400, 500, 800, 900]
    assert iterations(asked, "snapshot") == [300, 600, 900]


def test_a_run_that_began_under_other_points_is_resumed_without_going_back_to_those_it_passed(tmp_path, kept):
    rows = [Evaluation(iteration, 0.5, 0.5, 0.5, 1.0) for iteration in range(500, 3_001, 500)]
    course = Course(3_000, evaluations=rows, snapshot_at=3_000)
    left = planned(tmp_path, course, evaluate_every=1_000, snapshot_every=1_000)
    assert iterations(left, "evaluate") == list(range(4_000, 10_001, 1_000))


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
    assert iterations(planned(tmp_path, Course(0)), "evaluate") == [*EARLY, 5_000, 10_000]
