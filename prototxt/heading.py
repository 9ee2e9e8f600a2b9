"""The comment that opens a written net or solver: which row of which table it is for, and the commands that run it."""

from dataset import Dataset
from experiments.weights import pretrained
from paper import ROOT, reported_iteration, stated


def heading(dataset: Dataset, network: str, view: str) -> str:
    """Comment lines, each ended."""
    name, table = dataset.name, dataset.table
    (row,) = (row for row in table.rows if (row.network, row.view) == (network, view))
    where = f"Table {table.name} ({table.source}): {table.title}" if table.source else table.title
    number = f": {row.accuracy:.2f} % at iteration {reported_iteration(name):,}" if row.accuracy is not None else ""
    weights = pretrained(name, network).path.relative_to(ROOT)
    device, threads = (" --cpu", f"OPENBLAS_NUM_THREADS={stated('demo.threads')} ") if dataset.is_demo else ("", "")
    caffe = f"{threads}.venv/bin/caffe train --solver=solvers/{name}/{network}_{view}.prototxt --weights={weights}"
    lines = [
        where,
        f"{row.label}{number}",
        f"  .venv/bin/python run_experiments.py run --dataset {name} --network {network} --view {view}{device}",
        "The same with stock Caffe, from the repository's root (add --gpu=0 for a GPU):",
        f"  {caffe}",
    ]
    return "".join(f"# {line}\n" for line in lines)
