"""The page of a table: what is on it, and its HTML, one file that is complete in itself."""

from user_error import UserError

import base64
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from data_prep.photos import BAD, GOOD
from paper import PRETRAINED, Row, Table, reported_iteration, stated
from report import photos, testset
from report.claims import Claim, claims
from report.evidence import of_table
from report.figures import COLOURS, style
from report.line import Line
from report.links import Link, to_files
from report.notes import notes
from report.provenance import Preparation, preparations
from report.results import SeedResult, found
from report.rows import with_ours
from report.start_figures import figures
from report.tables import lines, printed, title_of
from report.testset import Photos, TestPhoto
from report.variants import Shown, Variant, variant

LARGEST = 2_900_000  # bytes of a page
GENERATOR = '<meta name="generator" content="finetuned visual aesthetics">'  # tells our pages from other files


@dataclass(frozen=True)
class Content:
    """All that a page shows of a table, without the pictures of its photos."""

    table: Table
    title: str
    printed: list[list[str]]
    best: Line | None
    notes: list[str]
    claims: list[Claim]
    variants: list[Variant]
    absent: list[Line]  # that were not measured
    photos: Photos
    examples: dict[int, list[TestPhoto]]  # of the dataset, by label
    starts: list[Shown]  # fine-tuned and from scratch, of the variants that have both
    preparations: list[Preparation]
    links: dict[str, list[Link]]  # raw files of each run
    folders: dict[str, Path]


def content(table: Table, data: Path, results: Path, out: Path) -> Content:
    """What the runs below `results` say of a table, for a page in `out`; `data` may have its photos."""
    papers, table = table, with_ours(table, results)
    table_lines = lines(table, results)
    rows = list(_rows(papers, table, table_lines, results))
    runs = [(_name(row, each), each) for row in rows for each in row.group]
    known = testset.read(table.dataset, data, [each.record for _, each in runs])
    with style():
        variants = [
            variant(
                row.anchor, row.line, row.view, row.group, known, marks(table.dataset), _threshold(table), row.is_usual
            )
            for row in rows
            if row.group
        ]
        starts = list(figures(of_table(papers, results), marks(table.dataset)))
    return Content(
        table=table,
        title=title_of(table),
        printed=printed(table, table_lines),
        best=max((row.line for row in rows if row.group and row.is_papers), key=lambda line: line.ours, default=None),
        notes=notes(table, table_lines, results),
        claims=claims(papers, results),
        variants=variants,
        absent=[row.line for row in rows if not row.group],
        photos=known,
        examples={label: photos.examples(known, label) for label in (GOOD, BAD)},
        starts=starts,
        preparations=preparations([(name, each.folder, each.record) for name, each in runs]),
        links={name: to_files(each.folder, out, results) for name, each in runs},
        folders={name: each.folder.path for name, each in runs},
    )


def html(shown: Content, with_photos: bool, command: str) -> str:
    """The page; `command` makes one without photos."""
    if not with_photos:
        return _render(shown, {}, "This page was made without photos (--no-photos).", command)
    if shown.photos.lacking:
        return _render(shown, {}, f"No photos here: {shown.photos.lacking}.", command)
    left = max(0, LARGEST - len(_render(shown, {}, "", command).encode()))
    room = left * 3 // 4  # base64 takes four bytes for three
    try:
        return _render(shown, photos.jpegs(shown.photos, _wanted(shown), room), "", command)
    except UserError as error:
        return _render(shown, {}, f"No photos here: {error}.", command)


def marks(dataset: str) -> list[int]:
    """The iterations that a curve is marked at: those that the paper speaks of (III-B.2, IV-D)."""
    return sorted({stated("finetuning.sufficient_iter"), reported_iteration(dataset)})


@cache
def environment() -> jinja2.Environment:
    """The templates; all that is put into them is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"colours": COLOURS, "generator": Markup(GENERATOR)}
    made.filters |= {"text": _text, "folded": _folded}
    return made


@dataclass(frozen=True)
class _Row:
    """A line of the table, with the runs that it is made from; none where nothing was measured."""

    anchor: str
    line: Line
    view: str
    group: list[SeedResult]
    is_usual: bool  # the first group of its row
    is_papers: bool  # of a row that the paper has: what was run beside it is never the best


def _rows(papers: Table, table: Table, table_lines: list[Line], results: Path) -> Iterator[_Row]:
    """The lines of our own runs, in the order of the table, which has the rows of the paper's and more."""
    left = iter(table_lines)
    for row in table.rows:
        if row.network is None:
            next(left)
            continue
        groups = found(table, row, results).groups or [[]]
        for number, group in enumerate(groups):
            anchor = "-".join(filter(None, (row.view, row.network, *_what_else(row))))
            anchor += f"-{number + 1}" if number else ""
            yield _Row(anchor, next(left), row.view, group, not number, row in papers.rows)


def _what_else(row: Row) -> Iterator[str]:
    """What sets a row apart from the paper's, for an anchor."""
    yield row.start if row.start != PRETRAINED else ""
    yield row.edit and f"edit-{row.edit}"
    yield f"to-{row.to}" if row.to else ""


def _name(row: _Row, each: SeedResult) -> str:
    return f"{row.line.method.partition(' (seed')[0]}, seed {each.seed}"


def _threshold(table: Table) -> float | None:
    """The score from which on a photo is good, where that is how the dataset was labelled."""
    return stated("labels.threshold") if table.dataset in ("ava-large", "demo") else None


def _wanted(shown: Content) -> dict[str, set[str]]:
    """The ids of the photos on the page, by view."""
    wanted = {photos.WHOLE: {photo.photo_id for those in shown.examples.values() for photo in those}}
    for each in shown.variants:
        those = [p for kind in each.kinds for p in (*kind.surest, *kind.drawn)]
        ids = {p.photo_id for p in (*those, *each.worst)} & shown.photos.by_id.keys()
        if each.view in shown.photos.views:
            wanted[each.view] = wanted.get(each.view, set()) | ids
    return wanted


def _render(shown: Content, pictures: Mapping[tuple[str, str], bytes], remark: str, command: str) -> str:
    encoded = {name: base64.b64encode(jpeg).decode() for name, jpeg in pictures.items()}
    template = environment().get_template("page.html")
    known = shown.photos.by_id or {}
    return template.render(
        page=shown, pictures=encoded, known=known, remark=remark, command=command, WHOLE=photos.WHOLE
    )


def _folded(text: str) -> str:
    """A text with a line for each of its parts, which semicolons divide; those in brackets do not."""
    return re.sub(r"; (?![^()]*\))", ";\n", text)


def _text(name: str) -> str:
    """The name of a file or photo as text; bytes that are none are shown as such."""
    return os.fsencode(name).decode("utf-8", "replace")
