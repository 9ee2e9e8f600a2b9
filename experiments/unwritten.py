"""The nets and solvers of a dataset that the paper does not know, which `run` writes before it reads them."""

from user_error import UserError

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dataset import find
from experiments.runs import Run
from paper import DATASETS, ROOT
from prototxt.generated import GeneratedFile, outcome_of_writing


def unwritten(runs: Iterable[Run], data: Path) -> list[GeneratedFile]:
    """The files of the runs' variants that are not there, or are the writer's own and out of date.

    Those of the paper's datasets are committed, and never among them; nor are those of a dataset whose summary cannot
    be read: doctor.examine says why.
    """
    variants = dict.fromkeys(
        (run.dataset, run.network, run.view, run.start) for run in runs if run.dataset not in DATASETS and not run.edit
    )
    if not variants:
        return []
    from prototxt.writer import of_variant  # loads Caffe

    files: list[GeneratedFile] = []
    for name, network, view, start in variants:
        with suppress(UserError):
            files += of_variant(find(name, data), network, view, start)
    return [file for file in files if outcome_of_writing(ROOT / file.path, file.name, file.text) == "written"]
