"""What is kept of a run: the files of its folder, their formats, and the run's state and result as they tell it."""

from user_error import UserError

import errno
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.holder import AT_WORK, Holder, disk_time, hold, is_former_self, last_sign
from experiments.kept_files import Unreadable, csv_text, read_csv, read_json
from files import Held, locked, sha256, write_atomically

PATIENCE = 1  # seconds that a start waits for those who look whether somebody is at work
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # of a disk without the kernel's locks


# What run.json may hold beside what it has to, and the readers use.
RECORD = {
    "max_iter": int,
    "threads": int | None,
    "failure": str,
    "edited": dict,
    "changes": list,
    "marks": list,
    "attempts": list,
    "snapshot_seconds": float | int,  # that the longest one took
    "dataset": dict,
}


@dataclass(frozen=True)
class Evaluation:
    """One row of metrics.csv: the mean training loss since the last row, and the exact test pass."""

    iteration: int
    train_loss: float
    test_loss: float
    test_accuracy: float  # 0..1
    seconds: float  # of work on this run so far, evaluations included


@dataclass(frozen=True)
class Prediction:
    """One row of predictions.csv: a test photo, its label, and what the net says of it."""

    photo_id: str
    label: int  # 1 good, 0 bad
    p_good: float
    predicted: int


@dataclass(frozen=True)
class Progress:
    """How far a run at work is (progress.json)."""

    iteration: int
    from_iteration: int  # where this attempt began
    seconds: float  # of work in this attempt, by a clock that nobody sets


@dataclass(frozen=True)
class Result:
    """A run that is done: at exactly this iteration, every test photo once."""

    iteration: int
    predictions: list[Prediction]
    record: dict[str, Any]  # run.json


