"""How long before its time is up a job is told, so that a snapshot is written in time."""

from pathlib import Path

from experiments import weights
from experiments.kept_files import Unreadable
from experiments.run_folder import RunFolder
from experiments.runs import Run

SLACK = 60  # seconds; Slurm looks every half minute, and this many seconds are what sbatch's manual allows itself
TIMES = 3  # as long as snapshots took until now
BYTES_PER_SECOND = 20e6  # of a busy shared disk, where no snapshot was measured yet
ON_THE_CPU = 60  # seconds; a stop waits for the end of an iteration


def lead(run: Run, results: Path, on_cpu: bool) -> int:
    """Seconds, from the longest measured snapshot of runs like this one; where there is none, from its size."""
    measured = [seconds for folder in _alike(run, results) if (seconds := _measured(folder)) is not None]
    size = 2 * weights.pretrained(run.dataset, run.network).bytes  # weights and momentum
    snapshot = max(measured) if measured else size / BYTES_PER_SECOND
    return round(SLACK + TIMES * snapshot + (ON_THE_CPU if on_cpu else 0))


def _alike(run: Run, results: Path) -> list[RunFolder]:
    """The folders of the runs with the same net."""
    return [RunFolder(path) for path in (results / run.dataset).glob(f"{run.network}_*/seed-*")]


def _measured(folder: RunFolder) -> float | None:
    try:
        return (folder.record() or {}).get("snapshot_seconds")
    except Unreadable:
        return None
