"""What one machine does for runs: records a second from its disk and its memory, copies, snapshots, batches again.

`python -m benchmarks.node FOLDER`: FOLDER is on the disk that is measured; what is written there is removed again. The
nets are of full size, and no iteration is done: the numbers are those of the CPU and of the disk. What a cold read or a
copy takes from a disk that keeps files in a memory of its own, as virtual machines' do, is more than the disk gives.
"""

from user_error import UserError, exit_with_status

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import caffe
from caffe.proto import caffe_pb2

from arguments import positive
from benchmarks import noise
from benchmarks.stopwatch import seconds
from benchmarks.table import machine
from data_prep import space
from data_prep.datums import RECORD_BYTES
from data_prep.stores import disk_need
from experiments import snapshots
from experiments.preflight import with_fast_fillers
from experiments.prototxts import Prototxts, resolve, snapshot_prefix
from experiments.runs import Run
from files import sync
from paper import NETWORKS
from prototxt.messages import parse, text

DATASET = "ava-large"
TEST = 50  # photos of the test set, which is not read
BATCHES = 200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.node", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="on the disk that is measured")
    parser.add_argument("--records", type=positive, default=4000, metavar="N", help="of each view (%(default)s)")
    arguments = parser.parse_args()
    need = 3 * disk_need(arguments.records, encoded=False) + 4_000_000_000
    if not arguments.folder.is_dir() or space.free(arguments.folder) < need:
        raise UserError(f"{arguments.folder} has to be a folder with {space.size(need)} free")
    caffe.set_mode_cpu()
    with tempfile.TemporaryDirectory(prefix="benchmarks_", dir=arguments.folder) as name:
        print(machine(), flush=True)
        for line in measured(Path(name), arguments.records):
            print(line, flush=True)


def measured(folder: Path, records: int) -> Iterator[str]:
    """A line for each measurement."""
    data = folder / "data"
    noise.dataset(data / DATASET, {"train": records, "test": TEST})
    texts = {network: resolve(_run(network), data) for network in NETWORKS}
    store = data / DATASET / "train_global_lmdb" / "data.mdb"
    yield _rate("Data layer, cold disk", records, _read(texts["alexnet"], folder, store, cold=True))
    yield _rate("Data layer, page cache", records, _read(texts["alexnet"], folder, store, cold=False))
    yield _rate("copy of a store, cold disk", records, _copy(store, folder / "copy", cold=True))
    yield _rate("copy of a store, page cache", records, _copy(store, folder / "copy", cold=False))
    for network in NETWORKS:
        yield from _of_a_run(network, texts[network], folder)


def _read(texts: Prototxts, folder: Path, store: Path, cold: bool) -> float:
    """Seconds to read each record once, by the training net's data layer alone."""
    net = parse(texts.net, caffe_pb2.NetParameter())
    layer = next(layer for layer in net.layer if layer.type == "Data" and layer.data_param.source == str(store.parent))
    path = folder / "data.prototxt"
    path.write_text(text(caffe_pb2.NetParameter(layer=[layer])), encoding="utf-8")
    _forget(store) if cold else _remember(store)
    count = store.stat().st_size // RECORD_BYTES // layer.data_param.batch_size

    def read() -> None:  # the net is made in it: it begins to read at once
        net = caffe.Net(str(path), caffe.TRAIN)
        for _ in range(count):
            net.forward()

    return seconds(read)


def _copy(store: Path, target: Path, cold: bool) -> float:
    """Seconds to copy a store as run --stage does."""
    _forget(store) if cold else _remember(store)

    def copy() -> None:
        shutil.copyfile(store, target)
        sync(target)

    took = seconds(copy)
    target.unlink()
    return took


def _of_a_run(network: str, texts: Prototxts, folder: Path) -> Iterator[str]:
    """What a snapshot of a net takes, and to run its data and random numbers forward, as a resume does."""
    place = folder / network
    place.mkdir()
    fast = replace(texts, net=with_fast_fillers(texts.net))
    solver = caffe.get_solver(str(fast.write(place)))
    prefix = place / snapshot_prefix(_run(network))
    took = [seconds(lambda: snapshots.take(solver, prefix, 0, [])) for _ in range(3)]
    size = sum(file.stat().st_size for file in prefix.parent.glob("*_iter_*"))
    yield f"{network}: a snapshot, {space.size(size)}: {min(took):.2f} to {max(took):.2f} s"
    snapshot, batch, begun = snapshots.newest(prefix.parent), solver.net.blobs["label"].data.size, []

    def before(batch: int) -> None:
        begun.append(time.perf_counter())

    whole = seconds(lambda: snapshots.resume(solver, snapshot, prefix, BATCHES, before))
    again = begun[-1] - begun[0]
    yield f"{network}: batches again: {(BATCHES - 1) * batch / again:,.0f} records/s"
    yield f"{network}: weights and momentum read: {whole - again:.2f} s"
    shutil.rmtree(place)


def _run(network: str) -> Run:
    return Run(DATASET, network, "global", seed=1)


def _forget(file: Path) -> None:
    """Have the kernel drop a file from its page cache."""
    sync(file)
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _remember(file: Path) -> None:
    """Have the kernel hold a file in its page cache."""
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def _rate(what: str, records: int, took: float) -> str:
    rate = records * RECORD_BYTES / took / 1e6
    return f"{what}: {records:,} records in {took:.2f} s, {records / took:,.0f} records/s, {rate:,.0f} MB/s"


if __name__ == "__main__":
    exit_with_status(main)
