"""The command `submit`: hands each run that is left to Slurm, one job a run, and says what became of all."""

from user_error import UserError

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import commands
from data_prep import summary
from experiments import doctor, planning, sbatch, slurm, weights
from experiments.desk import Desk
from experiments.finding import require
from experiments.holder import OLD, Holder
from experiments.planning import Options
from experiments.runs import Run
from experiments.sbatch import Settings
from experiments.slurm import Queue, QueuedJob
from experiments.unwritten import unwritten
from files import Held, locked
from paper import DATASETS, ROOT
from prototxt.generated import write_generated

PATIENCE = 60  # seconds that one `submit` waits for another
LOCK = ".submit.lock"  # in the results

Left = list[tuple[Run, Options, list[str]]]  # with words for sbatch of its own


def submit(
    runs: Sequence[Run], options: Options, settings: Settings, photos: Mapping[str, Path], dry_run: bool = False
) -> bool:
    """Hand over what is left of `runs`, all of one dataset; whether all are done already.

    `photos` are the folders (root, extra) that the dataset is prepared from, by a job before the others, where it is
    not yet. A run that has a job keeps it. UserError where something has to be fixed; then nothing is handed over.
    """
    runs = planning.lasting(runs, options)
    options = replace(options, results=options.results.resolve(), threads=_threads(runs, options, settings))
    settings = sbatch.checked(settings, options)
    _queue(dry_run)  # before anything is written
    with nullcontext() if dry_run else _alone(options.results):
        queue = _queue(dry_run)
        desk, dataset = Desk(dry_run), runs[0].dataset
        preparation = _preparation(dataset, options, queue)
        waits = (photos or preparation) and summary.read(options.data / dataset) is None
        _require(runs, options, photos, bool(preparation))
        unplanned = {run.variant for run in runs} if waits else _write(runs, options, dry_run)
        left = _left(runs, options, queue, desk, unplanned)
        first = [f"afterok:{_prepare(dataset, photos, options, settings, preparation, desk)}"] if waits and left else []
        _hand_over(left, settings, queue, desk, first)
    if dry_run:
        return False
    print(desk.table())
    return all(state == slurm.DONE for *_, state in desk.rows)


def advice(dataset: str, options: Options) -> str:
    """How to watch the jobs, and how to stop one."""
    places = [*commands.place("data", options.data), *commands.place("results", options.results)]
    watch = commands.experiments("status", "--dataset", dataset, *places)
    return f"`{watch}` shows how far they are, `scancel JOB` stops one; the same command submits what is left then"


