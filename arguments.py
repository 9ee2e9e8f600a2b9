"""What both command lines have in common: usage errors in one line, and the checks of numbers."""

from user_error import FIX_FIRST

import argparse
import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line.

    The values of the options in `verbatim` may begin with a dash: --slurm --time=5 is --slurm=--time=5.
    """

    verbatim: Collection[str] = ()

    def parse_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        words: list[str] = []
        for word in sys.argv[1:] if args is None else args:
            if words and words[-1] in self.verbatim:
                words[-1] += f"={word}"
            else:
                words.append(word)
        return super().parse_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} ({self.prog} --help)", file=sys.stderr)
        sys.exit(FIX_FIRST)


LARGEST = 2_000_000_000  # of a count: what Caffe's 32-bit numbers hold
LARGEST_SEED = 2**32 - 1  # Caffe takes a seed's lower 32 bits


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1, LARGEST)


def count(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0, LARGEST)


def seed(text: str) -> int:
    """A seed of Caffe's random numbers."""
    return _whole(text, 1, LARGEST_SEED)


def _whole(text: str, least: int, most: int) -> int:
    digits = text if text.isascii() and text.isdecimal() and len(text) < 20 else "-1"
    if least <= int(digits) <= most:
        return int(digits)
    limit = f" to {most:,}" if int(digits) > most or len(text) >= 20 else ""
    raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number from {least}{limit}")


def words(text: str) -> list[str]:
    """The words of a text as a shell takes them apart."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: {error}") from None


def named_folder(text: str) -> Path:
    """A folder's name; '' is none, as of a variable that is not set: it would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("'' names no folder: is a variable not set?")
    if text.startswith("$"):
        raise argparse.ArgumentTypeError(f"{text!r} was not looked up by the shell: leave out the single quotes")
    return Path(text)


def folder_of_a_node(text: str) -> Path:
    """The same of a folder on each node of a cluster: $TMPDIR is looked up there."""
    named_folder(text.lstrip("$"))
    return Path(text)


def gpu_ids(text: str) -> list[int]:
    """Different numbers of GPUs: '0' or '0,1'."""
    parts = text.split(",")
    if not all(part.isdecimal() and len(part) < 5 for part in parts):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of a GPU, nor several as in 0,1")
    return list(dict.fromkeys(map(int, parts)))
