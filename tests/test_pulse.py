"""A run at work hears a stop before its next iteration, notes how far it is, and does not outlive its driver."""

from user_error import UserError

from types import SimpleNamespace

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import pulse
from experiments.course import Course
from experiments.pulse import Pulse, Stopped
from experiments.run_folder import Progress, RunFolder


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """The time, which a test sets."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(pulse, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def sent() -> list[dict]:
    return []


@pytest.fixture
def beating(tmp_path, sent) -> Pulse:
    job = SimpleNamespace(folder=RunFolder(tmp_path), prototxts=SimpleNamespace(max_iter=400))
    return Pulse(job, SimpleNamespace(send=lambda **message: sent.append(message)))


def attached(beating: Pulse, course: Course, happened: list, iteration: int = 101):
    """What a solver at this iteration would call before its forward pass, and behind its gradients."""
    callbacks = []
    loss = SimpleNamespace(start=lambda: happened.append("start"), value=lambda iteration: iteration / 1000)
    solver = SimpleNamespace(iter=iteration, add_callback=lambda *both: callbacks.extend(both))
    beating.attach(solver, loss, course)
    return callbacks


def test_a_stop_is_heard_before_the_next_iteration_begins(beating, clock):
    happened = []
    before_iteration, _ = attached(beating, Course(0), happened)
    before_iteration()
    assert happened == ["start"]
    beating.stop_asked = True
    with pytest.raises(Stopped):
        before_iteration()
    assert happened == ["start"]


def test_the_loss_of_each_iteration_is_counted_and_the_latest_told(beating, clock, sent):
    course = Course(100)
    before_iteration, after_gradients = attached(beating, course, [])
    before_iteration()
    course.losses.append(0.5)
    after_gradients()
    clock.now += 1
    before_iteration()
    assert course.losses == [0.5, 0.101]
    assert [(message["iteration"], message["loss"]) for message in sent] == [(101, None), (101, 0.101)]


def test_messages_are_no_denser_than_a_person_can_see_but_none_is_lost_that_matters(beating, clock, sent):
    for _ in range(10):
        beating.beat(phase="again")
        clock.now += 0.03
    assert len(sent) == 2
    beating.report(phase="snapshot")
    assert sent[-1] == {"phase": "snapshot"}


def test_progress_is_noted_by_the_clock_of_this_attempt(beating, clock):
    course = Course(100, seconds_before=5000.0, started=900.0)
    before_iteration, _ = attached(beating, course, [])
    before_iteration()
    assert beating.job.folder.progress() == Progress(101, 100, 100.0)


def test_a_run_whose_driver_is_gone_stops_as_if_asked_to(beating, clock):
    def gone(**message):
        raise BrokenPipeError

    beating.messages = SimpleNamespace(send=gone)
    beating.report(phase="evaluating")
    with pytest.raises(Stopped):
        beating.check_stop()


def test_signs_of_life_are_given_in_iterations_test_passes_and_replays_but_not_with_each(beating, clock):
    given = []
    beating.sign_of_life = lambda: given.append(clock.now)
    before_iteration, _ = attached(beating, Course(0), [])
    for _ in range(100):
        clock.now += 1
        for beat in (beating.check_stop, before_iteration, lambda: beating.beat(phase="batch 1 of 9 again")):
            beat()
    assert given == [1001, 1032, 1063, 1094]


def test_a_run_that_another_machine_took_over_ends_before_its_next_iteration(beating, clock):
    def lost():
        raise UserError("n7 (job 31) has taken this run over")

    beating.sign_of_life, happened = lost, []
    before_iteration, _ = attached(beating, Course(0), happened)
    with pytest.raises(UserError, match="taken this run over"):
        before_iteration()
    assert happened == []
