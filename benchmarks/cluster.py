"""What preemption costs many runs on a cluster, and which snapshot interval would cost least: a simulation.

`python -m benchmarks.cluster` takes seconds, and no GPU. Each GPU does one run after the other; after exponential times
it is taken away, at once or with a warning (then the run takes a snapshot), and is there again at once. A run that was
preempted goes to the end of the queue. It begins again at its newest snapshot: start, all batches so far again through
the data layers alone (experiments/snapshots.py), then iterations. Nothing here is measured on a GPU: the table says
where each number that goes in comes from.
"""

from user_error import exit_with_status

import argparse
import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.datums import RECORD_BYTES
from paper import NETWORKS, stated

HOUR = 3600.0
INTERVALS = (50, 100, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000, 10000)
REPEATS = 20  # simulations that a number is the mean of

# Of AlexNet and VGG-16, measured by benchmarks.node on 2 busy cores of an AMD EPYC and its virtual disk, no GPU.
SNAPSHOT = [3.0, 7.0]  # seconds to write, sync and hash; measured 2.0 to 3.8 and 4.8 to 7.2
SNAPSHOT_BYTES = [455e6, 1074e6]
REPLAY = [5000.0, 5000.0]  # records a second; measured 4,333 to 5,677 and 5,197 to 7,780
# Seconds: 9.0 to the first iteration (AlexNet, docs/costs.md), and 1.1 to 1.6 and 2.6 to 5.1 to read the snapshot.
START = [10.0, 14.0]


@dataclass(frozen=True)
class Costs:
    """What the runs of one network cost."""

    batch: int  # records
    iterations: int
    iteration: float  # seconds
    snapshot: float  # seconds
    snapshot_bytes: float
    start: float  # seconds until a run that resumes reads its first batch
    replay: float  # records a second

    def resuming(self, iteration: int) -> float:
        """Seconds from the start of the process to the next iteration."""
        return self.start + iteration * self.batch / self.replay

    @property
    def work(self) -> float:
        return self.iterations * self.iteration


@dataclass(frozen=True)
class Spent:
    """GPU hours of all runs, and hours until the last one ended."""

    useful: float  # iterations that stayed, and each run's first start
    snapshots: float
    resuming: float
    again: float  # iterations that were lost
    makespan: float

    @property
    def lost(self) -> float:
        return self.snapshots + self.resuming + self.again


@dataclass
class Attempt:
    """One attempt at a run: what it spends until it is done, or preempted."""

    reached: int  # the iteration of the newest snapshot
    seconds: float = 0
    snapshots: float = 0
    resuming: float = 0
    again: float = 0


def attempt(costs: Costs, reached: int, interval: int, lasts: float, warned: bool) -> Attempt:
    """What comes of a run that has a snapshot of iteration `reached`, on a GPU that lasts so many seconds."""
    begins = costs.resuming(reached)
    now = Attempt(reached, resuming=min(begins, lasts))
    if begins >= lasts:
        now.seconds = lasts
        return now
    now.seconds = begins
    while now.reached < costs.iterations:
        step = min(interval - now.reached % interval, costs.iterations - now.reached)
        takes = step * costs.iteration
        if now.seconds + takes + costs.snapshot > lasts:
            left = lasts - now.seconds
            done = min(step, int(left / costs.iteration))
            if warned:  # the snapshot is taken in the time that the warning gives, which is not the GPU's own
                now.reached += done
                now.snapshots += costs.snapshot
                now.again += left - done * costs.iteration
                now.seconds = lasts + costs.snapshot
            else:
                now.again += left
                now.seconds = lasts
            return now
        now.reached += step
        now.snapshots += costs.snapshot
        now.seconds += takes + costs.snapshot
    return now