def _queue(dry_run: bool) -> Queue:
    """The jobs that there are; for a dry run none, where there is no Slurm."""
    try:
        return slurm.queue()
    except slurm.NoSlurm:
        if dry_run:
            return Queue()
        raise


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Be the only `submit` on these results."""
    results.mkdir(parents=True, exist_ok=True)
    try:
        with locked(results / LOCK, patience=PATIENCE):
            yield
    except Held:
        raise UserError(f"another `submit` is at work on {results}: wait for its end") from None


def _threads(runs: Sequence[Run], options: Options, settings: Settings) -> int | None:
    """BLAS threads of each run that begins now: they decide its last bits, so they must not depend on the node."""
    asked = options.threads or (sbatch.cores(settings.words) if options.gpus is None else None)
    if options.gpus is not None or asked or all(run.dataset == "demo" for run in runs):
        return planning.default_threads(runs, replace(options, threads=asked))
    raise UserError("on the CPU a job needs to know its cores: give --threads, or --cpus-per-task=N in --slurm")


def _require(runs: Sequence[Run], options: Options, photos: Mapping[str, Path], is_being_prepared: bool) -> None:
    """What can be checked here: no GPU, which a login node need not have; each job looks at its own."""
    found = doctor.examine(runs, replace(options, gpus=None), photos)
    require(finding for finding in found if not (is_being_prepared and finding.subject == runs[0].dataset))


def _write(runs: Sequence[Run], options: Options, dry_run: bool) -> Collection[str]:
    """Write the nets and solvers of a dataset that the paper does not know; jobs would do so all at once.

    The variants whose files are not there yet, as this is a dry run.
    """
    new = unwritten(runs, options.data)
    named = {file.name for file in new}
    if outdated := planning.of_another_dataset((run for run in runs if run.variant in named), options):
        raise UserError("\nerror: ".join(outdated.values()))
    if dry_run:
        return named
    for file in new:
        write_generated(ROOT / file.path, file.name, file.text)
        print(f"written: {file.path}")
    return ()


def _left(runs: Sequence[Run], options: Options, queue: Queue, desk: Desk, unplanned: Collection[str]) -> Left:
    """The runs that are neither done nor at work nor queued, and how each is to be done; the others are noted.

    Variants that are `unplanned` cannot be looked at yet.
    """
    left, problems = [], []
    for run in runs:
        folder = run.folder(options.results)
        job, holder = queue.of_run(run.name, folder), folder.holder()
        if job:
            state = slurm.state(job, folder)
            desk.note(run.name, job.id, f"{state}: type this again in a minute" if state == "ending" else state)
        elif folder.is_locked() and not _has_ended(holder, queue):
            desk.note(run.name, "", f"running on {holder}" if holder else "running")
        elif folder.is_locked():
            left.append((run, options, [f"--begin=now+{OLD}"]))  # seconds: until its last sign of life is old
        elif run.variant in unplanned:
            left.append((run, options, []))
        else:
            try:
                planned = planning.job(run, options, options.threads)
                if planning.is_done(planned):
                    desk.note(run.name, "", slurm.DONE)
                else:
                    left.append((run, replace(options, threads=planned.threads), []))
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise UserError("\nerror: ".join(problems))
    need = [(weights.pretrained(run.dataset, run.network).bytes, run.folder(options.results)) for run, *_ in left]
    require([doctor.disk(need, options.results)])
    return left


def _has_ended(holder: Holder | None, queue: Queue) -> bool:
    """Whether the process at work was one of a job that Slurm does not have any more: it was killed."""
    return bool(holder and holder.job) and holder.job not in {job.id for job in queue.jobs}


def _preparation(dataset: str, options: Options, queue: Queue) -> QueuedJob | None:
    """The job that prepares the dataset, if there is one."""
    return queue.find(sbatch.preparation_name(dataset), options.data.resolve() / dataset)


def _prepare(
    dataset: str,
    photos: Mapping[str, Path],
    options: Options,
    settings: Settings,
    there: QueuedJob | None,
    desk: Desk,
) -> str:
    """The id of the job that prepares the dataset: the one that is there, or one more."""
    name = sbatch.preparation_name(dataset)
    if there:
        desk.note(name, there.id, there.word)
        return there.id
    if dataset not in DATASETS or dataset == "demo":
        raise UserError(f"--photos is for the datasets of the paper's tables: prepare {dataset} first")
    words = sbatch.of_preparation(dataset, photos, options, settings)
    return desk.hand_over(name, words, sbatch.preparation_log(dataset, options))


def _hand_over(left: Left, settings: Settings, queue: Queue, desk: Desk, first: Sequence[str]) -> None:
    """Hand the runs over, after the jobs that `first` names.

    Where only so many may run at once, each waits for the one so many places before it, and the first of them for
    those that are there: Slurm's arrays count so, too, but an array has one name and one log for all.
    """
    if not left:
        return
    line = [job.id for job in queue.within(left[0][1].results)]
    for run, how, own in left:
        before = line[-settings.at_once :][:1] if settings.at_once and len(line) >= settings.at_once else []
        words = sbatch.of_run(run, how, settings, [*first, *(f"afterany:{job}" for job in before)])
        folder = run.folder(how.results)
        line.append(desk.hand_over(run.name, [*own, *words], folder.path / slurm.LOG))
        if not desk.dry_run:
            slurm.note_job(folder, line[-1])
