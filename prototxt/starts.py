"""What a net begins from, and how its layers learn then: what this changes in a net and its solver.

The nets in nets.py are those of fine-tuning: all layers but the last begin from the pretrained model. From scratch, as
IV-D compares it, every layer begins from its filler and learns at one rate.
"""

from collections.abc import Callable

from google.protobuf.message import Message

from paper import PRETRAINED, SCRATCH, stated

SAID = {SCRATCH: "from scratch: every layer begins from its filler, all at one rate (IV-D has no number of it)"}


def base_lr(network: str, start: str) -> float:
    """The solver's rate, which each layer multiplies by its lr_mult."""
    return stated(f"scratch.{network}.learning_rate" if start == SCRATCH else "finetuning.learning_rate")


def pretrained(_net: Message, _network: str) -> None:
    """Leave a net as it is: the layers' names decide what is copied from the pretrained model."""


def scratch(net: Message, network: str) -> None:
    """Have every layer of a net learn at one rate, and give its convolutions the fillers of paper.toml.

    gaussian: those that the net has, Caffe's AlexNet's. msra: all but the first get Gaussians as wide as their inputs
    ask for, which keeps the signal's size; the first one's brings pixels, of a deviation of some 60, down to about 2.
    """
    for layer in net.layer:
        for param, lr_mult in zip(layer.param, (1, stated("finetuning.bias_lr_mult")), strict=False):
            param.lr_mult = lr_mult
    _, *others = (layer.convolution_param for layer in net.layer if layer.type == "Convolution")
    for layer in others if stated(f"scratch.{network}.filler") == "msra" else ():
        layer.weight_filler.Clear()
        layer.weight_filler.type = "msra"


BEGIN: dict[str, Callable[[Message, str], None]] = {PRETRAINED: pretrained, SCRATCH: scratch}
