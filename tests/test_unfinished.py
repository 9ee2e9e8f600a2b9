"""A dataset that was left half done is resumed: only what has changed is done again, and only where it must be."""

from user_error import UserError

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from data_prep import manifest, prepare, stores, unfinished
from data_prep.photos import Photo
from data_prep.readers.partitions import Partition
from data_prep.request import Request


@pytest.fixture
def request_(tmp_path):
    (tmp_path / "photos").mkdir()
    return Request(
        "mine", tmp_path / "out", {"root": tmp_path / "photos"}, ("local",), False, {"dataset": "ava", "seed": 1}
    )


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
    return [int(view[0, 0, 0]) for _, _, view in stores.read_records(store)]


def test_a_training_photo_that_is_replaced_has_no_test_photo_decoded_again(request_, draw):
    partition = draw([(260, 260)] * 5, [(260, 260)] * 4)
    replaced = request_.root / "0.png"  # the first one of the training photos
    whole = replaced.read_bytes()
    replaced.write_bytes(whole[:50])
    with pytest.raises(UserError, match="1 corrupt"):
        prepare.prepare(request_, partition, 1, 0)
    replaced.write_bytes(whole)
    for photo in partition.test:
        photo.file.unlink()
    summary = prepare.prepare(request_, partition, 1, 0)
    assert [summary["splits"][split]["written"] for split in ("train", "test")] == [5, 4]
    assert blue(request_.folder / "train_local_lmdb") == [int(photo.photo_id) for photo in partition.train]
    assert blue(request_.folder / "test_local_lmdb") == [int(photo.photo_id) for photo in partition.test]


@pytest.fixture
def own(request_):
    """A request whose training photos must not be test photos too."""
    return replace(request_, parameters=request_.parameters | {"dataset": "photos"})


def copy_picture(request, one, other):
    (request.root / f"{other}.png").write_bytes((request.root / f"{one}.png").read_bytes())


def prepare_some(request, partition, photos, monkeypatch):
    """Begin a preparation, stopped once so many photos are in the stores and in the journal."""

    def stopped(_, tally):
        if tally.photos == photos:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "_require_local_view", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(request, partition, 1, 0)


def test_a_stored_photo_that_is_replaced_before_the_next_call_is_stored_as_it_is_now(own, draw, monkeypatch):
    partition = draw([OTHER] * 70, [OTHER] * 4)
    prepare_some(own, partition, 4 + 64, monkeypatch)
    cv2.imwrite(str(own.root / "5.png"), np.full((257, 256, 3), 200, np.uint8))
    prepare.prepare(own, partition, 1, 0)
    assert blue(own.folder / "train_local_lmdb")[4:7] == [4, 200, 6]


def test_photos_that_were_only_touched_or_moved_or_are_gone_are_not_decoded_again(own, draw, monkeypatch, capsys):
    partition = draw([OTHER] * 70, [OTHER] * 4)
    prepare_some(own, partition, 4 + 64, monkeypatch)
    os.utime(own.root / "5.png", (1, 1))
    (own.root / "6.png").unlink()
    capsys.readouterr()
    prepare.prepare(own, partition, 1, 0)
    assert capsys.readouterr().err == "mine: 74 photos, 1 processes, resuming after 68\n"
    assert blue(own.folder / "train_local_lmdb") == list(range(70))


def test_a_training_photo_that_is_byte_for_byte_a_test_photo_is_left_out_and_counted(own, draw):
    partition = draw([OTHER] * 5, [OTHER] * 4)
    copy_picture(own, one=6, other=2)
    copy_picture(own, one=0, other=1)  # twice in training: no harm to the test
    summary = prepare.prepare(own, partition, 1, 0)
    assert blue(own.folder / "train_local_lmdb") == [0, 0, 3, 4]
    assert summary["excluded"] == {"the same picture as a test photo": 1}
    (row,) = [row for row in manifest.read(own.folder / "manifest.csv") if row["status"] == "excluded"]
    assert (row["photo_id"], row["split"], row["position"]) == ("2", "train", "")
    assert row["reason"] == "the same picture as a test photo: 6"


def test_a_picture_that_is_in_training_as_good_and_as_bad_is_noted(own, draw):
    partition = draw([OTHER] * 5, [OTHER] * 4)
    copy_picture(own, one=0, other=3)
    copy_picture(own, one=2, other=4)  # of the same label
    summary = prepare.prepare(own, partition, 1, 0)
    assert summary["notes"] == ["1 pictures are in training under several names, as good and as bad"]


def test_in_ava_it_stays_as_the_lists_have_it_and_is_counted_in_a_note(request_, draw):
    partition = draw([OTHER] * 5, [OTHER] * 4)
    copy_picture(request_, one=6, other=2)
    summary = prepare.prepare(request_, partition, 1, 0)
    assert blue(request_.folder / "train_local_lmdb") == [0, 1, 6, 3, 4]
    assert [note for note in summary["notes"] if note.startswith("1 training photos are the same picture")]