def simulate(
    runs: Sequence[Costs], gpus: int, interval: int, mean: float, warned: bool, random: np.random.Generator
) -> Spent:
    """All runs on so many GPUs, each preempted after exponential times of this mean (seconds)."""
    queue = deque((costs, 0) for costs in runs)
    free = [(0.0, gpu) for gpu in range(gpus)]
    waiting: list[tuple[float, int, Costs, int]] = []  # preempted: when, and where it was
    taken = {gpu: random.exponential(mean) for gpu in range(gpus)}  # when it is next taken away
    snapshots = resuming = again = end = 0.0
    count = 0
    while queue or waiting:
        now, gpu = heapq.heappop(free)
        while waiting and waiting[0][0] <= now:
            _, _, costs, reached = heapq.heappop(waiting)
            queue.append((costs, reached))
        if not queue:  # what is left is at work elsewhere
            heapq.heappush(free, (waiting[0][0], gpu))
            continue
        while taken[gpu] <= now:
            taken[gpu] += random.exponential(mean)
        costs, reached = queue.popleft()
        came = attempt(costs, reached, interval, taken[gpu] - now, warned)
        snapshots, resuming, again = snapshots + came.snapshots, resuming + came.resuming, again + came.again
        until = now + came.seconds
        heapq.heappush(free, (until, gpu))
        if came.reached < costs.iterations:
            count += 1
            heapq.heappush(waiting, (until, count, costs, came.reached))
        else:
            end = max(end, until)
    starts = sum(costs.start for costs in runs)  # without any preemption there are as many
    useful, resuming = sum(costs.work for costs in runs) + starts, resuming - starts
    return Spent(*(seconds / HOUR for seconds in (useful, snapshots, resuming, again, end)))


def mean_of(runs: Sequence[Costs], gpus: int, interval: int, mean: float, warned: bool, repeats: int) -> Spent:
    """The mean of many simulations."""
    found = [simulate(runs, gpus, interval, mean, warned, np.random.default_rng(seed)) for seed in range(repeats)]
    return Spent(*np.mean([list(vars(spent).values()) for spent in found], axis=0))


def young(costs: Costs, mean: float) -> float:
    """Young's interval, in iterations: sqrt(2 x snapshot x mean time between preemptions) (CACM 17, 1974)."""
    return math.sqrt(2 * costs.snapshot * mean) / costs.iteration


def daly(costs: Costs, mean: float) -> float:
    """Daly's interval of higher order, in iterations, for snapshots shorter than twice the mean (FGCS 22, 2006)."""
    share = math.sqrt(costs.snapshot / (2 * mean))
    series = 1 + share / 3 + share**2 / 9
    return (math.sqrt(2 * costs.snapshot * mean) * series - costs.snapshot) / costs.iteration


