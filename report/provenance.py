"""Where a table's numbers come from: one line for each run, by the preparation of the dataset that it saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset import one_line
from experiments.run_folder import RunFolder
from paper import SCRATCH
from report.line import DASH
from report.notes import shortened

LONGEST_DIFF = 20_000  # characters shown of what a person edited


@dataclass(frozen=True)
class Origin:
    """What a reader needs to argue about one run."""

    run: str
    commit: str
    caffe: str
    place: str  # GPU or CPU
    attempts: str
    finished: str
    edited: str
    diff: str
    weights: str  # SHA-256 of the pretrained model, or scratch


@dataclass(frozen=True)
class Preparation:
    """The photos that some runs saw."""

    rule: str
    photos: str
    command: str
    lists: dict[str, str]  # SHA-256 of the list of each split
    origins: list[Origin]


def preparations(runs: list[tuple[str, RunFolder, dict[str, Any]]]) -> list[Preparation]:
    """The runs (their names, folders and records), those on the same photos together."""
    together: dict[tuple, list[tuple[str, RunFolder, dict[str, Any]]]] = {}
    for run in runs:
        seen = run[2]["dataset"]
        lists = seen.get("lists_sha256") or {}
        key = one_line(str(seen["rule"])), tuple(seen["photos"].items()), tuple(sorted(lists.items()))
        together.setdefault(key, []).append(run)
    return [_preparation(those) for those in together.values()]


def _preparation(runs: list[tuple[str, RunFolder, dict[str, Any]]]) -> Preparation:
    seen = runs[0][2]["dataset"]
    return Preparation(
        one_line(str(seen["rule"])),
        f"{seen['photos']['train']:,} for training, {seen['photos']['test']:,} for test",
        one_line(str(seen.get("command", ""))),
        {{"train": "training"}.get(split, split): str(digest) for split, digest in _of(seen, "lists_sha256").items()},
        [_origin(*run) for run in runs],
    )


def _origin(name: str, folder: RunFolder, record: dict[str, Any]) -> Origin:
    attempts = [attempt for attempt in record.get("attempts", ()) if isinstance(attempt, dict)]
    edited = [file for file, is_edited in record.get("edited", {}).items() if is_edited]
    return Origin(
        run=name,
        commit=_each(_commit(_of(attempt, "git")) for attempt in attempts),
        caffe=_each(_caffe(_of(attempt, "caffe")) for attempt in attempts),
        place=_each(map(_place, attempts)),
        attempts=_attempts(attempts),
        finished=str(record.get("finished", DASH)).partition("+")[0].replace("T", " "),
        edited=" and ".join({"train_val": "net"}.get(file, file) for file in edited),
        diff=_diff(folder.path / "edits.diff") if edited else "",
        weights=_weights(record),
    )


def _weights(record: dict[str, Any]) -> str:
    return SCRATCH if record["run"].get("start") == SCRATCH else str(record["inputs"].get("weights", DASH))


def _of(content: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a record; nothing where it is missing or is none."""
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _each(texts) -> str:
    """What the attempts say, each different thing once."""
    return ", then ".join(dict.fromkeys(texts)) or DASH


def _commit(git: dict[str, Any]) -> str:
    commit = str(git.get("commit", ""))[:10]
    return commit + (" and changes" if git.get("dirty") else "") if commit else DASH


def _caffe(caffe: dict[str, Any]) -> str:
    """Version, the commit of its source, its variant and BLAS, as far as they are known."""
    source = str(caffe.get("source", "")).rpartition(" ")[2][:7]
    parts = (caffe.get("caffe"), source and f"at {source}", caffe.get("variant"), caffe.get("blas"))
    return " ".join(str(part) for part in parts if part) or DASH


def _place(attempt: dict[str, Any]) -> str:
    gpu, threads = attempt.get("gpu"), attempt.get("threads")
    if isinstance(gpu, dict):
        return str(gpu.get("name", "a GPU"))
    if gpu:
        return str(gpu)
    cpu = _of(attempt, "machine").get("cpu") or "CPU"
    return f"{cpu}, {threads} thread{'s' if threads != 1 else ''}" if threads else str(cpu)


def _attempts(attempts: list[dict[str, Any]]) -> str:
    resumed = [attempt.get("from_iteration") for attempt in attempts[1:]]
    where = [f"{iteration:,}" for iteration in resumed if isinstance(iteration, int)]
    return f"from {', '.join(where)}" if where else "none"


def _diff(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{path}: {error.strerror}"
    return shortened(text, LONGEST_DIFF, f"\n... (the rest is in {path})")
