"""What the data preparation is measured by, against Caffe's convert_imageset: python -m benchmarks.data_prep

Both work on the same pictures, drawn at AVA's usual size (800 x 600, 125 KB: 32 GB / 255,500 files), on the same two
cores, in turns, in the same call. convert_imageset makes one view per pass, so
two passes make what one call of ours makes; it uses one core, so it is also measured twice at once, a pass on each.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow.parquet
import xxhash

from benchmarks.stopwatch import seconds
from benchmarks.table import Comparison, in_turns, markdown
from data_prep import datums, stores, views
from data_prep.decoder import decode
from data_prep.pictures import Place
from data_prep.records import Wanted, make_records

ROOT = Path(__file__).resolve().parents[1]
CONVERT = Path(sys.executable).parent / "convert_imageset"
CORES = sorted(os.sched_getaffinity(0))[:2]
DISTINCT = 100  # pictures; more photos are links to them
DELTA = 0.2  # leaves out a fifth of the photos that are drawn here
ROWS = 255_530  # of AVA.txt


def rows(rounds: int, photos: int = 1200) -> list[Comparison]:
    """Both views of that many photos in two processes, against convert_imageset and against decoding alone."""
    with tempfile.TemporaryDirectory(prefix="data_prep_benchmark_") as folder:
        root = make_copy(Path(folder) / "ava", photos)
        files = [str(path) for path in sorted((root / "images").iterdir())]
        listing = Path(folder) / "list.txt"
        listing.write_text("".join(f"{path} 1\n" for path in files))
        peers = {
            "`convert_imageset`, a view at a time": lambda: [convert([listing], Path(folder)) for _ in range(2)],
            "`convert_imageset` twice at once, a view each": lambda: convert([listing, listing], Path(folder)),
            "decoding alone, 2 processes": lambda: decode_alone(files),
        }
        ours, *theirs = in_turns(
            rounds,
            lambda: seconds(lambda: prepare(root, Path(folder) / "out")),
            *(lambda work=work: seconds(work) for work in peers.values()),
        )
        plain, fresh = Path(folder) / "out", Path(folder) / "fresh"
        copied, decoded = in_turns(
            rounds,
            lambda: seconds(lambda: prepare_delta(root, plain)),
            lambda: seconds(lambda: prepare_delta(root, fresh)),
        )
        packed = pack(root, Path(folder) / "packed")
        unpacked, out_of_parquet = in_turns(
            rounds,
            *(lambda root=root: seconds(lambda: prepare(root, Path(folder) / "out")) for root in (root, packed)),
        )
    what, limit = f"both views of {photos:,} photos of 800x600 into LMDBs", "decoding, three quarters of the time"
    return [
        *(Comparison(what, "s", ours, peer, times, limit) for peer, times in zip(peers, theirs, strict=True)),
        Comparison(f"the same with delta {DELTA}, copied", "s", copied, "from the photos", decoded, "the disk"),
        Comparison("the same out of parquet files", "s", out_of_parquet, "of a file each", unpacked, "copying them"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_prep", description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1200, metavar="N", help="photos per round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="%(default)s")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, CORES)
    print(markdown(rows(arguments.rounds, arguments.photos)))
    with tempfile.TemporaryDirectory(prefix="data_prep_benchmark_") as folder:
        print_details(Path(folder), arguments.photos, arguments.rounds)


def print_details(folder: Path, photos: int, rounds: int) -> None:
    """Print memory, the time of the lists alone, and where the time of a photo goes."""
    print("\nmemory of all processes together (the sum of their resident sets, and with shared pages counted once)")
    for count in (photos // 4, photos):
        resident, proportional = memory(make_copy(folder / f"memory{count}", count), folder / "memory")
        print(f"  {count:6,} photos: {resident:4.0f} MB, {proportional:4.0f} MB")
    table = make_table(folder / "whole", ROWS)
    for partition in ("large", "small"):
        options = ["--root", table, "--partition", partition, "--dry-run"]
        taken = min(seconds(lambda options=options: call(options)) for _ in range(rounds))
        print(f"lists of {ROWS:,} rows, {partition} (--dry-run): {taken:.2f} s")
    files = sorted(map(str, (folder / f"memory{photos}" / "images").iterdir()))
    print_stages(files[:DISTINCT], folder)


def print_stages(files: list[str], folder: Path) -> None:
    """Print where the time of one photo goes, measured in one process."""
    places = [memoryview(bytearray(datums.RECORD_BYTES)) for _ in range(2)]
    both = Wanted(("global", "local"), False)
    data = [Path(path).read_bytes() for path in files]
    pictures = [decode(content) for content in data]
    before, after = datums.raw_frame(1)
    record = before + bytes(datums.RAW_BYTES) + after
    whole = per_photo(lambda path: make_records(Place(path), 1, both, places), files)
    bare = per_photo(lambda content: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), data)
    stages = {
        "reading the file": per_photo(lambda path: Path(path).read_bytes(), files),
        "decoding": bare,
        "guards against damage": per_photo(decode, data) - bare,
        "global view (resize)": per_photo(views.global_view, pictures),
        "local view (crop)": per_photo(views.local_view, pictures),
        "digests (picture, 2 records)": per_photo(lambda content: digest(content, record), data),
    }
    stages["records (planes)"] = max(0.0, whole - sum(stages.values()))

    def store_all(_: object) -> None:
        for name in ("global", "local"):
            with stores.checkpoint(folder / f"{name}_stage", 64) as put:
                for position in range(64):
                    put(position, memoryview(record))
        shutil.rmtree(folder / "global_stage")
        shutil.rmtree(folder / "local_stage")

    stages["stores and disk (2 views)"] = per_photo(store_all, range(5)) / 64
    print("\nwhere the time of one photo goes, ms of CPU")
    for name, milliseconds in stages.items():
        print(f"  {name:28}{milliseconds:6.3f}{100 * milliseconds / sum(stages.values()):6.1f}%")


def digest(content: bytes, record: bytes) -> None:
    """What a photo's digests cost: one of its file, one of each view's record."""
    xxhash.xxh3_128_hexdigest(content)
    stores.record_digest(record)
    stores.record_digest(record)


def per_photo(work: Callable, items: Iterable) -> float:
    """Milliseconds of this process's CPU time per item, the best of three passes."""
    items, passes = list(items), []
    for _ in range(3):
        begun = time.process_time()
        for item in items:
            work(item)
        passes.append(time.process_time() - begun)
    return 1000 * min(passes) / len(items)