@dataclass(frozen=True)
class RunFolder:
    """The folder <results>/<dataset>/<network>_<view>/seed-<n>; all state of a run is in it.

    Readers write nothing, and raise Unreadable for a file that is not whole.
    """

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "caffe.log"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def done(self) -> Path:
        return self.path / "done"

    def predictions(self, iteration: int) -> Path:
        """The predictions kept of an iteration that the paper reports at; predictions.csv is the result's."""
        return self.path / f"predictions_iter_{iteration}.csv"

    def record(self) -> dict[str, Any] | None:
        """The contents of run.json, or None before the first start."""
        return read_json(self.path / "run.json", {"run": dict, "inputs": dict}, RECORD)

    def write_record(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.path / "run.json", text)

    def evaluations(self) -> list[Evaluation]:
        path = self.path / "metrics.csv"
        return [Evaluation(*row) for row in read_csv(path, Evaluation)] if path.exists() else []

    def write_evaluations(self, evaluations: list[Evaluation]) -> None:
        write_atomically(self.path / "metrics.csv", csv_text(Evaluation, evaluations))

    def write_predictions(self, iteration: int, predictions: list[Prediction]) -> None:
        write_atomically(self.predictions(iteration), csv_text(Prediction, predictions))

    def finish(self, iteration: int) -> None:
        """Declare the run done at an iteration whose predictions are there.

        The files that a result consists of are named, with their SHA-256, in `done`. It is replaced in one step, so
        that an earlier result stays until the new one is whole. predictions.csv is a copy, for people and scripts.
        """
        kept = {path.name: sha256(path) for path in sorted(self.path.glob("predictions_iter_*.csv"))}
        content = self.predictions(iteration).read_bytes()
        write_atomically(self.done, json.dumps({"iteration": iteration, "sha256": kept}) + "\n")
        write_atomically(self.path / "predictions.csv", content)

    def is_part_of_the_result(self, iteration: int) -> bool:
        """Whether the finished result names the predictions of an iteration, which then must stay as they are."""
        name = self.predictions(iteration).name
        return name in (self._done() or {}).get("sha256", {}) and self.predictions(iteration).exists()

    def done_at(self) -> int | None:
        """The last iteration at which the run was completed, or None."""
        done = self._done()
        return done and done["iteration"]

    def result(self, iteration: int | None = None) -> Result | None:
        """The result at exactly `iteration`, by default the last one; None where there is none.

        Everybody who needs to know whether a run is done asks here. A run that is being continued keeps its result. A
        run that went further has one for each iteration whose predictions it kept. Raises Unreadable where a file is
        not the one that was written, or does not hold each test photo once.
        """
        done = self._done()
        if done is None:
            return None
        iteration = done["iteration"] if iteration is None else iteration
        record = self._record_of_a_result()
        if "sha256" not in done:  # a result of version 0.1
            path, digest = self.path / "predictions.csv", None
            if iteration != done["iteration"]:
                return None
        else:
            path = self.predictions(iteration)
            digest = done["sha256"].get(path.name)
            if digest is None and iteration == done["iteration"]:
                raise Unreadable(f"{self.done}: names no predictions of iteration {iteration:,}")
            if digest is None:
                return None
        return Result(iteration, _checked_predictions(path, digest, record), record)

    def progress(self) -> Progress | None:
        """How far the run was when its process last said so; None before that."""
        path = self.path / "progress.json"
        found = read_json(path, Progress.__annotations__)
        return found and Progress(**{name: found[name] for name in Progress.__annotations__})

    def write_progress(self, progress: Progress) -> None:
        write_atomically(self.path / "progress.json", json.dumps(asdict(progress)) + "\n", durable=False)

    def newest_snapshot(self) -> int:
        """The iteration of the newest snapshot, sound or not; 0 where there is none."""
        names = (path.stem.removeprefix("iter_") for path in self.snapshots.glob("iter_*.json"))
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def holds_work(self) -> bool:
        """Whether there is something to resume from: a result or a snapshot."""
        return self.done.exists() or any(self.snapshots.glob("iter_*.json"))

    def state(self) -> str:
        """What the disk tells of the run: 'done', 'running', 'failed', 'stopped' or 'missing'."""
        if self.is_locked():
            return "running"
        record, done_at = self.record(), self.done_at()
        if record and record.get("failure") and (done_at is None or done_at != record.get("max_iter")):
            return "failed"
        if done_at is not None:
            return "done"
        return "missing" if record is None else "stopped"

    def is_locked(self) -> bool:
        """Whether a process is at work in this folder; to look disturbs nobody, and takes no right to write."""
        held, sign = self._held_here(), last_sign(self.path)
        return bool(held or (sign and sign.is_at_work(time.time(), held is not None)))

    def in_use(self) -> str | None:
        """Why we cannot begin to work here, or None; in doubt the disk's clock is asked, which takes a file there."""
        held, sign = self._held_here(), last_sign(self.path)
        if held:
            return f"{AT_WORK}, {sign}" if sign and sign.is_here else AT_WORK
        if sign is None or (sign.is_here and held is False) or is_former_self(sign):
            return None
        now = disk_time(self.path)
        return sign.words(now) if sign.is_at_work(now, held is not None) else None

    def holder(self) -> Holder | None:
        """The process that works here, or did when it was killed, as it left its name; None where there is none."""
        sign = last_sign(self.path)
        return sign and sign.holder

    @contextmanager
    def lock(self, wait: Callable[[str], None] = lambda words: None) -> Iterator[Callable[[], None]]:
        """Hold the folder for this process; UserError where another one does. Yields what gives a sign of life.

        `wait` as for holder.hold.
        """
        with ExitStack() as stack:
            has_kernel_lock = True
            try:
                stack.enter_context(locked(self.path / "lock", patience=PATIENCE))
            except Held:
                raise UserError(f"{self.path}: {AT_WORK}") from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                has_kernel_lock = False
            yield stack.enter_context(hold(self.path, has_kernel_lock, wait))

    def _held_here(self) -> bool | None:
        """Whether a process of this machine holds the folder; None where that cannot be told."""
        try:
            with locked(self.path / "lock", shared=True):
                return False
        except Held:
            return True
        except FileNotFoundError:
            return False
        except OSError:  # not ours to read, or a disk without locks
            return None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep others from working in the folder while its files are read; UserError where one is at work already."""
        at_work = UserError(f"{self.path}: a process is at work on this run: wait for its end")
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.path / "lock", shared=True))
            except Held:
                raise at_work from None
            except FileNotFoundError:
                pass  # nobody ever worked here: it was copied without its lock
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
            if self.is_locked():  # by another machine
                raise at_work
            yield

    def _record_of_a_result(self) -> dict[str, Any]:
        record, path = self.record(), self.path / "run.json"
        if record is None:
            raise Unreadable(f"{path}: is missing")
        try:
            seen = record["dataset"]
            _ = str(seen["rule"]), seen["photos"]["train"], seen["photos"]["test"]
            if not all(isinstance(count, int) for count in seen["photos"].values()):
                raise TypeError
            _ = [attempt.get("machine", {}).get("cpu") for attempt in record["attempts"]]
            _ = "".join([*record["inputs"].values(), *(seen.get("lists_sha256") or {}).values()])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreadable(f"{path}: lacks what a result needs") from None
        return record

    def _done(self) -> dict[str, Any] | None:
        return read_json(self.done, {"iteration": int}, {"sha256": dict})


def folder_name(seed: int, to: int | None = None) -> str:
    """The name of a run's folder in that of its variant: seed-1; of one that is longer than usual seed-1-to-30000."""
    return f"seed-{seed}" + (f"-to-{to}" if to else "")


