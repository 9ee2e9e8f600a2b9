"""The command `run`: decides what is left of the runs asked for, does it, and says how it ended."""

from user_error import UserError

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from experiments import plan, weights
from experiments.doctor import examine
from experiments.job import Job
from experiments.launch import Outcome, Slot, cpu_slots, gpu_slots, launch
from experiments.plan import Run
from experiments.progress import Display
from experiments.rehearsal import rehearse


@dataclass(frozen=True)
class Options:
    """How the runs are to be done; `gpus` None is the CPU."""

    data: Path
    results: Path
    gpus: list[int] | None
    per_gpu: int
    max_iter: int | None
    evaluate_every: int | None
    command: list[str]


def run(runs: Iterable[Run], options: Options, dry_run: bool = False) -> int:
    """Do what is left of `runs`; the exit status: 0 all done, 1 some failed, 130 stopped on request."""
    console = Console()
    runs = list(runs)
    findings = examine(runs, options.data, options.results, options.gpus)
    problems = [f"{finding.subject}: {finding.text}" for finding in findings if finding.problem]
    if problems:
        raise UserError("\nerror: ".join(problems))
    jobs = []
    for each in runs:
        job = _job(each, options)
        if _is_done(job):
            _say(console, f"{each.name}: done already")
        else:
            jobs.append(job)
    slots = _slots(len(jobs), options)
    # Those that start at once find out as soon themselves.
    unfit = rehearse((job.run for job in (jobs if dry_run else jobs[len(slots) :])), options.data)
    if dry_run:
        for job in jobs:
            _say(console, f"{job.run.name}: {unfit.get(job.run.name) or f'to do ({job.folder.state()})'}")
        return 1 if unfit else 0
    with Display(console) as display:
        outcome = launch(jobs, unfit, slots, display.listen)
    return _conclude(console, jobs, outcome)


def _job(run: Run, options: Options) -> Job:
    """The job of a run; UserError when its folder holds a run on other inputs."""
    model = weights.pretrained(run.dataset, run.network)
    inputs = plan.inputs(run, model.sha256, options.data)
    folder = run.folder(options.results.resolve())
    if folder.is_locked():
        raise UserError(f"{folder.path}: another process is at work on this run; `status` shows how far it is")
    record = folder.record()
    if record and folder.holds_work():
        changed = sorted(name for name in inputs if record["inputs"].get(name) != inputs[name])
        if changed:
            raise UserError(
                f"{folder.path} holds a run whose {' and '.join(changed)} changed since;"
                " move the folder away, or give another --results"
            )
    return Job(
        run=run,
        folder=folder,
        data=options.data.resolve(),
        weights=model.path,
        inputs=inputs,
        command=options.command,
        max_iter=options.max_iter,
        evaluate_every=options.evaluate_every,
    )


def _is_done(job: Job) -> bool:
    done_at = job.folder.done_at()
    return done_at is not None and done_at >= (job.max_iter or plan.max_iter(job.run))


def _slots(runs: int, options: Options) -> list[Slot]:
    return cpu_slots(runs) if options.gpus is None else gpu_slots(options.gpus, options.per_gpu)


def _conclude(console: Console, jobs: list[Job], outcome: Outcome) -> int:
    left = len(jobs) - len(outcome.done)
    if left:
        _say(
            console,
            f"{len(outcome.done)} of {len(jobs)} runs done, {len(outcome.failed)} failed;"
            " the same command goes on from here",
        )
    if outcome.failed:
        return 1
    return 130 if left else 0


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
