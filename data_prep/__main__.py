"""The command line of the data preparation: `python -m data_prep ava|cuhkpq|photos|demo`."""

from user_error import UserError, exit_with_status

import argparse
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import commands
from arguments import Parser, count, positive
from data_prep import deltas
from data_prep.readers.columns import USUAL
from data_prep.readers.lists import number, plain
from data_prep.readers.sources import Source
from data_prep.request import Request, checked_own_name
from paper import VIEWS, stated

INPUTS = ("root", "images", "extra", "list", "good", "bad")  # options that name folders and files
SMALL_RULES = ("decile-193k", "decile", "extreme")


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def _ava(arguments: argparse.Namespace) -> None:
    from data_prep.readers.ava import Copy

    small = arguments.partition == "small"
    if small and arguments.delta:
        raise UserError("--delta belongs to --partition large; small has --small-rule")
    if not small and arguments.small_rule:
        raise UserError("--small-rule belongs to --partition small")
    rule = (arguments.small_rule or stated("partitions.ava-small.small_rule")) if small else None
    source = Copy(
        arguments.root, arguments.partition, arguments.seed, Fraction(arguments.delta), rule, arguments.images
    )
    own = {"small_rule": rule} if small else {"delta": plain(arguments.delta)}
    _prepare(arguments, source, source.name, {"partition": arguments.partition, **own})


def _cuhkpq(arguments: argparse.Namespace) -> None:
    from data_prep.readers.cuhkpq import Copy, refuse_without_extra

    if arguments.partition == "large" and not arguments.extra:
        raise refuse_without_extra()
    if arguments.partition == "small" and arguments.extra:
        raise UserError("--extra belongs to --partition large")
    source = Copy(arguments.root, arguments.partition, arguments.seed, arguments.extra)
    _prepare(arguments, source, source.name, {"partition": arguments.partition})


def _photos(arguments: argparse.Namespace) -> None:
    from data_prep.readers.own_folders import SortedPhotos
    from data_prep.readers.own_list import ListedPhotos

    columns = {noun: name for noun in USUAL if (name := getattr(arguments, f"{noun}_column"))}
    sorted_ones = arguments.good, arguments.bad
    if arguments.list and any(sorted_ones):
        raise UserError("--list, and --good with --bad, are two ways to say which photos are good: give one of them")
    if arguments.list and arguments.root:
        arguments.list = _below(arguments.root, arguments.list)
        source = ListedPhotos(
            arguments.root, arguments.list, arguments.seed, arguments.threshold, arguments.test_share, columns
        )
    elif all(sorted_ones):
        if columns or arguments.threshold is not None:
            raise UserError("--threshold and the options that name columns belong to --list")
        arguments.good, arguments.bad = (_below(arguments.root, folder) for folder in sorted_ones)
        source = SortedPhotos(arguments.good, arguments.bad, arguments.seed, arguments.test_share)
    else:
        help = commands.module("data_prep", "photos", "--help")
        raise UserError(f"photos needs --root DIR with --list FILE, or --good DIR with --bad DIR ({help})")
    numbers = {name: getattr(arguments, name) for name in ("threshold", "test_share")}
    parameters = {name: plain(value) for name, value in numbers.items() if value is not None}
    _prepare(arguments, source, "", parameters | {f"{noun}_column": name for noun, name in columns.items()})


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
    from data_prep import donor, prepare, texts

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
        print(texts.forecast(request, source.partition(), donor.find(request)))
        return
    content = prepare.finished(request)
    if content:
        print(f"{request.folder} is already complete")
        for line in texts.changes(content, request):
            print(f"note: {line}")
    else:
        giving = donor.find(request)
        if giving is None:
            source.require_pictures()
        content = prepare.prepare(request, source.partition(), arguments.jobs, arguments.allow_bad, giving)
    print(texts.complete(content, request))


