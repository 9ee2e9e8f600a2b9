"""The child process of one run: it holds Caffe, fine-tunes, evaluates, and leaves everything in the run's folder.

`python -m experiments.finetune JOB DESCRIPTOR`, started by experiments.launch. A failed CHECK in Caffe aborts the
process that made it; here it ends one run and no other.
"""

from user_error import UserError

import json
import math
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import caffe
import numpy as np

from data_prep import manifest, summary
from experiments import snapshots, texts, transfer
from experiments.evaluate import Scores, TestPass, check_order
from experiments.job import STOPPED, Job, Messages
from experiments.last_words import with_mend
from experiments.provenance import provenance
from experiments.run_folder import Evaluation, Prediction
from files import write_atomically
from paper import LAST_LAYER, stated
from prototxt.generated import is_edited

DIVERGED = 87.33  # -log of the smallest float: SoftmaxWithLoss can say no more (softmax_loss_layer.cpp)
KEPT_SNAPSHOTS = 2
SECONDS_BETWEEN_MESSAGES = 0.2


class Stopped(Exception):
    """A stop was asked for."""


class Finetuning:
    """One run in progress."""

    def __init__(self, job: Job, messages: Messages) -> None:
        self.job = job
        self.folder = job.folder
        self.messages = messages
        self.stop_asked = False
        self.losses: list[float] = []  # of the iterations since the last evaluation
        self.started = time.monotonic()
        self.last_message = 0.0

    def run(self) -> None:
        """Go on from the newest snapshot, or from the pretrained weights, to the last iteration."""
        self._listen_for_signals()
        self.folder.done.unlink(missing_ok=True)  # there when a finished run is to go further
        self.prefix = snapshots.prefix(self.job.run.variant)
        self._write_texts()
        photos = self._test_photos()
        snapshots.prune(self.folder.snapshots, KEPT_SNAPSHOTS)  # of what a killed process left half-written
        snapshot = snapshots.newest(self.folder.snapshots)
        record = self._start_record(snapshot.iteration if snapshot else 0)

        self.solver = self._build_solver()
        net = self.solver.net
        if snapshot:
            self._report(phase=f"going on from iteration {snapshot.iteration:,}")
            snapshots.go_on(self.solver, snapshot, self.prefix, self.param.iter_size)
            self.started -= snapshot.seconds
            self.losses = list(snapshot.losses)
        else:
            copied = transfer.examine(net, self.job.weights)
            if not record["edited"]["train_val"]:
                transfer.check(copied)
            elif copied.new != [LAST_LAYER]:
                self._report(warning=f"the edited prototxt has {', '.join(copied.new)} start anew")
            net.copy_from(str(self.job.weights))
            record["transfer"] = asdict(copied)
            self._report(transfer=asdict(copied))
        self.folder.write_record(record)
        self.evaluations = [e for e in self.folder.evaluations() if e.iteration <= self.solver.iter]
        self.solver.test_nets[0].share_with(net)
        self.test_pass = TestPass(self.solver.test_nets[0], len(photos))
        self.loss_blobs = [(net.blobs[name], weight) for name, weight in net.blob_loss_weights.items() if weight]
        self.solver.add_callback(self._before_iteration, self._after_gradients)
        try:
            self._iterate(photos)
        except Stopped:
            self._take_snapshot()
            raise
        self.folder.write_record(record | {"finished": _now(), "seconds": self._seconds()})
        write_atomically(self.folder.done, json.dumps({"iteration": self.solver.iter}) + "\n")

    def _write_texts(self) -> None:
        """Keep the texts that run, beside their results."""
        run = self.job.run
        net = texts.net(run.train_val, self.job.data)
        written = texts.solver(run.solver)
        self.test_every = self.job.evaluate_every or written.test_interval
        self.snapshot_every = written.snapshot
        self.param = texts.driven(written, run.seed, self.prefix, self.job.max_iter)
        self.solver_file = texts.write(self.folder.path, net, self.param)

    def _start_record(self, from_iteration: int) -> dict[str, Any]:
        """Write run.json: what the run is, and one more attempt at it."""
        run = self.job.run
        earlier = self.folder.record() or {}
        if earlier.get("inputs") != self.job.inputs:  # a start that came to nothing
            earlier = {}
        attempt = {"from_iteration": from_iteration, "started": _now(), "command": self.job.command}
        record = {
            "run": asdict(run),
            "inputs": self.job.inputs,
            "edited": {"train_val": is_edited(run.train_val), "solver": is_edited(run.solver)},
            "weights": str(self.job.weights),
            "data": str(self.job.data),
            "dataset": self._dataset(),
            "max_iter": self.param.max_iter,
            "transfer": earlier.get("transfer"),
            "attempts": [*earlier.get("attempts", []), attempt | provenance(self.job.gpu)],
        }
        self.folder.write_record(record)
        return record

    def _build_solver(self) -> caffe.SGDSolver:
        if self.job.gpu is not None:
            caffe.set_device(self.job.gpu)  # before anything that makes Caffe's context
            caffe.set_mode_gpu()
        os.chdir(self.folder.path)  # the solver's paths are relative to it
        return caffe.get_solver(self.solver_file.name)

    def _dataset(self) -> dict[str, Any]:
        """What the tables have to know of the dataset, whose summary may be gone or another by then."""
        content = summary.read(self.job.data / self.job.run.dataset)
        photos = {split: counts["written"] for split, counts in content["splits"].items()}
        return {"photos": photos} | {name: content[name] for name in ("rule", "command", "lists_sha256")}

    def _test_photos(self) -> list[tuple[str, int]]:
        """Id and label of the test photos, in the order of the LMDB."""
        path = self.job.data / self.job.run.dataset / "manifest.csv"
        rows = [
            (int(row["position"]), row["photo_id"], int(row["label"]))
            for row in manifest.read(path)
            if row["split"] == "test" and row["status"] == "written"
        ]
        return [(photo_id, label) for _, photo_id, label in sorted(rows)]

    def _iterate(self, photos: list[tuple[str, int]]) -> None:
        max_iter = self.param.max_iter
        while True:
            iteration = self.solver.iter
            if iteration in self._evaluation_points() and not self._is_evaluated(iteration):
                self._evaluate(photos)
            if iteration and (iteration == max_iter or self._is_due(self.snapshot_every)):
                self._take_snapshot()
            if iteration >= max_iter:
                return
            self.solver.step(self._next_stop() - iteration)

    def _evaluation_points(self) -> set[int]:
        max_iter = self.param.max_iter
        points = {stated("finetuning.sufficient_iter"), max_iter}
        if self.test_every:
            points.update(range(self.test_every, max_iter + 1, self.test_every))
        return points

    def _is_evaluated(self, iteration: int) -> bool:
        return any(evaluation.iteration == iteration for evaluation in self.evaluations)

    def _is_due(self, every: int) -> bool:
        return bool(every) and self.solver.iter % every == 0

    def _next_stop(self) -> int:
        iteration = self.solver.iter
        stops = [point for point in self._evaluation_points() if point > iteration]
        if self.snapshot_every:
            stops.append((iteration // self.snapshot_every + 1) * self.snapshot_every)
        return min([*stops, self.param.max_iter])

    def _evaluate(self, photos: list[tuple[str, int]]) -> None:
        """One row of metrics.csv and, at the last iteration, predictions.csv."""
        self._report(phase="evaluating")
        scores = self.test_pass.run(self._check_stop)
        check_order(scores, np.array([label for _, label in photos]))
        evaluation = Evaluation(
            iteration=self.solver.iter,
            train_loss=float(np.mean(self.losses)) if self.losses else math.nan,
            test_loss=scores.loss,
            test_accuracy=scores.accuracy,
            seconds=self._seconds(),
        )
        self.evaluations.append(evaluation)
        self.folder.write_evaluations(self.evaluations)
        if self.solver.iter == self.param.max_iter:
            self.folder.write_predictions(_predictions(photos, scores))
        self.losses.clear()
        self._report(evaluation=asdict(evaluation))
        if len(set(scores.predicted)) == 1:
            verdict = "good" if scores.predicted[0] else "bad"
            self._report(warning=f"at iteration {evaluation.iteration:,} all photos are '{verdict}'")

    def _take_snapshot(self) -> None:
        self._report(phase="snapshot")
        snapshots.take(self.solver, self.folder.snapshots, self.prefix, self._seconds(), self.losses)
        snapshots.prune(self.folder.snapshots, KEPT_SNAPSHOTS)

    def _before_iteration(self) -> None:
        """Called by the solver before each forward pass, when weights and iteration fit together."""
        self._check_stop()
        if time.monotonic() - self.last_message > SECONDS_BETWEEN_MESSAGES:
            loss = self.losses[-1] if self.losses else None
            self._report(iteration=self.solver.iter, max_iter=self.param.max_iter, loss=loss)

    def _after_gradients(self) -> None:
        """Called by the solver after each backward pass, before the update."""
        loss = float(sum(weight * blob.data.sum() for blob, weight in self.loss_blobs))
        if not math.isfinite(loss) or loss > DIVERGED:
            raise UserError(
                f"the loss is {loss:.4g} at iteration {self.solver.iter:,}: the run diverged;"
                " a lower base_lr in the solver is the usual mend"
            )
        self.losses.append(loss)

    def _check_stop(self) -> None:
        if self.stop_asked:
            raise Stopped

    def _listen_for_signals(self) -> None:
        """SIGINT or SIGTERM asks for a snapshot and a stop."""

        def ask_to_stop(_number: int, _frame: object) -> None:
            self.stop_asked = True

        signal.signal(signal.SIGINT, ask_to_stop)
        signal.signal(signal.SIGTERM, ask_to_stop)

    def _report(self, **message: object) -> None:
        self.last_message = time.monotonic()
        try:
            self.messages.send(**message)
        except BrokenPipeError:  # the driver was killed: stop as if asked to
            self.stop_asked = True

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)


def _predictions(photos: list[tuple[str, int]], scores: Scores) -> list[Prediction]:
    return [
        Prediction(photo_id, label, float(str(p_good)), int(predicted))
        for (photo_id, label), p_good, predicted in zip(photos, scores.p_good, scores.predicted, strict=True)
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main() -> int:
    """Do the job given as JSON; tell the driver over the pipe with the given descriptor."""
    job = Job.from_json(sys.argv[1])
    messages = Messages(int(sys.argv[2]))
    try:
        with job.folder.lock():
            Finetuning(job, messages).run()
    except UserError as error:
        messages.send(error=str(error))
        return 2
    except OSError as error:  # a full disk, a folder that may not be written
        traceback.print_exc()  # into caffe.log
        messages.send(error=with_mend(str(error)))
        return 2
    except Stopped:
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
