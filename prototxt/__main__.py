"""Write the networks' prototxts and the solvers again: `python -m prototxt [--force]`. A person's edits are kept."""

from user_error import exit_with_status

from collections.abc import Iterator
from pathlib import Path

import commands
from arguments import Parser
from dataset import find
from paper import DATASETS, ROOT
from prototxt.generated import GeneratedFile, write_generated
from prototxt.writer import of_dataset, to_deploy


def generated_files(data: Path = ROOT / "data") -> Iterator[GeneratedFile]:
    """Every file that is committed."""
    yield from to_deploy()
    for name in DATASETS:
        yield from of_dataset(find(name, data))


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
    arguments = parser.parse_args()
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
