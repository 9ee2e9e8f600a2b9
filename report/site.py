"""Writes the pages of tables, and an index of them, into a folder."""

from user_error import UserError

import os
from collections.abc import Sequence
from pathlib import Path

import commands
from files import write_atomically
from paper import Table
from report.claims import VERDICTS
from report.page import GENERATOR, content, environment, html

INDEX = "index.html"
BEGINNING = 4096  # bytes of a page within which GENERATOR has to be


def write(tables: Sequence[Table], data: Path, results: Path, out: Path, with_photos: bool) -> Path:
    """Write a page for each table, and the index; its path. UserError where `out` is not for us to write."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made ({error.strerror}): give another --out DIR") from None
    if not os.access(out, os.W_OK):
        raise UserError(f"{out} cannot be written: give another --out DIR")
    paths = {table.name: out / f"table-{table.name}.html" for table in tables}
    for path in (*paths.values(), out / INDEX):
        _check(path)
    shown = []
    for table in tables:
        command = commands.experiments("report", table.name, "--no-photos", "--out", "DIR")
        each = content(table, data, results, out)
        _write(paths[table.name], html(each, with_photos, command))
        shown.append((paths[table.name].name, each))
    pages = {path.name for path in out.glob("table-*.html") if path.is_file() and _is_ours(path)}
    others = sorted(pages - {name for name, _ in shown})
    _write(out / INDEX, environment().get_template(INDEX).render(shown=shown, others=others, verdicts=VERDICTS))
    return out / INDEX


def _check(path: Path) -> None:
    """Raise UserError where there is a file that is none of our pages."""
    if not os.path.lexists(path):
        return
    try:
        is_ours = path.is_file() and _is_ours(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give another --out DIR") from None
    if not is_ours:
        raise UserError(f"{path} is not a page of ours: give another --out DIR")


def _is_ours(page: Path) -> bool:
    with page.open("rb") as file:
        return GENERATOR.encode() in file.read(BEGINNING)


def _write(path: Path, page: str) -> None:
    try:
        write_atomically(path, page, durable=False)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): give another --out DIR") from None
