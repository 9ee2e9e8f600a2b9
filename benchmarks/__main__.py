"""All that is measured without a GPU, in one table: `make bench`, some 20 minutes on 2 cores."""

import argparse
import tempfile
from pathlib import Path

from benchmarks import data_prep, driver, evaluation, stand_in, step
from benchmarks.child import call
from benchmarks.table import machine, markdown
from paper import ROOT
from user_error import UserError, exit_with_status

PHOTOS = ROOT / "data" / "demo-photos" / "ava"
PARTS = ("data_prep", "step", "driver", "evaluation")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each comparison (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        raise UserError(f"{PHOTOS} is not there: type `make demo-data`")
    rounds = arguments.rounds
    with tempfile.TemporaryDirectory(prefix="benchmarks_") as name:
        folder = Path(name)
        copy = stand_in.make(folder, "ava-large", PHOTOS)
        parts = {
            "data_prep": lambda: data_prep.rows(rounds),
            "step": lambda: step.rows(rounds, copy),
            "driver": lambda: driver.rows(rounds, copy),
            "evaluation": lambda: evaluation.rows(rounds, ROOT / "data", copy, _encoded(folder), folder),
        }
        print(f"{machine()}\n\n{markdown([])}", flush=True)
        for name in arguments.only:  # each row as soon as it is known
            print(markdown(parts[name](), header=False), flush=True)


def _encoded(folder: Path) -> Path:
    """The demo's dataset once more, its views as JPEGs."""
    out = folder / "encoded"
    source = ["--root", PHOTOS, "--partition", "large", "--name", "demo", "--allow-bad", 2]
    call(ROOT, "-m", "data_prep", "ava", *source, "--encoded", "--out", out)
    return out


if __name__ == "__main__":
    exit_with_status(main)
