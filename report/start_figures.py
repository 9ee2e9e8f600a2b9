"""Fine-tuned and from scratch in one figure, for each variant that was run from both starts (IV-D)."""

from collections.abc import Iterator

from report import plots
from report.evidence import Evidence
from report.figures import svg
from report.from_scratch import above_for_good, when
from report.line import DASH
from report.measures import measures
from report.variants import Shown, evaluations


def figures(evidence: Evidence, marks: list[int]) -> Iterator[Shown]:
    """The course of the accuracy of both starts, the line of the majority, and in words what it shows."""
    for number, variant in enumerate(evidence.scratch):
        tuned, scratch = evidence.runs(variant), evidence.from_scratch(variant)
        courses = [
            [[row for row in rows if row.iteration <= evidence.reported] for rows in evaluations(runs)]
            for runs in (tuned, scratch)
        ]
        there = [set(plots.common(seeds)) for seeds in courses]
        if not all(there):
            continue
        majority = measures(scratch[0].result.predictions).majority
        rows = [
            [f"{iteration:,}", *(_at(seeds, iteration, known) for seeds, known in zip(courses, there, strict=True))]
            for iteration in sorted(set.union(*there))
        ]
        first, other = (when(above_for_good(run, evidence.reported) for run in runs) for runs in (tuned, scratch))
        words = (
            f"Always answering the more frequent label scores {majority:.2%}. Above that for good: fine-tuned {first},"
            f" from scratch {other}."
        )
        yield Shown(
            title=evidence.label(variant),
            svg=svg(plots.starts(*courses, majority, marks), f"starts-{number}"),
            words=words + (" Thin: each seed; thick: their mean." if max(map(len, courses)) > 1 else ""),
            header=["iteration", "fine-tuned", "from scratch"],
            rows=rows,
        )


def _at(seeds: list, iteration: int, known: set[int]) -> str:
    return f"{plots.mean_at(seeds, iteration, lambda row: row.test_accuracy):.2%}" if iteration in known else DASH
