"""AlexNet and VGG-16 as a reader of the paper writes them in PyTorch: Figure 2, [12] and [20], no prototxt.

The layers have Caffe's names, so that a blob is found by its layer. At 227 and 224 pixels every
window fits exactly, so it makes no difference that Caffe rounds a pooled size up and PyTorch down. LRN divides alpha by
local_size in both.
"""

from collections import OrderedDict
from itertools import pairwise

from torch.nn import Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, MaxPool2d, Module, ReLU, Sequential
from torch.optim import SGD

from paper import LAST_LAYER, stated


def alexnet(channels: int = 1, units: int = 1, dropout: float = 0.5) -> Sequential:
    """From n x 3 x 227 x 227 to n x 2; all sizes are divided by `channels` and `units` (1 but for the demo)."""
    c, u = channels, units
    layers: dict[str, Module] = OrderedDict()
    layers["conv1"] = Conv2d(3, 96 // c, 11, stride=4)
    layers["relu1"] = ReLU()
    layers["norm1"] = LocalResponseNorm(5, alpha=1e-4, beta=0.75)
    layers["pool1"] = MaxPool2d(3, 2)
    layers["conv2"] = Conv2d(96 // c, 256 // c, 5, padding=2, groups=2)
    layers["relu2"] = ReLU()
    layers["norm2"] = LocalResponseNorm(5, alpha=1e-4, beta=0.75)
    layers["pool2"] = MaxPool2d(3, 2)
    layers["conv3"] = Conv2d(256 // c, 384 // c, 3, padding=1)
    layers["relu3"] = ReLU()
    layers["conv4"] = Conv2d(384 // c, 384 // c, 3, padding=1, groups=2)
    layers["relu4"] = ReLU()
    layers["conv5"] = Conv2d(384 // c, 256 // c, 3, padding=1, groups=2)
    layers["relu5"] = ReLU()
    layers["pool5"] = MaxPool2d(3, 2)
    return Sequential(layers | classifier(256 // c * 6 * 6, 4096 // u, dropout))


def vgg16(channels: int = 1, units: int = 1, dropout: float = 0.5) -> Sequential:
    """From n x 3 x 224 x 224 to n x 2: configuration D, blocks of 3 x 3 convolutions that end in a pooling."""
    layers: dict[str, Module] = OrderedDict()
    width = 3
    for block, widths in enumerate(([64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3), 1):
        widths = [width, *(full // channels for full in widths)]
        for i, (before, width) in enumerate(pairwise(widths), 1):
            layers[f"conv{block}_{i}"] = Conv2d(before, width, 3, padding=1)
            layers[f"relu{block}_{i}"] = ReLU()
        layers[f"pool{block}"] = MaxPool2d(2, 2)
    return Sequential(layers | classifier(width * 7 * 7, 4096 // units, dropout))


def classifier(inputs: int, units: int, dropout: float) -> dict[str, Module]:
    """The three fully connected layers that both networks end in, the last one of two classes (III-B.2)."""
    return OrderedDict(
        flatten=Flatten(),
        fc6=Linear(inputs, units),
        relu6=ReLU(),
        drop6=Dropout(dropout),
        fc7=Linear(units, units),
        relu7=ReLU(),
        drop7=Dropout(dropout),
        **{LAST_LAYER: Linear(units, 2)},
    )


NETS = {"alexnet": alexnet, "vgg16": vgg16}


def optimizer(net: Sequential) -> SGD:
    """The paper's rates: one for the last layer, one for all others (III-B.2); weights decay, biases do not."""
    groups = [
        {
            "name": name,
            "params": [parameter],
            "lr": stated(f"finetuning.{'last_layer_' * name.startswith(LAST_LAYER)}learning_rate"),
            "weight_decay": stated("finetuning.weight_decay") if name.endswith("weight") else 0,
        }
        for name, parameter in net.named_parameters()
    ]
    return SGD(groups, momentum=stated("finetuning.momentum"))
