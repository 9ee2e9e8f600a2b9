"""A dataset whose disk lost or changed a record is found by reading them all; a whole one is not accused."""

import shutil

import cv2
import numpy as np
import pytest

from data_prep import check, prepare, summary
from data_prep.photos import Photo
from data_prep.readers.partitions import Partition
from data_prep.request import Request


@pytest.fixture
def dataset(tmp_path):
    """A complete dataset of six photos."""
    photos = []
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((280, 300, 3), 40 * number, np.uint8))
        photos.append(Photo(str(number), tmp_path, f"{number}.png", number % 2))
    parameters = {"dataset": "photos", "seed": 1}
    request = Request("mine", tmp_path / "out", {"root": tmp_path}, ("global", "local"), False, parameters)
    prepare.prepare(request, Partition(photos[:4], photos[4:], [], ""), 1, 0)
    return request.folder


def problems(dataset, **changes):
    content = summary.read(dataset) | changes
    read = []
    found = list(check.problems(dataset, content, lambda: read.append(1)))
    return found, len(read)


@pytest.mark.parametrize("changes", [{}, {"stores_xxh3": {}}], ids=["digests", "of an earlier version"])
def test_a_whole_dataset_has_every_record_read_and_no_problem(dataset, changes):
    assert problems(dataset, **changes) == ([], 12)
    assert check.records(summary.read(dataset)) == 12


def test_one_changed_byte_of_one_record_is_found_and_its_store_is_named(dataset):
    store = dataset / "train_local_lmdb" / "data.mdb"
    content = bytearray(store.read_bytes())
    content[content.index(bytes([40]) * 1000) + 500] ^= 1
    store.write_bytes(content)
    (problem,), _ = problems(dataset)
    assert "train_local_lmdb does not hold what was prepared" in problem
    assert problems(dataset, stores_xxh3={}) == ([], 12)  # no digest, no way to know


@pytest.mark.parametrize("changes", [{}, {"stores_xxh3": {}}], ids=["digests", "of an earlier version"])
def test_another_number_of_records_a_lost_store_and_one_that_is_cut_off_are_found(dataset, changes):
    shutil.copy(dataset / "test_local_lmdb" / "data.mdb", dataset / "train_global_lmdb" / "data.mdb")
    shutil.rmtree(dataset / "test_global_lmdb")
    store = dataset / "test_local_lmdb" / "data.mdb"
    store.write_bytes(store.read_bytes()[:-4096])
    found, _ = problems(dataset, **changes)
    assert [line for line in found if "test_global_lmdb" in line]
    assert [line for line in found if "test_local_lmdb" in line and "cut off" in line]
    assert [line for line in found if "train_global_lmdb" in line]
