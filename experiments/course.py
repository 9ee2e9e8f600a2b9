"""The course of a run: where it is, and the iterations at which it pauses to be evaluated or saved."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from experiments.job import Job
from experiments.run_folder import Evaluation
from paper import reported_iteration, stated


@dataclass
class Course:
    """Where a run is: what it has to know beside the solver's own state."""

    from_iteration: int  # where this attempt began
    seconds_before: float = 0.0  # of work in earlier attempts
    losses: list[float] = field(default_factory=list)  # of the iterations since the last evaluation
    evaluations: list[Evaluation] = field(default_factory=list)
    snapshot_at: int = 0  # the iteration of the newest snapshot
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Seconds of work on the run so far."""
        return round(self.seconds_before + time.monotonic() - self.started, 3)

    def evaluated(self) -> set[int]:
        return {evaluation.iteration for evaluation in self.evaluations}


@dataclass(frozen=True)
class Stop:
    """An iteration at which the solver pauses, and what is due there."""

    iteration: int
    evaluate: bool
    snapshot: bool


def stops(job: Job, course: Course) -> Iterator[Stop]:
    """Where the solver pauses, from where it is to the last iteration; what is there already is not done again."""
    texts, iteration = job.prototxts, course.from_iteration
    kept = kept_iterations(job.run.dataset, texts.max_iter)
    evaluated = evaluation_points(job.run.dataset, texts.evaluate_every, texts.max_iter)
    while True:
        missing = iteration in kept and not job.folder.predictions(iteration).exists()
        is_last = iteration == texts.max_iter
        due = bool(iteration) and (is_last or (texts.snapshot_every and iteration % texts.snapshot_every == 0))
        yield Stop(
            iteration,
            evaluate=missing or (iteration in evaluated and iteration not in course.evaluated()),
            snapshot=bool(due) and iteration != course.snapshot_at,
        )
        if is_last:
            return
        later = [point for point in evaluated if point > iteration]
        if texts.snapshot_every:
            later.append((iteration // texts.snapshot_every + 1) * texts.snapshot_every)
        iteration = min([*later, texts.max_iter])


def evaluation_points(dataset: str, every: int, last: int) -> set[int]:
    """The iterations up to `last` at which the test photos are scored.

    Every so many, as a person asks for (0: none), and whatever is asked the early ones (IV-D) and those that are kept.
    """
    points = set(range(every, last + 1, every)) if every else set()
    return points | {point for point in {*stated("evaluation.early"), *kept_iterations(dataset, last)} if point <= last}


def kept_iterations(dataset: str, last: int) -> set[int]:
    """The iterations whose predictions are kept: those that the paper reports at (III-B.2, IV-D), and the last."""
    return {stated("finetuning.sufficient_iter"), reported_iteration(dataset), last}
