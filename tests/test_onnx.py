"""Each layer gives in ONNX what it gives in Caffe, in odd shapes too; what is not covered is refused by name."""

import itertools

import numpy as np
import pytest

caffe = pytest.importorskip("caffe")
onnx = pytest.importorskip("onnx")
from user_error import UserError  # noqa: E402

import cv2  # noqa: E402
import onnxruntime  # noqa: E402

from deploy import onnx_model  # noqa: E402
from deploy.export_check import LARGEST  # noqa: E402
from deploy.net import ScoringNet, Transform  # noqa: E402
from deploy.onnx_layers import LAYERS  # noqa: E402
from paper import LAST_LAYER  # noqa: E402
from prototxt import messages  # noqa: E402
from prototxt.messages import caffe_pb2  # noqa: E402

BATCH, SIDE = 3, 13
MEAN = np.array([104, 117, 123], np.float32).reshape(3, 1, 1)


def layer(kind, parameters="", bottom="c", top="x", name="tried") -> str:
    blobs = "".join([f' bottom: "{blob}"' for blob in bottom.split()] + [f' top: "{blob}"' for blob in top.split()])
    return f'layer {{ name: "{name}" type: "{kind}"{blobs} {parameters} }}\n'


def conv_relu(name="conv", top="c") -> str:
    parameters = "convolution_param { num_output: 6 kernel_size: 3 pad: 1 }"
    return layer("Convolution", parameters, "data", top, name) + layer("ReLU", "", top, top, f"relu_{name}")


CONV = conv_relu()
BOTH = CONV + conv_relu("other", "d")
SIGNED = CONV + layer("Power", "power_param { shift: -1 scale: 2 }", top="n", name="signed")  # also below 0
LAYER_NETS = {
    "AbsVal": SIGNED + layer("AbsVal", bottom="n"),
    "BatchNorm": CONV + layer("BatchNorm"),
    "BatchNorm, Scale in place": CONV
    + layer("BatchNorm")
    + layer("Scale", "scale_param { bias_term: true }", "x", name="scale"),
    "BatchNorm, eps": CONV + layer("BatchNorm", "batch_norm_param { eps: 0.1 use_global_stats: true }"),
    "Bias": CONV + layer("Bias", "bias_param { axis: 2 num_axes: -1 }"),
    "Concat": BOTH + layer("Concat", bottom="c d c"),
    "Concat, last axis": BOTH + layer("Concat", "concat_param { axis: -1 }", "c d"),
    "Convolution": CONV + layer("Convolution", "convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 2 }"),
    "Convolution, groups": CONV
    + layer(
        "Convolution",
        "convolution_param { num_output: 4 group: 2 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 }",
    ),
    "Convolution, dilated": CONV
    + layer(
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 kernel_size: 2 dilation: 2 dilation: 1 bias_term: false }",
    ),
    "Deconvolution": CONV
    + layer("Deconvolution", "convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 group: 2 }"),
    "Dropout": CONV + layer("Dropout", bottom="c", top="c") + layer("Split", top="x y", name="split"),
    "ELU": SIGNED + layer("ELU", "elu_param { alpha: 0.5 }", "n"),
    "Eltwise, sum": BOTH + layer("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 coeff: 2 }", "c d d"),
    "Eltwise, product": BOTH + layer("Eltwise", "eltwise_param { operation: PROD }", "c d"),
    "Eltwise, maximum": BOTH + layer("Eltwise", "eltwise_param { operation: MAX }", "c d"),
    "Flatten": CONV + layer("Flatten"),
    "Flatten, from axis 2": CONV + layer("Flatten", "flatten_param { axis: 2 }"),
    "InnerProduct": CONV + layer("InnerProduct", "inner_product_param { num_output: 5 }"),
    "InnerProduct, transposed": CONV
    + layer("InnerProduct", "inner_product_param { num_output: 5 transpose: true bias_term: false }"),
    "LRN": CONV + layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 beta: 0.6 }"),
    "LRN, size 5": CONV + layer("LRN", "lrn_param { alpha: 2 }"),
    "LRN, within channel": CONV
    + layer("LRN", "lrn_param { local_size: 3 alpha: 5 k: 2 beta: 0.6 norm_region: WITHIN_CHANNEL }"),
    "PReLU": SIGNED + layer("PReLU", bottom="n"),
    "PReLU, shared": SIGNED + layer("PReLU", "prelu_param { channel_shared: true }", "n"),
    "Pooling, global": CONV + layer("Pooling", "pooling_param { pool: AVE global_pooling: true }"),
    "Pooling, two sizes": CONV
    + layer("Pooling", "pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 1 }"),
    "Power": CONV + layer("Power", "power_param { shift: 1 scale: 0.5 power: -1.5 }"),
    "ReLU, leaky": SIGNED + layer("ReLU", "relu_param { negative_slope: 0.2 }", "n"),
    "Reshape": CONV + layer("Reshape", f"reshape_param {{ shape {{ dim: 0 dim: 2 dim: -1 dim: {SIDE} }} }}"),
    "Reshape, some axes": CONV
    + layer("Reshape", "reshape_param { shape { dim: 3 dim: -1 } axis: 1 num_axes: 2 }", name="conv_weights"),
    "Scale, one number": CONV + layer("Scale", "scale_param { num_axes: 0 bias_term: true }"),
    "Sigmoid": SIGNED + layer("Sigmoid", bottom="n"),
    "Slice": CONV
    + layer("Slice", "slice_param { slice_point: 2 }", top="p q")
    + layer("Concat", bottom="q p", name="q"),
    "Softmax": CONV + layer("Softmax", "softmax_param { axis: 2 }"),
    "Split": CONV + layer("Split", top="x y"),
    "TanH": SIGNED + layer("TanH", bottom="n"),
}
REFUSED = {
    "a layer that is none of AbsVal, ": layer("MVN"),
    "pool: STOCHASTIC": layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
    "a window that is wholly outside of the picture": layer("Pooling", "pooling_param { kernel_size: 1 stride: 5 }"),
    "2 tops": layer("Pooling", "pooling_param { kernel_size: 2 }", top="x y"),
    "axis: 2": layer("InnerProduct", "inner_product_param { axis: 2 num_output: 3 }"),
    "by which a photo's score depends on its batch": layer("BatchNorm", "batch_norm_param { use_global_stats: false }"),
    "an axis that runs over the photos of a batch": layer("Softmax", "softmax_param { axis: 0 }"),
    "a shape that mixes the photos of a batch": layer("Reshape", "reshape_param { shape { dim: -1 dim: 6 dim: 13 } }"),
    "a second bottom": layer("Scale", "scale_param { axis: 0 }", "c c"),
}


