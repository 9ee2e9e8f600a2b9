"""The words that sbatch gets: for one run, and for the preparation of a dataset."""

from user_error import UserError

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import slurm
from experiments.lead import lead
from experiments.planning import Options
from experiments.runs import Run
from experiments.weights import MODELS
from paper import ROOT

OURS = ("--job-name", "-J", "--output", "-o", "--array", "-a", "--chdir", "-D", "--wrap", "--parsable")
GPUS = ("--gres", "--gpus", "-G", "--gpus-per-node", "--gpus-per-task", "--gpus-per-socket")
AFTER = ("--dependency", "-d")
CORES = ("--cpus-per-task", "-c")
SIGNAL = "--signal=B:USR1@"  # and seconds: what job.sh listens to
PYTHON = ".venv/bin/python"
IMAGE_PYTHON = "/app/.venv/bin/python"  # where the Dockerfile puts it


@dataclass(frozen=True)
class Settings:
    """How jobs are handed over."""

    words: Sequence[str] = ()  # sbatch's options, as the user gave them
    preparation: Sequence[str] = ()  # those of the job that prepares
    at_once: int | None = None  # jobs that may run at a time
    container: Path | None = None  # an Apptainer image


def checked(settings: Settings, options: Options) -> Settings:
    """The settings; UserError for words that would break what we tell sbatch."""
    for words in (settings.words, settings.preparation):
        if taken := [word for word in words if _has([word], OURS)]:
            raise UserError(f"{taken[0]}: `submit` itself says that to sbatch: take it out of the options")
        if told := [word for word in words if word.startswith("--signal=") and not word.startswith(SIGNAL)]:
            raise UserError(f"{told[0]}: job.sh listens to B:USR1@SECONDS alone")
        if words and not words[0].startswith("-"):
            raise UserError(f"{words[0]}: options of sbatch begin with -")
    if settings.at_once and _has(settings.words, AFTER):
        raise UserError("--max-at-once has jobs wait for each other: take --dependency out of --slurm")
    if options.stage and not str(options.stage).startswith(("/", "$TMPDIR", "$SLURM_TMPDIR")):
        raise UserError(f"--stage {options.stage}: it is a folder on each node: give its whole path, or '$TMPDIR'")
    if settings.container:
        if not settings.container.is_file():
            raise UserError(f"{settings.container} is no file: give the image that `apptainer build` made")
        for folder in _bound(options):
            if any(mark in str(folder) for mark in ",:"):
                raise UserError(f"{folder} has a comma or a colon in it, which Apptainer cannot bind: rename it")
    return settings


def of_run(run: Run, options: Options, settings: Settings, after: Sequence[str] = ()) -> list[str]:
    """The words for one run, after those jobs: `after` has sbatch's own words for that, as in afterany:12."""
    folder = run.folder(options.results.resolve()).path
    seconds = lead(run, options.results, options.gpus is None)
    words = [*_usual(run.name, folder, folder / slurm.LOG), f"{SIGNAL}{seconds}"]
    _check_time(run, seconds, settings.words)
    if options.gpus is None:
        words += [] if _has(settings.words, CORES) else [f"--cpus-per-task={options.threads}"]
    elif not _has(settings.words, GPUS):
        words.append("--gres=gpu:1")
    words += _after(after)
    device = ["--cpu"] if options.gpus is None else ["--gpu", "0"]  # Slurm shows a job its own GPU alone, as number 0
    command = [*_asked(run), *_how(options), *device, *_places(options)]
    command += ["--stage", str(options.stage)] if options.stage else []
    python = _python(options, settings, nv=options.gpus is not None)
    return [*words, *settings.words, _script("job.sh"), str(folder), *python, "run_experiments.py", "run", *command]


def _check_time(run: Run, seconds: int, words: Sequence[str]) -> None:
    """Raise UserError where a job would be told to stop before its run gets anywhere."""
    given = dict(word.split("=", 1) for word in words if word.startswith(("--time=", SIGNAL)))
    told = given.get("--signal", "").partition("@")[2]
    told = int(told) if told.isdecimal() else seconds
    limit = slurm.seconds(given.get("--time", ""))
    if limit is not None and limit < 2 * told:
        raise UserError(f"--time is too short: {run.name} is stopped {told} s before; give twice that at least")