def test_training_photos_are_looked_at_again_when_a_test_photo_was_replaced(own, draw):
    partition = draw([OTHER] * 5, [OTHER] * 4)
    (own.root / "6.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 corrupt"):
        prepare.prepare(own, partition, 1, 0)
    copy_picture(own, one=2, other=6)
    prepare.prepare(own, partition, 1, 0)
    assert blue(own.folder / "train_local_lmdb") == [0, 1, 3, 4]
    assert blue(own.folder / "test_local_lmdb") == [5, 2, 7, 8]


WARPED, OTHER = (256, 256), (258, 257)


def test_a_copy_without_a_local_view_is_refused_and_nothing_of_it_stays(request_, draw):
    partition = draw([WARPED] * 20, [WARPED] * 20)
    with pytest.raises(UserError, match=r"40 of 40 pictures are 256x256.*--views global"):
        prepare.prepare(request_, partition, 1, 0)
    assert not request_.unfinished.exists()
    partition = draw([OTHER] * 20, [(260 + n, 300) for n in range(20)])
    assert prepare.prepare(request_, partition, 1, 0)["splits"]["train"]["written"] == 20


def test_a_warped_copy_is_recognised_after_its_first_checkpoint_and_not_after_hours(request_, draw, monkeypatch):
    partition = draw([WARPED] * 10, [WARPED] * 140)
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
    assert (request_.unfinished / "test_local_lmdb" / "data.mdb").exists()


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
    partition = draw([OTHER] * 2, [OTHER] * 4)
    interrupt(request_, partition, monkeypatch)
    cv2.imwrite(str(request_.root / "4.png"), np.full((257, 256, 3), 200, np.uint8))
    prepare.prepare(request_, partition, 1, 0)
    assert blue(request_.folder / "test_local_lmdb") == [2, 3, 200, 5]


def test_a_last_photo_that_is_gone_after_its_checkpoint_was_stored_is_missing_and_no_record_too_many_stays(
    request_, draw, monkeypatch
):
    partition = draw([OTHER] * 2, [OTHER] * 4)
    interrupt(request_, partition, monkeypatch)
    (request_.root / "5.png").unlink()
    summary = prepare.prepare(request_, partition, 1, allow_bad=1)
    assert (summary["splits"]["test"]["written"], summary["splits"]["test"]["missing"]) == (3, 1)
    assert blue(request_.folder / "test_local_lmdb") == [2, 3, 4]


def lose_pages(path, begin, end):
    """What a disk does that confirmed more than it wrote."""
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(end - begin))


def test_records_that_a_disk_lost_after_it_had_confirmed_them_are_stored_again(own, draw, monkeypatch):
    partition = draw([OTHER] * 70, [OTHER] * 4)

    prepare_some(own, partition, 4 + 64, monkeypatch)
    lose_pages(own.unfinished / "train_local_lmdb" / "data.mdb", 1 << 20, (1 << 20) + 4096)
    prepare.prepare(own, partition, 1, 0)
    assert blue(own.folder / "train_local_lmdb") == list(range(70))


def test_a_split_of_which_no_photo_of_a_label_can_be_read_is_never_complete(request_, draw):
    partition = draw([OTHER] * 4, [OTHER] * 3)
    for number in (4, 6):  # the bad test photos
        (request_.root / f"{number}.png").unlink()
    with pytest.raises(UserError, match=r"of its bad test photos none could be used \(1 of 3 written\)"):
        prepare.prepare(request_, partition, 1, allow_bad=9)
    assert not (request_.folder / "summary.json").exists()


def test_a_fifo_a_folder_and_a_file_that_is_too_large_are_corrupt_and_hold_nothing_up(request_, draw):
    partition = draw([OTHER] * 8, [OTHER] * 3)
    for number in (0, 1, 2):
        (request_.root / f"{number}.png").unlink()
    os.mkfifo(request_.root / "0.png")
    (request_.root / "1.png").mkdir()
    with (request_.root / "2.png").open("wb") as file:
        file.truncate(100 << 30)  # no byte of it is on the disk
    summary = prepare.prepare(request_, partition, 1, allow_bad=3)
    assert summary["splits"]["train"]["corrupt"] == 3
    reasons = {row["photo_id"]: row["reason"] for row in manifest.read(request_.folder / "manifest.csv")}
    assert [reasons[number] for number in "012"] == [
        "not a regular file", "a folder, not a picture", "too large: 107,374,182,400 bytes",
    ]  # fmt: skip


def test_a_store_that_was_damaged_before_the_journal_began_is_made_again(request_, draw, monkeypatch):
    partition = draw([OTHER] * 4, [OTHER] * 2)
    interrupt(request_, partition, monkeypatch)
    (request_.unfinished / "test_local_lmdb" / "data.mdb").write_bytes(bytes(20_000))
    prepare.prepare(request_, partition, 1, 0)
    assert blue(request_.folder / "test_local_lmdb") == [4, 5]


def test_a_warped_copy_is_recognised_too_if_the_first_call_was_killed_just_before(request_, draw, monkeypatch):
    partition = draw([WARPED] * 10, [WARPED] * 70)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "require_local_view", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(request_, partition, 1, 0)
    with pytest.raises(UserError, match="70 of 70 pictures are 256x256"):
        prepare.prepare(request_, partition, 1, 0)
