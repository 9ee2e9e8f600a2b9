"""The cache of finished builds: an entry is whole or not there, and built once, whoever asks."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Locate the cache: `finetuned-aesthetics/caffe` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "finetuned-aesthetics" / "caffe"


@contextmanager
def lock(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock `path`, after saying `waiting` where another process holds it.

    Our children hold it with us: what a killed setup left running is waited for as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(cache: Path, key: str, make: Callable[[Path], Path]) -> Path:
    """Find the entry `cache/key`, or make it.

    `make` is given an empty folder to work in and returns the part of it to keep.
    """
    finished = cache / key
    if finished.is_dir():
        return finished
    with lock(cache / f"{key}.lock", "another process builds the same Caffe: waiting for it"):
        if not finished.is_dir():
            for leftover in cache.glob(f"{key}.partial-*"):  # of a builder that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f"{key}.partial-", dir=cache))
            try:
                kept = make(partial)
                os.sync()  # the files before the name that vouches for them
                kept.rename(finished)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return finished
