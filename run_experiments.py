#!/usr/bin/env python
"""Fine-tune the paper's networks with Caffe, and print its tables beside ours."""

from user_error import FIX_FIRST, UserError, exit_with_status

import argparse
import shutil
import sys
from pathlib import Path

import commands
from arguments import Parser, count, folder_of_a_node, gpu_ids, named_folder, positive, seed, words
from data_prep.deltas import delta
from paper import DATASETS, NETWORKS, PRETRAINED, ROOT, STARTS, VIEWS, stated, tables


def run(arguments: argparse.Namespace) -> int:
    from dataset import known
    from experiments.sweep import run

    known(arguments.dataset, arguments.data)
    return run(wanted(arguments), options(arguments), arguments.dry_run)


def wanted(arguments: argparse.Namespace) -> list:
    """The runs that `run` is asked for, by their variants or by what these consist of."""
    from experiments.runs import of_variants, runs

    if not arguments.variant:
        return runs(arguments.dataset, arguments.network, arguments.view, arguments.seeds, arguments.start)
    of_all = {"network": NETWORKS, "view": VIEWS, "start": [PRETRAINED]}
    for option in differing(arguments, of_all):
        raise UserError(f"--variant names a network, a view and a start: leave out {option}")
    return of_variants(arguments.dataset, arguments.variant, arguments.seeds)


def differing(arguments: argparse.Namespace, usual: dict[str, object]) -> list[str]:
    """Those of some options, by name with their usual values, that have another value."""
    return [f"--{name}" for name, value in usual.items() if getattr(arguments, name) != value]


def submit(arguments: argparse.Namespace) -> None:
    from dataset import known
    from experiments.sbatch import Settings
    from experiments.submit import advice, submit

    dataset, how = known(arguments.dataset, arguments.data), options(arguments)
    settings = Settings(
        words=arguments.slurm,
        preparation=arguments.prepare,
        at_once=arguments.max_at_once,
        container=arguments.container,
    )
    all_done = submit(wanted(arguments), how, settings, photos(arguments), arguments.dry_run)
    if all_done and arguments.table:
        table(argparse.Namespace(**vars(arguments) | {"name": dataset, "format": "text"}))
    elif not (all_done or arguments.dry_run):
        print(advice(dataset, how))


def table(arguments: argparse.Namespace) -> None:
    from report import datasets
    from report.rows import with_ours
    from report.tables import render

    results = existing(arguments.results)
    asked = with_ours(datasets.table(arguments.name, arguments.data, results), results, arguments.start)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(render(asked, results, arguments.format, width))


def compare(arguments: argparse.Namespace) -> None:
    data, results = arguments.data, existing(arguments.results)
    if arguments.what == "delta":
        compare_deltas(arguments, data, results)
        return
    from report import datasets, from_scratch

    of_delta = {"deltas": None, "format": "text", "network": NETWORKS, "view": VIEWS}
    for option in differing(arguments, of_delta):
        raise UserError(f"compare {arguments.what} takes no {option}: that is for compare delta")
    name = arguments.dataset
    asked = [datasets.of_dataset(name, data, results)] if name else datasets.all_tables(data, results)
    print(from_scratch.render(asked, results))


def compare_deltas(arguments: argparse.Namespace, data: Path, results: Path) -> None:
    """Set training without the photos close to the threshold beside training with all."""
    from report import delta_commands, delta_table, deltas

    if not arguments.deltas:
        raise UserError("compare delta needs some: --deltas 0 1 2")
    base = arguments.dataset or deltas.USUAL
    found = deltas.compare(base, arguments.deltas, arguments.network, arguments.view, data, results)
    print(delta_table.render(found, list(delta_commands.missing(found, data, results)), arguments.format))


def status(arguments: argparse.Namespace) -> None:
    from experiments import slurm
    from report import datasets
    from report.status import NOTHING, status

    data, results, name = arguments.data, existing(arguments.results), arguments.dataset
    asked = [datasets.of_dataset(name, data, results)] if name else datasets.all_tables(data, results)
    try:
        queue = slurm.queue(patience=10)
    except UserError as error:  # the run folders tell most of it
        queue = NOTHING
        if not isinstance(error, slurm.NoSlurm):
            print(f"note: {error}", file=sys.stderr)
    print(status(asked, results, arguments.start, queue))


