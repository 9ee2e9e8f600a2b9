"""RUN as it is typed -> the nets that are meant: a run's folder, the name of a variant, an exported net."""

from user_error import UserError

from pathlib import Path

import commands
from deploy.net import ScoringNet, of_run
from deploy.pair import is_pair, of_pair
from experiments.run_folder import RunFolder, seed_folders
from paper import VIEWS, stated

BOTH = "both"


def nets(name: str, results: Path, views: str | None) -> list[ScoringNet]:
    """The net that is meant, or with `views` those of one view or of both; UserError where there is none."""
    if views is None:
        return [net(name, results)]
    if ends := [view for view in VIEWS if name.rstrip("/").endswith(f"_{view}")]:
        text = f"{name} is of the {ends[0]} view alone"
        raise UserError(f"{text}: with --views give {name.rstrip('/').removesuffix('_' + ends[0])}")
    found = [net(f"{name.rstrip('/')}_{view}", results) for view in (VIEWS if views == BOTH else (views,))]
    if len({each.encoded for each in found}) > 1:
        raise UserError(f"{' and '.join(each.name for each in found)}: only one was made from --encoded photos")
    return found


def net(name: str, results: Path) -> ScoringNet:
    """The one net that is meant."""
    place = _place(name, results)
    if isinstance(place, RunFolder):
        return of_run(place)
    return _of_file(place) if place.is_file() else of_pair(place)


def run(name: str, results: Path) -> RunFolder:
    """The run that is meant; UserError where it is something else."""
    place = _place(name, results)
    if not isinstance(place, RunFolder):
        raise UserError(f"{place} is no run: give the folder of the run that it was made from")
    return place


def _place(name: str, results: Path) -> RunFolder | Path:
    """The run, the folder with an exported pair, or the file; UserError where there is none."""
    for place in (results / name, Path(name)):
        if place.is_file() or is_pair(place):
            return place
        if (place / "run.json").exists():
            return RunFolder(place)
        if seeds := [folder for folder in seed_folders(place) if folder.holds_work()]:
            return _seed(place, seeds)
    name = name.rstrip("/")
    if any((results / f"{name}_{view}").is_dir() for view in VIEWS):
        either = " or ".join(f"{name}_{view}" for view in VIEWS)
        raise UserError(f"{name} has a run for each view: give {either} (predict takes both, with --views {BOTH})")
    listing = commands.experiments("status", "--results", results)
    raise UserError(f"there is no run {name!r}, in {results} or as a folder: `{listing}` lists all")


def _seed(variant: Path, seeds: list[RunFolder]) -> RunFolder:
    """The run of the usual seed, or the only one."""
    usual = f"seed-{stated('finetuning.seed')}"
    chosen = seeds if len(seeds) == 1 else [folder for folder in seeds if folder.path.name == usual]
    if not chosen:
        there = ", ".join(folder.path.name for folder in seeds)
        raise UserError(f"{variant} has no {usual}, but {there}: give one of them, as in {seeds[0].path}")
    return chosen[0]


def _of_file(path: Path) -> ScoringNet:
    if path.suffix == ".onnx" or not is_pair(path.parent):
        raise UserError(f"{path} is no net that can be scored with here: give a run, or a folder with an exported pair")
    return of_pair(path.parent)
