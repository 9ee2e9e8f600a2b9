"""What is to be run: the variants of a dataset, and the inputs that make a result theirs."""

from user_error import UserError

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.run_folder import RunFolder
from files import sha256
from paper import NETWORKS, ROOT, VIEWS


@dataclass(frozen=True)
class Run:
    """One fine-tuning: a dataset, a network, a view and a seed."""

    dataset: str
    network: str
    view: str
    seed: int

    @property
    def variant(self) -> str:
        return f"{self.dataset}/{self.network}_{self.view}"

    @property
    def name(self) -> str:
        return f"{self.variant}/seed-{self.seed}"

    @property
    def train_val(self) -> Path:
        return ROOT / "prototxt" / self.variant / "train_val.prototxt"

    @property
    def solver(self) -> Path:
        return ROOT / "solvers" / f"{self.variant}.prototxt"

    def folder(self, results: Path) -> RunFolder:
        return RunFolder(results / self.name)


def runs(
    dataset: str,
    networks: Iterable[str] = NETWORKS,
    views: Iterable[str] = VIEWS,
    seeds: Iterable[int] = (1,),
) -> list[Run]:
    """All runs asked for, the slow networks first, so that two side by side end together."""
    slow_first = sorted(networks, reverse=True)
    return [Run(dataset, n, v, seed) for seed in seeds for n in slow_first for v in views]


def inputs(run: Run, weights_sha256: str, data: Path) -> dict[str, str]:
    """The SHA-256 of all that decides a run's result: two runs with equal inputs are one run."""
    return {
        "train_val": sha256(run.train_val),
        "solver": sha256(run.solver),
        "weights": weights_sha256,
        "dataset": sha256(data / run.dataset / "summary.json"),
    }


def max_iter(run: Run) -> int:
    """The last iteration that the run's solver names."""
    found = re.search(r"^\s*max_iter\s*:\s*(\d+)", run.solver.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise UserError(f"{run.solver}: no line `max_iter: ...`")
    return int(found[1])


def preparation(dataset: str) -> str:
    """How to prepare a dataset."""
    if dataset == "demo":
        return "type `make demo`"
    reader, _, partition = dataset.partition("-")
    extra = " --extra DIR" if dataset == "cuhkpq-large" else ""
    return (
        f"type `python -m data_prep {reader} --root DIR --partition {partition}{extra}`,"
        f" or give make {reader.upper()}_ROOT=DIR, the folder with your copy of {reader.upper()}"
    )
