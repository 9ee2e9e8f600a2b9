"""AlexNet and VGG-16 with a new 2-class last layer, in caffe.NetSpec (paper III-B; Figure 2).

The two bodies keep the layer names of the published models (Caffe's bvlc_alexnet, the 16-layer model of the VGG
group), so that Caffe copies the pretrained weights by name; only the last layer has a new name and starts from
its filler. Figure 2 puts normalisation before pooling: bvlc_alexnet does, CaffeNet does not. Everything that the paper
states about rates, batches and crops comes from paper.toml.
"""

from collections.abc import Callable
from dataclasses import dataclass

from caffe import NetSpec, params
from caffe import layers as L
from caffe.net_spec import Top, to_proto
from caffe.proto import caffe_pb2

from dataset import Dataset
from paper import LAST_LAYER, PRETRAINED, stated
from prototxt.heading import heading
from prototxt.messages import text
from prototxt.starts import BEGIN

DEPLOY_BATCH = 10  # as in Caffe's own deploy.prototxt files


@dataclass(frozen=True)
class Width:
    """What the layers' sizes are divided by: 1 for the paper's networks, more for the demo's."""

    channels: int = 1
    units: int = 1


def rates(lr_mult: float) -> list[dict[str, float]]:
    """The `param` blocks of a layer's weights and bias: one learning rate, weight decay on the weights alone."""
    bias_lr_mult = lr_mult * stated("finetuning.bias_lr_mult")
    return [
        {"lr_mult": lr_mult, "decay_mult": stated("finetuning.weight_decay_mult")},
        {"lr_mult": bias_lr_mult, "decay_mult": stated("finetuning.bias_decay_mult")},
    ]


def gaussian(std: float) -> dict:
    return {"type": "gaussian", "std": std}


def constant(value: float) -> dict:
    return {"type": "constant", "value": value}


def conv_relu(bottom: Top, channels: int, kernel: int, bias: float = 0, **shape: int) -> tuple:
    """A convolution and its ReLU in place."""
    conv = L.Convolution(
        bottom,
        num_output=channels,
        kernel_size=kernel,
        **shape,
        param=rates(1),
        weight_filler=gaussian(0.01),
        bias_filler=constant(bias),
    )
    return conv, L.ReLU(conv, in_place=True)


def fc_relu_drop(bottom: Top, units: int) -> tuple:
    """A fully connected layer, its ReLU and its dropout in place."""
    fc = L.InnerProduct(
        bottom,
        num_output=units,
        param=rates(1),
        weight_filler=gaussian(0.005),
        bias_filler=constant(0.1),
    )
    relu = L.ReLU(fc, in_place=True)
    return fc, relu, L.Dropout(relu, dropout_ratio=0.5, in_place=True)


def norm(bottom: Top) -> Top:
    """AlexNet's response normalisation, across channels."""
    return L.LRN(bottom, local_size=5, alpha=1e-4, beta=0.75)


def max_pool(bottom: Top, kernel: int, stride: int) -> Top:
    return L.Pooling(bottom, pool=params.Pooling.MAX, kernel_size=kernel, stride=stride)


