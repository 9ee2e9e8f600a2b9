"""The command line of the data preparation: `python -m data_prep ava|cuhkpq|demo`."""

from user_error import UserError, exit_with_status

import argparse
import os
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

import commands
from arguments import Parser, count, positive
from data_prep.partitions import Partition
from data_prep.request import Request, checked_name, digest_of_files, digest_of_lines
from paper import VIEWS, stated

SMALL_RULES = ("decile-193k", "decile", "extreme")


def main() -> None:
    arguments = _parser().parse_args()
    arguments.run(arguments)


def _ava(arguments: argparse.Namespace) -> None:
    from data_prep import ava, partitions

    small = arguments.partition == "small"
    if small and arguments.delta:
        raise UserError("--delta belongs to --partition large; small has --small-rule")
    if not small and arguments.small_rule:
        raise UserError("--small-rule belongs to --partition small")
    rule = arguments.small_rule or stated("partitions.ava-small.small_rule")
    lists = [ava.table_path(arguments.root)] + ([] if small else [ava.test_list_path(arguments.root)])
    parameters = {"small_rule": rule} if small else {"delta": str(arguments.delta.normalize())}
    request = _request(arguments, {**parameters, "lists": digest_of_files(lists)})

    def partition() -> Partition:
        photos = ava.read_ava(arguments.root)
        if small:
            return partitions.ava_small(photos, rule, arguments.seed)
        return partitions.ava_large(
            photos,
            ava.read_test_list(arguments.root),
            arguments.seed,
            Fraction(arguments.delta),
        )

    _run(arguments, request, partition, lambda: ava.images_folder(arguments.root))


def _cuhkpq(arguments: argparse.Namespace) -> None:
    from data_prep import cuhkpq, partitions

    if arguments.partition == "large" and not arguments.extra:
        raise cuhkpq.refuse_without_extra()
    if arguments.partition == "small" and arguments.extra:
        raise UserError("--extra belongs to --partition large")
    photos = cuhkpq.read_cuhkpq(arguments.root)
    extra = cuhkpq.read_extra(arguments.extra, photos) if arguments.extra else []
    lists = digest_of_lines(f"{photo.photo_id} {photo.label}" for photo in [*photos, *extra])
    _run(
        arguments,
        _request(arguments, {"lists": lists}),
        lambda: partitions.cuhkpq(photos, extra, arguments.seed),
        lambda: None,
    )


def _demo(arguments: argparse.Namespace) -> None:
    from demo.dataset import draw_dataset

    drawn = draw_dataset(arguments.out, arguments.photos, arguments.seed, arguments.jobs)
    root, bad = arguments.out / "ava", drawn.photos - drawn.good
    print(f"{root}: {drawn.photos:,} photos = {drawn.good:,} good + {bad:,} bad, {drawn.test:,} for test")
    print(f"{arguments.out / 'cuhkpq'}: {drawn.cuhkpq_high:,} of high quality, {drawn.cuhkpq_low:,} of low")
    print("one photo is missing and one is cut off, as in real copies")
    options = ["--root", root.resolve(), "--partition", "large", "--name", "demo", "--allow-bad", 2]
    print(f"next: {commands.module('data_prep', 'ava', *options)}")


def _request(arguments: argparse.Namespace, parameters: dict[str, str]) -> Request:
    views = tuple(view for view in VIEWS if view in arguments.views)
    parameters = {
        "dataset": arguments.dataset,
        "partition": arguments.partition,
        "seed": arguments.seed,
        "views": list(views),
        "encoded": arguments.encoded,
        **parameters,
    }
    return Request(
        name=checked_name(arguments.name or f"{arguments.dataset}-{arguments.partition}"),
        out=arguments.out,
        root=arguments.root,
        views=views,
        encoded=arguments.encoded,
        parameters=parameters,
        extra=getattr(arguments, "extra", None),
    )


def _run(
    arguments: argparse.Namespace,
    request: Request,
    partition: Callable[[], Partition],
    require_images: Callable[[], object],
) -> None:
    """Print what would be done, or do it, or say that it is already done."""
    from data_prep import prepare, space, summary

    if arguments.dry_run:
        print(space.forecast(request, partition()))
        return
    content = prepare.finished(request)
    if content:
        print(f"{request.folder} is already complete")
    else:
        require_images()
        content = prepare.prepare(request, partition(), arguments.jobs, arguments.allow_bad)
    print(summary.text(content, request))


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
