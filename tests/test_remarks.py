"""What is said of prototxts before they run: what a person set in vain, and what makes a result another one."""

from user_error import UserError

import re

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from dataset import find
from experiments import remarks
from experiments.prototxts import Prototxts, resolve
from experiments.runs import Run
from paper import LAST_LAYER, ROOT
from prototxt.messages import caffe_pb2, read

RUN = Run("demo", "alexnet", "global", 1)
LAYERS = """
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }}
         data_param {{ source: "data/demo/{train}" batch_size: 4 }} }}
layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: TEST }}
         data_param {{ source: "data/demo/{test}" batch_size: 4 }} }}
layer {{ name: "{last}" type: "InnerProduct" bottom: "data" top: "scores" }}
"""


@pytest.fixture
def resolved(tmp_path, data, monkeypatch):
    """resolved(more layers, the stores): the prototxts of a run whose net is LAYERS and these."""

    def call(more: str = "", train: str = "train_global_lmdb", test: str = "test_global_lmdb") -> Prototxts:
        net, solver = tmp_path / "net.prototxt", tmp_path / "solver.prototxt"
        net.write_text(LAYERS.format(train=train, test=test, last=LAST_LAYER) + more)
        solver.write_text(f'net: "{net}" max_iter: 9 test_iter: 1')
        monkeypatch.setattr(Run, "solver", solver)
        return resolve(RUN, data)

    return call


def test_only_what_a_person_set_is_said_not_to_be_used():
    solver = read(RUN.solver, caffe_pb2.SolverParameter())
    demo = find("demo", ROOT / "data")
    assert list(remarks.overridden(RUN, demo, solver)) == []
    solver.random_seed = 7
    solver.test_iter.append(3)
    seed, test_iter = remarks.overridden(RUN, demo, solver)
    assert "alexnet_global.prototxt: random_seed: 7 is not used: --seeds decides" in seed
    assert "alexnet_global.prototxt: test_iter: 12 test_iter: 3 is not used: every test photo is scored" in test_iter


def test_layers_of_the_training_net_that_cannot_be_put_back_are_named(resolved):
    texts = resolved(
        """layer { name: "a" type: "Python" bottom: "data" }
           layer { name: "b" type: "Python" bottom: "data" include { phase: TEST } }
           layer { name: "c" type: "HDF5Data" hdf5_data_param { shuffle: true } include { phase: TRAIN } }
           layer { name: "d" type: "HDF5Data" include { phase: TRAIN } }
           layer { name: "e" type: "Dropout" bottom: "scores" }"""
    )
    assert [line.split()[1] for line in texts.unrepeatable] == ["a", "c"]
    assert len(texts.marks) == 2  # c and d read other records; a layer that has a bottom reads none


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("train_local_lmdb", "test_global_lmdb", r"\(TRAIN\) reads .*demo/train_local_lmdb, not .*train_global_lmdb"),
        ("train_global_lmdb", "test_local_lmdb", r"\(TEST\) reads .*demo/test_local_lmdb, not .*test_global_lmdb"),
        ("test_global_lmdb", "test_global_lmdb", r"\(TRAIN\) reads .*demo/test_global_lmdb, not .*train_global_lmdb"),
    ],
)
def test_records_of_another_kind_are_a_mark_on_the_result(resolved, train, test, said):
    assert resolved().marks == []
    (mark,) = resolved(train=train, test=test).marks
    assert re.search(rf"net\.prototxt: layer data {said}", mark)


def test_a_net_that_is_tested_on_the_training_photos_is_refused(resolved):
    with pytest.raises(UserError, match="not the test photos: data/demo/test_global_lmdb holds them"):
        resolved(test="train_global_lmdb")
