"""Claims on the course of the fine-tuning: how fast the loss falls, what more iterations bring, how long they take."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from scipy.stats import mannwhitneyu

from paper import PaperClaim, stated
from report import bootstrap
from report.comparison import compared, interval_text, mcnemars, p_text, paired
from report.evidence import Evidence, evaluations, kept, variants
from report.results import SeedResult
from report.verdicts import FAILS, HOLDS, NOT_RUN, OPEN, Part, of_difference, of_interval


def fall(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """How much of the whole fall of the test loss is over at the last of the early evaluations."""
    share = stated("evidence.fall")
    begin, *_, early = [iteration for iteration in stated("evaluation.early") if iteration < evidence.reported]
    how = (
        f"{share:.0%} of the fall of the test loss, from iteration {begin} to its lowest, over by iteration {early:,}"
        " in every seed"
    )

    def told(subject: str, runs: list[SeedResult]) -> Part:
        courses = [evaluations(run, evidence.reported) for run in runs]
        if not all(courses):
            return Part(subject, OPEN, "metrics.csv is missing, empty or cannot be read", how)
        if not all({begin, early} <= course.keys() for course in courses):
            return Part(subject, OPEN, f"metrics.csv lacks iteration {begin} or {early:,}", how)
        if not all(math.isfinite(row.test_loss) for course in courses for row in course.values()):
            return Part(subject, OPEN, "a test loss in metrics.csv is no finite number", how)
        losses = [
            (course[begin].test_loss, course[early].test_loss, min(row.test_loss for row in course.values()))
            for course in courses
        ]
        shares = [(first - then) / (first - lowest) if first > lowest else 0.0 for first, then, lowest in losses]
        enough = sum(each >= share for each in shares)
        verdict = HOLDS if enough == len(shares) else OPEN if enough else FAILS
        first, then, lowest = map(statistics.fmean, zip(*losses, strict=True))
        said = " to ".join(dict.fromkeys(f"{each:.0%}" for each in (min(shares), max(shares))))
        return Part(subject, verdict, f"{said} (test loss {first:.3f}, then {then:.3f}, lowest {lowest:.3f})", how)

    return evidence.each(claim.better, told)


def sufficient(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Whether what the sufficient iteration lacks of the reported one is surely less than our margin."""
    few, margin = stated("finetuning.sufficient_iter"), stated("evidence.margin")
    how = (
        f"iteration {few:,} less iteration {evidence.reported:,}: the whole {stated('evaluation.confidence'):.0%}"
        f" interval (bootstrap) above {-margin} points; McNemar's exact test beside it"
    )

    def told(subject: str, runs: list[SeedResult]) -> Part:
        early = [(result.predictions, run.result.predictions) for run in runs if (result := kept(run, few))]
        differences = paired(*zip(*early, strict=True)) if early else None
        if differences is None:
            return Part(subject, OPEN, f"no predictions of iteration {few:,} for these photos", how)
        low, high = bootstrap.interval(differences)
        number = f"{100 * differences.mean():+.2f} points ({interval_text((low, high))}; {mcnemars(differences)})"
        return Part(subject, of_interval(100 * low, 100 * high, -margin), number, how)

    return evidence.each(claim.better, told)


def stable(_claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Whether accuracy moves less from one evaluation to the next after the sufficient iteration than before it."""
    every, few = stated("evaluation.every"), stated("finetuning.sufficient_iter")
    points = range(every, evidence.reported + 1, every)
    how = (
        f"steps of the test accuracy between evaluations {every:,} iterations apart, in all runs, up to iteration"
        f" {few:,} and after it: smaller after, by the Mann-Whitney test"
    )
    runs = [run for variant in variants({}) for run in evidence.runs(variant)]
    courses = [evaluations(run, evidence.reported) for run in runs]
    whole = [course for course in courses if course.keys() >= {*points}]
    if not whole:
        lacking = f"no metrics.csv that can be read has a line every {every:,} iterations"
        return [Part("", OPEN, lacking, how) if runs else Part("", NOT_RUN)]
    before, after = [], []
    for course in whole:
        for here, there in pairwise(points):
            step = 100 * abs(course[there].test_accuracy - course[here].test_accuracy)
            (before if there <= few else after).append(step)
    p, earlier, later = float(mannwhitneyu(before, after).pvalue), statistics.median(before), statistics.median(after)
    number = f"median step {earlier:.2f} points before, {later:.2f} after ({p_text(p)}, {_count(whole)})"
    return [Part("", of_difference(earlier - later, p, stated("evidence.level")), number, how)]


def overfits(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Whether a run that went further has fewer photos right at its end than at the iteration that is reported."""
    longer = {variant: evidence.beyond(variant) for variant in variants(claim.better)}
    tests = sum(map(bool, longer.values()))
    parts = []
    for variant, runs in longer.items():
        subject = evidence.label(variant)
        if not runs:
            parts.append(Part(subject, NOT_RUN))
            continue
        ends = [kept(run) for run in runs]
        last = ends[0].iteration
        part = compared(subject, [run.result.predictions for run in runs], [end.predictions for end in ends], tests)
        number = f"iteration {evidence.reported:,} less {last:,}: {part.number}{_losses(runs, evidence.reported, last)}"
        how = f"{part.how}: fewer right at the end than at iteration {evidence.reported:,}, in one variant at least"
        parts.append(Part(subject, part.verdict, number, how if tests == 1 else f"{how} (level by Bonferroni)"))
    return parts


def minutes(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """How long the runs of a network took on a GPU, against the paper's minutes."""
    longest = stated(f"finetuning.minutes.{claim.better['network']}") * stated("evidence.about")
    how = f"minutes of work up to the result, test passes included; up to {longest:.0f} count as about as long"

    def told(subject: str, runs: list[SeedResult]) -> Part:
        rows = [evaluations(run).get(run.result.iteration) for run in runs]
        if None in rows:
            return Part(subject, OPEN, "a run does not say how long it took", how)
        taken = statistics.fmean(row.seconds for row in rows) / 60
        places = sorted({_place(attempt.get("gpu")) for run in runs for attempt in run.record["attempts"]})
        number = f"{taken:.1f} min on {' and '.join(places)}"
        if len(places) != 1 or CPU in places:
            return Part(subject, OPEN, number, how)
        return Part(subject, HOLDS if taken <= longest else FAILS, number, how)

    return evidence.each(claim.better, told)


CPU = "the CPU"


def _place(gpu: object) -> str:
    """Where an attempt ran, by what run.json has of its GPU."""
    if gpu is None:
        return CPU
    return str(gpu.get("name")) if isinstance(gpu, dict) else str(gpu)


def _losses(runs: Sequence[SeedResult], first: int, last: int) -> str:
    """What became of training and test loss, means over the runs; empty where that is not known."""
    courses = [evaluations(run) for run in runs]
    if not all({first, last} <= course.keys() for course in courses):
        return ""
    said = []
    for name in ("train_loss", "test_loss"):
        before, after = (statistics.fmean(getattr(course[at], name) for course in courses) for at in (first, last))
        said.append(f"{name.replace('_', 'ing ' if name.startswith('train') else ' ')} {before:.3f} to {after:.3f}")
    return f"; {', '.join(said)}"


def _count(runs: Sequence) -> str:
    return f"{len(runs)} run{'s' * (len(runs) > 1)}"
