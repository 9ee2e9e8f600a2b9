"""Shows how much of a file has come: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data_prep.progress import INTERVAL, duration


@contextmanager
def progress(name: str, have: int, size: int) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error; yields update(bytes that are there)."""
    if sys.stderr.isatty():
        with _bar(name, have, size) as update:
            yield update
    else:
        yield _lines(name, have, size)


@contextmanager
def _bar(name: str, have: int, size: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from experiments.display import LoudConsole

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=LoudConsole(stderr=True), transient=True) as bar:
        task = bar.add_task(name, completed=have, total=size)
        yield lambda now: bar.update(task, completed=now)


def _lines(name: str, have: int, size: int) -> Callable[[int], None]:
    last, then = time.monotonic(), have
    beginning = f"resuming at {_megabytes(have)} of" if have else "fetching"
    print(f"{name}: {beginning} {_megabytes(size)} MB", file=sys.stderr, flush=True)

    def update(now: int) -> None:
        nonlocal last, then
        moment = time.monotonic()
        if moment - last >= INTERVAL:
            speed = (now - then) / (moment - last)
            last, then = moment, now
            left = f", {speed / 1e6:.1f} MB/s, {duration((size - now) / speed)} left" if speed > 0 else ""
            print(f"{name}: {_megabytes(now)} of {_megabytes(size)} MB{left}", file=sys.stderr, flush=True)

    return update


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"
