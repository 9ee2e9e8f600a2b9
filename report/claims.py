"""What the paper claims of its results, and what our runs say of it."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from paper import DATASETS, PaperClaim, Table
from paper import claims as papers_claims
from report.accuracies import cited, pairs
from report.evidence import Evidence, of_table, variants
from report.from_scratch import sooner
from report.iterations import fall, minutes, overfits, stable, sufficient
from report.line import DASH
from report.verdicts import NOT_RUN, VERDICTS, Part, of_all, of_any, of_those_run

__all__ = ["VERDICTS", "Claim", "claims", "render"]

TOLD: dict[str, Callable[[PaperClaim, Evidence], list[Part]]] = {  # by kind
    each.__name__: each for each in (pairs, cited, fall, sooner, sufficient, stable, overfits, minutes)
}
ONE: dict[str, Callable[[Sequence[Part]], str]] = {"pairs": of_all, "overfits": of_any}  # parts -> verdict, by kind
WIDTH = 120  # columns of the printed table


@dataclass(frozen=True)
class Claim:
    """One claim of the paper's, put to the runs of one dataset."""

    name: str  # of [claims.NAME] in paper.toml
    section: str  # of the paper, e.g. IV-B
    text: str  # the claim, in our words
    dataset: str
    is_the_papers: bool  # whether the paper claims it of this dataset; else it is asked of other photos
    verdict: str  # one of VERDICTS
    number: str  # behind the verdict; a dash where nothing was run
    how: str  # how it was told, or what it needs


def claims(table: Table, results: Path) -> list[Claim]:
    """The claims that can be put to the dataset of a table, told from the runs below `results`."""
    evidence = of_table(table, results)
    kind = table.dataset if table.dataset in DATASETS else "own"
    return [_told(claim, evidence) for claim in papers_claims() if kind in (*claim.datasets, *claim.also)]


def render(told: Sequence[Claim], width: int | None = None) -> str:
    """Claims as a table for a terminal of so many columns, without a final newline; below it how they were told."""
    left = (width or WIDTH) - 9 - 14 - 6  # the columns of sections and verdicts, and what is between columns
    rows = [
        [each.section, _filled(each.text + _of_others(each), left // 2), each.verdict, _filled(each.number, left // 2)]
        for each in told
    ]
    table = tabulate(rows, ["section", "claim", "verdict", "number"], "simple", disable_numparse=True)
    ways = dict.fromkeys(f"- {each.section}, {each.text.rstrip('.')}: {each.how}." for each in told)
    below = [textwrap.fill(way, width or WIDTH, subsequent_indent="  ", break_on_hyphens=False) for way in ways]
    return f"{table}\n\nHow it was told:\n" + "\n".join(below)


def _told(claim: PaperClaim, evidence: Evidence) -> Claim:
    parts = TOLD[claim.kind](claim, evidence)
    verdict = ONE.get(claim.kind, of_those_run)(parts)
    number = "; ".join(filter(None, (": ".join(filter(None, (p.subject, p.number or p.verdict))) for p in parts)))
    how = "; ".join(dict.fromkeys(part.how for part in parts if part.how))
    return Claim(
        name=claim.name,
        section=claim.source,
        text=claim.text,
        dataset=evidence.table.dataset,
        is_the_papers=evidence.table.dataset in claim.datasets,
        verdict=verdict,
        number=DASH if verdict == NOT_RUN else number + _caveat(claim, evidence),
        how=how or f"needs {claim.needs}",
    )


def _caveat(claim: PaperClaim, evidence: Evidence) -> str:
    """What a reader has to know of the runs that a verdict comes from; empty where they are as generated."""
    spoken_of = dict.fromkeys([*variants(claim.better), *variants(claim.worse)])
    runs = [run for variant in spoken_of for run in evidence.runs(variant)]
    runs += [run for variant in spoken_of for run in evidence.from_scratch(variant) if claim.kind == sooner.__name__]
    records = [run.record for run in runs]
    said = []
    if any(any(record.get("edited", {}).values()) or record.get("marks") for record in records):
        said.append("a run was edited or marked, see the notes")
    if len({record["inputs"].get("dataset") for record in records}) > 1:
        said.append("the runs are not all on the same preparation of the dataset")
    return "".join(f"; {each}" for each in said)


def _of_others(claim: Claim) -> str:
    return "" if claim.is_the_papers else f" (of {claim.dataset}, not the paper's photos)"


def _filled(text: str, width: int) -> str:
    return textwrap.fill(text, max(width, 20), break_on_hyphens=False)
