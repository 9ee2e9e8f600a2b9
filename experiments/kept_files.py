"""The JSON and CSV files of a run's folder: read with every check, or Unreadable in one line."""

from user_error import UserError

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from types import UnionType
from typing import Any


class Unreadable(UserError):
    """A file of a run's folder is not what we wrote: which, and why."""


def read_json(
    path: Path, required: Mapping[str, type], optional: Mapping[str, type | UnionType] = {}
) -> dict[str, Any] | None:
    """A file that holds an object whose values have these types; None where there is no file."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # reading a pipe may wait for ever
            raise ValueError("is not a file")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("does not hold an object")
        for name, kind in {**optional, **required}.items():
            if name in content and not isinstance(content[name], kind):
                raise ValueError(f"{name} is not of the right type")
            if name in required and name not in content:
                raise ValueError(f"lacks {name}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return content


def read_csv(path: Path, kind: type) -> list[list[Any]]:
    """The rows of a file whose first columns are the fields of the dataclass `kind`, each as its field's type."""
    types = list(kind.__annotations__.values())
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header[: len(types)] != list(kind.__annotations__):
                raise ValueError(f"its first line does not name {','.join(kind.__annotations__)}")
            found = []
            for number, row in enumerate(rows, 2):
                if len(row) < len(types):
                    raise ValueError(f"line {number} has {len(row)} columns, not {len(types)}")
                found.append([convert(text) for convert, text in zip(types, row, strict=False)])
            return found
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise Unreadable(f"{path}: {error}") from None


def csv_text(kind: type, rows: list[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind.__annotations__)
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()
