"""The text of a solver: stochastic gradient descent with the paper's rates (III-B.2), or another start's."""

from dataset import Dataset
from paper import PRETRAINED, reported_iteration, stated, variant_name
from prototxt.heading import heading
from prototxt.starts import base_lr


def solver(dataset: Dataset, network: str, view: str, start: str = PRETRAINED, edit: str = "") -> str:
    """The text of solvers/<dataset>/<network>_<view>[_<start>].prototxt, or what an edit of this name begins from."""
    variant = f"{dataset.name}/{variant_name(network, view, start, edit)}"
    every = stated("demo.evaluate_every" if dataset.is_demo else "evaluation.every")
    snapshot = stated("demo.snapshot_every" if dataset.is_demo else "evaluation.snapshot_every")
    return f"""\
{heading(dataset, network, view, start, edit)}\
net: "prototxt/{variant}/train_val.prototxt"
type: "SGD"
base_lr: {base_lr(network, start)}
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
