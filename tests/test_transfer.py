"""Which layers start from the pretrained weights: by name, shapes compared as Caffe compares them."""

from user_error import UserError

from types import SimpleNamespace

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from caffe.proto import caffe_pb2

from experiments.transfer import Transfer, check, examine
from paper import LAST_LAYER


def net(**shapes: list[tuple[int, ...]]) -> SimpleNamespace:
    return SimpleNamespace(params={name: [SimpleNamespace(shape=s) for s in each] for name, each in shapes.items()})


@pytest.fixture
def old_model(tmp_path):
    """A model as the files of 2014 are: `layers`, blobs of four axes."""
    param = caffe_pb2.NetParameter()
    for name in ("fc7", "fc8"):
        layer = param.layers.add(name=name)
        layer.blobs.add(num=1, channels=1, height=6, width=4)
        layer.blobs.add(num=1, channels=1, height=1, width=6)
    param.layers.add(name="relu7")
    (tmp_path / "old.caffemodel").write_bytes(param.SerializeToString())
    return tmp_path / "old.caffemodel"


def test_a_model_in_an_old_format_is_copied_by_name(old_model):
    fc = [(6, 4), (6,)]
    found = examine(net(fc7=fc, **{LAST_LAYER: [(2, 6), (2,)]}), old_model)
    assert found == Transfer(copied=["fc7"], new=[LAST_LAYER], ignored=["fc8"])
    check(found)


@pytest.mark.parametrize("weights", [(4, 6), (6, 5), (6, 4, 1), (24,)])
def test_another_shape_under_the_same_name_is_refused(old_model, weights):
    with pytest.raises(UserError, match=r"layer fc7: .* in the net, 1x1x6x4 in .*: a layer of another shape needs"):
        examine(net(fc7=[weights, (6,)]), old_model)


def test_a_layer_that_lost_or_got_its_bias_is_refused(old_model):
    with pytest.raises(UserError, match="layer fc7: `bias_term: false` in the net"):
        examine(net(fc7=[(6, 4)]), old_model)
    with pytest.raises(UserError, match="layer fc7: a bias in the net"):
        examine(net(fc7=[(6, 4), (6,), (6,)]), old_model)


@pytest.mark.parametrize("new", [[], ["fc7"], ["fc7", LAST_LAYER]])
def test_the_last_layer_alone_may_start_from_its_filler(new):
    with pytest.raises(UserError, match=f"would start from fillers, not {LAST_LAYER} alone"):
        check(Transfer([], new, []))