def alexnet(n: NetSpec, width: Width) -> Top:
    """AlexNet from n.data to its second fully connected layer [12]; 227x227 in, 6x6 into fc6."""
    c, u = width.channels, width.units
    n.conv1, n.relu1 = conv_relu(n.data, 96 // c, 11, stride=4)
    n.norm1 = norm(n.relu1)
    n.pool1 = max_pool(n.norm1, 3, 2)
    n.conv2, n.relu2 = conv_relu(n.pool1, 256 // c, 5, pad=2, group=2, bias=0.1)
    n.norm2 = norm(n.relu2)
    n.pool2 = max_pool(n.norm2, 3, 2)
    n.conv3, n.relu3 = conv_relu(n.pool2, 384 // c, 3, pad=1)
    n.conv4, n.relu4 = conv_relu(n.relu3, 384 // c, 3, pad=1, group=2, bias=0.1)
    n.conv5, n.relu5 = conv_relu(n.relu4, 256 // c, 3, pad=1, group=2, bias=0.1)
    n.pool5 = max_pool(n.relu5, 3, 2)
    n.fc6, n.relu6, n.drop6 = fc_relu_drop(n.pool5, 4096 // u)
    n.fc7, n.relu7, n.drop7 = fc_relu_drop(n.drop6, 4096 // u)
    return n.drop7


def vgg16(n: NetSpec, width: Width) -> Top:
    """The 16-layer network of [20] from n.data to its second fully connected layer; 224x224 in, 7x7 into fc6."""
    c, u = width.channels, width.units
    n.conv1_1, n.relu1_1 = conv_relu(n.data, 64 // c, 3, pad=1)
    n.conv1_2, n.relu1_2 = conv_relu(n.relu1_1, 64 // c, 3, pad=1)
    n.pool1 = max_pool(n.relu1_2, 2, 2)
    n.conv2_1, n.relu2_1 = conv_relu(n.pool1, 128 // c, 3, pad=1)
    n.conv2_2, n.relu2_2 = conv_relu(n.relu2_1, 128 // c, 3, pad=1)
    n.pool2 = max_pool(n.relu2_2, 2, 2)
    n.conv3_1, n.relu3_1 = conv_relu(n.pool2, 256 // c, 3, pad=1)
    n.conv3_2, n.relu3_2 = conv_relu(n.relu3_1, 256 // c, 3, pad=1)
    n.conv3_3, n.relu3_3 = conv_relu(n.relu3_2, 256 // c, 3, pad=1)
    n.pool3 = max_pool(n.relu3_3, 2, 2)
    n.conv4_1, n.relu4_1 = conv_relu(n.pool3, 512 // c, 3, pad=1)
    n.conv4_2, n.relu4_2 = conv_relu(n.relu4_1, 512 // c, 3, pad=1)
    n.conv4_3, n.relu4_3 = conv_relu(n.relu4_2, 512 // c, 3, pad=1)
    n.pool4 = max_pool(n.relu4_3, 2, 2)
    n.conv5_1, n.relu5_1 = conv_relu(n.pool4, 512 // c, 3, pad=1)
    n.conv5_2, n.relu5_2 = conv_relu(n.relu5_1, 512 // c, 3, pad=1)
    n.conv5_3, n.relu5_3 = conv_relu(n.relu5_2, 512 // c, 3, pad=1)
    n.pool5 = max_pool(n.relu5_3, 2, 2)
    n.fc6, n.relu6, n.drop6 = fc_relu_drop(n.pool5, 4096 // u)
    n.fc7, n.relu7, n.drop7 = fc_relu_drop(n.drop6, 4096 // u)
    return n.drop7


BODIES: dict[str, Callable[[NetSpec, Width], Top]] = {"alexnet": alexnet, "vgg16": vgg16}


def width(dataset: str, network: str) -> Width:
    """The width of `network` on `dataset`: the paper's, but for the demo."""
    if dataset != "demo":
        return Width()
    return Width(stated(f"demo.{network}.channels"), stated(f"demo.{network}.units"))


def last_layer(bottom: Top) -> Top:
    """The 2-class layer that replaces the pretrained model's last one, with its ten times higher rate (III-B.2)."""
    lr_mult = stated("finetuning.last_layer_learning_rate") / stated("finetuning.learning_rate")
    return L.InnerProduct(
        bottom,
        num_output=stated("finetuning.classes"),
        param=rates(round(lr_mult, 6)),
        weight_filler={"type": stated("finetuning.last_layer_filler")},
        bias_filler=constant(0),
    )


def data_layer(network: str, phase: str, source: str, batch: int) -> tuple[Top, Top]:
    """The Data layer of one phase: crops and mirrors at random in TRAIN, crops the centre in TEST."""
    return L.Data(
        name="data",
        ntop=2,
        include={"phase": getattr(caffe_pb2, phase)},
        transform_param={
            "mirror": stated("finetuning.mirror") and phase == "TRAIN",
            "crop_size": stated(f"networks.{network}.crop_size"),
            "mean_value": stated(f"networks.{network}.mean_bgr"),
        },
        data_param={"source": source, "batch_size": batch, "backend": params.Data.LMDB},
    )


def train_val(dataset: Dataset, network: str, view: str, start: str = PRETRAINED) -> str:
    """The text of train_val.prototxt; its LMDBs lie in data/<dataset>, below the folder where Caffe is started."""
    train, test = (f"data/{dataset.name}/{split}_{view}_lmdb" for split in ("train", "test"))
    n = NetSpec()
    n.data, n.label = data_layer(network, "TRAIN", train, stated(f"finetuning.batch_size.{network}"))
    n.tops[LAST_LAYER] = last_layer(BODIES[network](n, width(dataset.name, network)))
    n.accuracy = L.Accuracy(n.tops[LAST_LAYER], n.label, include={"phase": caffe_pb2.TEST})
    n.loss = L.SoftmaxWithLoss(n.tops[LAST_LAYER], n.label)

    net = n.to_proto()
    test_data = to_proto(*data_layer(network, "TEST", test, dataset.test_batch)).layer[0]
    test_data.top[:] = net.layer[0].top
    net.layer.insert(1, test_data)
    BEGIN[start](net, network)
    net.name = f"{stated(f'networks.{network}.name')} {view} view, {dataset.name}"
    return heading(dataset, network, view, start) + text(net)


def deploy(dataset: str, network: str) -> str:
    """The text of deploy.prototxt: an Input layer of ready 3 x crop x crop pictures, and p(bad), p(good) as `prob`."""
    crop = stated(f"networks.{network}.crop_size")
    n = NetSpec()
    n.data = L.Input(shape={"dim": [DEPLOY_BATCH, 3, crop, crop]})
    n.tops[LAST_LAYER] = last_layer(BODIES[network](n, width(dataset, network)))
    n.prob = L.Softmax(n.tops[LAST_LAYER])
    net = n.to_proto()
    net.name = stated(f"networks.{network}.name")
    return text(net)