def report(arguments: argparse.Namespace) -> None:
    from report.site import write

    data, results = arguments.data, existing(arguments.results)
    out = arguments.out or results / "report"
    print(f"report: {write(with_results(arguments), data, results, out, not arguments.no_photos)}")


def figures(arguments: argparse.Namespace) -> int:
    from report.paper_figures import write

    data, results = arguments.data, existing(arguments.results)
    out = arguments.out or results / "figures"
    written, lacking = write(with_results(arguments), data, results, out)
    for line in lacking:
        print(f"error: {line}", file=sys.stderr)
    for name in written:
        print(f"{out / name}.pdf and .png")
    return 1 if lacking else 0


def models(arguments: argparse.Namespace) -> int:
    from experiments.weights import fetch, registry, take

    folder, status = arguments.folder, 0
    for model in registry().values():
        try:
            path = take(model, folder) if folder else fetch(model)
            print(f"{path}: {model.size}, as registered", flush=True)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            status = FIX_FIRST
    return status


def doctor(arguments: argparse.Namespace) -> int:
    from dataset import known, prepared, views
    from experiments.doctor import check_up
    from experiments.runs import runs

    name, data = arguments.dataset, arguments.data
    asked = [known(name, data)] if name else dict.fromkeys([*DATASETS, *prepared(data)])
    wanted = [
        run
        for dataset in asked
        for run in runs(
            dataset,
            arguments.network,
            [view for view in views(dataset, data) if view in arguments.view],
            starts=arguments.start,
        )
    ]
    found = check_up(wanted, options(arguments), photos(arguments), arguments.fetch_models, arguments.deep)
    width = max(len(finding.subject) for finding in found)
    for finding in found:
        print(f"{'PROBLEM' if finding.problem else 'ok':8}{finding.subject:{width}}  {finding.text}")
    return 2 if any(finding.problem for finding in found) else 0


def predict(arguments: argparse.Namespace) -> int:
    from deploy.predict import predict
    from deploy.which import nets

    asked = nets(arguments.run, existing(arguments.results), arguments.views)
    gpu = None if arguments.cpu else arguments.gpu
    return predict(asked, arguments.photo, arguments.format, arguments.top, gpu, arguments.batch)


def export(arguments: argparse.Namespace) -> None:
    from deploy import which
    from deploy.export import export, report

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    run = which.run(arguments.run, existing(arguments.results))
    for line in report(arguments.out, *export(run, arguments.out, arguments.data, say)):
        print(line)


def photos(arguments: argparse.Namespace) -> dict[str, Path]:
    """The folders with the original photos, by data_prep's options."""
    given = {"root": arguments.photos, "extra": arguments.extra} if arguments.photos else {}
    return {option: path for option, path in given.items() if path}


def with_results(arguments: argparse.Namespace) -> list:
    """The tables asked for by name; without a name all that have results."""
    from report import datasets

    data, results = arguments.data, arguments.results
    if arguments.names:
        return list(dict.fromkeys(datasets.table(name, data, results) for name in arguments.names))
    found = [each for each in datasets.all_tables(data, results) if datasets.has_results(each.dataset, results)]
    if not found:
        command = commands.experiments("run", "--help")
        raise UserError(f"{results} has no results: give another --results, or make some (`{command}`)")
    return found


def existing(results: Path) -> Path:
    """A folder of results, which may have none yet; UserError where it is something else."""
    if results.exists() and not results.is_dir():
        raise UserError(f"{results} is not a folder: give another --results")
    return results


def options(arguments: argparse.Namespace):
    """How the runs are to be done."""
    from experiments.planning import Options

    given = vars(arguments)
    return Options(
        data=arguments.data,
        results=arguments.results,
        gpus=None if arguments.cpu else arguments.gpu,
        command=commands.this(),
        per_gpu=given.get("per_gpu", 1),
        threads=given.get("threads"),
        max_iter=given.get("max_iter"),
        evaluate_every=given.get("eval_every"),
        stage=given.get("stage"),
    )


