"""What the driver tells the child process that holds Caffe, and what the child tells back while it works."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.plan import Run
from experiments.run_folder import RunFolder

STOPPED = 3  # the child's exit status after a stop that was asked for


@dataclass(frozen=True)
class Job:
    """One run and how to do it; all paths absolute."""

    run: Run
    folder: RunFolder
    data: Path  # holds <dataset>/train_global_lmdb and so on
    weights: Path
    inputs: dict[str, str]  # SHA-256 of what decides the result
    command: list[str]  # as typed by the user
    max_iter: int | None  # None: the solver's
    evaluate_every: int | None  # None: the solver's test_interval
    gpu: int | None = None  # None: on the CPU

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> "Job":
        fields = json.loads(text)
        return Job(
            run=Run(**fields.pop("run")),
            folder=RunFolder(Path(fields.pop("folder")["path"])),
            data=Path(fields.pop("data")),
            weights=Path(fields.pop("weights")),
            **fields,
        )


class Messages:
    """The child's end of the pipe to the driver: one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        self.pipe = os.fdopen(descriptor, "w", encoding="utf-8")

    def send(self, **message: object) -> None:
        """Tell the driver; BrokenPipeError when it is gone."""
        print(json.dumps(message), file=self.pipe, flush=True)
