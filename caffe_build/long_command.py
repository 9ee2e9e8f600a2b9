"""Runs long commands: a progress line on the terminal, their output in a log."""

from user_error import UserError

import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

TAIL = 30  # lines of the log that are shown when a command fails
REASON = ("E: ", "fatal: ")  # how apt-get and git begin the line that says why
PERCENT = re.compile(rb"^\[\s*(\d+)%\]", re.MULTILINE)  # as CMake's makefiles print it


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """Run `command` and append its output to `log`; it ends when we do, however we end.

    If it fails, raise a UserError: after the end of the log is shown or, if `quiet`, with the line that says why.
    """
    with log.open("ab") as sink:
        start = sink.tell()
        sink.write(f"$ {' '.join(map(str, command))}\n".encode(errors="surrogateescape"))
        sink.flush()
        child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            close_fds=False,  # it holds our locks too: see cache.lock
        )
        try:
            _follow(child.stdout, sink, _Line(what))
        except BaseException:
            child.terminate()
            raise
        finally:
            status = child.wait()
    if status:
        if quiet:
            raise UserError(reason(log.read_bytes()[start:].decode(errors="replace")) or f"status {status}")
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        print(f"--- the end of {log}:\n{tail}\n---", file=sys.stderr)
        raise UserError(f"{what} failed (status {status}); its whole output is in {log}")


def reason(output: str) -> str:
    """Pick the line of a failed command's output that says why it failed: the first error, else the last line."""
    lines = [line for line in output.splitlines()[1:] if line.strip()]
    return next((line for line in lines if line.startswith(REASON)), lines[-1] if lines else "")


def _follow(output: BinaryIO, sink: BinaryIO, line: "_Line") -> None:
    """Copy a child's output into `sink` to its end, and update the progress line."""
    percent = ""
    while True:
        ready, _, _ = select.select([output], [], [], 1.0)
        if ready:
            chunk = output.read1()
            if not chunk:
                break
            sink.write(chunk)
            if found := PERCENT.findall(chunk):
                percent = f"{int(found[-1])} %"
        line.show(percent)
    line.end(percent)


class _Line:
    """A line with what is being done, how far it is and how long it has taken; silent for the first second."""

    def __init__(self, what: str):
        self.what = what
        self.start = time.monotonic()
        self.due = self.start + 1
        self.terminal = sys.stdout.isatty()

    def show(self, progress: str) -> None:
        """Print the line if it is due: on a terminal each second, in place; else every 15 seconds."""
        now = time.monotonic()
        if now >= self.due:
            self._print(progress, end="" if self.terminal else "\n")
            self.due = now + (1 if self.terminal else 15)

    def end(self, progress: str) -> None:
        """Print the line one last time, if it was ever due."""
        if time.monotonic() - self.start >= 1:
            self._print(progress, end="\n")

    def _print(self, progress: str, end: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        start = "\r" if self.terminal else ""
        print(f"{start}{self.what} {progress:>5} {minutes}:{seconds:02d}", end=end, flush=True)
