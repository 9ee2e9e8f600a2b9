"""A run is one process's, whatever machine it is on; a dead one's is taken over when its last sign of life is old."""

from user_error import UserError

import errno
import json
import multiprocessing
import os
import time
from dataclasses import asdict, replace

import pytest

from experiments import holder, run_folder
from experiments.holder import NAME, OLD, Holder, hold, last_sign, myself
from experiments.run_folder import RunFolder

TAKERS, ROUNDS = 4, 25
ELSEWHERE = Holder("n7", 4711, "31", "another kernel")


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def no_locks(monkeypatch) -> None:
    """A disk that is mounted without the kernel's locks, as Lustre with noflock."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("files.fcntl.flock", refuse)


def leave(folder: RunFolder, who: Holder | None = ELSEWHERE, age: float = 12) -> None:
    """What a process leaves that gave a sign of life so many seconds ago."""
    path = folder.path / NAME
    path.write_text(json.dumps(asdict(who)) if who else '{"host": "n')
    os.utime(path, (time.time() - age,) * 2)


def names(folder: RunFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if path.name != "lock")


def test_who_is_at_work_is_there_while_he_is_and_gone_afterwards(folder):
    with folder.lock():
        assert folder.holder() == myself()
        assert json.loads((folder.path / NAME).read_text())["pid"] == os.getpid()
        assert folder.is_locked()
    assert (folder.holder(), folder.is_locked(), names(folder)) == (None, False, [])


def test_the_slurm_job_is_named(folder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with folder.lock():
        assert folder.holder().job == "77"


def test_a_run_on_another_machine_is_left_alone_in_one_line(folder):
    leave(folder)
    assert folder.is_locked()
    assert folder.state() == "running"
    line = r"at work on n7 \(job 31\), last sign of life 1[23] s ago$"
    with pytest.raises(UserError, match=line), folder.lock():
        pass
    assert folder.in_use()
    assert last_sign(folder.path).holder == ELSEWHERE
    assert names(folder) == [NAME]


def test_a_run_whose_machine_died_is_taken_over_when_its_sign_is_old_and_not_before(folder):
    leave(folder, age=OLD - 5)
    with pytest.raises(UserError, match="at work on n7"), folder.lock():
        pass
    leave(folder, age=OLD + 5)
    assert not folder.is_locked()
    with folder.lock():
        assert folder.holder() == myself()
    assert names(folder) == []


def test_a_process_killed_on_this_machine_is_replaced_at_once(folder):
    leave(folder, replace(myself(), pid=1))
    assert not folder.is_locked()
    assert folder.in_use() is None
    with folder.lock():
        assert folder.holder() == myself()


def test_a_machine_that_changed_its_name_is_known_by_its_kernel(folder):
    leave(folder, Holder("an old name", 1, None, myself().boot))
    with folder.lock():
        assert folder.holder() == myself()


def test_another_machine_of_the_same_name_is_another_machine(folder):
    leave(folder, replace(ELSEWHERE, host=myself().host))
    assert folder.is_locked()


def test_after_a_power_cut_nobody_waits_for_what_this_machine_did_before(folder, monkeypatch):
    leave(folder, replace(ELSEWHERE, host=myself().host), age=12)
    monkeypatch.setattr("psutil.boot_time", lambda: time.time() - 5)
    assert not folder.is_locked()
    with folder.lock():
        assert folder.holder() == myself()


def test_a_sign_that_somebody_removed_is_made_again(folder):
    with folder.lock() as touch:
        (folder.path / NAME).unlink()
        touch()
        assert folder.holder() == myself()
    assert names(folder) == []


@pytest.mark.parametrize("hours", [-2, 2])
def test_this_machines_clock_does_not_decide(folder, monkeypatch, hours):
    """The disk's does: a live run is not taken over, nor a dead one left, because a clock is wrong."""
    clock = time.time
    monkeypatch.setattr(holder.time, "time", lambda: clock() + 3600 * hours)
    (folder.path / NAME).write_text(json.dumps(asdict(ELSEWHERE)))
    assert folder.in_use()
    with pytest.raises(UserError, match="at work on n7"), folder.lock():
        pass
    os.utime(folder.path / NAME, (clock() - OLD - 5,) * 2)
    assert folder.in_use() is None
    with folder.lock():
        pass


def test_a_damaged_sign_counts_by_its_age(folder):
    leave(folder, None)
    with pytest.raises(UserError, match="a machine that did not leave its name, last sign"), folder.lock():
        pass
    assert folder.is_locked()
    assert folder.holder() is None
    leave(folder, None, age=OLD + 5)
    with folder.lock():
        pass


