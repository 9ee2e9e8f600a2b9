"""The networks are the papers' networks, Caffe loads them, and the committed files are what the writer writes."""

import hashlib
import os
import subprocess
import sys
from itertools import product

import pytest

caffe = pytest.importorskip("caffe")
from caffe.proto import caffe_pb2  # noqa: E402
from google.protobuf import text_format  # noqa: E402

from dataset import find  # noqa: E402
from paper import DATASETS, LAST_LAYER, NETWORKS, ROOT, STARTS, VIEWS, stated, variant_name  # noqa: E402
from prototxt.__main__ import generated_files  # noqa: E402
from prototxt.generated import MARK  # noqa: E402
from prototxt.nets import deploy, train_val  # noqa: E402

# layer, what it is, output channels, kernel, stride, pad, group (Krizhevsky et al. 2012, as in bvlc_alexnet)
ALEXNET = """
conv1 Convolution 96 11 4 0 1
relu1 ReLU
norm1 LRN
pool1 Pooling 3 2
conv2 Convolution 256 5 1 2 2
relu2 ReLU
norm2 LRN
pool2 Pooling 3 2
conv3 Convolution 384 3 1 1 1
relu3 ReLU
conv4 Convolution 384 3 1 1 2
relu4 ReLU
conv5 Convolution 256 3 1 1 2
relu5 ReLU
pool5 Pooling 3 2
fc6 InnerProduct 4096
relu6 ReLU
drop6 Dropout 0.5
fc7 InnerProduct 4096
relu7 ReLU
drop7 Dropout 0.5
fc8_aesthetics InnerProduct 2
"""

# configuration D of Simonyan and Zisserman 2014: channels of the convolutions of each block
VGG16_BLOCKS = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]


def vgg16_table() -> str:
    lines = []
    for block, (channels, convolutions) in enumerate(VGG16_BLOCKS, 1):
        for i in range(1, convolutions + 1):
            lines += [f"conv{block}_{i} Convolution {channels} 3 1 1 1", f"relu{block}_{i} ReLU"]
        lines.append(f"pool{block} Pooling 2 2")
    for i in (6, 7):
        lines += [f"fc{i} InnerProduct 4096", f"relu{i} ReLU", f"drop{i} Dropout 0.5"]
    return "\n".join([*lines, "fc8_aesthetics InnerProduct 2"])


TABLES = {"alexnet": ALEXNET, "vgg16": vgg16_table()}
PARAMETERS = {"alexnet": 56_876_418, "vgg16": 134_268_738}
INPUT_OF_FC6 = {"alexnet": 9216, "vgg16": 25088}


def described(layer: caffe_pb2.LayerParameter) -> str:
    """A layer in the words of the tables above."""
    words = [layer.name, layer.type]
    if layer.type == "Convolution":
        c = layer.convolution_param
        words += [c.num_output, c.kernel_size[0], *(c.stride or [1]), *(c.pad or [0]), c.group]
    elif layer.type == "Pooling":
        assert layer.pooling_param.pool == caffe_pb2.PoolingParameter.MAX
        words += [layer.pooling_param.kernel_size, layer.pooling_param.stride]
    elif layer.type == "InnerProduct":
        words.append(layer.inner_product_param.num_output)
    elif layer.type == "Dropout":
        words.append(layer.dropout_param.dropout_ratio)
    elif layer.type == "LRN":
        lrn = layer.lrn_param
        assert (lrn.local_size, lrn.beta) == (5, 0.75)
        assert lrn.alpha == pytest.approx(1e-4)
    return " ".join(str(word) for word in words)


def written_net(dataset: str, network: str, view: str) -> caffe_pb2.NetParameter:
    return parsed(train_val(find(dataset, ROOT / "data"), network, view))


