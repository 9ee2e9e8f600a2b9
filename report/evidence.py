"""What our runs of a dataset give a claim to be told from, variant by variant."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.kept_files import Unreadable
from experiments.run_folder import Evaluation, Result, ends
from paper import NETWORKS, PRETRAINED, SCRATCH, VIEWS, Table, reported_iteration
from report.results import Found, SeedResult, found
from report.verdicts import NOT_RUN, OPEN, Part

Variant = tuple[str, str]  # network, view


@dataclass(frozen=True)
class Evidence:
    """The runs of a table's dataset, by variant."""

    table: Table
    found: dict[Variant, Found]
    scratch: dict[Variant, Found] = field(default_factory=dict)  # those that began from scratch
    longer: dict[Variant, list[Found]] = field(default_factory=dict)  # those beyond the reported iteration, by length

    @property
    def reported(self) -> int:
        """The iteration whose accuracy is reported."""
        return reported_iteration(self.table.dataset)

    def runs(self, variant: Variant) -> list[SeedResult]:
        """The usual runs of a variant that have a result of the iteration that is reported."""
        return self.found[variant].at(self.reported)

    def from_scratch(self, variant: Variant) -> list[SeedResult]:
        """The same of those that began from scratch."""
        return self.scratch[variant].at(self.reported)

    def beyond(self, variant: Variant) -> list[SeedResult]:
        """The results of the reported iteration, in the runs that went beyond it; those that went furthest."""
        longer = [run for there in self.longer.get(variant, ()) for group in there.groups[:1] for run in group]
        ends = [(end.iteration, run) for run in (*self.runs(variant), *longer) if (end := kept(run))]
        furthest = max((iteration for iteration, _ in ends), default=0)
        if furthest <= self.reported:
            return []
        those = [(run, kept(run, self.reported)) for iteration, run in ends if iteration == furthest]
        return list({run.seed: replace(run, result=then) for run, then in those if then}.values())

    def label(self, variant: Variant) -> str:
        (row,) = (row for row in self.table.rows if (row.network, row.view) == variant)
        return row.label

    def absent(self, subject: str, *variants: Variant) -> Part | None:
        """What is said where one of these has no run; None where all have."""
        for variant in variants:
            if not self.runs(variant):
                is_unreadable = "unreadable" in self.found[variant].states
                return Part(subject, OPEN, "a run cannot be read") if is_unreadable else Part(subject, NOT_RUN)
        return None

    def each(self, names: dict[str, str], told: Callable[[str, list[SeedResult]], Part]) -> list[Part]:
        """A part for each variant of these names: what is `told` of its label and its runs."""
        return [
            self.absent(self.label(variant), variant) or told(self.label(variant), self.runs(variant))
            for variant in variants(names)
        ]


def of_table(table: Table, results: Path) -> Evidence:
    """What there is below `results`, of the paper's start and from scratch."""
    rows = [row for row in table.rows if row.network]
    fine_tuned, scratch = (
        {(row.network, row.view): found(table, replace(row, start=start), results) for row in rows}
        for start in (PRETRAINED, SCRATCH)
    )
    longer = {
        (row.network, row.view): [
            found(table, replace(row, to=end), results) for end in ends(results / table.dataset / row.variant)
        ]
        for row in rows
    }
    return Evidence(table, fine_tuned, scratch, longer)


def variants(names: dict[str, str]) -> list[Variant]:
    """The variants of a network, of a view or of both, e.g. {'view': 'global'}; all where nothing is named."""
    return [
        (network, view)
        for network in NETWORKS
        for view in VIEWS
        if names.items() <= {"network": network, "view": view}.items()
    ]


def evaluations(run: SeedResult, last: int | None = None) -> dict[int, Evaluation]:
    """The rows of metrics.csv by iteration, up to `last`; none where it cannot be read."""
    try:
        return {row.iteration: row for row in run.folder.evaluations() if last is None or row.iteration <= last}
    except Unreadable:
        return {}


def kept(run: SeedResult, iteration: int | None = None) -> Result | None:
    """The result of an iteration, by default of the run's last; None where there is none that can be read."""
    try:
        return run.folder.result(iteration)
    except Unreadable:
        return None
