"""A pretrained model is used only when it is the registered file."""

from user_error import UserError

import hashlib

import pytest

from experiments import weights
from experiments.weights import Model, check, fetch, pretrained, registry
from paper import DATASETS, NETWORKS

CONTENT = b"weights"


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    return Model("m", "m.caffemodel", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "http://127.0.0.1:9/m")


def test_file_put_there_by_hand_is_checked_and_used(model):
    model.path.write_bytes(CONTENT)
    assert fetch(model) == model.path


@pytest.mark.parametrize("content", [b"weighty", b"weight"])
def test_other_file_is_refused_in_one_line_that_says_the_mend(model, content):
    model.path.write_bytes(content)
    with pytest.raises(UserError, match=r"remove it and type `make models`") as error:
        check(model)
    assert "\n" not in str(error.value)


def test_missing_file_is_refused_with_where_to_put_it(model):
    with pytest.raises(UserError, match=r"m.caffemodel is missing.*by hand"):
        check(model)


def test_failed_download_says_where_to_put_the_file_and_leaves_nothing(model):
    with pytest.raises(UserError, match=r"put the file at .*m.caffemodel by hand"):
        fetch(model)
    assert not list(model.path.parent.iterdir())


def test_every_network_has_its_model_on_every_dataset():
    for dataset in DATASETS:
        for network in NETWORKS:
            assert pretrained(dataset, network) in registry().values()


def test_models_of_the_demo_are_in_the_repository_and_small():
    for network in NETWORKS:
        assert check(pretrained("demo", network)).stat().st_size <= 3_000_000
