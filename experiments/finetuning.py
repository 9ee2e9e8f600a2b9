"""The child process of one run: it holds Caffe, fine-tunes, evaluates, and leaves everything in the run's folder.

`python -m experiments.finetuning DESCRIPTOR`, a Job on standard input, started by experiments.launch from the
repository's root, so that every relative name means what it means to stock Caffe. A failed CHECK in Caffe aborts the
process that made it; here it ends one run and no other.
"""

from user_error import UserError

import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import caffe
import numpy as np
from caffe.proto import caffe_pb2

from data_prep import manifest
from experiments import continuation, record, snapshots, transfer
from experiments.course import Course, kept_iterations, stops
from experiments.evaluation import Scores, TestPass
from experiments.failures import with_advice
from experiments.holder import TakenOver
from experiments.job import STOPPED, Job, Messages
from experiments.losses import TrainingLoss, mean_losses
from experiments.prototxts import snapshot_prefix
from experiments.pulse import Pulse, Stopped
from experiments.run_folder import Evaluation, Prediction
from files import remove_partials
from paper import LAST_LAYER
from prototxt import messages

KEPT_SNAPSHOTS = 2


def finetune(job: Job, pulse: Pulse) -> None:
    """Take a run from its newest snapshot, or from its start, to its last iteration."""
    photos = manifest.test_photos(job.data / job.run.dataset)
    snapshot = snapshots.newest(job.folder.snapshots)
    if snapshot is None and job.origin:
        pulse.report(phase="copying")
        snapshot = continuation.take_over(job)
        if snapshot is None:
            pulse.report(warning=f"{job.origin.path.name} has no sound snapshot: {job.run.name} begins at iteration 0")
    begins, reached = snapshot.iteration if snapshot else 0, job.folder.newest_snapshot()
    if reached > begins:
        pulse.report(warning=f"the snapshot of iteration {reached:,} is damaged: {job.run.name} begins at {begins:,}")
    snapshots.discard_after(prefix(job), begins)
    snapshots.prune(prefix(job), KEPT_SNAPSHOTS)
    edits = record.begin(job, snapshot, pulse.report)
    solver = build(job)
    solver.test_nets[0].share_with(solver.net)
    course = resume(solver, job, snapshot, pulse) if snapshot else start(solver, job, "train_val" in edits, pulse)
    record.check_unchanged(job)
    test_pass = TestPass(solver.test_nets[0], [label for _, label in photos])
    pulse.attach(solver, TrainingLoss(solver.net, mean_losses(net_param(job), solver_param(job))), course)
    try:
        for stop in stops(job, course):
            solver.step(stop.iteration - solver.iter)
            if stop.evaluate:
                evaluate(job, course, solver.iter, test_pass, photos, pulse)
            if stop.snapshot:
                take_snapshot(job, course, solver, pulse)
    except Stopped:
        if solver.iter != course.snapshot_at:
            take_snapshot(job, course, solver, pulse)
        raise
    record.finish(job, course.seconds())
    job.folder.finish(job.prototxts.max_iter)


def build(job: Job) -> caffe.SGDSolver:
    """The solver with its nets, from the texts in the run's folder."""
    if job.gpu is not None:
        caffe.set_device(job.gpu)  # before anything that makes Caffe's context
        caffe.set_mode_gpu()
    return caffe.get_solver(str(job.prototxts.write(job.folder.path)))


def start(solver: caffe.SGDSolver, job: Job, is_edited: bool, pulse: Pulse) -> Course:
    """Give the solver the pretrained weights, copied by layer name, or none; note which layers got them (III-B.2)."""
    if not job.folder.done.exists():
        for stale in job.folder.path.glob("predictions_iter_*.csv"):
            stale.unlink()  # of a start that came to nothing
    copied = transfer.examine(solver.net, job.weights)
    record.add(job.folder, transfer=asdict(copied))
    pulse.report(transfer=asdict(copied))
    if job.weights is None:
        return Course(from_iteration=0)
    if not is_edited:
        transfer.check(copied)
    elif copied.new != [LAST_LAYER]:
        text = f"in the edited net {', '.join(copied.new) or 'no layer'} start from fillers, {LAST_LAYER} alone should"
        text = text if copied.copied else "in the edited net no layer starts from the pretrained model"
        pulse.report(warning=text)
        record.mark(job.folder, text)
    solver.net.copy_from(str(job.weights))
    return Course(from_iteration=0)


