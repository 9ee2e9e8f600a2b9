"""The paper's numbers and ours, read from paper.toml: each with its section or with our reason."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent

DATASETS = ("ava-large", "ava-small", "cuhkpq-large", "cuhkpq-small", "demo")
NETWORKS = ("alexnet", "vgg16")
VIEWS = ("global", "local")
STARTS = PRETRAINED, SCRATCH, FROZEN = ("pretrained", "scratch", "frozen")  # how a net begins: the first is the paper's
LAST_LAYER = "fc8_aesthetics"
EDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # the name of a person's edit


@dataclass(frozen=True)
class Statement:
    """One number or choice: stated by the paper (`source`, its section) or open there (`assumption`, our reason)."""

    name: str
    value: Any
    source: str | None
    assumption: str | None


@dataclass(frozen=True)
class Row:
    """One row of a table, `accuracy` in percent.

    `network` and `view` are None for a method that the paper cites, `accuracy` is None where the paper has none. The
    paper's rows are all of the start `pretrained`, without an edit, to the iteration that is reported.
    """

    label: str
    network: str | None = None
    view: str | None = None
    accuracy: float | None = None
    start: str = PRETRAINED
    edit: str = ""  # the name of a person's edit
    to: int | None = None  # the last iteration of runs that are longer

    @property
    def variant(self) -> str:
        """What the folders and files of the row's runs are called."""
        return variant_name(self.network, self.view, self.start, self.edit)


@dataclass(frozen=True)
class Table:
    """One table of accuracies in the paper's form; `source` is None for those that are not in the paper."""

    name: str
    title: str
    dataset: str
    rows: tuple[Row, ...]
    source: str | None = None


@dataclass(frozen=True)
class PaperClaim:
    """What the paper claims of its results, in our words.

    `better` and `worse` name networks and views, e.g. {'network': 'vgg16'}: of the variants that the claim speaks of.
    """

    name: str
    source: str
    text: str
    kind: str  # how it is told: report/evidence.py
    datasets: tuple[str, ...]  # of which the paper claims it
    also: tuple[str, ...]  # of which others we ask it: demo, own
    needs: str  # runs to tell it from
    better: dict[str, str]
    worse: dict[str, str]
    cited: str | None  # the cited method that it is a comparison with


def variant_name(network: str, view: str, start: str = PRETRAINED, edit: str = "") -> str:
    """What folders and files of a variant are called, e.g. alexnet_global; of another start alexnet_global_scratch.

    A named edit of it has the name behind a plus sign: alexnet_global+lr-0.0005.
    """
    return f"{network}_{view}" + (f"_{start}" if start != PRETRAINED else "") + (f"+{edit}" if edit else "")


def variant_parts(name: str) -> tuple[str, str, str, str] | None:
    """The network, view, start and edit of a variant of this name; None where there can be none."""
    origin, plus, edit = name.partition("+")
    if plus and not EDIT.fullmatch(edit):
        return None
    parts = {variant_name(*names): names for names in product(NETWORKS, VIEWS, STARTS)}.get(origin)
    return parts and (*parts, edit)


@cache
def statements() -> dict[str, Statement]:
    """All statements by dotted name, e.g. 'finetuning.batch_size.alexnet', in the order of paper.toml."""
    return {statement.name: statement for statement in _statements(_toml(), "")}


def stated(name: str) -> Any:
    """The value of one statement, e.g. 10000 for 'finetuning.max_iter'."""
    return statements()[name].value


def reported_iteration(dataset: str) -> int:
    """The iteration whose accuracy is reported (III-B.2), at which runs end; the demo's are shorter."""
    return stated("demo.max_iter" if dataset == "demo" else "finetuning.max_iter")


@cache
def tables() -> dict[str, Table]:
    """The tables by name: I, II, III, IV and demo."""
    return {
        name: Table(name=name, **{**fields, "rows": tuple(Row(**row) for row in fields["rows"])})
        for name, fields in _toml()["tables"].items()
    }


@cache
def claims() -> list[PaperClaim]:
    """What the paper claims, in the order of paper.toml."""
    return [
        PaperClaim(
            name=name,
            datasets=tuple(fields["datasets"]),
            also=tuple(fields.get("also", ())),
            better=fields.get("better", {}),
            worse=fields.get("worse", {}),
            cited=fields.get("cited"),
            **{key: fields[key] for key in ("source", "text", "kind", "needs")},
        )
        for name, fields in _toml()["claims"].items()
    ]


@cache
def _toml() -> dict[str, Any]:
    return tomllib.loads((ROOT / "paper.toml").read_text(encoding="utf-8"))


def _statements(section: dict[str, Any], prefix: str) -> Iterator[Statement]:
    for key, entry in section.items():
        name = prefix + key
        if not isinstance(entry, dict) or name in ("tables", "claims"):
            continue
        if "value" in entry:
            yield Statement(name, entry["value"], entry.get("source"), entry.get("assumption"))
        else:
            yield from _statements(entry, name + ".")
