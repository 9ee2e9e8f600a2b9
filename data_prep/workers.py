"""Processes that read and decode photos and make their records; the parent only stores them.

The records are in memory shared with the parent, a fixed ring of slots of one chunk each, so nothing grows with the
number of photos and no pixel goes through a pipe. A worker that dies (a crash in a decoder, the kernel's
out-of-memory killer) is replaced and its photos are decoded again; a photo on which two workers died is corrupt.
Workers end when the parent does, however it ends: their pipe closes.
"""

from user_error import UserError

import ctypes
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

import cv2

from data_prep.datums import RECORD_BYTES
from data_prep.photos import CORRUPT, Outcome, Photo
from data_prep.pictures import Place
from data_prep.records import Wanted, make_records

CHUNK = 8  # photos
AHEAD = 2  # chunks in a worker's pipe: it has work while the parent waits for the disk
IDLE = -1  # at no photo
MAX_IDLE_DEATHS = 10

Result = tuple[Outcome, list[memoryview]]


@contextmanager
def pool(wanted: Wanted, jobs: int, photos: int) -> Iterator["Pool"]:
    """Up to `jobs` workers for so many photos; they start when the first are decoded, and end with the context."""
    workers = Pool(wanted, max(1, min(jobs, -(-photos // CHUNK))))
    try:
        yield workers
    finally:
        workers.stop()


def keep_freed_memory() -> None:
    """Have the C allocator keep up to 64 MB of freed memory instead of returning it to the kernel.

    Each photo takes and frees about 100 pages for its pixels, or in the parent for LMDB's, and the kernel zeroes new
    pages first: 0.25 ms of a photo's 3 ms. Does nothing if the C library is not glibc.
    """
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(mmap_threshold, 32 << 20)
        ctypes.CDLL(None).mallopt(trim_threshold, 64 << 20)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Keep Ctrl-C, which reaches a whole process group, from the processes that are started meanwhile.

    They inherit that it is blocked. For us it is only late: a child whose start was interrupted would complain.
    """
    resource_tracker.ensure_running()  # its own start would unblock
    pressed: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread:  # where Python handles what any thread receives
        handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if pressed:
            signal.raise_signal(signal.SIGINT)


class Pool:
    """The workers, their ring of slots, and which chunk is where."""

    def __init__(self, wanted: Wanted, jobs: int) -> None:
        self.wanted, self.jobs = wanted, jobs
        self.slots = jobs * (AHEAD + 1) + 1
        self.slot_bytes = CHUNK * len(wanted.views) * RECORD_BYTES
        self.context = multiprocessing.get_context("spawn")
        self.ring = self.context.RawArray("B", self.slots * self.slot_bytes)
        self.current = self.context.RawArray("q", jobs)  # the photo that each worker is at
        self.workers: list[multiprocessing.Process] = []
        self.pipes: list[Connection] = []
        self.slot_of: dict[int, int] = {}

    def decoded(self, photos: Sequence[Photo], place: Callable[[Photo], Place]) -> Iterator[Result]:
        """What became of each photo, in order, with its record for each view.

        `place` says where a photo's bytes are. There are records only if the outcome is `written`; they are valid until
        the next item is taken. One call at a time: what an earlier one was still at is given up.
        """
        if self.slot_of:
            self.stop()
        self.photos, self.place = photos, place
        chunks = -(-len(photos) // CHUNK)
        self.todo = list(range(chunks))[::-1]  # the next one last
        self.free = list(range(self.slots))
        self.slot_of = {}
        self.done: dict[int, list[tuple[Outcome, list[int]]]] = {}
        self.deaths: dict[int, int] = {}  # photo -> workers that died on it
        self._start(min(self.jobs, chunks))
        self.assigned: list[list[int]] = [[] for _ in self.workers]
        for chunk in range(chunks):
            self._hand_out()
            while chunk not in self.done:
                self._collect()
                self._hand_out()
            slot = self.slot_of.pop(chunk)
            for index, (outcome, lengths) in enumerate(self.done.pop(chunk)):
                first = index * len(self.wanted.views)
                yield (
                    outcome,
                    [
                        _place(self.ring, slot * self.slot_bytes, first + view)[:length]
                        for view, length in enumerate(lengths)
                    ],
                )
            self.free.append(slot)

    def _start(self, wanted: int) -> None:
        for number in range(len(self.workers), wanted):
            worker, pipe = self._started(number)
            self.workers.append(worker)
            self.pipes.append(pipe)

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker, pipe in zip(self.workers, self.pipes, strict=True):
            worker.join()
            pipe.close()
        self.workers, self.pipes = [], []

    def _started(self, number: int) -> tuple[multiprocessing.Process, Connection]:
        self.current[number] = IDLE
        ours, theirs = self.context.Pipe()
        worker = self.context.Process(
            target=_work, args=(number, theirs, self.ring, self.current, self.wanted), daemon=True
        )
        with interrupts_deferred():
            worker.start()
        theirs.close()
        return worker, ours

    def _hand_out(self) -> None:
        """Give the workers chunks in order, up to AHEAD each, as long as there are slots."""
        for _ in range(AHEAD):
            for number, assigned in enumerate(self.assigned):
                if len(assigned) >= AHEAD or not self.todo:
                    continue
                chunk = self.todo[-1]
                if chunk not in self.slot_of:
                    if not self.free:
                        return
                    self.slot_of[chunk] = self.free.pop()
                assigned.append(self.todo.pop())
                with suppress(OSError):  # a dead worker: _collect finds out
                    self.pipes[number].send(self._task(chunk))

    def _task(self, chunk: int) -> tuple[int, list[tuple[int, Place, int, bool]]]:
        first = chunk * CHUNK
        return self.slot_of[chunk] * self.slot_bytes, [
            (number, self.place(photo), photo.label, self.deaths.get(number, 0) > 1)
            for number, photo in enumerate(self.photos[first : first + CHUNK], first)
        ]

    def _collect(self) -> None:
        """Wait for a worker's results, or for its death."""
        for pipe in wait(self.pipes):
            number = self.pipes.index(pipe)
            try:
                results = pipe.recv()
            except (EOFError, OSError):
                self._replace(number)
                continue
            if isinstance(results, Exception):
                raise results
            self.done[self.assigned[number].pop(0)] = results

    def _replace(self, number: int) -> None:
        self.workers[number].join()
        self.pipes[number].close()
        photo = self.current[number]
        self.deaths[photo] = self.deaths.get(photo, 0) + 1
        if self.deaths.get(IDLE, 0) > MAX_IDLE_DEATHS:
            status = self.workers[number].exitcode
            raise UserError(f"the decoding processes keep dying (status {status}): try fewer --jobs")
        self.todo = sorted([*self.todo, *self.assigned[number]], reverse=True)
        self.assigned[number] = []
        self.workers[number], self.pipes[number] = self._started(number)


def _place(ring, slot_start: int, index: int) -> memoryview:
    start = slot_start + index * RECORD_BYTES
    return memoryview(ring).cast("B")[start : start + RECORD_BYTES]


def _work(number: int, pipe: Connection, ring, current, wanted: Wanted) -> None:
    """A worker's main loop: take chunks, return outcomes and record lengths, until the pipe closes."""
    cv2.setNumThreads(1)  # there is a process for each core
    keep_freed_memory()
    views = range(len(wanted.views))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            slot_start, photos = pipe.recv()
            results = []
            try:
                for index, (photo, picture, label, is_deadly) in enumerate(photos):
                    current[number] = photo
                    if is_deadly:
                        results.append((Outcome(CORRUPT, "the decoder crashed on it, twice"), []))
                        continue
                    first = index * len(views)
                    places = [_place(ring, slot_start, first + view) for view in views]
                    results.append(make_records(picture, label, wanted, places))
                current[number] = IDLE
            except Exception as error:  # our mistake, not the photo's: the parent raises it
                results = error
            pipe.send(results)
