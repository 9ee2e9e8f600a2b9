"""The one exception for what a user can fix, and how our programs end: one line, and an exit status that tells why.

Programs import this module first: from then on Ctrl-C, or a Python that lacks our packages, ends in one line too.
"""

import codecs
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NoReturn

FIX_FIRST, STOPPED, PIPE_CLOSED = 2, 130, 141  # exit statuses
PLAIN = {"–": "-", "…": "...", "×": "x", "±": "+-"}  # for terminals that cannot show them


class UserError(Exception):
    """A mistake of the user's or of the machine's set-up: what is wrong, where, and how to fix it, in one line."""


def exit_with_status(main: Callable[[], int | None]) -> None:
    """Run a command line and leave the process with its exit status.

    0 done, or what `main` returns; 2 something for the user to fix; 130 stopped; 141 our output was closed.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="plain")
    try:
        status = main() or 0
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        status = _conclude(error)
        if status is None:
            raise
        _leave(status)
    sys.exit(status)


def _leave(status: int) -> NoReturn:
    """End the process at once: what Python does at its end, a second Ctrl-C would interrupt."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def _conclude(error: BaseException) -> int | None:
    """Say in one line why the program ends; its exit status, or None for a mistake of ours."""
    match error:
        case UserError():
            print(f"error: {error}", file=sys.stderr)
            return FIX_FIRST
        case KeyboardInterrupt():
            print("stopped", file=sys.stderr)
            return STOPPED
        case BrokenPipeError():  # `... | head` closed our output
            return PIPE_CLOSED
        case ModuleNotFoundError():
            import shlex  # not above: until this module is loaded, Ctrl-C ends in a traceback

            command = shlex.join([".venv/bin/python", *sys.orig_argv[1:]])
            print(f"error: {sys.executable} has no {error.name}: `make setup`, then `{command}`", file=sys.stderr)
            return FIX_FIRST
        case OSError():  # a full disk, a folder that may not be read
            where = f"{error.filename}: " if error.filename else ""
            print(f"error: {where}{error.strerror or error}", file=sys.stderr)
            return FIX_FIRST
    return None


def _conclude_import(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End a program that was still importing its modules (sys.excepthook)."""
    status = _conclude(error)
    if status is None:
        sys.__excepthook__(kind, error, trace)
    else:
        _leave(status)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace what an encoding lacks (an error handler of `codecs`); bytes of a file's name stay as they are."""
    character, rest = error.object[error.start], error.start + 1
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte of a name that is not UTF-8
        return bytes([ord(character) - 0xDC00]), rest
    return PLAIN.get(character, "?"), rest


def _open_standard_streams() -> None:
    """Open what a shell closed (`>&-`): else the next file that is opened takes its place."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            setattr(sys, name, os.fdopen(descriptor, mode))


_open_standard_streams()
sys.excepthook = _conclude_import
codecs.register_error("plain", _plain)
