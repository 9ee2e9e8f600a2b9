"""The memory that is free here, and whether the runs that will be side by side can fit into it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from experiments import planning
from experiments.failures import SMALLER_BATCHES
from experiments.finding import Finding
from experiments.gpus import Gpu
from experiments.job import Job
from experiments.planning import Options
from experiments.preflight import Trial
from experiments.runs import Run

GIB = 2**30
# What a run takes beside what is counted, an estimate: on the CPU Python, Caffe, the layers' buffers, a snapshot on its
# way. At their highest, short runs of the demo's AlexNet and VGG-16 took 0.35 GiB more than the 0.32 and 0.48 GiB that
# are counted, full-size AlexNet 0.87 more than 1.57, VGG-16 1.16 more than 6.72 before its first snapshot. On a GPU
# CUDA's context and cuDNN's workspaces come on top, which were not measured.
ON_TOP = 3 * GIB // 10
ON_TOP_SHARE = 0.25  # of what is counted
NOTE = "note: "
CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def free() -> int:
    """Bytes that programs may still take: the machine's, or fewer where a container or a batch job has a limit."""
    return min([psutil.virtual_memory().available, *_in_cgroups()])


def examine(
    jobs: Sequence[Job], trials: Mapping[str, Trial], options: Options, cards: Sequence[Gpu]
) -> Iterator[Finding]:
    """Hold what is free against what the jobs that may be side by side take at least, place by place.

    Where a job was not counted, as it is unfit, or a card's memory is unknown, nothing is said.
    """
    counted = {job.run: footprint.total for job in jobs if (footprint := trials[job.run.name].footprint)}
    by_number = {card.index: card for card in cards}
    for place, runs in _side_by_side([job for job in jobs if job.run in counted], options, counted).items():
        need, fewer = [(counted[run], run.variant) for run in runs], ""
        if place is None:
            if len(runs) > 1:
                fewer = f"fewer side by side (--threads {len(os.sched_getaffinity(0))}: one), "
            fix = f"{fewer}{SMALLER_BATCHES}, or a machine with more"
            yield _finding("memory", need, free(), psutil.swap_memory().free, "", fix)
        elif place in by_number and (room := by_number[place].bytes_free) is not None:
            if len(runs) > 1:
                fewer = "fewer runs on it (--per-gpu), "
            users = "".join(f"; it is used by {process}" for process in by_number[place].processes)
            fix = f"{fewer}another one (--gpu), or {SMALLER_BATCHES}{users}"
            yield _finding("GPU", need, room, 0, f" on GPU {place}", fix)


def _side_by_side(jobs: Sequence[Job], options: Options, sizes: Mapping[Run, int]) -> dict[int | None, list[Run]]:
    """The runs that meet at each place; where some have to wait for others, any may meet: the largest of all."""
    slots = planning.slots(jobs, options) if jobs else []
    largest = sorted((job.run for job in jobs), key=lambda run: sizes[run], reverse=True)
    met: dict[int | None, list[Run]] = {}
    for job, slot in zip(jobs, slots, strict=False):
        met.setdefault(slot, []).append(job.run)
    return met if len(jobs) <= len(slots) else {slot: largest[: len(runs)] for slot, runs in met.items()}


def _finding(subject: str, runs: list[tuple[int, str]], room: int, swap: int, place: str, fix: str) -> Finding:
    """Say whether `runs`, bytes and variant of each, fit into `room`; what is swapped out is slow, but no problem."""
    need = sum(size for size, _ in runs)
    more = ON_TOP * len(runs) + ON_TOP_SHARE * need
    variants = ", ".join(dict.fromkeys(variant for _, variant in runs))
    takes = f"{variants} takes" if len(runs) == 1 else f"{len(runs)} runs side by side ({variants}) take"
    text = f"{takes} at least {need / GIB:.2f} GiB, {room / GIB:.2f} GiB are free{place}"
    if need > room + swap:
        return Finding(subject, f"{text}: {fix}", True)
    if need + more > room:
        return Finding(subject, f"{NOTE}{text}, and some {more / GIB:.1f} GiB come on top (an estimate): {fix}")
    return Finding(subject, text)


def _in_cgroups() -> Iterator[int]:
    """Bytes that are left below each limit that holds for this process; files that are only cached count as free."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:  # no Linux, or an old one
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, limit, used = CGROUPS, "memory.max", "memory.current"
            cached = ("inactive_file", "active_file", "slab_reclaimable")
        elif "memory" in controllers.split(","):
            base, limit, used = CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = ("total_inactive_file", "total_active_file")
        else:
            continue
        own = base / path.lstrip("/")
        for folder in (own, *own.parents):  # in a container the path may be the host's: its own limit is at the base
            if not folder.is_relative_to(base):
                break
            yield from _left(folder, limit, used, cached)


def _left(folder: Path, limit: str, used: str, cached: Sequence[str]) -> Iterator[int]:
    try:
        most = (folder / limit).read_text().strip()
        if most.isdecimal():  # or "max"
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            taken = int((folder / used).read_text()) - sum(int(counts.get(name, 0)) for name in cached)
            yield max(0, int(most) - taken)
    except OSError:  # the root has no limit
        return
