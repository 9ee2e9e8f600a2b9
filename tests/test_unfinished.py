"""A dataset that was left half done is resumed: only what has changed is done again, and only where it must be."""

from user_error import UserError

import cv2
import numpy as np
import pytest

from data_prep import lmdb_store, prepare, unfinished
from data_prep.partitions import Partition
from data_prep.photos import Photo
from data_prep.request import Request


@pytest.fixture
def request_(tmp_path):
    (tmp_path / "photos").mkdir()
    return Request("mine", tmp_path / "out", tmp_path / "photos", ("local",), False, {"dataset": "mine", "seed": 1})


@pytest.fixture
def draw(request_):
    """draw(sizes of the training photos, sizes of the test photos): the partition, its files drawn."""

    def split(first, sizes):
        photos = []
        for number, (width, height) in enumerate(sizes, first):
            picture = np.full((height, width, 3), (number, 9, 99), np.uint8)
            cv2.imwrite(str(request_.root / f"{number}.png"), picture)
            photos.append(Photo(str(number), request_.root, f"{number}.png", number % 2))
        return photos

    return lambda train, test: Partition(split(0, train), split(len(train), test), [], "")


def blue(store):
    """The first channel of each record: its photo's number."""
    return [int(view[0, 0, 0]) for _, _, view in lmdb_store.read_records(store)]


def test_a_test_photo_that_is_replaced_has_no_training_photo_decoded_again(request_, draw):
    partition = draw([(260, 260)] * 5, [(260, 260)] * 4)
    replaced = request_.root / "7.png"
    whole = replaced.read_bytes()
    replaced.write_bytes(whole[:50])
    with pytest.raises(UserError, match="1 corrupt"):
        prepare.prepare(request_, partition, 1, 0)
    replaced.write_bytes(whole)
    for photo in partition.train:
        photo.file.unlink()
    summary = prepare.prepare(request_, partition, 1, 0)
    assert [summary["splits"][split]["written"] for split in ("train", "test")] == [5, 4]
    assert blue(request_.folder / "train_local_lmdb") == [int(photo.photo_id) for photo in partition.train]
    assert blue(request_.folder / "test_local_lmdb") == [int(photo.photo_id) for photo in partition.test]


WARPED, OTHER = (256, 256), (256, 257)


@pytest.mark.parametrize(("warped", "is_refused"), [(37, True), (36, False), (12, False)])
def test_a_copy_is_taken_for_warped_if_over_nine_in_ten_pictures_are_256x256(request_, draw, warped, is_refused):
    sizes = [WARPED] * warped + [OTHER] * (40 - warped)
    partition = draw(sizes[::2], sizes[1::2])
    if is_refused:
        with pytest.raises(UserError, match=r"37 of 40 pictures are 256x256.*--views global"):
            prepare.prepare(request_, partition, 1, 0)
        assert not request_.unfinished.exists()
    else:
        assert prepare.prepare(request_, partition, 1, 0)["splits"]["train"]["written"] == 20


def test_a_warped_copy_is_recognised_after_its_first_checkpoint_and_not_after_hours(request_, draw, monkeypatch):
    partition = draw([WARPED] * 140, [WARPED] * 10)
    added = []
    monkeypatch.setattr(unfinished.journal, "add", lambda path, outcomes: added.append(len(outcomes)))
    with pytest.raises(UserError, match="64 of 64 pictures are 256x256"):
        prepare.prepare(request_, partition, 1, 0)
    assert added == [64]
