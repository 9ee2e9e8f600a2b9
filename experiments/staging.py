"""A machine's own copy of the stores that runs read (`run --stage DIR`): made once, for all runs on the machine.

<DIR>/<dataset>-<digest>/<dataset>/ holds manifest.csv, summary.json and those of the stores that runs have asked for.
The digest is that of the dataset and of its stores' fingerprints: when they change, the copy is another folder. A store
is whole or not there. Other stores than the dataset's own, which an edited net may read, are read where they are.
"""

from user_error import UserError

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from data_prep import space
from data_prep.stores import fingerprint
from experiments.job import Job
from experiments.planning import dataset_digest
from files import Held, locked, sync, write_atomically
from prototxt import messages
from prototxt.messages import caffe_pb2

STORE = "data.mdb"
LISTS = ("manifest.csv", "summary.json")
DIGITS = 12  # of the digest in a folder's name
Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """Where the stores that some runs read are copied to."""

    dataset: Path  # the prepared dataset
    root: Path  # holds the copy in a folder of the dataset's name
    stores: tuple[str, ...]  # the names of those that the runs read

    @property
    def copy(self) -> Path:
        return self.root / self.dataset.name

    @property
    def partial(self) -> Path:
        return self.copy / ".partial"

    def missing(self) -> list[str]:
        """The stores whose copies are not there, or are not what the stores are."""
        return [name for name in self.stores if not is_same(self.dataset / name, self.copy / name)]

    def words(self, missing: Sequence[str]) -> str:
        """What a copy takes, for people; UserError where there is no room for it."""
        need = sum((self.dataset / name / STORE).stat().st_size for name in missing)
        free = space.free(self.root)
        if need > free:
            fix = "give another --stage, or remove copies there that no run reads"
            raise UserError(f"{self.root.parent}: {space.size(need)} are needed, {space.size(free)} are free; {fix}")
        return f"{' and '.join(missing)} of {self.dataset}, {space.size(need)}, to {self.root}, {space.size(free)} free"


def stage_of(jobs: Sequence[Job], folder: Path) -> Stage:
    """What these runs on one dataset read of it."""
    dataset = jobs[0].data / jobs[0].run.dataset
    names = {Path(source).name for job in jobs for source in _own_sources(job)}
    digest = hashlib.sha256(dataset_digest(dataset).encode())
    for store in sorted(path.parent for path in dataset.glob(f"*/{STORE}")):
        digest.update(f" {store.name} {fingerprint(store)}".encode())
    root = folder.resolve() / f"{dataset.name}-{digest.hexdigest()[:DIGITS]}"
    return Stage(dataset, root, tuple(sorted(names)))


def foresee(jobs: Sequence[Job], folder: Path) -> str:
    """What `staged` would do, in one line."""
    stage = stage_of(jobs, folder)
    missing = stage.missing()
    return f"to be copied: {stage.words(missing)}" if missing else f"copied already: {stage.copy}"


def staged(jobs: Sequence[Job], folder: Path, say: Say) -> list[Job]:
    """The same jobs, which read their dataset's stores from this machine's copy below `folder`; it is made first.

    One process copies, others wait for it. Raises UserError where there is no room, or the copy is not the store.
    """
    stage = stage_of(jobs, folder)
    try:
        stage.copy.mkdir(parents=True, exist_ok=True)
        with _alone(stage, say):
            if missing := stage.missing():
                say(f"copying {stage.words(missing)}")
                begun = time.monotonic()
                _copy(stage, missing)
                say(f"copied in {time.monotonic() - begun:.0f} s")
            else:
                say(f"reading the stores in {stage.copy}")
    except OSError as error:
        place = error.filename2 or error.filename or stage.root  # of a copy the second one is its own
        raise UserError(f"{place}: {error.strerror}: give another --stage") from None
    return [_reading(job, stage) for job in jobs]


def is_same(store: Path, copy: Path) -> bool:
    """Whether a copy is there, and has the size and the first, middle and last records of the store."""
    try:
        return fingerprint(copy) == fingerprint(store)
    except (FileNotFoundError, NotADirectoryError, UserError):  # not there, or cut off
        return False


@contextmanager
def _alone(stage: Stage, say: Say) -> Iterator[None]:
    """Be the only one that copies; what one left that was killed at it is removed."""
    path = stage.root / "lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path))
        except Held:
            say(f"another process is copying to {stage.root}: waiting for it")
            stack.enter_context(locked(path, patience=math.inf))
        shutil.rmtree(stage.partial, ignore_errors=True)
        yield


def _copy(stage: Stage, stores: Sequence[str]) -> None:
    for name in LISTS:
        write_atomically(stage.copy / name, (stage.dataset / name).read_bytes())
    try:
        for name in stores:
            store, partial, copy = stage.dataset / name, stage.partial / name, stage.copy / name
            partial.mkdir(parents=True)
            shutil.copyfile(store / STORE, partial / STORE)  # in the kernel, past our memory
            sync(partial / STORE)
            if not is_same(store, partial):
                raise UserError(f"{copy}: the copy is not what {store} is: it changed meanwhile, or the disk is bad")
            copy.mkdir(exist_ok=True)
            (partial / STORE).replace(copy / STORE)
            sync(copy)
    finally:
        shutil.rmtree(stage.partial, ignore_errors=True)


def _own_sources(job: Job) -> Iterator[str]:
    """The stores of its own dataset that a job's net reads, by their paths."""
    for layer in messages.parse(job.prototxts.net, caffe_pb2.NetParameter()).layer:
        source = Path(layer.data_param.source)
        if layer.type == "Data" and source.parent == job.data / job.run.dataset and (source / STORE).exists():
            yield layer.data_param.source


def _reading(job: Job, stage: Stage) -> Job:
    """The job, whose net names the copies."""
    own = set(_own_sources(job))
    net = messages.parse(job.prototxts.net, caffe_pb2.NetParameter())
    for layer in net.layer:
        if layer.data_param.source in own:
            layer.data_param.source = str(stage.copy / Path(layer.data_param.source).name)
    return replace(job, prototxts=replace(job.prototxts, net=messages.text(net)))
