"""The disk space that a dataset takes is known, and asked for, before anything is written."""

from user_error import UserError

import shutil
from collections import namedtuple
from dataclasses import replace

import pytest

from data_prep import space, stores

RECORD = 3 * 256 * 256  # bytes of a raw view


def free(monkeypatch, number):
    usage = namedtuple("usage", "total used free")(0, 0, number)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_each_view_of_each_photo_takes_a_record(request_, partition):
    need = space.disk_need(request_, partition)
    assert 150 * 2 * RECORD < need < 1.1 * 150 * 2 * RECORD
    one = space.disk_need(replace(request_, views=("local",)), partition)
    assert need == 2 * one


def test_jpegs_take_about_a_fifth_of_that():
    raw, encoded = (stores.disk_need(1000, encoded) for encoded in (False, True))
    assert raw / 6 < encoded < raw / 4


def test_too_small_a_disk_is_refused_and_the_fix_is_offered_only_if_it_is_one(request_, partition, monkeypatch):
    need = space.disk_need(request_, partition)
    free(monkeypatch, need)
    space.require_space(request_, partition)
    free(monkeypatch, need - 1)
    with pytest.raises(UserError, match=r"--out, or take --encoded \(JPEG inside, about 14 MB\)"):
        space.require_space(request_, partition)
    free(monkeypatch, 0)
    with pytest.raises(UserError, match=r"--out$"):
        space.require_space(replace(request_, encoded=True), partition)


def test_what_is_already_written_is_not_asked_for_again(request_, partition, monkeypatch):
    store = request_.unfinished / "train_local_lmdb" / "data.mdb"
    store.parent.mkdir(parents=True)
    store.write_bytes(bytes(1_000_000))
    need = space.disk_need(request_, partition)
    free(monkeypatch, need - 1_000_000)
    space.require_space(request_, partition)
    free(monkeypatch, need - 1_000_001)
    with pytest.raises(UserError):
        space.require_space(request_, partition)


def test_a_disk_is_full_when_there_is_no_room_for_a_checkpoint(request_, monkeypatch):
    free(monkeypatch, 20_000_000)
    assert "full" in space.disk_is_full(request_)
    free(monkeypatch, 1_000_000_000)
    assert space.disk_is_full(request_) == ""


def test_sizes_are_those_of_a_disks_label(request_, partition, monkeypatch):
    free(monkeypatch, 0)
    large = replace(partition, train=partition.train * 500)  # 50,000 photos: 100,100 records of 200,704 bytes
    with pytest.raises(UserError, match=r"20\.3 GB are needed, 0 MB are free"):
        space.require_space(request_, large)
