"""Write the networks' prototxts and the solvers again, or copy a variant's to be edited. A person's edits are kept."""

from user_error import exit_with_status

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import commands
from arguments import Parser
from dataset import find
from paper import DATASETS, ROOT
from prototxt.generated import GeneratedFile, write_generated
from prototxt.named_edit import copy
from prototxt.writer import of_dataset, to_deploy


def generated_files(data: Path = ROOT / "data") -> Iterator[GeneratedFile]:
    """Every file that is committed."""
    yield from to_deploy()
    for name in DATASETS:
        yield from of_dataset(find(name, data))


def copy_to_edit(parser: Parser, arguments: Namespace) -> None:
    """Copy a variant's files, and say where they are and how they run."""
    if not (arguments.copy and arguments.name) or arguments.dataset or arguments.force:
        parser.error("--copy and --as belong together, without --dataset or --force")
    for path in copy(arguments.copy, arguments.name, arguments.data, ROOT, arguments.out):
        print(f"written: {path if arguments.out == ROOT else arguments.out / path}")
    dataset, _, variant = arguments.copy.partition("/")
    if arguments.out == ROOT:
        edited = f"{variant.partition('+')[0]}+{arguments.name}"
        words = ["--variant", edited, *commands.place("data", arguments.data)]
        print(f"edit them, then: {commands.run(dataset, *words)}")


def main() -> None:
    """Write what is missing or out of date; name what a person edited."""
    parser = Parser(prog="python -m prototxt", description=__doc__)
    parser.add_argument(
        "--dataset", metavar="NAME", help="write this one's alone: one of the paper's, or any that is prepared"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", default=ROOT / "data", help="the prepared datasets (default: data)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite edited files too")
    parser.add_argument("--out", type=Path, default=ROOT, metavar="DIR", help="write below this folder instead")
    parser.add_argument(
        "--copy", metavar="VARIANT", help="copy this one's files to be edited, e.g. ava-large/alexnet_global; with --as"
    )
    parser.add_argument("--as", dest="name", metavar="NAME", help="what your edit is called, e.g. lr-0.0005")
    arguments = parser.parse_args()
    if arguments.copy or arguments.name:
        copy_to_edit(parser, arguments)
        return
    one = arguments.dataset and find(arguments.dataset, arguments.data)
    changed = 0
    for file in of_dataset(one) if one else generated_files():
        outcome = write_generated(arguments.out / file.path, file.name, file.text, arguments.force)
        if outcome == "kept":
            print(f"kept as edited: {file.path} (`{commands.this()} --force` overwrites edits)")
        elif outcome == "written":
            print(f"written: {file.path}")
        changed += outcome != "unchanged"
    if not changed:
        print("all prototxts and solvers are as the writer gives them")


if __name__ == "__main__":
    exit_with_status(main)
