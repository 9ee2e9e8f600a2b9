"""What keeps a run in touch while Caffe works: it hears a stop, says how far the run is, and that it is at work."""

import signal
import time
from collections.abc import Callable

import caffe

from experiments.course import Course
from experiments.job import STOPS, Job, Messages
from experiments.losses import TrainingLoss
from experiments.run_folder import Progress

SECONDS_BETWEEN_MESSAGES = 0.2
SECONDS_BETWEEN_NOTES = 1  # in progress.json
SECONDS_BETWEEN_SIGNS = 30  # of life, in holder.json


class Stopped(Exception):
    """A stop was asked for."""


class Pulse:
    """The process's ear for signals and its voice to the driver."""

    def __init__(self, job: Job, messages: Messages) -> None:
        self.job = job
        self.messages = messages
        self.stop_asked = False
        self.sign_of_life: Callable[[], None] = lambda: None  # of the folder's lock, while it is held
        self.last_message = self.last_note = self.last_sign = 0.0

    def listen_for_signals(self) -> None:
        """From now on SIGINT and SIGTERM ask for a snapshot and a stop.

        launch.py starts this process with both blocked: those that came since then are heard now.
        """

        def ask_to_stop(_number: int, _frame: object) -> None:
            self.stop_asked = True

        for number in STOPS:
            signal.signal(number, ask_to_stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    def check_stop(self) -> None:
        """Raise Stopped if a stop was asked for; UserError where another machine took the run over."""
        self.give_sign_of_life()
        if self.stop_asked:
            raise Stopped

    def give_sign_of_life(self) -> None:
        """Touch holder.json, unless the last time is a moment ago; UserError where another machine took the run."""
        now = time.monotonic()
        if now - self.last_sign > SECONDS_BETWEEN_SIGNS:
            self.sign_of_life()
            self.last_sign = now

    def beat(self, **message: object) -> None:
        """Raise Stopped if a stop was asked for; else send the message, unless the last one is a moment old."""
        self.check_stop()
        if time.monotonic() - self.last_message > SECONDS_BETWEEN_MESSAGES:
            self.report(**message)

    def report(self, **message: object) -> None:
        """Send a message to the driver; where it is gone, stop as if asked to."""
        self.last_message = time.monotonic()
        try:
            self.messages.send(**message)
        except BrokenPipeError:
            self.stop_asked = True

    def attach(self, solver: caffe.SGDSolver, loss: TrainingLoss, course: Course) -> None:
        """Have the solver call us: before each forward pass, when weights and iteration fit together, and after it."""

        def before_iteration() -> None:
            latest = course.losses[-1] if course.losses else None
            self.beat(iteration=solver.iter, max_iter=self.job.prototxts.max_iter, loss=latest)
            loss.start()
            now = time.monotonic()
            if now - self.last_note > SECONDS_BETWEEN_NOTES:
                self.last_note = now
                seconds = round(now - course.started, 3)
                self.job.folder.write_progress(Progress(solver.iter, course.from_iteration, seconds))

        def after_gradients() -> None:
            course.losses.append(loss.value(solver.iter))

        solver.add_callback(before_iteration, after_gradients)
