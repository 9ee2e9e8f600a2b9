"""Slurm, as far as it is needed: sbatch hands a job over, squeue lists those that wait or run."""

from user_error import UserError

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.kept_files import Unreadable, read_json
from experiments.run_folder import RunFolder
from files import write_atomically

FORMAT = "%i|%T|%L|%N|%r|%j|%k"  # of squeue: id, state, time left, nodes, reason, name, comment
SECONDS = 120  # that a busy controller may take
LOG = "slurm.log"  # in a run's folder, of all its jobs
NOTE = "slurm.json"  # in a run's folder: {"job": id}
ELSEWHERE = "type this on a login node of a cluster that has Slurm"
DONE = "done"
MARKS = {"\\": "a backslash", "\n": "a line break"}  # sbatch cannot have them in the name of a log


class NoSlurm(UserError):
    """There is no Slurm here."""


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits or runs, as squeue lists it."""

    id: str
    state: str  # PENDING, RUNNING, COMPLETING, ...
    left: str  # days-hours:minutes:seconds until its time is up
    nodes: str  # '' while it waits
    reason: str  # why it waits
    name: str
    comment: str

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"

    @property
    def word(self) -> str:
        """Its state in a word of ours."""
        ours = {"PENDING": "queued", "COMPLETING": "ending"}
        return ours.get(self.state, self.state.lower())

    def is_at(self, place: str, noted: str | None) -> bool:
        """Whether it works in this folder: its comment is the folder, or it is noted there and has a user's comment."""
        return self.comment == place or (self.id == noted and not self.comment.startswith("/"))


@dataclass(frozen=True)
class Queue:
    """What squeue listed."""

    jobs: tuple[QueuedJob, ...] = ()
    is_known: bool = True  # or squeue told nothing

    def find(self, name: str, place: Path, noted: str | None = None) -> QueuedJob | None:
        """The job of this name that works in this folder, of whatever project; or the one that is noted there."""
        same = (job for job in self.jobs if job.name == name and job.is_at(str(place.resolve()), noted))
        return next(same, None)

    def within(self, results: Path) -> list[QueuedJob]:
        """All jobs that work on these results, the oldest first."""
        noted = {noted_job(RunFolder(note.parent)) for note in results.glob(f"*/*/*/{NOTE}")}
        inside = [
            job
            for job in self.jobs
            if job.id.isdecimal()
            and (job.comment.startswith(f"{results}/") or (job.id in noted and job.is_at("", job.id)))
        ]
        return sorted(inside, key=lambda job: int(job.id))

    def of_run(self, name: str, folder: RunFolder) -> QueuedJob | None:
        return self.find(name, folder.path, noted_job(folder))


def queue(patience: float = SECONDS) -> Queue:
    """All jobs that wait or run. NoSlurm where this machine is of no cluster, UserError where squeue fails."""
    lines = _call(["squeue", "--all", "--noheader", f"--format={FORMAT}"], patience).splitlines()
    fields = (line.split("|", FORMAT.count("|")) for line in lines)
    return Queue(tuple(QueuedJob(*each) for each in fields if len(each) == FORMAT.count("|") + 1))


def submit(words: Sequence[str]) -> str:
    """Hand a job over; its id. UserError with what sbatch says where it is refused."""
    said = _call(["sbatch", "--parsable", *words])
    number = (said.splitlines() or [""])[-1].partition(";")[0].strip()  # "12" or "12;cluster"
    if not number.isdecimal():
        raise UserError(f"sbatch did not say the number of the job, but {said[:200]!r}")
    return number


def seconds(limit: str) -> int | None:
    """A time limit as sbatch takes it: minutes, m:s, h:m:s, d-h, d-h:m, d-h:m:s; None of anything else."""
    days, dash, rest = limit.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdecimal() for part in [*parts, *([days] if dash else [])]) or len(parts) > 3:
        return None
    lacking = ["0"] * (3 - len(parts))
    hours, minutes, seconds = map(int, [*parts, *lacking] if dash else [*lacking, *parts])
    if not dash and len(parts) == 1:
        minutes, seconds = seconds, 0
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def log(path: Path) -> str:
    """The option of sbatch that names a job's log. In its pattern %j would be the job's id, and %% is a %."""
    for mark in filter(str(path).__contains__, MARKS):
        raise UserError(f"{path} has {MARKS[mark]} in it, which sbatch cannot have: give another folder")
    return f"--output={str(path).replace('%', '%%')}"


def noted_job(folder: RunFolder) -> str | None:
    """The last job of a run that was handed over, whether it is still there or not."""
    try:
        note = read_json(folder.path / NOTE, {"job": str})
    except Unreadable:
        return None
    return note and note["job"]


def note_job(folder: RunFolder, job: str) -> None:
    write_atomically(folder.path / NOTE, f'{{"job": "{job}"}}\n')


def state(job: QueuedJob, folder: RunFolder) -> str:
    """What becomes of a run that has a job: 'queued', 'requeued' (it worked on the run before), 'running', ..."""
    return "requeued" if job.waits and _worked(job.id, folder) else job.word


def _worked(job: str, folder: RunFolder) -> bool:
    try:
        attempts = (folder.record() or {}).get("attempts", [])
    except Unreadable:
        return False
    return any(isinstance(attempt, dict) and attempt.get("slurm_job") == job for attempt in attempts)


def last_words(folder: RunFolder) -> str:
    """Why a job that is gone left nothing of its run: the last error in its log, or the log's last line."""
    path = folder.path / LOG
    try:
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return f"it left no {path}"
    errors = [line for line in lines if line.startswith("error: ")]
    return f"{[*lines, *errors][-1].removeprefix('error: ')} ({path})" if lines else f"{path} is empty"


def _call(words: list[str], patience: float = SECONDS) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="surrogateescape", timeout=patience, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise NoSlurm(f"there is no {words[0]} here: {ELSEWHERE}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{words[0]} gave no answer in {patience:g} s: ask `sinfo` whether Slurm is there") from None
    if done.returncode:
        if "configuration source" in done.stderr:  # the programs are installed, but were not told of a cluster
            raise NoSlurm(f"{words[0]} knows of no cluster: {ELSEWHERE}")
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-2:]  # the reason, and what fails
        raise UserError("; ".join(said) or f"{words[0]} ended with {done.returncode}")
    return done.stdout
