"""Shows how far the work is: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERVAL = 10  # seconds between lines where there is no terminal
FRAME = 0.1  # seconds between two states of the bar


@contextmanager
def progress(total: int, done: int, bad: int) -> Iterator[Callable[[int, int], None]]:
    """Show progress on standard error; yields update(photos done, bad photos so far)."""
    if sys.stderr.isatty():
        with _bar(total, done, bad) as update:
            yield update
    else:
        yield _lines(total, done)


@contextmanager
def _bar(total: int, done: int, bad: int) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:,.0f} photos/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[bad]:,} bad"),
    )
    started = last = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("photos", total=total, completed=done, bad=bad, speed=0.0)

        def update(now: int, bad: int) -> None:
            nonlocal last
            moment = time.monotonic()
            if moment - last >= FRAME or now == total:
                last = moment
                bar.update(task, completed=now, bad=bad, speed=(now - done) / (moment - started))

        yield update


def _lines(total: int, done: int) -> Callable[[int, int], None]:
    started = last = time.monotonic()

    def update(now: int, bad: int) -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last >= INTERVAL:
            last = moment
            speed = (now - done) / (moment - started)
            left = (total - now) / speed if speed else 0
            print(
                f"{now:,} of {total:,} photos, {speed:,.0f} photos/s, {duration(left)} left, {bad:,} bad",
                file=sys.stderr,
                flush=True,
            )

    return update


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
