"""Write the networks' prototxts and the solvers again: `python -m prototxt [--force]`. A person's edits are kept."""

from user_error import exit_with_status

from collections.abc import Iterator
from pathlib import Path

import commands
from arguments import Parser
from paper import DATASETS, NETWORKS, ROOT, VIEWS
from prototxt.generated import write_generated
from prototxt.nets import deploy, train_val
from prototxt.solver import solver


def generated_files() -> Iterator[tuple[str, str, str]]:
    """Every generated file: its path from the repository's root, what it is for, and its text."""
    for network in NETWORKS:
        yield f"prototxt/{network}/deploy.prototxt", network, deploy("ava-large", network)
        yield f"prototxt/demo/{network}/deploy.prototxt", f"demo/{network}", deploy("demo", network)
        for dataset in DATASETS:
            for view in VIEWS:
                variant = f"{dataset}/{network}_{view}"
                yield f"prototxt/{variant}/train_val.prototxt", variant, train_val(dataset, network, view)
                yield f"solvers/{variant}.prototxt", variant, solver(dataset, network, view)


def main() -> None:
    """Write what is missing or out of date; name what a person edited."""
    parser = Parser(prog="python -m prototxt", description=__doc__)
    parser.add_argument("--force", action="store_true", help="overwrite edited files too")
    parser.add_argument("--out", type=Path, default=ROOT, help="write below this folder instead")
    arguments = parser.parse_args()
    changed = 0
    for path, name, text in generated_files():
        outcome = write_generated(arguments.out / path, name, text, arguments.force)
        if outcome == "kept":
            print(f"kept as edited: {path} (`{commands.make('prototxt', 'FORCE=1')}` overwrites edits)")
        elif outcome == "written":
            print(f"written: {path}")
        changed += outcome != "unchanged"
    if not changed:
        print("all prototxts and solvers are as the writer gives them")


if __name__ == "__main__":
    exit_with_status(main)
