"""The text of a solver: stochastic gradient descent with the paper's rates (III-B.2)."""

from paper import stated
from prototxt.heading import heading


def solver(dataset: str, network: str, view: str) -> str:
    """The text of solvers/<dataset>/<network>_<view>.prototxt."""
    demo = dataset == "demo"
    variant = f"{dataset}/{network}_{view}"
    max_iter = stated("demo.max_iter" if demo else "finetuning.max_iter")
    every = stated("demo.evaluate_every" if demo else "evaluation.every")
    snapshot = stated("demo.snapshot_every" if demo else "evaluation.snapshot_every")
    return f"""\
{heading(dataset, network, view)}\
net: "prototxt/{variant}/train_val.prototxt"
type: "SGD"
base_lr: {stated("finetuning.learning_rate")}
lr_policy: "{stated("finetuning.lr_policy")}"
momentum: {stated("finetuning.momentum")}
weight_decay: {stated("finetuning.weight_decay")}
max_iter: {max_iter}
random_seed: {stated("finetuning.seed")}
# {_test_photos(dataset):,} test photos in batches of {_test_batch(dataset)}
test_iter: {_test_photos(dataset) // _test_batch(dataset)}
test_interval: {every}
display: 20
snapshot: {snapshot}
snapshot_prefix: "solvers/{variant}"
"""


def _test_photos(dataset: str) -> int:
    return stated(f"partitions.{dataset}.test")


def _test_batch(dataset: str) -> int:
    return stated(f"evaluation.batch_size.{dataset}")
