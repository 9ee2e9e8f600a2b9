"""What is said of prototxts before they run: what a person set in vain, and what makes a result another one."""

from user_error import UserError

from pathlib import Path

import pytest

pytest.importorskip("caffe", reason="Caffe is not built here")

from experiments import remarks
from experiments.runs import Run
from prototxt.messages import caffe_pb2, parse, read

RUN = Run("demo", "alexnet", "global", 1)


def net(text: str) -> caffe_pb2.NetParameter:
    return parse(text, caffe_pb2.NetParameter())


def test_only_what_a_person_set_is_said_not_to_be_used():
    solver = read(RUN.solver, caffe_pb2.SolverParameter())
    assert list(remarks.overridden(RUN, solver)) == []
    solver.random_seed = 7
    solver.test_iter.append(3)
    assert list(remarks.overridden(RUN, solver)) == [
        f"{RUN.solver}: random_seed: 7 is not used: --seeds decides",
        f"{RUN.solver}: test_iter: 12 test_iter: 3 is not used: every test photo is scored exactly once",
    ]


def test_layers_of_the_training_net_that_cannot_be_put_back_are_named():
    said = remarks.unrepeatable(
        net(
            """layer { name: "a" type: "Python" }
               layer { name: "b" type: "Python" include { phase: TEST } }
               layer { name: "c" type: "HDF5Data" hdf5_data_param { shuffle: true } }
               layer { name: "d" type: "HDF5Data" }
               layer { name: "e" type: "Dropout" }"""
        )
    )
    assert [line.split()[1] for line in said] == ["a", "c"]


LAYERS = """layer { name: "data" type: "Data" include { phase: TRAIN } data_param { source: "/data/demo/%s" } }
            layer { name: "data" type: "Data" include { phase: TEST } data_param { source: "/data/demo/%s" } }
            layer { name: "fc7" type: "InnerProduct" bottom: "data" }"""


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("train_global_lmdb", "test_global_lmdb", []),
        ("train_local_lmdb", "test_global_lmdb", ["(TRAIN) reads /data/demo/train_local_lmdb, not train_global_lmdb"]),
        ("train_global_lmdb", "test_local_lmdb", ["(TEST) reads /data/demo/test_local_lmdb, not test_global_lmdb"]),
        ("test_global_lmdb", "test_global_lmdb", ["(TRAIN) reads /data/demo/test_global_lmdb, not train_global_lmdb"]),
    ],
)
def test_records_of_another_kind_are_a_mark_on_the_result(train, test, said):
    lines = list(remarks.other_sources(RUN, Path("net"), net(LAYERS % (train, test)), Path("/data")))
    assert lines == [f"net: layer data {text} of this variant" for text in said]


def test_a_net_that_is_tested_on_other_photos_is_refused():
    with pytest.raises(UserError, match="not the test photos: data/demo/test_global_lmdb holds them"):
        list(remarks.other_sources(RUN, Path("net"), net(LAYERS % (("train_global_lmdb",) * 2)), Path("/data")))
