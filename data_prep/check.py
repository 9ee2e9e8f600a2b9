"""Whether a complete dataset still holds what was prepared: every record is read, at the speed of the disk."""

from user_error import UserError

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from data_prep import stores
from data_prep.request import store_name

Show = Callable[[], None]


def records(content: dict[str, Any]) -> int:
    """How many records the stores of a dataset hold, by its summary."""
    return len(content["views"]) * sum(counts["written"] for counts in content["splits"].values())


def problems(folder: Path, content: dict[str, Any], show: Show) -> Iterator[str]:
    """A line for each store that holds something else than its summary says; calls `show` for each record read.

    Summaries of earlier versions have no digests: then every record has to be a view, and its number is checked.
    """
    for split, counts in content["splits"].items():
        for view in content["views"]:
            store = folder / store_name(split, view)
            wanted = content.get("stores_xxh3", {}).get(store.name)
            try:
                found = _by_digest(store, wanted, show) if wanted else _by_decoding(store, counts["written"], show)
            except (UserError, OSError) as error:
                found = str(error)
            if found:
                yield found


def _by_digest(store: Path, wanted: str, show: Show) -> str:
    def read() -> Iterator[str]:
        for position, (key, digest) in zip(count(), stores.digests(store), strict=False):
            show()
            yield digest if key == stores.key(position) else "out of place"

    if stores.store_digest(read()) == wanted:
        return ""
    return f"{store} does not hold what was prepared: its disk lost or changed records; {stores.AGAIN}"


def _by_decoding(store: Path, wanted: int, show: Show) -> str:
    found = 0
    for position, _, _ in stores.read_records(store):
        show()
        if position != found:
            return f"{store} lacks record {found}; {stores.AGAIN}"
        found += 1
    return "" if found == wanted else f"{store} holds {found:,} records, not {wanted:,}; {stores.AGAIN}"
