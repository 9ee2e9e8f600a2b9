"""Who is at work in a run's folder, on a disk that several machines share: holder.json.

The kernel's lock (files.locked) tells the truth between processes of one machine; between machines not every disk
has it (Lustre: localflock, noflock). So the process at work also leaves holder.json, and touches it all the time. A
process of another machine leaves the run alone while the last touch is fresh, and takes it over once it is OLD. A
holder that was stopped for so long finds at its next touch that it is none any more, and ends.

Ages are told by the disk's clock, from a file that is touched in the same folder; those who only look write nothing,
and go by their own clock.
"""

from user_error import UserError

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

NAME = "holder.json"
# Seconds. Between two touches lie an iteration, a batch of the test pass, or a snapshot, which may take minutes; and
# on Lustre the clocks are those of the machines, which Slurm's munge lets differ by 300.
OLD = 600
SECONDS_BETWEEN_LOOKS = 1
AT_WORK = "another process is at work on this run"


class TakenOver(UserError):
    """Another machine works on the run now, as we gave no sign of life for too long."""


@dataclass(frozen=True)
class Holder:
    """A process at work on a run."""

    host: str
    pid: int
    job: str | None  # Slurm's
    boot: str = ""  # of which start of which kernel: a machine may change its name, two may have the same

    def __str__(self) -> str:
        return f"{self.host} (job {self.job})" if self.job else f"{self.host} (process {self.pid})"


@dataclass(frozen=True)
class Sign:
    """holder.json as it was found."""

    holder: Holder | None  # None: it is damaged
    touched: float  # by the disk's clock
    version: str  # of the file: another one, or another touch, has another

    def __str__(self) -> str:
        return str(self.holder or "a machine that did not leave its name")

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine since it was started, where the kernel's lock tells more."""
        me = myself()
        if self.holder is None:
            return False
        return self.holder.boot == me.boot if self.holder.boot else self.holder.host == me.host

    @property
    def is_of_before(self) -> bool:
        """Whether it is of this machine before it was started again, as after a power cut: nobody is at work then."""
        me = myself()
        is_this = self.holder is not None and self.holder.host == me.host and self.holder.boot not in ("", me.boot)
        return is_this and self.touched < psutil.boot_time()

    def is_fresh(self, now: float) -> bool:
        return now - self.touched < OLD

    def is_at_work(self, now: float, has_kernel_lock: bool) -> bool:
        """Whether its process is, where nobody holds the kernel's lock; `has_kernel_lock`: the disk has such locks."""
        if self.is_of_before or (self.is_here and (has_kernel_lock or not _exists(self.holder.pid))):
            return False
        return self.is_fresh(now)

    def words(self, now: float) -> str:
        """Where the run is at work, for people."""
        return f"at work on {self}, last sign of life {max(0, now - self.touched):.0f} s ago"


@cache
def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return platform.node()


def myself() -> Holder:
    return Holder(platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID") or None, _boot())


def last_sign(folder: Path) -> Sign | None:
    """The sign of life in a folder; None where there is none, or where it may not be read."""
    try:
        # opened, since that is when NFS asks the server for a file's age
        with (folder / NAME).open("rb") as file:
            found, text = os.fstat(file.fileno()), file.read()
    except OSError:
        return None
    try:
        fields = json.loads(text)
        job, boot = fields.get("job"), fields.get("boot", "")
        holder = Holder(str(fields["host"]), int(fields["pid"]), None if job is None else str(job), str(boot))
    except (ValueError, KeyError, TypeError, AttributeError):
        holder = None
    return Sign(holder, found.st_mtime, f"{found.st_ino}-{found.st_mtime_ns}")


def disk_time(folder: Path) -> float:
    """The time by the clock of the disk that a folder lies on; this machine's where nothing can be written there."""
    path = folder / f".{NAME}.{platform.node()}.{os.getpid()}.partial"
    try:
        with path.open("wb") as file:
            os.utime(file.fileno())
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            path.unlink()


@contextmanager
def hold(folder: Path, has_kernel_lock: bool, wait: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Be the one at work in a folder, whose kernel's lock we hold where the disk has such locks.

    Yields the function that touches holder.json, to be called all the time; it raises TakenOver where another machine
    has the run now. UserError where another process is at work. But a job that Slurm started again, on another
    machine, waits until the sign of its own former life is old; `wait` is called meanwhile with words for people, and
    may raise.
    """
    _begin(folder, has_kernel_lock, wait)
    path = folder / NAME
    try:
        yield lambda: _touch(path)
    finally:
        if _is_mine(path):
            path.unlink()


def _begin(folder: Path, has_kernel_lock: bool, wait: Callable[[str], None]) -> None:
    """Leave our holder.json where there is none, or in the place of one whose process is not at work any more."""
    first = last_sign(folder)
    while True:
        sign = last_sign(folder)
        if sign is None:
            with suppress(FileExistsError):
                _write(folder / NAME)
                return
            continue
        now = disk_time(folder)
        if not sign.is_at_work(now, has_kernel_lock):
            _replace(folder, sign, now)
            return
        if not (is_former_self(sign) and sign == first):  # or it was touched since
            raise UserError(f"{folder}: {sign.words(now)}")
        wait(f"waiting for {sign} to be given up, {OLD - (now - sign.touched):.0f} s")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def is_former_self(sign: Sign) -> bool:
    """Whether a sign of life is of our own job, which Slurm started again on another machine."""
    return sign.holder is not None and sign.holder.job is not None and sign.holder.job == myself().job


def _replace(folder: Path, seen: Sign, now: float) -> None:
    """Take the place of an old holder.json; of several that do so at once, all but one raise UserError.

    Who makes the marker of this very version may do so. It is removed when the version is gone: who makes it after
    that sees that he is late. The marker of a process that was killed here gets old, too, and the next one counts.
    """
    markers = []
    while True:
        markers.append(folder / f".{NAME}.{seen.version}.{len(markers)}")
        try:
            os.close(os.open(markers[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            break
        except FileExistsError:
            if not _is_old(markers[-1], now):
                raise UserError(f"{folder}: {AT_WORK}") from None
    ours = folder / f".{NAME}.{platform.node()}.{os.getpid()}.new.partial"
    try:
        if last_sign(folder) != seen:
            raise UserError(f"{folder}: {AT_WORK}")
        ours.unlink(missing_ok=True)
        _write(ours)
        ours.rename(folder / NAME)
    finally:
        ours.unlink(missing_ok=True)
        for marker in markers:
            marker.unlink(missing_ok=True)


def _is_old(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime >= OLD
    except FileNotFoundError:  # its process is done
        return False


def _write(path: Path) -> None:
    """Make holder.json, whole; FileExistsError where there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(myself())) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a full disk may say so only now
            os.utime(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _is_mine(path: Path) -> bool:
    sign = last_sign(path.parent)
    return sign is not None and sign.holder == myself()


def _touch(path: Path) -> None:
    """Give a sign of life; where somebody removed the file, make it again."""
    if last_sign(path.parent) is None:
        with suppress(FileExistsError):
            _write(path)
    for patience in (SECONDS_BETWEEN_LOOKS, 0):
        if _is_mine(path):
            os.utime(path)
            return
        time.sleep(patience)  # a look at a shared disk may be late
    raise TakenOver(f"{path.parent}: {last_sign(path.parent) or 'another process'} has taken this run over")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