def cores(words: Sequence[str]) -> int | None:
    """How many cores the user's options ask for, where they do: --cpus-per-task=N."""
    given = [word.partition("=")[2] for word in words if word.startswith("--cpus-per-task=")]
    return int(given[-1]) if given and given[-1].isdecimal() and int(given[-1]) else None


def preparation_name(dataset: str) -> str:
    return f"{dataset}/prepare"


def of_preparation(dataset: str, photos: Mapping[str, Path], options: Options, settings: Settings) -> list[str]:
    """The words for the preparation of one of the paper's datasets from these folders (root, extra)."""
    reader, _, partition = dataset.partition("-")
    folder = options.data.resolve() / dataset
    words = _usual(preparation_name(dataset), folder, preparation_log(dataset, options))
    given = [word for option, path in photos.items() for word in (f"--{option}", str(path.resolve()))]
    command = ["data_prep", reader, "--partition", partition, *given, "--out", str(options.data.resolve())]
    python = _python(options, settings, bound=photos.values())
    return [*words, *(settings.preparation or settings.words), _script("prepare.sh"), *python, "-m", *command]


def preparation_log(dataset: str, options: Options) -> Path:
    return options.data.resolve() / f"prepare-{dataset}.log"


def _script(name: str) -> str:
    return str(ROOT / "slurm" / name)


def _usual(name: str, place: Path, log: Path) -> list[str]:
    """A job's name, its place by which `submit` knows it again, and its log; it works in the repository's root."""
    return [f"--job-name={name}", f"--comment={place}", slurm.log(log), f"--chdir={ROOT}"]


def _after(after: Sequence[str]) -> list[str]:
    """Once a job that had to succeed has failed, those after it are of no use."""
    kill = ["--kill-on-invalid-dep=yes"] if any(each.startswith("afterok") for each in after) else []
    return [f"--dependency={','.join(after)}", *kill] if after else []


def _asked(run: Run) -> list[str]:
    """The options of `run` that name this run alone; how long it is `--max-iter` says."""
    return ["--dataset", run.dataset, "--variant", run.variant.partition("/")[2], "--seeds", str(run.seed)]


def _how(options: Options) -> list[str]:
    given = {"threads": options.threads, "max-iter": options.max_iter, "eval-every": options.evaluate_every}
    return [word for name, value in given.items() if value for word in (f"--{name}", str(value))]


def _places(options: Options) -> list[str]:
    return ["--data", str(options.data.resolve()), "--results", str(options.results.resolve())]


def _python(options: Options, settings: Settings, nv: bool = False, bound: Iterable[Path] = ()) -> list[str]:
    """Python as it is called in the repository's root, or in the image, where the same root is."""
    if settings.container is None:
        return [PYTHON]
    bound = [*bound, *options.data.glob("*")] if options.data.is_dir() else bound  # a dataset may be a link
    folders = [*_bound(options), *(path.resolve() for path in bound)]
    binds = [word for folder in dict.fromkeys(folders) for word in ("--bind", str(folder))]
    # the working folder is to be the repository's root in there, too
    words = ["apptainer", "exec", *(["--nv"] if nv else []), *binds, "--pwd", str(ROOT)]
    return [*words, str(settings.container.resolve()), IMAGE_PYTHON]


def _bound(options: Options) -> list[Path]:
    """The folders that the image has to see, each where it is outside."""
    folders = [ROOT, options.data.resolve(), options.results.resolve(), MODELS.resolve()]
    return list(dict.fromkeys([*folders, *([options.stage] if options.stage else [])]))


def _has(words: Sequence[str], options: Sequence[str]) -> bool:
    """Whether one of these options of sbatch is among the words, in any of its forms: --gres=x, --gres x, -G2."""
    long = {word.partition("=")[0] for word in words if word.startswith("--")}
    short = {word[:2] for word in words if word.startswith("-") and not word.startswith("--")}
    return bool((long | short) & set(options))
