"""Files are whole or not there; a lock is waited for as long as is said."""

from user_error import UserError

import os
import threading
import time

import pytest

import files
from files import Held, locked, write_atomically


def test_what_is_written_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    path, synced, fsync = tmp_path / "a", [], os.fsync

    def look(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), path.read_text()))
        fsync(descriptor)

    path.write_text("old")
    monkeypatch.setattr(files.os, "fsync", look)
    write_atomically(path, "new")
    assert synced == [(str(tmp_path / f".a.{os.getpid()}.partial"), "old"), (str(tmp_path), "new")]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def fail(descriptor):
        raise OSError("the disk is full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        write_atomically(path, "new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("target", path)])
def test_a_lock_that_is_something_else_is_refused_by_name_and_what_it_leads_to_is_not_touched(tmp_path, make):
    (tmp_path / "target").write_text("mine")
    make(tmp_path / "lock")
    with pytest.raises(UserError, match="not a lock: remove it"), locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "target").read_text() == "mine"


def test_what_is_no_regular_file_is_refused_by_name_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, kind in ((tmp_path / "fifo", "special file"), (tmp_path, "folder")):
        with pytest.raises(UserError, match=f"is a {kind}, not a file"):
            files.opened(path)


def test_a_lock_is_waited_for_as_long_as_is_said(tmp_path):
    def hold():
        with locked(tmp_path / "lock"):
            held.set()
            time.sleep(0.2)

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with pytest.raises(Held), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock", patience=5):
        pass
    holder.join()
