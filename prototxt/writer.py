"""What the writer gives: the text of each generated file, and where it belongs."""

from collections.abc import Iterator

from dataset import Dataset
from paper import NETWORKS, PRETRAINED, STARTS, VIEWS, variant_name
from prototxt.generated import GeneratedFile
from prototxt.nets import deploy, train_val
from prototxt.solver import solver


def of_dataset(dataset: Dataset) -> Iterator[GeneratedFile]:
    """The nets and the solvers of a dataset."""
    for network in NETWORKS:
        for view in VIEWS:
            for start in STARTS:
                yield from of_variant(dataset, network, view, start)


def of_variant(dataset: Dataset, network: str, view: str, start: str = PRETRAINED) -> Iterator[GeneratedFile]:
    """The net and the solver of a network, a view and a start."""
    variant = f"{dataset.name}/{variant_name(network, view, start)}"
    yield GeneratedFile(f"prototxt/{variant}/train_val.prototxt", variant, train_val(dataset, network, view, start))
    yield GeneratedFile(f"solvers/{variant}.prototxt", variant, solver(dataset, network, view, start))


def to_deploy() -> Iterator[GeneratedFile]:
    """The nets without data and loss: the full-size ones, and the demo's."""
    for network in NETWORKS:
        yield GeneratedFile(f"prototxt/{network}/deploy.prototxt", network, deploy("ava-large", network))
        yield GeneratedFile(f"prototxt/demo/{network}/deploy.prototxt", f"demo/{network}", deploy("demo", network))
