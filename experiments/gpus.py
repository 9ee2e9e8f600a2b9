"""The GPUs of this machine, who uses their memory, and whether a Caffe can run on them, as nvidia-smi tells it.

`python3 -m experiments.gpus 0,1` looks at the cards of these numbers before a Caffe is built for them; any Python does.
"""

from user_error import UserError, exit_with_status

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import commands
from arguments import gpu_ids
from caffe_build import cuda, install, recipe, variant
from experiments.failures import last_words

NUMBERING = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # for a child's environment: CUDA counts as nvidia-smi does
UNKNOWN = "[N/A]"  # how nvidia-smi says so
PLAIN_LOG = {"GLOG_logtostderr": "1", "GLOG_minloglevel": "0", "GLOG_log_prefix": "1", "GLOG_colorlogtostderr": "0"}
MIB = 2**20
SECONDS = 60  # that CUDA may take to start; some on machines with many cards
OTHERWISE = "or give --cpu (make: CPU=1)"
DRIVERS = "from NVIDIA's own repository, as Debian's can be older"
# Lines of `caffe device_query`: "I1124 10:00:00.000000    77 common.cpp:181] Name:                     NVIDIA A100".
ANSWERED = re.compile(r"\] ([A-Z][a-z ]+): +(.+)$", re.MULTILINE)
# Lines of `nvidia-smi -L`: "GPU 0: NVIDIA A100 (UUID: GPU-1)", then "  MIG 1g.5gb     Device  0: (UUID: MIG-2)".
LISTED = re.compile(r"^(GPU|\s+MIG) (.*?)(?:\s+Device\s+\d+)?: .*?\(UUID: (\S+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Gpu:
    """One GPU, or a part of one (MIG); `processes` are those that nvidia-smi can see from here, a line each."""

    index: int
    name: str
    driver: str
    compute_cap: str  # as nvidia-smi has it: 9.0
    used: str  # MiB, or UNKNOWN
    total: str
    free: str
    processes: tuple[str, ...]

    def __str__(self) -> str:
        users = "; ".join(self.processes)
        memory = f"{self.used} of {self.total} MiB in use"
        memory = "memory in use unknown" if UNKNOWN in (self.used, self.total) else memory
        text = f"{self.name}, driver {self.driver}, {memory}"
        return f"{text} ({users})" if users else text

    @property
    def bytes_free(self) -> int | None:
        """What is free of its memory; None where nvidia-smi does not know."""
        return int(self.free) * MIB if self.free.isdecimal() else None


def listed() -> list[Gpu]:
    """All GPUs that CUDA may use, numbered as CUDA does; UserError where none can be seen."""
    if shutil.which("nvidia-smi") is None:
        raise UserError(f"none to be seen (nvidia-smi is missing): install NVIDIA's driver, {OTHERWISE}")
    processes: dict[str, list[str]] = {}
    for uuid, pid, used, name in _query("compute-apps", "gpu_uuid,pid,used_memory,process_name"):
        processes.setdefault(uuid, []).append(f"process {pid}, {name}: {used} MiB")
    rows = _query("gpu", "index,uuid,name,driver_version,compute_cap,memory.used,memory.total,memory.free")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        wanted = [name for name in visible.split(",") if name]  # numbers, or the beginnings of UUIDs
        if any(name.startswith("MIG-") for name in wanted):
            rows += _parts(rows)
        rows = [row for name in wanted for row in rows if name == row[0] or row[1].startswith(name)]
    return [Gpu(number, *facts, tuple(processes.get(uuid, ()))) for number, (_, uuid, *facts) in enumerate(rows)]


def misfits(gpu: Gpu, toolkit: str, architectures: tuple[str, ...]) -> Iterator[str]:
    """What a Caffe for this CUDA and these architectures would abort for, at the first thing that it asks of a card."""
    major = gpu.driver.split(".")[0]
    if major.isdecimal() and int(major) < variant.NVIDIA_DRIVER:
        text = f"{gpu.index}: CUDA {toolkit} needs a driver {variant.NVIDIA_DRIVER} or newer, and this is {gpu.driver}"
        yield f"{text}: install a newer one ({DRIVERS}), {OTHERWISE}"
    if gpu.compute_cap != UNKNOWN and variant.architecture_for(gpu.compute_cap, architectures) is None:
        lacking = variant.architecture_for(gpu.compute_cap)
        built = " ".join(architectures)
        text = f"{gpu.index}: this Caffe has code for sm {built}, the card has {gpu.compute_cap}"
        command = commands.make("setup", "CUDA=1", f"CUDA_ARCH={built} {lacking}")
        yield f"{text}: {f'type `{command}`' if lacking else 'take a newer card'}, {OTHERWISE}"


def ask_cuda(gpu: Gpu) -> str:
    """What CUDA says of a GPU, through Caffe, that nvidia-smi did not; UserError where Caffe cannot use it."""
    command = [Path(sys.prefix, "bin", "caffe"), "device_query", f"--gpu={gpu.index}"]
    own = os.environ | NUMBERING | {"LD_LIBRARY_PATH": library_path(), **PLAIN_LOG}
    try:
        done = subprocess.run(command, env=own, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(f"no answer to `caffe device_query` in {SECONDS} s: the driver hangs, {OTHERWISE}") from None
    if done.returncode:
        raise UserError(last_words(done.stderr, done.returncode))
    return _answer(gpu, dict(ANSWERED.findall(done.stderr)))


def _answer(gpu: Gpu, facts: dict[str, str]) -> str:
    name, version = facts.get("Name", gpu.name), [facts.get(f"{part} revision number") for part in ("Major", "Minor")]
    memory, processors = facts.get("Total global memory"), facts.get("Number of multiprocessors")
    said = [
        "" if name == gpu.name else f"this is {name}",  # a part of a card, or another card: the numbering failed
        f"compute capability {'.'.join(version)}" if all(version) else "",
        f"{int(memory) / 2**30:.1f} GiB" if memory else "",
        f"{processors} multiprocessors" if processors else "",
    ]
    return ", ".join(filter(None, said))


def library_path() -> str:
    """LD_LIBRARY_PATH for a process that uses a GPU: the CUDA of .venv goes before any other of this machine.

    NVRTC, which compiles kernels for cuDNN, looks for its builtins there alone.
    """
    ours = [str(Path(sys.prefix, folder)) for folder in cuda.LIBRARIES]
    return os.pathsep.join([*ours, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])


def _parts(rows: list[list[str]]) -> list[list[str]]:
    """Rows of the MIG devices: the rows of their GPUs under names and UUIDs of their own, their memory unknown."""
    whole, parts = {row[1]: row for row in rows}, []
    gpu: list[str] = []
    for kind, name, uuid in LISTED.findall(_ask("-L")):
        if kind == "GPU":
            gpu = whole.get(uuid, [])
        elif gpu:
            parts.append(["", uuid, f"{gpu[2]} (MIG {name})", *gpu[3:5], UNKNOWN, UNKNOWN, UNKNOWN])
    return parts


def _query(what: str, fields: str) -> list[list[str]]:
    lines = _ask(f"--query-{what}={fields}", "--format=csv,noheader,nounits").splitlines()
    return [line.split(", ", fields.count(",")) for line in lines]


def _ask(*words: str) -> str:
    done = subprocess.run(["nvidia-smi", *words], capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise UserError(f"nvidia-smi fails ({said}): fix the driver, {OTHERWISE}")
    return done.stdout


def main() -> None:
    """Raise UserError where a Caffe that `make setup CUDA=1` builds could not use the cards that are named."""
    wanted = gpu_ids(sys.argv[1])
    built = variant.architectures(os.environ.get("CUDA_ARCH", ""))
    if not built:
        built = tuple(install.describe().get("architectures", "").split()) or cuda.ARCHITECTURES
    toolkit = ".".join(recipe.pinned(cuda.COMPILE)["nvidia-cuda-nvcc"].split(".")[:2])
    for gpu in listed():
        if gpu.index in wanted:
            for misfit in misfits(gpu, toolkit, built):
                raise UserError(f"GPU {misfit}")


if __name__ == "__main__":
    exit_with_status(main)
