"""All runs of all tables, and how far each is."""

import re
from datetime import datetime
from pathlib import Path

from tabulate import tabulate

from experiments.plan import Run, max_iter, runs
from experiments.run_folder import RunFolder, seed_folders
from paper import tables

ITERATION = re.compile(r"\] Iteration (\d+)[ ,]")  # Caffe's display line in caffe.log


def status(results: Path) -> str:
    """One line a run: those of the tables, seed 1, and whatever other seeds are there."""
    rows = []
    for table in tables().values():
        for run in runs(table.dataset):
            for each in _with_other_seeds(run, results):
                rows.append([table.name, each.name, *_state(each, results)])
    return tabulate(rows, ["table", "run", "state", "iteration", ""], "simple")


def _with_other_seeds(run: Run, results: Path) -> list[Run]:
    there = seed_folders(results / run.variant)
    seeds = {run.seed} | {int(folder.path.name.removeprefix("seed-")) for folder in there}
    return [Run(run.dataset, run.network, run.view, seed) for seed in sorted(seeds)]


def _state(run: Run, results: Path) -> list[str]:
    """State, iteration of how many, and why or what next."""
    folder = run.folder(results)
    state = folder.state()
    if state == "missing":
        return [state, "", ""]
    record = folder.record() or {}
    total = record.get("max_iter") or max_iter(run)
    iteration = folder.done_at() if state == "done" else _last_iteration(folder)
    note = record.get("failure", "") if state == "failed" else ""
    if state == "stopped":
        note = "the command `run` goes on from its last snapshot"
    if state == "running":
        note = _time_left(folder, iteration, total)
    if state == "done":
        note = f"accuracy {folder.evaluations()[-1].test_accuracy:.2%}"
    return [state, f"{iteration:,} of {total:,}", note]


def _time_left(folder: RunFolder, iteration: int, total: int) -> str:
    """Worked out from the pace of the present attempt: caffe.log was last written to at `iteration`."""
    attempts = (folder.record() or {}).get("attempts")
    if not attempts or iteration <= attempts[-1]["from_iteration"]:
        return "starting"
    begun = datetime.fromisoformat(attempts[-1]["started"]).timestamp()
    pace = (folder.log.stat().st_mtime - begun) / (iteration - attempts[-1]["from_iteration"])
    minutes, seconds = divmod(round(pace * (total - iteration)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _last_iteration(folder: RunFolder) -> int:
    """The last iteration that caffe.log tells of; Caffe writes one line every `display` iterations."""
    if not folder.log.exists():
        return 0
    found = ITERATION.findall(folder.log.read_text(encoding="utf-8", errors="replace"))
    return int(found[-1]) if found else 0
