"""The GPUs of this machine, and who uses their memory, as nvidia-smi tells it."""

from user_error import UserError

import os
import shutil
import subprocess
from dataclasses import dataclass

NUMBERING = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # for a child's environment: CUDA counts as nvidia-smi does


@dataclass(frozen=True)
class Gpu:
    """One GPU; `processes` are those that nvidia-smi can see from here, a line each."""

    index: int
    name: str
    driver: str
    compute_cap: str  # as nvidia-smi has it: 9.0
    used: str  # MiB, or nvidia-smi's [N/A]
    total: str
    processes: tuple[str, ...]

    def __str__(self) -> str:
        users = "; ".join(self.processes)
        text = f"{self.name}, driver {self.driver}, {self.used} of {self.total} MiB in use"
        return f"{text} ({users})" if users else text


def listed() -> list[Gpu]:
    """All GPUs that CUDA may use, numbered as CUDA does; UserError where none can be seen."""
    if shutil.which("nvidia-smi") is None:
        raise UserError("none to be seen (nvidia-smi is missing): install NVIDIA's driver, or give --cpu (make: CPU=1)")
    processes: dict[str, list[str]] = {}
    for uuid, pid, used, name in _query("compute-apps", "gpu_uuid,pid,used_memory,process_name"):
        processes.setdefault(uuid, []).append(f"process {pid}, {name}: {used} MiB")
    rows = _query("gpu", "index,uuid,name,driver_version,compute_cap,memory.used,memory.total")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        wanted = [name for name in visible.split(",") if name]  # numbers, or the beginnings of UUIDs
        rows = [row for name in wanted for row in rows if name == row[0] or row[1].startswith(name)]
    return [Gpu(number, *facts, tuple(processes.get(uuid, ()))) for number, (_, uuid, *facts) in enumerate(rows)]


def _query(what: str, fields: str) -> list[list[str]]:
    command = ["nvidia-smi", f"--query-{what}={fields}", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise UserError(f"nvidia-smi fails ({said}): fix the driver, or give --cpu (make: CPU=1)")
    return [line.split(", ", fields.count(",")) for line in done.stdout.splitlines()]
