"""All that is to be measured on a GPU, in one go: `.venv/bin/python -m benchmarks.gpu`.

After `make setup CUDA=1` and `.venv/bin/python -m benchmarks.torch_venv`. The parts are those of PARTS, in this order;
each is printed when it is known, and one that fails takes no other with it. `--cpu` tries the same on the CPU, with
few iterations and without what only a GPU has. `--pack FILE` writes all that a machine needs that has nothing but a
driver and a Python with PyTorch: unpack it there, and type ./measure.sh.
"""

from user_error import UserError, exit_with_status

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from benchmarks import agreement, algorithms, endings, layers, noise, pack, side_by_side, step, torch_venv
from benchmarks.child import call
from benchmarks.table import machine, markdown
from caffe_build.install import describe
from experiments import gpus
from experiments.launch import environment
from paper import NETWORKS, ROOT


@dataclass(frozen=True)
class Bench:
    """What the parts work with: a copy of the project that holds noise, and a card, or None for the CPU."""

    copy: Path
    gpu: int | None
    iterations: int
    rounds: int

    @property
    def device(self) -> list[str]:
        return ["--cpu"] if self.gpu is None else ["--gpu", str(self.gpu)]

    def child(self, module: str, *words: object) -> str:
        """Run one of our modules as a run is run; what it printed."""
        return call(
            ROOT, "-m", module, *words, env=os.environ | environment(self.gpu, None) | {"GLOG_minloglevel": "2"}
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--gpu", type=int, default=0, metavar="ID")
    where.add_argument("--cpu", action="store_true", help="only to try this program")
    where.add_argument(
        "--pack", type=Path, metavar="FILE", help="write it all into FILE (.tar.xz), for another machine"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--iterations", type=int, default=1000, metavar="N", help="of a run of Table III (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each comparison (%(default)s)")
    arguments = parser.parse_args()
    if arguments.pack:
        print(pack.write(arguments.pack))
        return 0
    gpu = None if arguments.cpu else arguments.gpu
    _require(gpu, arguments.only)
    with tempfile.TemporaryDirectory(prefix="benchmarks_") as folder:
        photos = (100, 50) if gpu is None else (400, 400)
        bench = Bench(noise.make(Path(folder), *photos), gpu, arguments.iterations, arguments.rounds)
        return max([_tell(name, PARTS[name], bench) for name in arguments.only])


def _require(gpu: int | None, parts: list[str]) -> None:
    """Raise UserError where there is nothing to measure on, or to compare with."""
    if gpu is not None:
        if gpu not in [card.index for card in gpus.listed()]:
            raise UserError(f"there is no GPU of number {gpu}: nvidia-smi lists them (--gpu)")
        if describe(Path(sys.prefix)).get("variant") != "gpu":
            raise UserError("this Caffe is built for the CPU: type `make setup CUDA=1`, or try this program with --cpu")
    if "steps" in parts:
        torch_venv.python()


def _tell(name: str, part: Callable[[Bench], Iterator[str]], bench: Bench) -> int:
    """Print a part while it is measured; 1 where it fails."""
    print(f"\n## {name}: {part.__doc__}\n", flush=True)
    try:
        for text in part(bench):
            print(text, flush=True)
    except (Exception, SystemExit) as error:
        output = getattr(error, "stderr", None) or ""
        print(f"lost: {type(error).__name__}: {error}\n{output}", flush=True)
        return 1
    return 0


def _machine(bench: Bench) -> Iterator[str]:
    """The machine, the CUDA libraries that Caffe has loaded, NVRTC"""
    yield machine(bench.gpu)
    yield bench.child("benchmarks.cuda", bench.gpu)
    if bench.gpu is not None:
        program = Path(sys.executable).with_name("caffe")
        command = [program, "device_query", f"--gpu={bench.gpu}"]
        own = os.environ | environment(bench.gpu, None)
        yield subprocess.run(command, env=own, capture_output=True, text=True).stderr


def _memory(bench: Bench) -> Iterator[str]:
    """Seconds and memory of a full-size net"""
    for network in NETWORKS:
        trial = step.Trial("caffe", network, str(bench.copy), bench.gpu)
        rows = map(json.loads, bench.child("benchmarks.footprint", json.dumps(asdict(trial))).splitlines())
        yield tabulate(rows, [network, "s", "MiB in use"], "pipe", floatfmt=".1f") + "\n"


def _algorithms(bench: Bench) -> Iterator[str]:
    """What cuDNN chooses for each convolution: algorithm/math type and MiB of workspace, by the limit of these MiB"""
    if bench.gpu is None:
        yield "(on a GPU alone)"
        return
    for network in NETWORKS:
        rows = map(json.loads, bench.child("benchmarks.algorithms", network, bench.copy, bench.gpu).splitlines())
        header = [network, "pass", "us a query", *map(str, algorithms.LIMITS)]
        yield tabulate(rows, header, "pipe", floatfmt=".1f") + "\n"


def _agreement(bench: Bench) -> Iterator[str]:
    """CPU against GPU, one batch forward and backward"""
    yield from agreement.tables(bench.copy, bench.gpu)


def _steps(bench: Bench) -> Iterator[str]:
    """An iteration at full size, against PyTorch and without cuDNN"""
    yield markdown([])
    for row in step.rows(bench.rounds, bench.copy, bench.gpu):
        yield markdown([row], header=False)


def _layers(bench: Bench) -> Iterator[str]:
    """The layers that take longest"""
    for network in NETWORKS:
        yield layers.table(bench.copy, network, bench.gpu, 1 if bench.gpu is None else 50) + "\n"


def _endings(bench: Bench) -> Iterator[str]:
    """How runs end"""
    yield from endings.finished_and_resumed(bench.copy, bench.copy / "results-of-endings", bench.device)
    if bench.gpu is not None:
        yield endings.out_of_memory(bench.copy, bench.gpu)


def _side_by_side(bench: Bench) -> Iterator[str]:
    """Table III with 1, 2 and 4 runs at once"""
    dataset = "demo" if bench.gpu is None else "ava-large"  # full-size nets would take hours
    yield from side_by_side.tables(bench.copy, dataset, bench.device, bench.iterations)


PARTS = {
    "machine": _machine,
    "memory": _memory,
    "algorithms": _algorithms,
    "agreement": _agreement,
    "steps": _steps,
    "layers": _layers,
    "endings": _endings,
    "side-by-side": _side_by_side,
}


if __name__ == "__main__":
    exit_with_status(main)
