"""Claims on accuracies: one variant above another, or above a method that the paper cites."""

import statistics

from paper import PaperClaim, stated
from report.comparison import compare
from report.evidence import Evidence, Variant, variants
from report.measures import mean_interval
from report.verdicts import OPEN, Part, of_interval


def pairs(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Each better variant with each worse one that differs from it in nothing but what the claim names."""
    parts = []
    for better in variants(claim.better):
        for worse in variants(claim.worse):
            sides = zip(("network", "view"), better, worse, strict=True)
            differing = {name for name, ours, other in sides if ours != other}
            if differing and differing <= claim.better.keys():
                subject = _subject(claim, evidence, better, worse)
                absent = evidence.absent(subject, better, worse)
                parts.append(absent or compare(subject, evidence.runs(better), evidence.runs(worse)))
    return parts


def cited(claim: PaperClaim, evidence: Evidence) -> list[Part]:
    """Our interval against the highest number that the paper cites of a method."""
    (variant,) = variants(claim.better)
    constant = max(row.accuracy for row in evidence.table.rows if row.label.endswith(claim.cited))
    if absent := evidence.absent("", variant):
        return [absent]
    runs = [run.result.predictions for run in evidence.runs(variant)]
    of_mean = mean_interval(runs)
    if of_mean is None:
        return [Part("", OPEN, "its seeds were tested on other photos")]
    low, high = 100 * of_mean.low, 100 * of_mean.high
    ours = 100 * statistics.fmean(p.label == p.predicted for run in runs for p in run)
    confidence = f"{stated('evaluation.confidence'):.0%} interval"
    number = (
        f"{ours:.2f}% ({confidence} {low:.2f} to {high:.2f}) against {constant:.2f}%, {ours - constant:+.2f} points"
    )
    how = f"our {confidence} ({of_mean.kind}) against the number that the paper cites"
    return [Part("", of_interval(low, high, constant), number, how)]


def _subject(claim: PaperClaim, evidence: Evidence, better: Variant, worse: Variant) -> str:
    """What the two have in common; where that is nothing, the worse one."""
    network, view = better
    if "network" not in claim.better:
        return stated(f"networks.{network}.name")
    return f"{view} view" if "view" not in claim.better else f"above {evidence.label(worse)}"
