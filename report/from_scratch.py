"""Fine-tuned and from scratch side by side (IV-D): who is good sooner, and who has more photos right at the end."""

from user_error import UserError

import math
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

import commands
from experiments.run_folder import Evaluation
from paper import PRETRAINED, SCRATCH, PaperClaim, Table, claims, reported_iteration
from report.comparison import compare
from report.evidence import Evidence, Variant, evaluations, of_table, variants
from report.line import DASH
from report.measures import interval, mean_interval, measures
from report.results import SeedResult
from report.starts import learnt_nothing
from report.tables import title_of
from report.verdicts import FAILS, HOLDS, NOT_RUN, OPEN, Part, of_those_run

HOW = (
    "the first evaluated iteration from which on the accuracy is above that of always answering the more frequent"
    " label: earlier in every seed when fine-tuned"
)
WIDTH = 120  # columns of the printed text
COLUMNS = ("iteration", "fine-tuned", "95 % interval", "from scratch", "95 % interval")


@dataclass(frozen=True)
class Point:
    """The accuracy of some runs at one iteration, 0..1."""

    accuracy: float  # mean over the seeds
    interval: tuple[float, float] | None  # None of several seeds before the end, whose predictions are not kept


def sooner(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Whether fine-tuned nets are above the majority sooner, and have more photos right at the end."""
    return [part for variant in variants(claim.better) for part in _parts(evidence, variant)]


def render(asked: Sequence[Table], results: Path) -> str:
    """Of each table that has runs from scratch: both starts at each evaluated iteration, and what they say.

    Raises UserError where there is no run from scratch.
    """
    told = [(table, of_table(table, results)) for table in asked]
    told = [(table, evidence) for table, evidence in told if any(map(evidence.from_scratch, evidence.scratch))]
    if not told:
        name = asked[0].dataset if len(asked) == 1 else "DATASET"
        command = commands.run(name, "--start", PRETRAINED, SCRATCH, *commands.place("results", results))
        ends = " and ".join(sorted({f"{reported_iteration(table.dataset):,}" for table in asked}))
        raise UserError(f"{results} has no run from scratch up to iteration {ends} to compare: make some (`{command}`)")
    return "\n\n".join(block for table, evidence in told for block in _blocks(table, evidence))


def above_for_good(run: SeedResult, reported: int) -> float:
    """The first evaluated iteration from which on more photos are right than by always answering the majority.

    Infinite where there is none.
    """
    labels = [p.label for p in run.result.predictions]
    majority, first = max(sum(labels), len(labels) - sum(labels)), math.inf
    for iteration, row in sorted(evaluations(run, reported).items(), reverse=True):
        if _right(row, len(labels)) <= majority:
            break
        first = iteration
    return first


def when(firsts: Iterable[float]) -> str:
    """From which iteration on, in words; what several seeds say each once."""
    said = ["never" if math.isinf(first) else f"from iteration {first:,} on" for first in sorted(set(firsts))]
    return " or ".join(said)


def course(runs: Sequence[SeedResult], reported: int) -> dict[int, Point]:
    """The accuracy at each iteration at which all of the runs were evaluated."""
    rows = [evaluations(run, reported) for run in runs]
    found = {}
    for iteration in sorted(set.intersection(*(set(each) for each in rows))) if rows else ():
        there = [each[iteration] for each in rows]
        found[iteration] = Point(
            statistics.fmean(row.test_accuracy for row in there), _interval(runs, there, iteration == reported)
        )
    return found


def _interval(runs: Sequence[SeedResult], there: Sequence[Evaluation], is_last: bool) -> tuple[float, float] | None:
    photos = len(runs[0].result.predictions)
    if len(runs) == 1:
        return interval(_right(there[0], photos), photos)
    of_mean = mean_interval([run.result.predictions for run in runs]) if is_last else None
    return of_mean and (of_mean.low, of_mean.high)


def _right(row: Evaluation, photos: int) -> int:
    return round(row.test_accuracy * photos)


def _parts(evidence: Evidence, variant: Variant) -> Iterator[Part]:
    """What the two starts of a variant say; that it was not run where one of them was not."""
    label, tuned, scratch = evidence.label(variant), evidence.runs(variant), evidence.from_scratch(variant)
    if not tuned or not scratch:
        states = [state for there in (evidence.found, evidence.scratch) for state in there[variant].states]
        yield Part(label, OPEN, "a run cannot be read") if "unreadable" in states else Part(label, NOT_RUN)
        return
    yield _passing(label, tuned, scratch, evidence.reported)
    yield compare("at the end", tuned, scratch)


def _passing(label: str, tuned: list[SeedResult], scratch: list[SeedResult], reported: int) -> Part:
    firsts = [{run.seed: above_for_good(run, reported) for run in runs} for runs in (tuned, scratch)]
    pairs = [(firsts[0][seed], firsts[1][seed]) for seed in sorted(firsts[0].keys() & firsts[1].keys())]
    if not pairs:
        return Part(label, OPEN, "no seed was run of both", HOW)
    if not all(evaluations(run, reported) for run in (*tuned, *scratch)):
        return Part(label, OPEN, "a metrics.csv cannot be read", HOW)
    number = (
        f"above the majority for good {when(first for first, _ in pairs)}, from scratch {when(s for _, s in pairs)}"
    )
    if all(first < other for first, other in pairs):
        return Part(label, HOLDS, number, HOW)
    return Part(label, FAILS if all(first > other for first, other in pairs) else OPEN, number, HOW)


def _blocks(table: Table, evidence: Evidence) -> Iterator[str]:
    (claim,) = (claim for claim in claims() if claim.kind == sooner.__name__)
    yield title_of(table)
    for variant in evidence.scratch:
        tuned, scratch = evidence.runs(variant), evidence.from_scratch(variant)
        if tuned or scratch:
            yield _side_by_side(evidence, variant, tuned, scratch)
    parts = sooner(claim, evidence)
    said = f"The paper claims ({claim.source}): {claim.text} On these runs: {of_those_run(parts)}."
    hows = dict.fromkeys(f"- {part.how}." for part in parts if part.how)
    yield "\n".join([said, *(textwrap.fill(how, WIDTH, subsequent_indent="  ") for how in hows)])


def _side_by_side(
    evidence: Evidence, variant: Variant, tuned: Sequence[SeedResult], scratch: Sequence[SeedResult]
) -> str:
    first = measures((tuned or scratch)[0].result.predictions)
    sides = [course(runs, evidence.reported) for runs in (tuned, scratch)]
    rows = [
        [f"{iteration:,}", *(cell for side in sides for cell in _cells(side.get(iteration)))]
        for iteration in sorted({*sides[0], *sides[1]})
    ]
    rows.append(["minutes", _minutes(tuned, evidence.reported), "", _minutes(scratch, evidence.reported), ""])
    lines = [
        f"{evidence.label(variant)}: {first.n:,} test photos, {first.majority:.2%} by always answering the majority",
        tabulate(rows, COLUMNS, "simple", colalign=("right",) * len(COLUMNS), disable_numparse=True),
    ]
    for name, runs in (("fine-tuned", tuned), ("from scratch", scratch)):
        if nothing := learnt_nothing([run.result for run in runs]):
            lines.append(f"{name}: {nothing}")
    if not tuned or not scratch:
        return "\n".join(
            [*lines, f"no finished run {'from scratch' if tuned else 'fine-tuned'}: nothing to compare with"]
        )
    passing, end = _parts(evidence, variant)
    return "\n".join([*lines, f"{passing.number}: {passing.verdict}", f"at the end {end.number}: {end.verdict}"])


def _cells(point: Point | None) -> tuple[str, str]:
    if point is None:
        return DASH, DASH
    low_high = DASH if point.interval is None else " to ".join(f"{100 * end:.2f}" for end in point.interval)
    return f"{point.accuracy:.2%}", low_high


def _minutes(runs: Sequence[SeedResult], reported: int) -> str:
    """Mean minutes of work up to the result."""
    rows = [evaluations(run).get(reported) for run in runs]
    return DASH if not rows or None in rows else f"{statistics.fmean(row.seconds for row in rows) / 60:.1f}"
