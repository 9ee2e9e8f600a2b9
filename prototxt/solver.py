"""The text of a solver: stochastic gradient descent with the paper's rates (III-B.2)."""

from dataset import Dataset
from paper import reported_iteration, stated
from prototxt.heading import heading


def solver(dataset: Dataset, network: str, view: str) -> str:
    """The text of solvers/<dataset>/<network>_<view>.prototxt."""
    variant = f"{dataset.name}/{network}_{view}"
    every = stated("demo.evaluate_every" if dataset.is_demo else "evaluation.every")
    snapshot = stated("demo.snapshot_every" if dataset.is_demo else "evaluation.snapshot_every")
    return f"""\
{heading(dataset, network, view)}\
net: "prototxt/{variant}/train_val.prototxt"
type: "SGD"
base_lr: {stated("finetuning.learning_rate")}
lr_policy: "{stated("finetuning.lr_policy")}"
momentum: {stated("finetuning.momentum")}
weight_decay: {stated("finetuning.weight_decay")}
max_iter: {reported_iteration(dataset.name)}
random_seed: {stated("finetuning.seed")}
# {dataset.test_photos:,} test photos in batches of {dataset.test_batch}
test_iter: {dataset.test_photos // dataset.test_batch}
test_interval: {every}
display: 20
snapshot: {snapshot}
snapshot_prefix: "solvers/{variant}"
"""
