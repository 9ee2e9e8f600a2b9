"""A dataset that was left half done is resumed: only what has changed is done again, and only where it must be."""

from user_error import UserError

from dataclasses import replace

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
    replaced = request_.root / "5.png"  # the first one of the test photos
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


def interrupt(request_, partition, monkeypatch):
    """Begin, and be killed once the first checkpoint is in the stores but not in the journal."""

    def killed(path, outcomes):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.journal, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(request_, partition, 1, 0)
    assert (request_.unfinished / "train_local_lmdb" / "data.mdb").exists()


def test_a_half_done_dataset_of_other_parameters_is_refused_by_name_and_left_as_it_is(request_, draw, monkeypatch):
    partition = draw([OTHER] * 3, [OTHER] * 2)
    interrupt(request_, partition, monkeypatch)
    other = replace(request_, parameters=request_.parameters | {"seed": 2})
    with pytest.raises(UserError, match=r"half done with other parameters .*seed 1 there, 2 asked for"):
        prepare.prepare(other, partition, 1, 0)
    assert prepare.prepare(request_, partition, 1, 0)["splits"]["train"]["written"] == 3


def test_a_photo_that_changed_between_a_stores_checkpoint_and_its_journals_is_stored_as_it_is_now(
    request_, draw, monkeypatch
):
    partition = draw([OTHER] * 4, [OTHER] * 2)
    interrupt(request_, partition, monkeypatch)
    cv2.imwrite(str(request_.root / "2.png"), np.full((257, 256, 3), 200, np.uint8))
    prepare.prepare(request_, partition, 1, 0)
    assert blue(request_.folder / "train_local_lmdb") == [0, 1, 200, 3]


def test_a_store_that_was_damaged_before_the_journal_began_is_made_again(request_, draw, monkeypatch):
    partition = draw([OTHER] * 4, [OTHER] * 2)
    interrupt(request_, partition, monkeypatch)
    (request_.unfinished / "train_local_lmdb" / "data.mdb").write_bytes(bytes(20_000))
    prepare.prepare(request_, partition, 1, 0)
    assert blue(request_.folder / "train_local_lmdb") == [0, 1, 2, 3]


def test_a_warped_copy_is_recognised_too_if_the_first_call_was_killed_just_before(request_, draw, monkeypatch):
    partition = draw([WARPED] * 70, [WARPED] * 10)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "_require_unwarped", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(request_, partition, 1, 0)
    with pytest.raises(UserError, match="70 of 70 pictures are 256x256"):
        prepare.prepare(request_, partition, 1, 0)
