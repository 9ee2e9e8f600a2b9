"""The command `predict`: photos in, the probability that each is good out, by the views and nets of the test pass."""

from user_error import UserError

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from deploy.monitor import Monitor
from deploy.net import ScoringNet
from deploy.photos import Photos
from deploy.rows import FORMATS, Best, Row, short
from deploy.scorer import Scorer
from deploy.views import Viewed, viewed
from paper import VIEWS

SOME_FAILED = 1  # exit status


def predict(
    nets: Sequence[ScoringNet],
    names: Sequence[str],
    format_name: str = "table",
    top: int | None = None,
    gpu: int | None = None,
    batch: int | None = None,
) -> int:
    """Print a row for each photo that `names` stand for; the exit status: 0, or 1 where some could not be scored.

    `top` prints that many best ones alone, the best first. Raises UserError where nothing can be scored.
    """
    monitor = Monitor(is_shown=sys.stderr.isatty() and not (sys.stdout.isatty() and top is None))
    photos = Photos(names, monitor.fail)
    monitor.total = photos.count
    scorer = Scorer(nets, gpu, batch)
    for line in introduction(nets):
        monitor.say(line)
    form, out, best = FORMATS[format_name], sys.stdout.buffer, Best(top or 0)
    views = VIEWS if len(nets) > 1 else (nets[0].view,)
    with scorer:
        out.write(form.heading(views))
        seen = viewed(photos, scorer.view_names, nets[0].encoded, photos.count)
        for rows in rows_of(scorer, seen, views, monitor.fail):
            if top is None:
                out.writelines(map(form.line, rows))
                out.flush()
            else:
                best.add(rows)
            monitor.scored(len(rows))
    monitor.clear()
    out.writelines(map(form.line, best.rows()))
    out.flush()
    return conclude(monitor, photos)


def rows_of(
    scorer: Scorer, photos: Iterable[Viewed | None], views: Sequence[str], fail: Callable[[str], None]
) -> Iterator[list[Row]]:
    """The rows of the photos in order, a batch at a time, while the next batch is fetched.

    `views` are the names of the nets in a row; `fail` hears of photos that cannot be read.
    """
    on_the_way: deque[list[str]] = deque()
    paths: list[str] = []

    def rows() -> list[Row]:
        answers = scorer.collect()
        return [
            Row(path, dict(zip(views, map(short, each), strict=True)))
            for path, each in zip(on_the_way.popleft(), answers.T, strict=True)
        ]

    def submit() -> None:
        scorer.submit(len(paths))
        on_the_way.append(paths.copy())
        paths.clear()

    for photo in photos:
        if photo is None:
            if paths:
                submit()
            while on_the_way:
                yield rows()
        elif photo.reason:
            fail(f"{photo.path}: {photo.reason}")
        else:
            scorer.batch_views()[:, len(paths)] = photo.views
            paths.append(photo.path)
            if len(paths) == scorer.batch:
                submit()
                if scorer.is_full:
                    yield rows()
    if paths:
        submit()
    while on_the_way:
        yield rows()


def introduction(nets: Sequence[ScoringNet]) -> Iterator[str]:
    """What a reader of the rows has to know: by which nets, and what the number is."""
    for net in nets:
        yield from net.notes
    who = " and ".join(f"{net.name} at iteration {net.iteration:,}" for net in nets)
    mean = ", the mean of both," if len(nets) > 1 else ""
    yield f"{who}: p(good){mean} is the probability that a photo is good, not a score from 1 to 10"


def conclude(monitor: Monitor, photos: Photos) -> int:
    """Say what was left out; the exit status."""
    if photos.others:
        files = "1 file in the folders is no picture" if photos.others == 1 else None
        monitor.say(files or f"{photos.others:,} files in the folders are no pictures")
    if not monitor.done and not monitor.failed:
        raise UserError("no photo was given: name files, folders with pictures, or - for a list on standard input")
    if monitor.failed:
        monitor.say(f"{monitor.failed:,} of {monitor.done + monitor.failed:,} could not be scored")
    return SOME_FAILED if monitor.failed else 0
