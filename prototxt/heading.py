"""The comment that opens a written net or solver: which row of which table it is for, and the commands that run it."""

from dataset import Dataset
from experiments.weights import of_start
from paper import PRETRAINED, ROOT, reported_iteration, stated, variant_name
from prototxt.starts import SAID


def heading(dataset: Dataset, network: str, view: str, start: str = PRETRAINED, edit: str = "") -> str:
    """Comment lines, each ended; those of a named edit have no number of the paper's."""
    name, table = dataset.name, dataset.table
    (row,) = (row for row in table.rows if (row.network, row.view) == (network, view))
    where = f"Table {table.name} ({table.source}): {table.title}" if table.source else table.title
    number = f": {row.accuracy:.2f} % at iteration {reported_iteration(name):,}" if row.accuracy is not None else ""
    model = of_start(name, network, start)
    weights = f" --weights={model.path.relative_to(ROOT)}" if model else ""
    device, threads = (" --cpu", f"OPENBLAS_NUM_THREADS={stated('demo.threads')} ") if dataset.is_demo else ("", "")
    variant = variant_name(network, view, start, edit)
    solver = f"solvers/{name}/{variant}.prototxt"
    caffe = f"{threads}.venv/bin/caffe train --solver={solver}{weights}"
    asked = f"--dataset {name} --network {network} --view {view}"
    if start != PRETRAINED:
        number, asked = f", {SAID[start]}", f"{asked} --start {start}"
    if edit:
        origin = variant_name(network, view, start)
        number, asked = f", a copy of {origin} to be edited: {edit}", f"--dataset {name} --variant {variant}"
    lines = [
        where,
        f"{row.label}{number}",
        f"  .venv/bin/python run_experiments.py run {asked}{device}",
        "The same with stock Caffe, from the repository's root (add --gpu=0 for a GPU):",
        f"  {caffe}",
    ]
    return "".join(f"# {line}\n" for line in lines)
