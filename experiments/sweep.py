"""The command `run`: decides what is left of the runs asked for, does it, and says how it ended."""

from user_error import STOPPED, UserError

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from experiments import doctor, gpus, memory, planning, preflight, snapshots, staging, weights
from experiments.display import Display, LoudConsole
from experiments.finding import require
from experiments.job import Job
from experiments.launch import Endings, launch, noted_failure
from experiments.planning import Options
from experiments.run_folder import folder_name
from experiments.runs import Run
from experiments.unwritten import unwritten
from paper import ROOT
from prototxt.generated import GeneratedFile, write_generated

LINES_OF_A_DIFF = 30  # on the screen; the run's folder has all


def run(runs: Sequence[Run], options: Options, dry_run: bool = False) -> int:
    """Do what is left of `runs`; the exit status: 0 all done, 1 some failed, 130 stopped on request."""
    console, runs = LoudConsole(), planning.lasting(runs, options)
    require(doctor.examine(runs, options))
    new = unwritten(runs, options.data)
    outdated = planning.of_another_dataset((run for run in runs if run.variant in {file.name for file in new}), options)
    fresh = [run for run in runs if run.name not in outdated]
    new = [file for file in new if file.name in {run.variant for run in fresh}]
    _write(console, new, dry_run)
    waiting = [run for run in fresh if dry_run and run.variant in {file.name for file in new}]
    jobs, done, unfit = _plan([run for run in fresh if run not in waiting], options)
    unfit |= outdated
    for name in done:
        _say(console, f"{name}: done already")
    if unfit and not (jobs or done or waiting):
        raise UserError("\nerror: ".join(unfit.values()))
    if jobs:
        left = [(weights.pretrained(job.run.dataset, job.run.network).bytes, job.folder) for job in jobs]
        require([doctor.disk(left, options.results)])
    _warn(console, (line for job in jobs for line in job.prototxts.programs))
    for job in jobs:
        if begins := _beginning(job):
            _say(console, begins)
    trials = preflight.try_out(jobs)
    _show_edits(console, jobs, trials)
    unedited = (job for job in jobs if job.run.edit and not trials[job.run.name].edits)
    _warn(console, (f"{job.run.variant} is not edited yet: it is as the writer gives it" for job in unedited))
    _warn(console, (line for job in jobs for line in job.prototxts.warnings))
    unfit |= {name: trial.problem for name, trial in trials.items() if trial.problem}
    fit = [job for job in jobs if job.run.name not in unfit]
    room = list(memory.examine(fit, trials, options, [] if options.gpus is None else gpus.listed()))
    require(room)
    for finding in room:
        if finding.text.startswith(memory.NOTE):
            _say(console, f"{finding.subject}: {finding.text}")
    if dry_run and fit and options.stage:
        _say(console, staging.foresee(fit, options.stage))
    if dry_run:
        return _say_what_is_left(console, [*waiting, *(job.run for job in jobs)], options.results, unfit)
    endings = Endings(failed=unfit)
    for each in runs:
        if each.name in unfit:
            inputs = next((job.inputs for job in jobs if job.run == each), {})
            reason = noted_failure(each, each.folder(options.results), inputs, unfit[each.name])
            _say(console, f"{each.name}: failed: {reason}")
    if fit and options.stage:
        fit = staging.staged(fit, options.stage, lambda text: _say(console, text))
    if fit:
        with Display(console) as display:
            launch(fit, planning.slots(fit, options), endings, display.listen)
    return _conclude(console, len(runs) - len(done), endings)


def _write(console: Console, new: Iterable[GeneratedFile], dry_run: bool) -> None:
    """Write the nets and solvers of a dataset that the paper does not know, and say so."""
    for file in new:
        if not dry_run:
            write_generated(ROOT / file.path, file.name, file.text)
        _say(console, f"{'to be written' if dry_run else 'written'}: {file.path}")


def _plan(runs: Sequence[Run], options: Options) -> tuple[list[Job], list[str], dict[str, str]]:
    """The jobs that are left, the names of the runs that are done, and by their names why others cannot be done."""
    jobs, done, refused = [], [], {}
    threads = planning.default_threads(runs, options)
    for run in runs:
        try:
            job = planning.job(run, options, threads)
            if planning.is_done(job):
                done.append(run.name)
            else:
                jobs.append(job)
        except UserError as error:
            refused[run.name] = str(error)
    return jobs, done, refused


def _beginning(job: Job) -> str | None:
    """Where a longer run begins, unless it has begun."""
    if not job.run.to or job.folder.holds_work():
        return None
    snapshot = job.origin and snapshots.newest(job.origin.snapshots, job.prototxts.max_iter)
    if snapshot is None:
        usual = folder_name(job.run.seed)
        return f"{job.run.name}: begins at iteration 0, as no sound snapshot of {usual} is of the same inputs"
    return (
        f"{job.run.name}: continues {job.origin.path.name} from iteration {snapshot.iteration:,}; that stays as it is"
    )


def _warn(console: Console, lines: Iterable[str]) -> None:
    """Print warnings, each once."""
    for line in dict.fromkeys(lines):
        _say(console, f"warning: {line}")


def _show_edits(console: Console, jobs: Sequence[Job], trials: dict[str, preflight.Trial]) -> None:
    """Print what a person edited, once for each file."""
    shown = set()
    for job in jobs:
        for diff in trials[job.run.name].edits.values():
            if diff in shown:
                continue
            shown.add(diff)
            lines = diff.splitlines()
            _say(console, "\n".join(lines[:LINES_OF_A_DIFF]))
            if len(lines) > LINES_OF_A_DIFF:
                _say(console, f"... {len(lines) - LINES_OF_A_DIFF} more lines in {job.folder.path / 'edits.diff'}")


def _say_what_is_left(console: Console, left: Sequence[Run], results: Path, problems: dict[str, str]) -> int:
    for name, reason in problems.items():
        _say(console, f"{name}: cannot run: {reason}")
    for run in left:
        if run.name not in problems:
            folder = run.folder(results)
            done_at = f" at iteration {folder.done_at():,}" if folder.state() == "done" else ""
            _say(console, f"{run.name}: to do ({folder.state()}{done_at})")
    return 1 if problems else 0


def _conclude(console: Console, asked: int, endings: Endings) -> int:
    if endings.failed:
        then = "Fix what is said above and type the same command: it does what is left"
        _say(console, f"{len(endings.done)} of {asked} runs done, {len(endings.failed)} failed. {then}")
        return 1
    if len(endings.done) < asked:
        _say(console, f"{len(endings.done)} of {asked} runs done. Type the same command to resume")
        return STOPPED
    return 0


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
