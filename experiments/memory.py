"""The memory that is free here, and whether the runs that will be side by side can fit into it."""

import os
from collections import Counter
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

GIB = 2**30
# Of each run, beside what is counted, an estimate: on the CPU Python, Caffe and the layers' buffers took 0.2 to 0.6 GiB
# (AlexNet and VGG-16, the demo's and full-size); CUDA's context and cuDNN's kernels take several hundred MiB.
MARGIN = GIB // 2
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

    Of several jobs the largest are taken to meet. Where nothing was counted, or a card's memory is unknown, nothing is
    said.
    """
    tried = ((trials[job.run.name].footprint, job.run.variant) for job in jobs)
    counted = [(footprint.total, variant) for footprint, variant in tried if footprint]
    counted.sort(key=lambda run: run[0], reverse=True)
    by_number = {card.index: card for card in cards}
    for place, number in Counter(planning.slots(jobs, options)[: len(jobs)] if counted else ()).items():
        runs = counted[:number]
        if place is None:
            fewer = f"fewer side by side (--threads {len(os.sched_getaffinity(0))}: one), "
            fix = f"{fewer if number > 1 else ''}{SMALLER_BATCHES}, or a machine with more"
            yield _finding("memory", runs, free(), psutil.swap_memory().free, "", fix)
        elif place in by_number and (room := by_number[place].bytes_free) is not None:
            fewer = "fewer runs on it (--per-gpu), " if number > 1 else ""
            users = "".join(f"; it is used by {process}" for process in by_number[place].processes)
            fix = f"{fewer}another one (--gpu), or {SMALLER_BATCHES}{users}"
            yield _finding("GPU", runs, room, 0, f" on GPU {place}", fix)


def _finding(subject: str, runs: list[tuple[int, str]], room: int, swap: int, place: str, fix: str) -> Finding:
    """Say whether `runs`, bytes and variant of each, fit into `room`; what is swapped out is slow, but no problem."""
    need, more = sum(size for size, _ in runs), MARGIN * len(runs)
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
            base, limit, used, cached = CGROUPS, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, limit, used = CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = "total_inactive_file"
        else:
            continue
        own = base / path.lstrip("/")
        for folder in (own, *own.parents):  # in a container the path may be the host's: its own limit is at the base
            if not folder.is_relative_to(base):
                break
            yield from _left(folder, limit, used, cached)


def _left(folder: Path, limit: str, used: str, cached: str) -> Iterator[int]:
    try:
        most = (folder / limit).read_text().strip()
        if most.isdecimal():  # or "max"
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield max(0, int(most) - int((folder / used).read_text()) + int(counts[cached]))
    except OSError:  # the root has no limit
        return