def resume(solver: caffe.SGDSolver, job: Job, snapshot: snapshots.Snapshot, pulse: Pulse) -> Course:
    """Bring the solver to where the snapshot was taken."""
    pulse.report(resume=snapshot.iteration)
    batches = snapshot.iteration * solver_param(job).iter_size
    snapshots.resume(
        solver, snapshot, prefix(job), batches, lambda batch: pulse.beat(phase=f"batch {batch:,} of {batches:,} again")
    )
    evaluations = [e for e in job.folder.evaluations() if e.iteration <= snapshot.iteration]
    is_evaluated = any(evaluation.iteration == snapshot.iteration for evaluation in evaluations)
    return Course(
        from_iteration=snapshot.iteration,
        seconds_before=snapshot.seconds,
        losses=[] if is_evaluated else list(snapshot.losses),
        evaluations=evaluations,
        snapshot_at=snapshot.iteration,
    )


def evaluate(
    job: Job, course: Course, iteration: int, test_pass: TestPass, photos: list[tuple[str, int]], pulse: Pulse
) -> None:
    """Score the test photos: one row of metrics.csv, and the predictions where they are kept."""
    pulse.report(phase="evaluating")
    scores = test_pass.run(pulse.check_stop)
    kept = kept_iterations(job.run.dataset, job.prototxts.max_iter)
    if iteration in kept and not job.folder.is_part_of_the_result(iteration):
        job.folder.write_predictions(iteration, predictions(photos, scores))
    if iteration in course.evaluated():
        return
    evaluation = Evaluation(
        iteration=iteration,
        train_loss=float(np.mean(course.losses)) if course.losses else float("nan"),
        test_loss=scores.loss,
        test_accuracy=scores.accuracy,
        seconds=course.seconds(),
    )
    course.evaluations.append(evaluation)
    job.folder.write_evaluations(course.evaluations)
    course.losses.clear()
    pulse.report(evaluation=asdict(evaluation))
    if iteration and len(set(scores.predicted)) == 1:  # before the first update that says nothing
        verdict = "good" if scores.predicted[0] else "bad"
        pulse.report(warning=f"at iteration {iteration:,} the net answers '{verdict}' for every photo")


def take_snapshot(job: Job, course: Course, solver: caffe.SGDSolver, pulse: Pulse) -> None:
    pulse.give_sign_of_life()
    pulse.report(phase="snapshot")
    began = time.monotonic()
    snapshots.take(solver, prefix(job), course.seconds(), course.losses)
    longest = max(time.monotonic() - began, (job.folder.record() or {}).get("snapshot_seconds", 0))
    record.add(job.folder, snapshot_seconds=round(longest, 3))
    course.snapshot_at = solver.iter
    snapshots.prune(prefix(job), KEPT_SNAPSHOTS)


def predictions(photos: list[tuple[str, int]], scores: Scores) -> list[Prediction]:
    return [
        Prediction(photo_id, label, float(str(p_good)), int(predicted))
        for (photo_id, label), p_good, predicted in zip(photos, scores.p_good, scores.predicted, strict=True)
    ]


def net_param(job: Job) -> caffe_pb2.NetParameter:
    return messages.parse(job.prototxts.net, caffe_pb2.NetParameter())


def solver_param(job: Job) -> caffe_pb2.SolverParameter:
    return messages.parse(job.prototxts.solver, caffe_pb2.SolverParameter())


def prefix(job: Job) -> Path:
    return job.folder.path / snapshot_prefix(job.run)


def main() -> int:
    """Do the job on standard input; the driver listens to the pipe with the given descriptor."""
    job = Job.from_json(sys.stdin.buffer.read())
    pulse = Pulse(job, Messages(int(sys.argv[1])))
    pulse.listen_for_signals()
    try:
        with job.folder.lock(lambda words: pulse.beat(phase=words)) as pulse.sign_of_life:
            remove_partials(job.folder.path)
            remove_partials(job.folder.snapshots)
            finetune(job, pulse)
    except TakenOver as error:  # no failure of the run, which is in other hands
        pulse.report(warning=str(error))
        return STOPPED
    except UserError as error:
        pulse.report(error=str(error))
        return 2
    except OSError as error:  # a full disk, a folder that may not be written
        pulse.report(error=with_advice(str(error)))
        with suppress(OSError):
            traceback.print_exc()  # into caffe.log
        return 2
    except Stopped:
        return STOPPED
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # Caffe's threads, and CUDA's, may abort a process that tears itself down