def half_of_each(costs: Sequence[Costs], count: int) -> list[Costs]:
    """So many runs, of each network as many, the slow ones first, as `run` takes them."""
    slow_first = sorted(costs, key=lambda each: each.work, reverse=True)
    return [each for each in slow_first for _ in range(count // len(costs))]


def lines(costs: dict[str, Costs], asked: argparse.Namespace) -> Iterator[str]:
    """What is printed."""
    mean, ours = asked.mean_hours * HOUR, stated("evaluation.snapshot_every")
    yield f"Simulated, not measured: a GPU is taken away every {asked.mean_hours:g} h (exponential, mean; assumption)."
    for name, each in costs.items():
        yield (
            f"{name}: {each.iteration:.3f} s an iteration, {each.work / HOUR:g} h a run;"
            f" a snapshot {each.snapshot:g} s; resuming at iteration {each.iterations:,}"
            f" {each.resuming(each.iterations):.0f} s ({each.start:g} s, then {each.replay:,.0f} records/s)"
        )
    yield ""
    yield from demands(costs, asked.gpus)
    yield ""
    yield "| runs | GPUs | taken away | hours | GPU hours | lost: all | snapshots | resuming | done again |"
    yield "|--:|--:|---|--:|--:|--:|--:|--:|--:|"
    for count in asked.runs:
        runs = half_of_each(list(costs.values()), count)
        for gpus in asked.gpus:
            for warned in (False, True):
                spent = mean_of(runs, gpus, ours, mean, warned, asked.repeats)
                yield _row(count, gpus, warned, spent)
    yield ""
    yield f"GPU hours lost of a run by the snapshot interval, taken away at once (ours: {ours:,} iterations):"
    yield ""
    yield f"| | {' | '.join(f'{interval:,}' for interval in INTERVALS)} | best | Young | Daly |"
    yield f"|---{'|--:' * (len(INTERVALS) + 3)}|"
    for name, each in costs.items():
        lost = [mean_of([each] * 100, 8, interval, mean, False, asked.repeats).lost / 100 for interval in INTERVALS]
        best = INTERVALS[int(np.argmin(lost))]
        cells = " | ".join(f"{hours:.3f}" for hours in lost)
        yield f"| {name} | {cells} | {best:,} | {young(each, mean):,.0f} | {daly(each, mean):,.0f} |"


def demands(costs: dict[str, Costs], gpus: Sequence[int]) -> Iterator[str]:
    """What the runs ask of a shared disk, worked out: the bytes of a run of ava-large by its time, test passes too."""
    early, every = stated("evaluation.early"), stated("evaluation.every")
    passes = {*early, *range(every, stated("finetuning.max_iter") + 1, every)}
    tested = len(passes) * stated("partitions.ava-large.test")
    snapshots = stated("finetuning.max_iter") // stated("evaluation.snapshot_every")
    yield "Worked out, not measured: what runs of ava-large read and write, by the minutes above."
    yield ""
    heads = " | ".join(f"{count} GPU{'s' * (count > 1)}" for count in gpus)
    yield f"| | records of a run | of a run | {heads} | snapshots of a run |"
    yield f"|---|--:|--:|{'--:|' * len(gpus)}--:|"
    for name, each in costs.items():
        records = each.iterations * each.batch + tested
        rate = records * RECORD_BYTES / each.work
        cells = " | ".join(f"{count * rate / 1e6:,.0f} MB/s" for count in gpus)
        written = snapshots * each.snapshot_bytes
        yield (
            f"| {name} | {records:,} | {records * RECORD_BYTES / 1e9:.0f} GB | {cells} |"
            f" {written / 1e9:.1f} GB, {written / each.work / 1e6:.1f} MB/s |"
        )


def _row(runs: int, gpus: int, warned: bool, spent: Spent) -> str:
    how = "with a warning" if warned else "at once"
    hours = f"{spent.useful:.0f} + {spent.lost:.1f}"
    parts = " | ".join(f"{part:.1f}" for part in (spent.snapshots, spent.resuming, spent.again))
    share = f"{spent.lost / (spent.useful + spent.lost):.0%}"
    return f"| {runs} | {gpus} | {how} | {spent.makespan:.1f} | {hours} | {share} | {parts} |"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__.splitlines()[0])

    def each_network(name: str, default: list[float], what: str) -> None:
        words = f"{what}, of {' and '.join(NETWORKS)} (%(default)s)"
        parser.add_argument(name, nargs=len(NETWORKS), type=float, default=default, metavar="X", help=words)

    parser.add_argument("--runs", nargs="+", type=int, default=[48, 480], metavar="N", help="(%(default)s)")
    parser.add_argument("--gpus", nargs="+", type=int, default=[1, 8, 64], metavar="N", help="(%(default)s)")
    parser.add_argument(
        "--mean-hours", type=float, default=1, metavar="H", help="until a GPU is taken away; assumption"
    )
    paper = [stated(f"finetuning.minutes.{network}") for network in NETWORKS]
    each_network("--minutes", paper, "of a run without any preemption; the paper's, on its GPU")
    each_network("--snapshot", SNAPSHOT, "seconds; measured on a CPU with its disk by benchmarks.node")
    each_network(
        "--start", START, "seconds until the first batch; measured on a CPU, docs/costs.md and benchmarks.node"
    )
    each_network("--replay", REPLAY, "records a second; measured on a CPU by benchmarks.node")
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help="simulations (%(default)s)")
    return parser.parse_args()


def main() -> None:
    asked = parsed()
    iterations = stated("finetuning.max_iter")
    costs = {
        network: Costs(
            batch=stated(f"finetuning.batch_size.{network}"),
            iterations=iterations,
            iteration=60 * minutes / iterations,
            snapshot=snapshot,
            snapshot_bytes=size,
            start=start,
            replay=replay,
        )
        for network, minutes, snapshot, size, start, replay in zip(
            NETWORKS, asked.minutes, asked.snapshot, SNAPSHOT_BYTES, asked.start, asked.replay, strict=True
        )
    }
    for line in lines(costs, asked):
        print(line, flush=True)


if __name__ == "__main__":
    exit_with_status(main)