def _parser() -> Parser:
    parser = Parser(prog=commands.module("data_prep"), description="Prepare photos for Caffe: lists, views, LMDBs.")
    readers = parser.add_subparsers(dest="dataset", required=True, metavar="ava|cuhkpq|photos|demo")

    ava = _reader(readers, "ava", "AVA's partitions large and small (Tables III and IV)")
    ava.add_argument("--partition", required=True, choices=("large", "small"), help="which partition")
    ava.add_argument(
        "--small-rule",
        choices=SMALL_RULES,
        help=f"which photos 'small' takes ({stated('partitions.ava-small.small_rule')})",
    )
    ava.add_argument(
        "--delta", type=deltas.delta, default=Decimal(0), metavar="D",
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

    photos = _reader(readers, "photos", "photos of one's own: a list with scores or labels, or two folders")
    _add_options_of_photos(photos)
    photos.set_defaults(run=_photos)

    for command in (ava, cuhkpq, photos):
        own = command is photos
        command.add_argument(
            "--root", type=Path, required=not own, metavar="DIR",
            help="where the paths in the list start" if own else "where the dataset was unpacked",
        )  # fmt: skip
        command.add_argument(
            "--out",
            type=Path,
            default=Path("data"),
            metavar="DIR",
            help="where <dataset>/ is made (data)",
        )
        command.add_argument(
            "--name", required=own, help="the dataset's folder" + ("" if own else " (<dataset>-<partition>)")
        )
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
            help="store JPEGs: a fifth of the disk space; a run decodes them with all of its threads",
        )
        command.add_argument(
            "--allow-bad", type=count, default=0, metavar="N",
            help="how many missing or corrupt photos to accept, not counting those known to be broken (0)",
        )  # fmt: skip
        command.add_argument("--dry-run", action="store_true", help="print counts and disk need, open no picture")

    demo = _reader(readers, "demo", "draw a small dataset in AVA's and CUHKPQ's layouts")
    demo.add_argument("--out", type=Path, required=True, metavar="DIR", help="where ava/ and cuhkpq/ are drawn")
    drawn = stated("partitions.demo.train") + stated("partitions.demo.test")
    demo.add_argument("--photos", type=positive, default=drawn, metavar="N", help="how many (%(default)s)")
    demo.add_argument(
        "--seed",
        type=count,
        default=stated("partitions.demo.seed"),
        metavar="N",
        help="of the drawing (%(default)s)",
    )
    demo.set_defaults(run=_demo)

    for command in (ava, cuhkpq, photos, demo):
        command.add_argument(
            "--jobs", type=positive, default=len(os.sched_getaffinity(0)), metavar="N",
            help="processes that decode or draw (%(default)s)",
        )  # fmt: skip
    return parser


def _add_options_of_photos(parser: Parser) -> None:
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="CSV, here or in --root: a photo's path, its score or label, its split",
    )
    parser.add_argument("--good", type=Path, metavar="DIR", help="instead of a list: the folder with the good photos")
    parser.add_argument("--bad", type=Path, metavar="DIR", help="and the one with the bad photos")
    parser.add_argument(
        "--threshold", type=_decimal, metavar="T", help="the lowest score of a good photo, for a list with scores"
    )
    parser.add_argument(
        "--test-share", type=_share, metavar="S",
        help=f"drawn for test if no column says which photos are ({stated('partitions.own.test_share')})",
    )  # fmt: skip
    for noun, usual in USUAL.items():
        parser.add_argument(
            f"--{noun}-column", metavar="C", help=f"name, or number from 1, of the column that is not called {usual[0]}"
        )


def _reader(readers: argparse._SubParsersAction, name: str, help: str) -> Parser:
    return readers.add_parser(name, help=help, description=help)


def _below(root: Path | None, path: Path) -> Path:
    """A file or folder that may be given relative to the root."""
    return root / path if root and not path.exists() and (root / path).exists() else path


def _decimal(text: str) -> Decimal:
    value = number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a plain decimal number such as 5.25")
    return value


def _share(text: str) -> Decimal:
    share = _decimal(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


if __name__ == "__main__":
    exit_with_status(main)