def parsed(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


@pytest.mark.parametrize("network", NETWORKS)
def test_topology_is_the_papers_layer_by_layer(network):
    layers = parsed(deploy("ava-large", network)).layer
    ours = [described(layer) for layer in layers if layer.type not in ("Input", "Softmax")]
    assert ours == TABLES[network].strip().splitlines()


@pytest.mark.parametrize("network", NETWORKS)
def test_demo_has_the_same_layers_only_narrower(network):
    full, demo = parsed(deploy("ava-large", network)), parsed(deploy("demo", network))
    assert [(layer.name, layer.type) for layer in demo.layer] == [(layer.name, layer.type) for layer in full.layer]
    assert described(demo.layer[1]) != described(full.layer[1])


@pytest.mark.parametrize("network", NETWORKS)
def test_caffe_counts_the_papers_parameters(network):
    net = caffe.Net(str(ROOT / f"prototxt/{network}/deploy.prototxt"), caffe.TEST)
    assert sum(blob.data.size for blobs in net.params.values() for blob in blobs) == PARAMETERS[network]
    assert net.params["fc6"][0].data.shape == (4096, INPUT_OF_FC6[network])
    assert net.blobs["prob"].data.shape[1] == 2


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("network", NETWORKS)
def test_last_layer_learns_ten_times_faster_and_nothing_else_does(dataset, network):
    for layer in written_net(dataset, network, "global").layer:
        if layer.param:
            factor = 10 if layer.name == LAST_LAYER else 1
            assert [p.lr_mult for p in layer.param] == [factor, factor], layer.name
            assert [p.decay_mult for p in layer.param] == [1, 0], layer.name
        else:
            assert layer.type not in ("Convolution", "InnerProduct")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("view", VIEWS)
def test_data_layers_read_the_view_and_augment_in_training_alone(network, view):
    train, test = written_net("ava-large", network, view).layer[:2]
    assert train.data_param.source == f"data/ava-large/train_{view}_lmdb"
    assert test.data_param.source == f"data/ava-large/test_{view}_lmdb"
    assert (train.include[0].phase, test.include[0].phase) == (caffe_pb2.TRAIN, caffe_pb2.TEST)
    assert (train.transform_param.mirror, test.transform_param.mirror) == (True, False)
    assert train.transform_param.crop_size == {"alexnet": 227, "vgg16": 224}[network]
    assert train.data_param.batch_size == {"alexnet": 50, "vgg16": 20}[network]


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name != "demo"])
def test_solver_is_the_papers_and_its_test_covers_the_papers_test_set(dataset):
    text = (ROOT / f"solvers/{dataset}/alexnet_global.prototxt").read_text()
    solver = text_format.Parse(text, caffe_pb2.SolverParameter())
    test = written_net(dataset, "alexnet", "global").layer[1]
    assert solver.base_lr == pytest.approx(0.0001)
    assert solver.max_iter == 10_000
    assert solver.test_iter[0] * test.data_param.batch_size == stated(f"partitions.{dataset}.test")


def test_committed_files_are_what_the_writer_writes():
    for file in generated_files():
        written = (ROOT / file.path).read_text(encoding="utf-8")
        assert written.partition("\n")[2] == file.text, f"{file.path}: `make prototxt` writes it again"
        digest = hashlib.sha256(file.text.encode()).hexdigest()
        assert written.startswith(MARK.format(name=file.name, digest=digest)), file.path


def test_the_writer_writes_a_net_and_a_solver_for_every_variant_and_two_nets_to_deploy_for_each_network():
    variants = [f"{names[0]}/{variant_name(*names[1:])}" for names in product(DATASETS, NETWORKS, VIEWS, STARTS)]
    paths = [file.path for file in generated_files()]
    assert sorted(paths) == sorted(
        [f"prototxt/{variant}/train_val.prototxt" for variant in variants]
        + [f"solvers/{variant}.prototxt" for variant in variants]
        + [f"prototxt/{folder}{network}/deploy.prototxt" for folder in ("", "demo/") for network in NETWORKS]
    )
    assert len(paths) == 124


def write(out, *options) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prototxt", "--out", str(out), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"GLOG_minloglevel": "2"},
    )
    return done.stdout


def test_writer_keeps_an_edited_file_until_forced(tmp_path):
    write(tmp_path)
    path = "solvers/demo/alexnet_local.prototxt"
    solver = tmp_path / path
    original = solver.read_text()
    solver.write_text(edited := original.replace("max_iter: ", "max_iter: 1"))
    (said,) = write(tmp_path).splitlines()
    assert said.startswith(f"kept as edited: {path}")
    assert f"-m prototxt --out {tmp_path} --force` overwrites edits" in said
    assert solver.read_text() == edited
    assert write(tmp_path, "--force") == f"written: {path}\n"
    assert solver.read_text() == original
