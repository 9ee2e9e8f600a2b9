"""One table of what everything costs: `make bench`, some 20 minutes on 2 cores.

Where Caffe is built for a GPU and there is one, its iterations are measured on it too; all else that is to be known of
a GPU is in benchmarks.gpu.
"""

from user_error import UserError, exit_with_status

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks import data_prep, driver, evaluation, predict, report, stand_in, step
from benchmarks.child import call
from benchmarks.table import machine, markdown
from caffe_build.install import describe
from experiments import gpus
from paper import ROOT

PHOTOS = ROOT / "data" / "demo-photos" / "ava"
PARTS = ("data_prep", "step", "driver", "evaluation", "predict", "report")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each comparison (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        raise UserError(f"{PHOTOS} is not there: type `make demo-data`")
    rounds, gpu = arguments.rounds, _gpu()
    places = [None] if gpu is None else [None, gpu]
    with tempfile.TemporaryDirectory(prefix="benchmarks_") as name:
        folder = Path(name)
        copy = stand_in.make(folder, "ava-large", PHOTOS)
        parts = {
            "data_prep": lambda: data_prep.rows(rounds),
            "step": lambda: [row for place in places for row in step.rows(rounds, copy, place)],
            "driver": lambda: driver.rows(rounds, copy),
            "evaluation": lambda: evaluation.rows(rounds, ROOT / "data", copy, _encoded(folder), folder),
            "predict": lambda: predict.rows(rounds, copy, PHOTOS / "images", folder),
            "report": lambda: report.rows(rounds, ROOT / "data", folder / "report"),
        }
        print(f"{machine(gpu)}\n\n{markdown([])}", flush=True)
        for name in arguments.only:  # each row as soon as it is known
            print(markdown(parts[name](), header=False), flush=True)


def _gpu() -> int | None:
    """The first GPU, where Caffe can use it."""
    built = describe().get("variant") == "gpu"
    return 0 if built and shutil.which("nvidia-smi") and gpus.listed() else None


def _encoded(folder: Path) -> Path:
    """The demo's dataset once more, its views as JPEGs."""
    out = folder / "encoded"
    source = ["--root", PHOTOS, "--partition", "large", "--name", "demo", "--allow-bad", 2]
    call(ROOT, "-m", "data_prep", "ava", *source, "--encoded", "--out", out)
    return out


if __name__ == "__main__":
    exit_with_status(main)
