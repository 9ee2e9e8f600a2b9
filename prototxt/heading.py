"""The comment that opens a written net or solver: which row of the paper it is for, and the commands that run it."""

from experiments.weights import pretrained
from paper import ROOT, stated, tables


def heading(dataset: str, network: str, view: str) -> str:
    """Comment lines, each ended."""
    (table,) = (table for table in tables().values() if table.dataset == dataset)
    (row,) = (row for row in table.rows if (row.network, row.view) == (network, view))
    where = f"Table {table.name} ({table.source})" if table.source else "the demo's table"
    number = f"{row.accuracy:.2f} %" if row.accuracy is not None else "no number in the paper"
    at = f" at iteration {stated('finetuning.max_iter'):,}" if row.accuracy is not None else ""
    weights = pretrained(dataset, network).path.relative_to(ROOT)
    device = " --cpu" if dataset == "demo" else ""
    lines = [
        f"{table.title}, {where}, row {row.label}: {number}{at}",
        f"  .venv/bin/python run_experiments.py run --dataset {dataset} --network {network} --view {view}{device}",
        "The same with stock Caffe, from the repository's root (add --gpu=0 for a GPU):",
        f"  .venv/bin/caffe train --solver=solvers/{dataset}/{network}_{view}.prototxt --weights={weights}",
    ]
    return "".join(f"# {line}\n" for line in lines)
