"""What a net begins from, and how its layers learn then: what this changes in a net and its solver.

The nets in nets.py are those of fine-tuning: all layers but the last begin from the pretrained model. From scratch, as
IV-D compares it, every layer begins from its filler and learns at one rate. Frozen, as II says of [5], the net is a
means to get features: all layers but the last stay as they are in the pretrained model.
"""

from collections.abc import Callable

from google.protobuf.message import Message

from paper import FROZEN, LAST_LAYER, PRETRAINED, SCRATCH, stated

SAID = {
    SCRATCH: "from scratch: every layer begins from its filler, all at one rate (IV-D has no number of it)",
    FROZEN: "frozen: all layers but the last stay as in the pretrained model (II, of [5])",
}


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


def frozen(net: Message, _network: str) -> None:
    """Let no layer of a net learn but the last, nor decay.

    That is enough for Caffe to compute no gradient below it, not even for the last layer's input: a layer is skipped
    backward where neither it nor any layer below has an lr_mult (net.cpp, Init). No `propagate_down` is needed.
    """
    for layer in net.layer:
        for param in layer.param if layer.name != LAST_LAYER else ():
            param.lr_mult = param.decay_mult = 0


BEGIN: dict[str, Callable[[Message, str], None]] = {PRETRAINED: pretrained, SCRATCH: scratch, FROZEN: frozen}
