"""Which runs there are: a run is one fine-tuning, dataset x network x view x start x seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.run_folder import RunFolder
from paper import NETWORKS, PRETRAINED, ROOT, VIEWS, variant_name


@dataclass(frozen=True)
class Run:
    """One fine-tuning; runs that differ in the seed alone are of one variant."""

    dataset: str
    network: str
    view: str
    seed: int
    start: str = PRETRAINED

    @property
    def variant(self) -> str:
        return f"{self.dataset}/{variant_name(self.network, self.view, self.start)}"

    @property
    def name(self) -> str:
        return f"{self.variant}/seed-{self.seed}"

    @property
    def solver(self) -> Path:
        """The solver that the run is made from; it names the net."""
        return ROOT / "solvers" / f"{self.variant}.prototxt"

    def folder(self, results: Path) -> RunFolder:
        return RunFolder(results / self.name)

    def store(self, data: Path, split: str) -> Path:
        """The LMDB that the run reads for `split` (train, test), unless its net was edited."""
        return data / self.dataset / f"{split}_{self.view}_lmdb"


def runs(
    dataset: str,
    networks: Iterable[str] = NETWORKS,
    views: Iterable[str] = VIEWS,
    seeds: Iterable[int] = (1,),
    starts: Iterable[str] = (PRETRAINED,),
) -> list[Run]:
    """All runs asked for, each once, the slow networks first, so that two side by side end together."""
    slow_first = sorted(set(networks), reverse=True)
    return [
        Run(dataset, network, view, seed, start)
        for seed in dict.fromkeys(seeds)
        for network in slow_first
        for view in dict.fromkeys(views)
        for start in dict.fromkeys(starts)
    ]