@pytest.fixture
def written(tmp_path):
    """written(layers, loaded, side): the model that a net, which Caffe has loaded, becomes."""

    def written(layers, loaded, side=SIDE):
        param = messages.parse(_net(layers, side), caffe_pb2.NetParameter())
        net = ScoringNet(
            "tried", "demo", "alexnet", "global", False, 1, param, "data", LAST_LAYER, BATCH,
            Transform(side, MEAN, 1 / 64), None, tmp_path / "none",
        )  # fmt: skip
        weights = {name: [blob.data for blob in blobs] for name, blobs in loaded.params.items()}
        shapes = {name: tuple(blob.shape) for name, blob in loaded.blobs.items()}
        onnx_model.write(tmp_path / "model.onnx", net, weights, shapes)
        return tmp_path / "model.onnx"

    return written


@pytest.fixture
def load(tmp_path):
    """load(layers, side): the net in Caffe."""

    def load(layers, side=SIDE):
        (tmp_path / "net.prototxt").write_text(_net(layers, side))
        return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)

    return load


@pytest.fixture
def export(load, written):
    """export(layers, side): some views, p(good) of them by Caffe with random weights, and the model of the net."""

    def export(layers, side=SIDE):
        net, random = load(layers, side), np.random.default_rng(1)
        for name, blobs in net.params.items():
            kind = net.layers[list(net._layer_names).index(name)].type
            for blob in blobs:
                low = 0.1 if kind == "BatchNorm" else -1  # a variance and a count are above 0
                blob.data[...] = random.uniform(low, 1, blob.data.shape)
        views = random.integers(0, 256, (BATCH, 256, 256, 3), np.uint8)
        Transform(side, MEAN, 1 / 64).apply(views.transpose(0, 3, 1, 2), net.blobs["data"].data)
        _spread(net)
        outputs = net.forward()[LAST_LAYER].reshape(BATCH, 2).astype(float)
        return views, 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1])), written(layers, net, side)

    return export


def _net(layers, side) -> str:
    shape = f"dim: {BATCH} dim: 3 dim: {side} dim: {side}"
    photos = layer("Input", f"input_param {{ shape {{ {shape} }} }}", "", "data", "data")
    return photos + layers + layer("InnerProduct", "inner_product_param { num_output: 2 }", "x", LAST_LAYER, LAST_LAYER)


