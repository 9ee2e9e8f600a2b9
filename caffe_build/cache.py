"""The cache of finished builds: an entry is whole or not there, and is built only once."""

from user_error import UserError

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import files


def folder() -> Path:
    """Locate the cache: `finetuned-aesthetics/caffe` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # a user id without a name, as containers have
            raise UserError("this user has no home folder: set HOME or XDG_CACHE_HOME, where builds are kept") from None
    return base / "finetuned-aesthetics" / "caffe"


@contextmanager
def lock(path: Path, waiting: str) -> Iterator[None]:
    """Hold the lock `path`; if another process holds it, print `waiting` and wait.

    Our children hold it with us, so the next setup also waits for what a killed one left running.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(files.locked(path))
        except files.Held:
            print(waiting, flush=True)
            file = stack.enter_context(files.locked(path, patience=math.inf))
        os.set_inheritable(file.fileno(), True)
        yield


def entry(cache: Path, key: str, make: Callable[[Path], Path]) -> Path:
    """Find the entry `cache/key`, or make it.

    `make` is given an empty folder to work in and returns the part of it to keep.
    """
    finished = cache / key
    if finished.is_dir():
        return finished
    with lock(cache / f"{key}.lock", "another process is building the same Caffe: waiting for it"):
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
