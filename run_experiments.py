#!/usr/bin/env python
"""Fine-tune the paper's networks with Caffe, and print its tables beside ours."""

from user_error import exit_with_status

import argparse
import sys
from pathlib import Path

from paper import DATASETS, NETWORKS, ROOT, VIEWS, stated, tables


def run(arguments: argparse.Namespace) -> int:
    from experiments.driver import Options, run
    from experiments.plan import runs

    options = Options(
        data=arguments.data,
        results=arguments.results,
        gpus=None if arguments.cpu else arguments.gpu,
        per_gpu=arguments.per_gpu,
        max_iter=arguments.max_iter,
        evaluate_every=arguments.eval_every,
        command=[Path(sys.argv[0]).name, *sys.argv[1:]],
    )
    wanted = runs(arguments.dataset, arguments.network, arguments.view, arguments.seeds)
    return run(wanted, options, arguments.dry_run)


def table(arguments: argparse.Namespace) -> None:
    from report.tables import render

    print(render(tables()[arguments.name], arguments.results, arguments.format))


def status(arguments: argparse.Namespace) -> None:
    from report.status import status

    print(status(arguments.results))


def models(arguments: argparse.Namespace) -> None:
    from experiments.weights import fetch, registry

    for model in registry().values():
        print(f"{fetch(model)}: as registered")


def doctor(arguments: argparse.Namespace) -> int:
    from experiments.doctor import examine, try_out
    from experiments.plan import runs

    datasets = [arguments.dataset] if arguments.dataset else DATASETS
    wanted = [run for dataset in datasets for run in runs(dataset)]
    gpus = None if arguments.cpu else arguments.gpu
    found = examine(wanted, arguments.data, arguments.results, gpus, arguments.photos, arguments.fetch_models)
    if not any(finding.problem and finding.subject in ("Caffe", "prototxt") for finding in found):
        found += try_out(wanted, arguments.data)
    for finding in found:
        print(f"{'MISSING' if finding.problem else 'ok':8}{finding.subject:14}{finding.text}")
    return 2 if any(finding.problem for finding in found) else 0


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def gpu_ids(text: str) -> list[int]:
    """'0' or '0,1'."""
    return [int(part) for part in text.split(",")]


def parser() -> argparse.ArgumentParser:
    """All commands; every one has its --help."""
    top = argparse.ArgumentParser(prog="run_experiments.py", description=__doc__)
    commands = top.add_subparsers(metavar="command", required=True)

    def command(function, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(function.__name__, help=help, description=help)
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
        where.add_argument("--cpu", action="store_true", help="the runs are to be on the CPU")

    sub = command(run, "fine-tune and evaluate; what is done is skipped, what is half done goes on")
    sub.add_argument("--dataset", choices=DATASETS, required=True)
    sub.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS, metavar="N")
    sub.add_argument("--view", nargs="+", choices=VIEWS, default=VIEWS, metavar="V")
    seed = stated("finetuning.seed")
    sub.add_argument("--seeds", nargs="+", type=positive, default=[seed], metavar="S")
    device(sub)
    sub.add_argument("--per-gpu", type=positive, default=1, metavar="K", help="runs on each GPU")
    sub.add_argument("--max-iter", type=positive, metavar="N", help="instead of the solver's")
    sub.add_argument("--eval-every", type=positive, metavar="N", help="iterations")
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")
    sub.add_argument("--dry-run", action="store_true", help="say what would be done")

    sub = command(table, "print a table of the paper beside ours; a missing run is a dash")
    sub.add_argument("name", choices=tables(), help="I, II, III, IV or demo")
    sub.add_argument("--format", choices=("text", "markdown", "csv", "json"), default="text")
    folder(sub, "results", "the run folders")

    sub = command(status, "list the runs of all tables: done, running, failed, missing")
    folder(sub, "results", "the run folders")

    sub = command(doctor, "say what is missing on this machine, and how to mend it")
    sub.add_argument("--dataset", choices=DATASETS, help="look at what this one needs alone")
    sub.add_argument("--photos", type=Path, metavar="DIR", help="where its photos are to come from")
    sub.add_argument("--fetch-models", action="store_true", help="`models` comes next: those that are missing are fine")
    device(sub)
    folder(sub, "data", "the prepared datasets")
    folder(sub, "results", "the run folders")

    command(models, "get the pretrained models, check those that are there")
    return top


def main() -> int | None:
    arguments = parser().parse_args()
    return arguments.function(arguments)


if __name__ == "__main__":
    exit_with_status(main)
