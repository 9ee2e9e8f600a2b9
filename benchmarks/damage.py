"""How much damage to JPEGs is found: python -m benchmarks.damage --photos FOLDER

Each JPEG below the folder is damaged in every kind of way, at places drawn from a seed, and decoded. A file that still
counts as whole is compared with the original. Takes 5 s for the 11,200 mutants of 200 small photos on two cores;
docs/damage.md explains the results.
"""

from user_error import UserError, exit_with_status

import argparse
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from random import Random

import cv2
import numpy as np
from tabulate import tabulate

from data_prep.decoder import DamagedPicture, decode
from data_prep.views import global_view

VISIBLE = 20  # mean absolute difference of a view, of 255
SECTOR = 512  # bytes
JPEG = b"\xff\xd8"
VERDICTS = ("corrupt", "written unchanged", "slightly changed", "visibly changed")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damage", description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER", help="whose JPEGs are damaged")
    parser.add_argument("--each", type=int, default=7, metavar="N", help="mutants of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the places (%(default)s)")
    arguments = parser.parse_args()
    if not arguments.photos.is_dir():
        raise UserError(f"{arguments.photos} is not a folder: name one of photographs")
    photos = sorted(path for path in arguments.photos.rglob("*") if is_jpeg(path))
    if not photos:
        raise UserError(f"{arguments.photos} holds no JPEG: name a folder of photographs")
    counts: Counter[tuple[str, str]] = Counter()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for found in pool.map(verdicts, photos, repeat(arguments.each), repeat(arguments.seed), chunksize=4):
            counts += found
    print(f"{len(photos)} JPEGs, seed {arguments.seed}\n\n{table(counts)}")


def is_jpeg(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) == JPEG


def table(counts: Counter[tuple[str, str]]) -> str:
    """A row for each kind of damage, and one for all of them."""
    rows = []
    for kind in ("none", *DAMAGE, "all kinds"):
        found = [counts[kind, verdict] for verdict in VERDICTS]
        if kind == "all kinds":
            found = [sum(counts[name, verdict] for name in DAMAGE) for verdict in VERDICTS]
        rows.append([kind, sum(found), *found])
    return tabulate(rows, ["damage", "files", *VERDICTS], "pipe", intfmt=",")


def verdicts(photo: Path, each: int, seed: int) -> Counter[tuple[str, str]]:
    """What became of a photo (damage `none`) and of its mutants, by damage and verdict."""
    data = photo.read_bytes()
    original = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if original is None:
        return Counter()
    counts = Counter([("none", verdict(data, original))])
    for kind, mutants in DAMAGE.items():
        random = Random(os.fsencode(f"{seed} {photo.name} {kind}"))
        counts.update((kind, verdict(mutants(data, random), original)) for _ in range(each))
    return counts


def verdict(data: bytes, original: np.ndarray) -> str:
    """One of VERDICTS."""
    try:
        picture = decode(data)
    except DamagedPicture:
        return "corrupt"
    if np.array_equal(picture, original):
        return "written unchanged"
    difference = cv2.absdiff(global_view(picture), global_view(original)).mean()
    return "visibly changed" if difference > VISIBLE else "slightly changed"


def flip_bits(data: bytes, random: Random) -> bytes:
    """From 1 to 4 flipped bits."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut_off(data: bytes, random: Random) -> bytes:
    """The end is missing: a few bytes of it, or any share."""
    few = random.random() < 0.5
    return data[: -random.randint(3, 64)] if few else data[: random.randrange(1, len(data) - 2)]


def cut_off_and_ended(data: bytes, random: Random) -> bytes:
    """The end is missing, and the end marker was put back."""
    return cut_off(data, random) + data[-2:]


def overwrite(data: bytes, random: Random) -> bytes:
    """A block of random bytes."""
    return _replace(data, random, lambda length: random.randbytes(length))


def insert(data: bytes, random: Random) -> bytes:
    """More random bytes."""
    place = random.randrange(2, len(data) - 2)
    return data[:place] + random.randbytes(_length(random)) + data[place:]


def delete(data: bytes, random: Random) -> bytes:
    """A block less."""
    return _replace(data, random, lambda _: b"")


def blank_sector(byte: int, data: bytes, random: Random) -> bytes:
    """From 1 to 8 sectors of a disk, filled with one byte; the last one ends with the file."""
    first = random.randrange(-(-len(data) // SECTOR)) * SECTOR
    end = min(len(data), first + random.randint(1, 8) * SECTOR)
    return data[:first] + bytes([byte]) * (end - first) + data[end:]


def _replace(data: bytes, random: Random, new: Callable[[int], bytes]) -> bytes:
    length = min(_length(random), len(data) - 4)
    place = random.randrange(2, len(data) - 1 - length)
    return data[:place] + new(length) + data[place + length :]


def _length(random: Random) -> int:
    """Bytes of a block: from 1 to 4,096, short ones as often as long ones."""
    return round(2 ** random.uniform(0, 12))


DAMAGE: dict[str, Callable[[bytes, Random], bytes]] = {
    "flipped bits": flip_bits,
    "cut off": cut_off,
    "cut off, with an end marker": cut_off_and_ended,
    "overwritten block": overwrite,
    "inserted bytes": insert,
    "deleted bytes": delete,
    "zeroed sectors": partial(blank_sector, 0x00),
    "sectors of 0xff": partial(blank_sector, 0xFF),
}


if __name__ == "__main__":
    exit_with_status(main)
