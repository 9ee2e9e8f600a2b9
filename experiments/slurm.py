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
        return "queued" if self.waits else self.state.lower()


@dataclass(frozen=True)
class Queue:
    """What squeue listed."""

    jobs: tuple[QueuedJob, ...] = ()

    def find(self, name: str, place: Path, noted: str | None = None) -> QueuedJob | None:
        """The job of this name that works in this folder, of whatever project; or the one that is noted there."""
        same = (
            job for job in self.jobs if job.name == name and (job.comment == str(place.resolve()) or job.id == noted)
        )
        return next(same, None)

    def within(self, place: Path) -> list[QueuedJob]:
        """All jobs that work in folders below this one, the oldest first."""
        inside = [job for job in self.jobs if job.id.isdecimal() and job.comment.startswith(f"{place}/")]
        return sorted(inside, key=lambda job: int(job.id))

    def of_run(self, name: str, folder: RunFolder) -> QueuedJob | None:
        return self.find(name, folder.path, noted_job(folder))


def queue() -> Queue:
    """All jobs that wait or run. NoSlurm where this machine is of no cluster, UserError where squeue fails."""
    lines = _call(["squeue", "--all", "--noheader", f"--format={FORMAT}"]).splitlines()
    fields = (line.split("|", FORMAT.count("|")) for line in lines)
    return Queue(tuple(QueuedJob(*each) for each in fields if len(each) == FORMAT.count("|") + 1))


def submit(words: Sequence[str]) -> str:
    """Hand a job over; its id. UserError with what sbatch says where it is refused."""
    said = _call(["sbatch", "--parsable", *words])
    number = (said.splitlines() or [""])[-1].partition(";")[0].strip()  # "12" or "12;cluster"
    if not number.isdecimal():
        raise UserError(f"sbatch did not say the number of the job, but {said[:200]!r}")
    return number


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


def _call(words: list[str]) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="surrogateescape", timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise NoSlurm(f"there is no {words[0]} here: {ELSEWHERE}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{words[0]} gave no answer in {SECONDS} s: ask `sinfo` whether Slurm is there") from None
    if done.returncode:
        if "configuration source" in done.stderr:  # the programs are installed, but were not told of a cluster
            raise NoSlurm(f"{words[0]} knows of no cluster: {ELSEWHERE}")
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-2:]  # the reason, and what fails
        raise UserError("; ".join(said) or f"{words[0]} ended with {done.returncode}")
    return done.stdout