def make_copy(root: Path, photos: int) -> Path:
    """Make a copy of AVA with that many photos, links to a few distinct pictures."""
    (root / "images").mkdir(parents=True)
    make_table(root, photos)
    for number in range(photos):
        path = root / "images" / f"{1000 + number}.jpg"
        if number < DISTINCT:
            picture = draw(number)[: 600 - number % 20]  # a copy of one size would be taken for a warped one
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        else:
            os.link(root / "images" / f"{1000 + number % DISTINCT}.jpg", path)
    return root


def pack(root: Path, packed: Path) -> Path:
    """The same copy with its pictures in parquet files of 500, as Hugging Face has them."""
    packed.mkdir()
    shutil.copy(root / "AVA.txt", packed)
    files = sorted((root / "images").iterdir())
    for begin in range(0, len(files), 500):
        own = files[begin : begin + 500]
        pictures = [{"bytes": path.read_bytes(), "path": path.name} for path in own]
        table = pyarrow.table({"image_id": [int(path.stem) for path in own], "image": pictures})
        pyarrow.parquet.write_table(table, packed / f"train-{begin:06}.parquet", row_group_size=100)
    return packed


def make_table(root: Path, rows: int) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    counts = np.random.default_rng(1).integers(0, 60, (rows, 10)).tolist()
    lines = (f"{n + 1} {1000 + n} {' '.join(map(str, row))} 1 22 1396\n" for n, row in enumerate(counts))
    (root / "AVA.txt").write_text("".join(lines))
    return root


def draw(seed: int) -> np.ndarray:
    """A random picture, 600 x 800 x 3 BGR uint8, with structure of every size and some grain."""
    random = np.random.default_rng(seed)
    picture = np.zeros((600, 800, 3), np.float32)
    for cells, strength in ((4, 90), (16, 45), (64, 22), (256, 10)):
        noise = random.normal(0, strength, (cells * 3 // 4, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (800, 600), interpolation=cv2.INTER_CUBIC)
    picture += random.normal(0, 5, (600, 800, 1))
    return np.clip(128 + picture, 0, 255).astype(np.uint8)


def prepare(root: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    call(["--root", root, "--partition", "large", "--out", out, "--jobs", "2"])


def prepare_delta(root: Path, out: Path) -> None:
    """Prepare with a delta: what is in `out` without one is copied."""
    shutil.rmtree(out / f"ava-large-delta-{DELTA}", ignore_errors=True)
    call(["--root", root, "--partition", "large", "--out", out, "--jobs", "2", "--delta", DELTA])


def call(options: list) -> None:
    command = [sys.executable, "-m", "data_prep", "ava", *map(str, options)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def convert(listings: list[Path], folder: Path) -> None:
    """Run one convert_imageset per list at once, as Caffe's examples call it."""
    running = []
    for number, listing in enumerate(listings):
        store = folder / f"converted{number}"
        shutil.rmtree(store, ignore_errors=True)
        command = [CONVERT, "--resize_height=256", "--resize_width=256", "/", listing, store]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    if any(process.wait() for process in running):
        raise SystemExit("convert_imageset failed")


def decode_alone(files: list[str]) -> None:
    """Read and decode all files in two processes, nothing else; their start counts, as it does for ours."""
    context = get_context("spawn")
    halves = [context.Process(target=decode_files, args=(files[number::2],)) for number in range(2)]
    for process in halves:
        process.start()
    for process in halves:
        process.join()


def decode_files(files: list[str]) -> None:
    cv2.setNumThreads(1)
    for path in files:
        cv2.imread(path, cv2.IMREAD_COLOR)


def memory(root: Path, out: Path) -> tuple[float, float]:
    """Peak megabytes of a preparation's processes together: resident sets summed, proportional sets summed."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "data_prep", "ava", "--root", str(root), "--partition", "large"]
    process = psutil.Popen(
        [*command, "--out", str(out), "--jobs", "2"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peaks = (0.0, 0.0)
    while process.poll() is None:
        resident = proportional = 0.0
        for member in [process, *children(process)]:
            try:
                use = member.memory_full_info()
            except psutil.Error:
                continue
            resident += use.rss / 1e6
            proportional += use.pss / 1e6
        peaks = (max(peaks[0], resident), max(peaks[1], proportional))
        time.sleep(0.02)
    return peaks


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


if __name__ == "__main__":
    main()