def _spread(net) -> None:
    """Set the last layer so that the photos' p(good) lie far apart, and no difference is lost in it."""
    weights, bias = (blob.data for blob in net.params[LAST_LAYER])
    bias[:] = 0
    differences = np.subtract(*net.forward()[LAST_LAYER].reshape(BATCH, 2).T)
    weights /= differences.std()
    bias[0] = -differences.mean() / differences.std()


def by_onnx(model, views) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["p_good"], {"views": views})[0]


@pytest.mark.parametrize("name", LAYER_NETS)
def test_a_layer_gives_what_it_gives_in_caffe(export, name):
    views, expected, model = export(LAYER_NETS[name])
    assert np.ptp(expected) > 0.3
    assert by_onnx(model, views) == pytest.approx(expected, abs=LARGEST)


def test_every_layer_that_is_covered_is_tried():
    assert {name.partition(",")[0] for name in LAYER_NETS} == {*LAYERS}


@pytest.mark.parametrize("side", [12, 13, 14, 15])
@pytest.mark.parametrize(("pool", "mode"), [*itertools.product(("MAX", "AVE"), ("CEIL", "FLOOR"))])
def test_pooling_cuts_its_last_windows_where_caffe_does(export, side, pool, mode):
    shapes = [(3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 2, 1), (3, 3, 2), (4, 3, 1), (5, 2, 2)]
    pools = "".join(
        layer(
            "Pooling",
            f"pooling_param {{ pool: {pool} kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {mode} }}",
            top=f"pool{number}",
            name=f"pool{number}",
        )
        + layer("Flatten", bottom=f"pool{number}", top=f"flat{number}", name=f"flat{number}")
        for number, (kernel, stride, pad) in enumerate(shapes)
    )
    flat = " ".join(f"flat{number}" for number in range(len(shapes)))
    views, expected, model = export(CONV + pools + layer("Concat", bottom=flat), side)
    assert by_onnx(model, views) == pytest.approx(expected, abs=LARGEST)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_covered_is_refused_by_the_layers_name(load, written, what):
    layers = CONV + REFUSED[what]
    with pytest.raises(UserError, match=rf"^layer tried \(\w+\): .*{what}.*cannot be written to ONNX$"):
        written(layers, load(layers))


def test_what_is_not_made_from_the_photo_is_refused(load, written):
    constant = layer("DummyData", "dummy_data_param { shape { dim: 3 dim: 6 dim: 13 dim: 13 } }", "", "e", "constant")
    layers = CONV + constant + layer("Eltwise", bottom="c e")
    with pytest.raises(UserError, match=r"^layer constant \(DummyData\): a layer that is none of"):
        written(layers, load(layers))


def test_the_model_is_sound_takes_any_number_of_views_and_says_how_to_make_them(export):
    views, expected, path = export(LAYER_NETS["Convolution, groups"])
    onnx.checker.check_model(str(path), full_check=True)
    for count in (1, 2, 7):
        many = np.resize(views, (count, *views.shape[1:]))
        assert by_onnx(path, many) == pytest.approx(np.resize(expected, count), abs=LARGEST)
    model = onnx.load(path)
    assert [each.name for each in model.graph.input] == ["views"]
    notes = {each.key: each.value for each in model.metadata_props}
    assert (notes["view"], notes["view_stored_as"]) == ("global", "pixels")


def test_the_file_that_is_written_by_hand_is_the_one_that_onnx_writes(export, tmp_path):
    _, _, path = export(LAYER_NETS["Scale, one number"])
    model = onnx.load(path)
    onnx.save(model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").stat().st_size == path.stat().st_size
    assert onnx.load(tmp_path / "again.onnx") == model


def test_a_mean_picture_is_cropped_as_the_photo_is():
    mean = np.arange(3 * 256 * 256, dtype=np.float32).reshape(3, 256, 256) % 251
    transform = Transform(SIDE, mean, 0.5)
    graph = onnx_model.Graph()
    onnx_model._transform(graph, transform)
    (less,) = (array for name, array in graph.constants.items() if name == "mean")
    assert np.array_equal(less, transform.cropped_mean)
    assert less.shape == (3, SIDE, SIDE)


@pytest.mark.parametrize("name", ["LRN", "LRN, within channel", "Pooling, two sizes", "Convolution, groups"])
def test_opencv_reads_it_too(export, name):
    views, expected, path = export(LAYER_NETS[name])
    net = cv2.dnn.readNetFromONNX(str(path))
    net.setInput(views.astype(np.float32))
    assert net.forward().ravel() == pytest.approx(expected, abs=1e-5)
