"""The command line of the data preparation: `python -m data_prep ava|cuhkpq|demo`."""

from user_error import UserError, exit_with_status

import argparse
import os
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import commands
from arguments import Parser, count, positive
from data_prep.request import Request, checked_own_name
from data_prep.sources import Source
from paper import VIEWS, stated

INPUTS = ("root", "images", "extra", "list", "good", "bad")  # options that name folders and files
SMALL_RULES = ("decile-193k", "decile", "extreme")


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def _ava(arguments: argparse.Namespace) -> None:
    from data_prep.ava import Copy

    small = arguments.partition == "small"
    if small and arguments.delta:
        raise UserError("--delta belongs to --partition large; small has --small-rule")
    if not small and arguments.small_rule:
        raise UserError("--small-rule belongs to --partition small")
    rule = (arguments.small_rule or stated("partitions.ava-small.small_rule")) if small else None
    source = Copy(
        arguments.root, arguments.partition, arguments.seed, Fraction(arguments.delta), rule, arguments.images
    )
    own = {"small_rule": rule} if small else {"delta": str(arguments.delta.normalize())}
    _prepare(arguments, source, source.name, {"partition": arguments.partition, **own})


def _cuhkpq(arguments: argparse.Namespace) -> None:
    from data_prep.cuhkpq import Copy, refuse_without_extra

    if arguments.partition == "large" and not arguments.extra:
        raise refuse_without_extra()
    if arguments.partition == "small" and arguments.extra:
        raise UserError("--extra belongs to --partition large")
    source = Copy(arguments.root, arguments.partition, arguments.seed, arguments.extra)
    _prepare(arguments, source, source.name, {"partition": arguments.partition})


def _demo(arguments: argparse.Namespace) -> None:
    from demo.dataset import draw_dataset

    drawn = draw_dataset(arguments.out, arguments.photos, arguments.seed, arguments.jobs)
    root, bad = arguments.out / "ava", drawn.photos - drawn.good
    print(f"{root}: {drawn.photos:,} photos = {drawn.good:,} good + {bad:,} bad, {drawn.test:,} for test")
    print(f"{arguments.out / 'cuhkpq'}: {drawn.cuhkpq_high:,} of high quality, {drawn.cuhkpq_low:,} of low")
    print("one photo is missing and one is cut off, as in real copies")
    options = ["--root", root.resolve(), "--partition", "large", "--name", "demo", "--allow-bad", 2]
    print(f"next: {commands.module('data_prep', 'ava', *options)}")


def _prepare(arguments: argparse.Namespace, source: Source, usual_name: str, parameters: dict[str, Any]) -> None:
    """Print what would be done, or do it, or say that it is already done.

    `parameters` are those of the reader that decide the lists, as their options are called.
    """
    from data_prep import prepare, texts

    views = [view for view in VIEWS if view in arguments.views]
    decisive = parameters | {"seed": arguments.seed, "views": views, "encoded": arguments.encoded}
    given = {name: getattr(arguments, name, None) for name in INPUTS}
    request = Request(
        name=checked_own_name(arguments.name or usual_name, usual_name),
        out=arguments.out,
        inputs={name: path for name, path in given.items() if path},
        views=tuple(views),
        encoded=arguments.encoded,
        parameters={"dataset": arguments.dataset, **decisive, "lists": source.digest()},
    )
    if arguments.dry_run:
        print(texts.forecast(request, source.partition()))
        return
    content = prepare.finished(request)
    if content:
        print(f"{request.folder} is already complete")
        for line in texts.changes(content, request):
            print(f"note: {line}")
    else:
        source.require_pictures()
        content = prepare.prepare(request, source.partition(), arguments.jobs, arguments.allow_bad)
    print(texts.complete(content, request))


def _parser() -> Parser:
    parser = Parser(prog=commands.module("data_prep"), description="Prepare photos for Caffe: lists, views, LMDBs.")
    readers = parser.add_subparsers(dest="dataset", required=True, metavar="ava|cuhkpq|demo")

    ava = _reader(readers, "ava", "AVA's partitions large and small (Tables III and IV)")
    ava.add_argument("--partition", required=True, choices=("large", "small"), help="which partition")
    ava.add_argument(
        "--small-rule",
        choices=SMALL_RULES,
        help=f"which photos 'small' takes ({stated('partitions.ava-small.small_rule')})",
    )
    ava.add_argument(
        "--delta", type=_delta, default=Decimal(0), metavar="D",
        help="large: leave out training photos with 5 - D <= mean <= 5 + D (0)",
    )  # fmt: skip
    ava.add_argument("--images", type=Path, metavar="DIR", help="where the pictures are, if not below --root")
    ava.set_defaults(run=_ava)

    cuhkpq = _reader(readers, "cuhkpq", "CUHKPQ's partitions small and large (Tables II and I)")
    cuhkpq.add_argument("--partition", required=True, choices=("small", "large"), help="which partition")
    cuhkpq.add_argument(
        "--extra", type=Path, metavar="DIR",
        help="the additional photos of 'large': HighQuality/ and LowQuality/, or manifest.csv with path,label",
    )  # fmt: skip
    cuhkpq.set_defaults(run=_cuhkpq)

    for command in (ava, cuhkpq):
        command.add_argument("--root", type=Path, required=True, metavar="DIR", help="where the dataset was unpacked")
        command.add_argument(
            "--out",
            type=Path,
            default=Path("data"),
            metavar="DIR",
            help="where <dataset>/ is made (data)",
        )
        command.add_argument("--name", help="the dataset's folder (<dataset>-<partition>)")
        command.add_argument(
            "--seed",
            type=count,
            default=stated("partitions.seed"),
            metavar="N",
            help="of every random draw (%(default)s)",
        )
        command.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS), help="which views (both)")
        command.add_argument(
            "--encoded",
            action="store_true",
            help="store JPEGs: a fifth of the disk space, slower training",
        )
        command.add_argument(
            "--allow-bad", type=count, default=0, metavar="N",
            help="how many missing or corrupt photos to accept, not counting those known to be broken (0)",
        )  # fmt: skip
        command.add_argument("--dry-run", action="store_true", help="print counts and disk need, open no picture")

    demo = _reader(readers, "demo", "draw a small dataset in AVA's and CUHKPQ's layouts")
    demo.add_argument("--out", type=Path, required=True, metavar="DIR", help="where ava/ and cuhkpq/ are drawn")
    photos = stated("partitions.demo.train") + stated("partitions.demo.test")
    demo.add_argument("--photos", type=positive, default=photos, metavar="N", help="how many (%(default)s)")
    demo.add_argument(
        "--seed",
        type=count,
        default=stated("partitions.demo.seed"),
        metavar="N",
        help="of the drawing (%(default)s)",
    )
    demo.set_defaults(run=_demo)

    for command in (ava, cuhkpq, demo):
        command.add_argument(
            "--jobs", type=positive, default=len(os.sched_getaffinity(0)), metavar="N",
            help="processes that decode or draw (%(default)s)",
        )  # fmt: skip
    return parser


def _reader(readers: argparse._SubParsersAction, name: str, help: str) -> Parser:
    return readers.add_parser(name, help=help, description=help)


def _delta(text: str) -> Decimal:
    try:
        delta = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not delta.is_finite() or not 0 <= delta < stated("labels.threshold"):
        raise argparse.ArgumentTypeError(f"{text} is not in 0 <= D < {stated('labels.threshold')}")
    return delta


if __name__ == "__main__":
    exit_with_status(main)