def test_a_full_disk_leaves_no_half_a_sign(folder, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(holder.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), folder.lock():
        pass
    assert names(folder) == []


def take(folder: RunFolder, gate, won) -> None:
    """Try to hold a folder, together with others; without the kernel's lock, as on machines of their own."""
    for _ in range(ROUNDS):
        gate.wait()
        try:
            with hold(folder.path, has_kernel_lock=False, wait=lambda words: None):
                with won:
                    won.value += 1
                gate.wait()
        except UserError:
            gate.wait()
        if gate.wait() == 0:
            leave(folder, age=OLD + 5)


def test_of_several_that_take_an_old_run_over_at_once_one_wins(folder):
    fork = multiprocessing.get_context("fork")
    gate, won = fork.Barrier(TAKERS), fork.Value("i")
    leave(folder, age=OLD + 5)
    takers = [fork.Process(target=take, args=(folder, gate, won)) for _ in range(TAKERS)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(20)
    assert [taker.exitcode for taker in takers] == [0] * TAKERS
    assert won.value == ROUNDS


def test_who_comes_late_to_an_old_run_leaves_it_to_the_faster_one(folder):
    leave(folder, age=OLD + 5)
    seen = last_sign(folder.path)
    leave(folder, replace(ELSEWHERE, host="n8"), age=0)
    with pytest.raises(UserError, match="another process"):
        holder._replace(folder.path, seen, time.time())
    assert folder.holder().host == "n8"
    assert names(folder) == [NAME]


def test_a_process_that_was_killed_while_it_took_a_run_over_holds_it_no_longer_than_one_at_work(folder):
    leave(folder, age=OLD + 50)
    marker = folder.path / f".{NAME}.{last_sign(folder.path).version}.0"
    marker.touch()
    with pytest.raises(UserError, match="another process"), folder.lock():
        pass
    os.utime(marker, (time.time() - OLD - 5,) * 2)
    with folder.lock():
        assert names(folder) == [NAME]


def test_signs_of_life_are_given_and_a_holder_that_slept_too_long_finds_himself_replaced(folder, monkeypatch):
    monkeypatch.setattr(holder, "SECONDS_BETWEEN_LOOKS", 0)
    with folder.lock() as give_sign_of_life:
        os.utime(folder.path / NAME, (time.time() - 300,) * 2)
        give_sign_of_life()
        assert time.time() - last_sign(folder.path).touched < 5
        leave(folder)
        with pytest.raises(UserError, match=r"n7 \(job 31\) has taken this run over"):
            give_sign_of_life()
    assert folder.holder() == ELSEWHERE


def test_a_job_that_slurm_started_again_elsewhere_waits_for_its_former_life(folder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", ELSEWHERE.job)
    monkeypatch.setattr(holder, "SECONDS_BETWEEN_LOOKS", 0)
    leave(folder)
    assert folder.in_use() is None
    heard = []

    def wait(words):
        heard.append(words)
        leave(folder, age=OLD + 5)

    with folder.lock(wait):
        pass
    assert heard == ["waiting for n7 (job 31) to be given up, 588 s"]
    leave(folder)
    with pytest.raises(UserError, match="at work on n7"), folder.lock(lambda words: leave(folder, age=0)):  # it lives
        pass


def test_without_locks_of_the_kernel_the_sign_decides(folder, no_locks):
    with folder.lock():
        assert folder.is_locked()
        with pytest.raises(UserError, match="at work on"), folder.lock():
            pass
    leave(folder, replace(myself(), pid=2**22 + 1))  # no process has that number
    assert not folder.is_locked()
    with folder.lock():
        pass
    leave(folder)
    with pytest.raises(UserError, match="at work on n7"), folder.lock():
        pass


def test_another_error_of_a_lock_is_not_taken_for_a_disk_without_locks(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("files.fcntl.flock", refuse)
    with pytest.raises(OSError, match="input/output"), folder.lock():
        pass


def test_who_looks_writes_nothing(folder, monkeypatch):
    leave(folder)
    monkeypatch.setattr(run_folder, "disk_time", lambda _: pytest.fail("touches a file"))
    before = (folder.path / NAME).stat()
    assert (folder.is_locked(), folder.state(), folder.holder()) == (True, "running", ELSEWHERE)
    assert (folder.path / NAME).stat().st_mtime == before.st_mtime
    assert [path.name for path in folder.path.iterdir()] == [NAME]


def test_a_run_that_another_machine_is_at_work_on_is_not_read_as_a_whole(folder, no_locks):
    with folder.reading():
        pass
    leave(folder)
    with pytest.raises(UserError, match="a process is at work on this run"), folder.reading():
        pass
