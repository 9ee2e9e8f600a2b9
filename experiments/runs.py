"""Which runs there are: a run is one fine-tuning, dataset x network x view x start x seed."""

from user_error import UserError

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder, folder_name
from paper import NETWORKS, PRETRAINED, ROOT, VIEWS, reported_iteration, variant_name, variant_parts


@dataclass(frozen=True)
class Run:
    """One fine-tuning; runs that differ in the seed alone are of one variant."""

    dataset: str
    network: str
    view: str
    seed: int
    start: str = PRETRAINED
    edit: str = ""  # the name of a person's edit of the net or the solver
    to: int | None = None  # its last iteration, where that is beyond the one that is reported

    @property
    def variant(self) -> str:
        return f"{self.dataset}/{variant_name(self.network, self.view, self.start, self.edit)}"

    @property
    def name(self) -> str:
        return f"{self.variant}/{folder_name(self.seed, self.to)}"

    @property
    def solver(self) -> Path:
        """The solver that the run is made from; it names the net."""
        return ROOT / "solvers" / f"{self.variant}.prototxt"

    def lasting(self, max_iter: int) -> "Run":
        """The run with this last iteration: beyond the one that is reported it is a run of its own."""
        return replace(self, to=max_iter if max_iter > reported_iteration(self.dataset) else None)

    def folder(self, results: Path) -> RunFolder:
        return RunFolder(results / self.name)

    def store(self, data: Path, split: str) -> Path:
        """The LMDB that the run reads for `split` (train, test), unless its net was edited."""
        return data / self.dataset / f"{split}_{self.view}_lmdb"

    def check_place(self, folder: RunFolder) -> None:
        """Raise Unreadable where a folder in this run's place holds another one: somebody renamed or copied it."""
        there = (folder.record() or {}).get("run", {})
        usual = replace(self, start=PRETRAINED, edit="", to=None)  # an early version knew no others
        held = replace(usual, **{name: there[name] for name in asdict(self) if name in there})
        if there and held != self:
            raise Unreadable(f"{folder.path}: holds the run {held.name}, whose place it is not: move it back")


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


def of_variants(dataset: str, names: Iterable[str], seeds: Iterable[int]) -> list[Run]:
    """The runs of variants by their names, alexnet_global+lr-0.0005; UserError where one can be none."""
    found = []
    for seed in dict.fromkeys(seeds):
        for name in dict.fromkeys(name.removeprefix(f"{dataset}/") for name in names):
            parts = variant_parts(name)
            if parts is None:
                usual = variant_name(NETWORKS[0], VIEWS[0])
                raise UserError(f"--variant {name}: a network, a view and more, as in {usual} or {usual}+lr-0.0005")
            network, view, start, edit = parts
            found.append(Run(dataset, network, view, seed, start, edit))
    return found
