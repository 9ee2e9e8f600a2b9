"""Caffe does with our texts what PyTorch does: steps of the solver, blob by blob.

benchmarks/faithfulness.py does the comparing; it also compares VGG-16 at its full size, which is too slow here.
"""

import pytest

pytest.importorskip("caffe")
pytest.importorskip("torch", reason="PyTorch is missing: .venv-torch/bin/python has it")

from benchmarks.faithfulness import STEPS, TOLERANCE, Trial


@pytest.fixture(scope="module", params=[("ava-large", "alexnet"), ("demo", "vgg16")], ids=lambda p: "-".join(p))
def differences(request, tmp_path_factory):
    return list(Trial(*request.param, tmp_path_factory.mktemp("trial")).steps())


def test_every_step_of_the_solver_is_the_step_of_pytorch_in_every_blob(differences):
    beyond = [d for d in differences if not d.euclidean <= TOLERANCE[d.what]]
    assert not beyond


def test_the_steps_compared_move_every_blob_and_without_a_gradient_the_weights_alone(differences):
    blobs = {d.blob for d in differences if d.what == "weights"}
    moved = [(d.step, d.blob) for d in differences if d.what == "update" and d.size]
    assert len(moved) == len(set(moved)) == 2 * len(blobs)
    assert {step for step, _ in moved} == {STEPS - 1, STEPS}
    for d in differences:
        if d.what == "decay and momentum":
            assert (d.size > 0) == d.blob.endswith("weight"), d
