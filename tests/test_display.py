"""What a person sees while runs are at work, with bars and without."""

import io
from types import SimpleNamespace

import pytest

from experiments import display
from experiments.display import Display, LoudConsole

JOB = SimpleNamespace(
    run=SimpleNamespace(name="demo/alexnet_global/seed-1"),
    folder=SimpleNamespace(newest_snapshot=lambda: 150),
)


def shown(*messages, terminal=False, environment=None) -> list[str]:
    """The lines that a Display prints of messages."""
    file = io.StringIO()
    console = LoudConsole(file=file, force_terminal=terminal, width=200, _environ=environment or {})
    with Display(console) as seen:
        for message in messages:
            seen.listen(JOB, message)
    return file.getvalue().splitlines()


def test_a_resume_is_announced_once():
    lines = shown({"resume": 9000}, {"phase": "batch 1 of 9,000 again"}, {"phase": "batch 2 of 9,000 again"})
    assert lines == ["demo/alexnet_global/seed-1: resuming at iteration 9,000"]


@pytest.mark.parametrize("environment", [{}, {"TERM": "dumb"}])
def test_without_bars_there_is_a_line_a_minute(monkeypatch, environment):
    clock = iter([0.0, 1.0, 59.0, 61.0, 100.0, 122.0, 123.0])
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    messages = [{"iteration": i, "max_iter": 10_000, "loss": 0.5} for i in range(6)]
    lines = shown(*messages, terminal=bool(environment), environment=environment)
    assert lines == [
        "demo/alexnet_global/seed-1: iteration 2 of 10,000, training loss 0.500",
        "demo/alexnet_global/seed-1: iteration 4 of 10,000, training loss 0.500",
    ]


def test_an_output_that_closes_is_a_broken_pipe_not_an_end_of_the_process():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        LoudConsole(file=Closed()).print("a")


ROW = {"iteration": 200, "test_accuracy": 0.8125, "test_loss": 0.4321, "seconds": 61.4}


def test_an_evaluation_is_a_line_and_the_end_repeats_its_accuracy():
    name = JOB.run.name
    assert shown({"evaluation": ROW}, {"end": "done"}) == [
        f"{name}: iteration 200, accuracy 81.25%, test loss 0.432, 61 s in all",
        f"{name}: done, accuracy 81.25%",
    ]
    assert shown({"phase": "evaluating"}, {"end": "stopped"}) == [f"{name}: stopped, snapshot of iteration 150"]


def test_a_failure_and_a_warning_are_said_as_they_are_brackets_included():
    name = JOB.run.name
    assert shown({"warning": "[red]"}, {"end": "failed", "reason": "no [room]"}) == [
        f"{name}: warning: [red]",
        f"{name}: failed: no [room]",
    ]