def parser() -> argparse.ArgumentParser:
    """All commands; every one has its --help."""
    top = Parser(prog=commands.experiments(), description=__doc__)
    top.verbatim = ("--slurm", "--prepare")
    subparsers = top.add_subparsers(metavar="command", required=True, parser_class=Parser)

    def command(function, help: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(function.__name__, help=help, description=help)
        sub.set_defaults(function=function)
        return sub

    def folder(sub: argparse.ArgumentParser, name: str, holds: str) -> None:
        sub.add_argument(
            f"--{name}",
            type=Path,
            metavar="DIR",
            default=ROOT / name,
            help=f"{holds} (default: {name})",
        )

    def device(sub: argparse.ArgumentParser) -> None:
        where = sub.add_mutually_exclusive_group()
        where.add_argument("--gpu", type=gpu_ids, default=[0], metavar="IDS", help="e.g. 0 or 0,1 (default: 0)")
        where.add_argument("--cpu", action="store_true", help="run on the CPU")

    def variants(sub: argparse.ArgumentParser) -> None:
        for name, choices in (("network", NETWORKS), ("view", VIEWS)):
            words = f"{' or '.join(choices)} (default: both)"
            sub.add_argument(
                f"--{name}", nargs="+", choices=choices, default=choices, help=words, metavar=name[0].upper()
            )

    def starts(sub: argparse.ArgumentParser, default: list[str] | None, said: str) -> None:
        words = f"{' or '.join(STARTS)} (default: {said})"
        sub.add_argument("--start", nargs="+", choices=STARTS, default=default, help=words, metavar="S")

    def tables_(sub: argparse.ArgumentParser) -> None:
        words = f"{', '.join(tables())}, or a dataset that is prepared or has results (default: all with results)"
        sub.add_argument("names", nargs="*", metavar="NAME", help=words)

    def training(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--dataset", metavar="NAME", required=True, help=names)
        variants(sub)
        starts(sub, [PRETRAINED], PRETRAINED)
        words = "by name, as alexnet_global+lr-0.0005 (docs/by_hand.md)"
        sub.add_argument("--variant", nargs="+", metavar="V", help=words)
        first = stated("finetuning.seed")
        sub.add_argument("--seeds", nargs="+", type=seed, default=[first], metavar="S", help=f"(default: {first})")
        sub.add_argument(
            "--threads", type=positive, metavar="N", help="BLAS threads of each run that begins now, on the CPU"
        )
        sub.add_argument("--max-iter", type=positive, metavar="N", help="instead of the solver's")
        sub.add_argument(
            "--eval-every", type=positive, metavar="N", help="iterations, instead of the solver's test_interval"
        )
        folder(sub, "data", "the prepared datasets")
        folder(sub, "results", "the run folders")

    names = f"{', '.join(DATASETS)}, or any other that is prepared"
    sub = command(run, "fine-tune and evaluate; what is done is skipped, what is half done is resumed")
    training(sub)
    device(sub)
    sub.add_argument("--per-gpu", type=positive, default=1, metavar="K", help="runs on each GPU")
    sub.add_argument("--stage", type=named_folder, metavar="DIR", help="copy the LMDBs to this disk first, once")
    sub.add_argument("--dry-run", action="store_true", help="say what would be done")

    sub = command(submit, "hand what is left to Slurm, one job a run; what is done or has a job is skipped")
    training(sub)
    sub.set_defaults(gpu=[0])
    sub.add_argument("--cpu", action="store_true", help="run on the CPU (default: one GPU a job)")
    sub.add_argument("--slurm", type=words, default=[], metavar="OPTIONS", help="of sbatch, in quotes: partition, time")
    sub.add_argument("--max-at-once", type=positive, metavar="N", help="jobs that may run at a time")
    sub.add_argument("--container", type=Path, metavar="IMAGE.sif", help="an Apptainer image of this project")
    sub.add_argument(
        "--stage", type=folder_of_a_node, metavar="DIR", help="copy the LMDBs to this disk of each node first"
    )
    sub.add_argument("--photos", type=Path, metavar="DIR", help="prepare the dataset first, by a job, from this folder")
    sub.add_argument("--extra", type=Path, metavar="DIR", help="that of cuhkpq-large's additional photos")
    sub.add_argument(
        "--prepare", type=words, default=[], metavar="OPTIONS", help="of sbatch, for that job (default: as --slurm)"
    )
    sub.add_argument("--table", action="store_true", help="print the dataset's table where all runs are done")
    sub.add_argument("--dry-run", action="store_true", help="print the command lines of sbatch, ready to be pasted")

    sub = command(table, "print a table of the paper beside ours; a missing run is a dash")
    sub.add_argument(
        "name", metavar="NAME", help=f"{', '.join(tables())}, or a dataset that is prepared or has results"
    )
    starts(sub, None, f"{PRETRAINED}, and others that have runs")
    sub.add_argument("--format", choices=("text", "markdown", "csv", "json"), default="text")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(compare, "set runs beside each other: from scratch (IV-D), or without photos close to 5 (III-A)")
    sub.add_argument("what", metavar="WHAT", choices=("IV-D", "delta"), help="IV-D or delta")
    usual = "IV-D: all with runs from scratch; delta: ava-large"
    sub.add_argument("--dataset", metavar="NAME", help=f"(default: {usual})")
    sub.add_argument("--deltas", nargs="+", type=delta, metavar="D", help="such as 0 1 2; 0 is always among them")
    variants(sub)
    sub.add_argument("--format", choices=("text", "markdown", "csv", "json"), default="text")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(report, "write a page for each table: curves, photos, claims, and where the numbers come from")
    tables_(sub)
    sub.add_argument("--out", type=Path, metavar="DIR", help="where the pages go (default: report in the results)")
    sub.add_argument("--no-photos", action="store_true", help="for a page that is put on the web")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(figures, "write the paper's Figures 1, 3 and 4 from our runs, as PDF and PNG as wide as a column")
    tables_(sub)
    sub.add_argument("--out", type=Path, metavar="DIR", help="where they go (default: figures in the results)")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(status, "list the runs of all datasets: done, running, failed, missing")
    sub.add_argument("--dataset", metavar="NAME", help="list those of this one alone")
    starts(sub, None, f"{PRETRAINED}, and others that have runs")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(doctor, "say what is missing on this machine, and how to fix it")
    sub.add_argument("--dataset", metavar="NAME", help="look at what this one needs alone")
    variants(sub)
    starts(sub, [PRETRAINED], PRETRAINED)
    sub.add_argument("--photos", type=Path, metavar="DIR", help="the folder of its original photos")
    sub.add_argument("--extra", type=Path, metavar="DIR", help="that of cuhkpq-large's additional photos")
    sub.add_argument("--deep", action="store_true", help="read every record of the LMDBs, at the speed of the disk")
    sub.add_argument(
        "--fetch-models", action="store_true", help="do not report missing models: `models` gets them next"
    )
    device(sub)
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    sub = command(predict, "say of any photo how probably it is good, by the views and the net of a run's test pass")
    sub.add_argument(
        "run", metavar="RUN", help="a run's folder, a name as in ava-large/vgg16_global, or a folder that export made"
    )
    sub.add_argument(
        "photo", nargs="+", metavar="PHOTO", help="files, folders, or - for a list on standard input (lines, or NUL)"
    )
    sub.add_argument("--views", choices=(*VIEWS, "both"), help="with RUN as in ava-large/vgg16: both gives the mean")
    sub.add_argument("--format", choices=("table", "csv", "jsonl"), default="table", help="(default: table)")
    sub.add_argument("--top", type=positive, metavar="N", help="print the N best ones alone, the best first")
    sub.add_argument("--batch", type=positive, metavar="N", help="photos at a time, instead of the test pass's")
    where = sub.add_mutually_exclusive_group()
    where.add_argument("--gpu", type=count, default=0, metavar="N", help="(default: 0)")
    where.add_argument("--cpu", action="store_true", help="score on the CPU")
    folder(sub, "results", "the run folders")

    sub = command(export, "write what a run's net needs elsewhere: ONNX, Caffe's pair, a card, an example")
    sub.add_argument("run", metavar="RUN", help="a run's folder, or a name as in ava-large/vgg16_global")
    sub.add_argument("--out", type=Path, metavar="DIR", required=True, help="the folder to make")
    folder(sub, "data", "the prepared datasets, whose test photos the export is checked on")
    folder(sub, "results", "the run folders")

    sub = command(models, "get the pretrained models, check those that are there")
    sub.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="copy them from below this folder, under whatever names, instead of fetching them",
    )
    return top


def main() -> int | None:
    arguments = parser().parse_args()
    return arguments.function(arguments)


if __name__ == "__main__":
    exit_with_status(main)
