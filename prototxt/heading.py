"""The comment that opens a written net or solver: which row of the paper it is for, and the commands that run it."""

from experiments.weights import pretrained
from paper import ROOT, stated, tables


def heading(dataset: str, network: str, view: str) -> str:
    """Comment lines, each ended."""
    (table,) = (table for table in tables().values() if table.dataset == dataset)
    (row,) = (row for row in table.rows if (row.network, row.view) == (network, view))
    where = f"Table {table.name} ({table.source}): {table.title}" if table.source else table.title
    number = (
        f": {row.accuracy:.2f} % at iteration {stated('finetuning.max_iter'):,}" if row.accuracy is not None else ""
    )
    weights = pretrained(dataset, network).path.relative_to(ROOT)
    is_demo = dataset == "demo"
    device, threads = (" --cpu", f"OPENBLAS_NUM_THREADS={stated('demo.threads')} ") if is_demo else ("", "")
    caffe = f"{threads}.venv/bin/caffe train --solver=solvers/{dataset}/{network}_{view}.prototxt --weights={weights}"
    lines = [
        where,
        f"{row.label}{number}",
        f"  .venv/bin/python run_experiments.py run --dataset {dataset} --network {network} --view {view}{device}",
        "The same with stock Caffe, from the repository's root (add --gpu=0 for a GPU):",
        f"  {caffe}",
    ]
    return "".join(f"# {line}\n" for line in lines)