def seed_and_end(path: Path) -> tuple[int, int | None] | None:
    """The seed, from 1, and the last iteration if there is one, in the name of a run's folder; None of another name."""
    found = re.fullmatch(r"seed-([1-9][0-9]*)(?:-to-([1-9][0-9]*))?", path.name)
    return (int(found[1]), found[2] and int(found[2])) if found else None


def seed_of(path: Path) -> int | None:
    """The seed in the name of a run's folder; None where it has another name."""
    found = seed_and_end(path)
    return found and found[0]


def run_folders(variant: Path) -> list[RunFolder]:
    """The runs of one variant, <results>/<dataset>/<network>_<view>, by seed and length; see also strangers()."""
    there = {path: numbers for path in _listed(variant) if (numbers := seed_and_end(path))}
    return [RunFolder(path) for path in sorted(there, key=lambda path: (there[path][0], there[path][1] or 0))]


def seed_folders(variant: Path, to: int | None = None) -> list[RunFolder]:
    """The runs of one variant that end as usual, or at iteration `to`, by rising seed."""
    return [folder for folder in run_folders(variant) if seed_and_end(folder.path)[1] == to]


def ends(variant: Path) -> list[int]:
    """The last iterations of the longer runs of a variant, each once; none where seed_folders says why not."""
    try:
        return sorted({end for folder in run_folders(variant) if (end := seed_and_end(folder.path)[1])})
    except Unreadable:
        return []


def strangers(variant: Path) -> list[Path]:
    """What lies among the runs of a variant, and is none by its name: a run that somebody moved aside, say."""
    return sorted(path for path in _listed(variant) if not seed_and_end(path) and not path.name.startswith("."))


def _listed(variant: Path) -> list[Path]:
    try:
        return list(variant.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unreadable(f"{variant}: {error.strerror}") from None


def _checked_predictions(path: Path, digest: str | None, record: dict[str, Any]) -> list[Prediction]:
    """The predictions of a result; Unreadable unless they are those that were written, each test photo once."""
    if digest is not None and path.is_file() and sha256(path) != digest:
        raise Unreadable(f"{path}: is not the file that the run wrote (sha256 differs)")
    predictions = [Prediction(*row) for row in read_csv(path, Prediction)]
    photos = record["dataset"]["photos"]["test"]
    if len(predictions) != photos or not photos:
        raise Unreadable(f"{path}: holds {len(predictions):,} photos, not the {photos:,} of the test set")
    for p in predictions:
        if p.label not in (0, 1) or p.predicted not in (0, 1) or not 0 <= p.p_good <= 1:
            raise Unreadable(f"{path}: photo {p.photo_id} has the label {p.label}, and p_good {p.p_good}")
    twice = [photo_id for photo_id, times in Counter(p.photo_id for p in predictions).items() if times > 1]
    if twice:
        raise Unreadable(f"{path}: photo {twice[0]} is there more than once")
    return predictions
