"""What is kept of a run: the files of its folder, their names and formats, and the run's state as they tell it."""

from user_error import UserError

import csv
import fcntl
import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from files import write_atomically


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
class RunFolder:
    """The folder <results>/<dataset>/<network>_<view>/seed-<n>; all state of a run is in it."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "caffe.log"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.csv"

    @property
    def done(self) -> Path:
        return self.path / "done"

    def record(self) -> dict[str, Any] | None:
        """The contents of run.json, or None before the first start."""
        path = self.path / "run.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def write_record(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.path / "run.json", text)

    def evaluations(self) -> list[Evaluation]:
        return [Evaluation(*row) for row in _read_csv(self.path / "metrics.csv", Evaluation)]

    def write_evaluations(self, evaluations: list[Evaluation]) -> None:
        _write_csv(self.path / "metrics.csv", Evaluation, evaluations)

    def read_predictions(self) -> list[Prediction]:
        return [Prediction(*row) for row in _read_csv(self.predictions, Prediction)]

    def write_predictions(self, predictions: list[Prediction]) -> None:
        _write_csv(self.predictions, Prediction, predictions)

    def done_at(self) -> int | None:
        """The iteration at which the run was completed, or None."""
        return json.loads(self.done.read_text())["iteration"] if self.done.exists() else None

    def holds_work(self) -> bool:
        """Whether there is something to go on from: a result or a snapshot."""
        return self.done.exists() or any(self.snapshots.glob("iter_*.json"))

    def state(self) -> str:
        """What the disk tells of the run: 'done', 'running', 'failed', 'stopped' or 'missing'."""
        if self.is_locked():
            return "running"
        if self.done.exists():
            return "done"
        record = self.record()
        if record is None:
            return "missing"
        return "failed" if record.get("failure") else "stopped"

    def is_locked(self) -> bool:
        """Whether a process is at work in this folder."""
        try:
            with self.lock(patience=0):
                return False
        except FileNotFoundError:
            return False
        except UserError:
            return True

    @contextmanager
    def lock(self, patience: float = 1) -> Iterator[None]:
        """Hold the folder for this process; it falls free when the process ends, however it ends.

        Raises UserError when another process holds it for longer than `patience` seconds: is_locked holds it too,
        for an instant.
        """
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        deadline = time.monotonic() + patience
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise UserError(f"{self.path}: another process is at work on this run") from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


def seed_folders(variant: Path) -> list[RunFolder]:
    """The runs of one variant, <results>/<dataset>/<network>_<view>, by rising seed."""
    return [RunFolder(path) for path in sorted(variant.glob("seed-*"), key=lambda path: int(path.name[len("seed-") :]))]


def _read_csv(path: Path, kind: type) -> list[list[Any]]:
    """The rows of a file whose columns are the fields of the dataclass `kind`, each as its field's type."""
    if not path.exists():
        return []
    types = list(kind.__annotations__.values())
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return [[convert(text) for convert, text in zip(types, row, strict=True)] for row in rows]


def _write_csv(path: Path, kind: type, rows: list[Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind.__annotations__)
    writer.writerows(astuple(row) for row in rows)
    write_atomically(path, text.getvalue())
