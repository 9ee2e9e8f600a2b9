"""What the driver hands to the child process that holds Caffe, and what the child says while it works."""

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.prototxts import Prototxts
from experiments.run_folder import RunFolder
from experiments.runs import Run

STOPS = (signal.SIGINT, signal.SIGTERM)  # signals that ask for a snapshot and a stop
STOPPED = 3  # the child's exit status after a stop that was asked for
INPUTS = {  # what decides a result; run.json has a SHA-256 of each
    "net": "the net",
    "rules": "the solver",
    "files": "a file that the net names",
    "stores": "an LMDB",
    "weights": "the pretrained model",
    "dataset": "the dataset",
}


def changed(held: dict[str, str], now: dict[str, str]) -> str:
    """The inputs that differ, in words; '' where none does."""
    names = [name for name in sorted({*held, *now}) if held.get(name) != now.get(name)]
    return " and ".join(INPUTS.get(name, name) for name in names)


@dataclass(frozen=True)
class Job:
    """One run and all that it needs, fixed when `run` is called, whatever becomes of the files then; absolute paths."""

    run: Run
    folder: RunFolder
    data: Path  # holds <dataset>/train_global_lmdb and so on
    weights: Path | None  # None: every layer starts from its filler
    prototxts: Prototxts
    inputs: dict[str, str]  # SHA-256 of what decides the result
    command: str  # as the user typed it, ready to be pasted
    threads: int | None  # BLAS threads, one setting for the whole run; None leaves them to BLAS
    origin: RunFolder | None = None  # the run that a longer one continues, where it has not begun
    gpu: int | None = None  # None: on the CPU

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)  # ASCII: a path may hold bytes that are no text

    @staticmethod
    def from_json(text: str | bytes) -> "Job":
        fields: dict[str, Any] = json.loads(text)
        model, origin = fields.pop("weights"), fields.pop("origin")
        return Job(
            run=Run(**fields.pop("run")),
            folder=RunFolder(Path(fields.pop("folder")["path"])),
            data=Path(fields.pop("data")),
            weights=Path(model) if model else None,
            prototxts=Prototxts(**fields.pop("prototxts")),
            origin=RunFolder(Path(origin["path"])) if origin else None,
            **fields,
        )


class Messages:
    """The child's end of the pipe to the driver: one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        self.pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def send(self, **message: object) -> None:
        """Send one message; BrokenPipeError when the driver is gone."""
        print(json.dumps(message), file=self.pipe, flush=True)
