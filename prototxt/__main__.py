"""Write the networks' prototxts and the solvers anew: `python -m prototxt [--force]`. A person's edits are kept."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from paper import DATASETS, NETWORKS, ROOT, VIEWS
from prototxt.generated import write_generated
from prototxt.nets import deploy, train_val
from solvers.writer import solver
from user_error import exit_with_status


def generated_files() -> Iterator[tuple[str, str]]:
    """Every generated file: its path from the repository's root, and its text."""
    for network in NETWORKS:
        yield f"prototxt/{network}/deploy.prototxt", deploy("ava-large", network)
        yield f"prototxt/demo/{network}/deploy.prototxt", deploy("demo", network)
        for dataset in DATASETS:
            for view in VIEWS:
                variant = f"{dataset}/{network}_{view}"
                yield f"prototxt/{variant}/train_val.prototxt", train_val(dataset, network, view)
                yield f"solvers/{variant}.prototxt", solver(dataset, network, view)


def main() -> None:
    """Write what is missing or out of date; name what a person edited."""
    parser = argparse.ArgumentParser(prog="python -m prototxt", description=__doc__)
    parser.add_argument("--force", action="store_true", help="overwrite edited files too")
    parser.add_argument("--out", type=Path, default=ROOT, help="write below this folder instead")
    arguments = parser.parse_args()
    for path, text in generated_files():
        outcome = write_generated(arguments.out / path, text, arguments.force)
        if outcome == "kept":
            print(f"kept as edited: {path} (--force writes it anew)")
        elif outcome == "written":
            print(f"written: {path}")


if __name__ == "__main__":
    exit_with_status(main)
