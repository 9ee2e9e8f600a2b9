"""Views -> p(good) by a child process that holds Caffe, while this one fetches the next views."""

from user_error import UserError

import math
import mmap
import os
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from multiprocessing import Pipe

import numpy as np

from deploy import child
from deploy.net import CHANNELS, VIEW_SIZE, ScoringNet
from deploy.scoring_work import Task, Work, views_in
from experiments.failures import FULL_GPU, last_words
from experiments.launch import environment
from paper import ROOT
from prototxt import messages
from prototxt.messages import caffe_pb2

SLOTS = 2  # batches in memory: one in the net, one that fills
SMALLER = "the GPU's memory is full: a smaller --batch, another GPU (--gpu) or --cpu; nvidia-smi shows who uses it"
FIXES_BATCH = ("DummyData", "Parameter", "Input", "Python", "Reshape")  # these may state how many photos there are


class Scorer:
    """Nets that score the same photos, in a process of their own; a context manager.

    Views are written into `batch_views()`, `submit` has them scored, and `collect` takes the oldest answer. No more
    than `SLOTS` batches can be on their way; `is_full` says so.
    """

    def __init__(self, nets: Sequence[ScoringNet], gpu: int | None, batch: int | None = None) -> None:
        """`gpu` is a number, or None for the CPU; `batch` takes the place of the test pass's."""
        self.nets = nets
        self.view_names = tuple(dict.fromkeys(net.view for net in nets))
        self.pads = any(fixing_layers(net.param) for net in nets)
        self.batch = batch or nets[0].batch
        for net in nets:
            if self.batch != net.batch and (fixed := fixing_layers(net.param)):
                raise UserError(
                    f"{net.name}: layer {', '.join(fixed)} may state the batch: it is scored with --batch {net.batch}"
                )
        self.gpu = gpu
        self.pending: deque[tuple[int, int]] = deque()  # slot and count of what was submitted
        self.slot = 0

    def __enter__(self) -> "Scorer":
        shape = (SLOTS, len(self.view_names), self.batch)
        descriptor = os.memfd_create("views")
        size = math.prod(shape) * CHANNELS * VIEW_SIZE**2
        try:
            os.ftruncate(descriptor, size)
            self.views = views_in(mmap.mmap(descriptor, 0), shape)
        except (OSError, OverflowError):
            os.close(descriptor)
            raise UserError(f"{size:,} bytes of memory for a batch of {self.batch:,}: give a smaller --batch") from None
        self.connection, theirs = Pipe()
        self.said = tempfile.TemporaryFile()
        own = environment(self.gpu, threads=None)
        self.process = subprocess.Popen(
            child.command("deploy.scoring", theirs.fileno(), descriptor),
            cwd=ROOT,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.said,
            pass_fds=[theirs.fileno(), descriptor],
            start_new_session=True,  # a terminal's Ctrl-C reaches this process alone, which ends the other
        )
        theirs.close()
        os.close(descriptor)
        self._send(Work(tuple(map(self._task, self.nets)), shape, self.gpu, self.pads))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.said.close()

    @property
    def is_full(self) -> bool:
        """Whether an answer has to be collected before more views can be written."""
        return len(self.pending) == SLOTS

    def batch_views(self) -> np.ndarray:
        """Where the next batch's views go: views x batch x 3 x 256 x 256 uint8, planes blue, green, red."""
        return self.views[self.slot]

    def submit(self, count: int) -> None:
        """Have the first `count` photos of the batch that was written scored."""
        self._send((self.slot, count))
        self.pending.append((self.slot, count))
        self.slot = (self.slot + 1) % SLOTS

    def collect(self) -> np.ndarray:
        """The oldest answer, nets x count float32; UserError where the nets cannot be built or run."""
        self.pending.popleft()
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if isinstance(answer, UserError):
            raise answer
        return answer

    def _send(self, message: object) -> None:
        try:
            self.connection.send(message)
        except OSError:  # it died, and may have said why
            if self.connection.poll() and isinstance(answer := self.connection.recv(), UserError):
                raise answer from None
            raise self._death() from None

    def _death(self) -> UserError:
        """Why the child ended, in one line."""
        status = self.process.wait()
        self.said.seek(0)
        words = last_words(self.said.read().decode(errors="replace"), status).replace(FULL_GPU, SMALLER)
        return UserError(f"{' and '.join(net.name for net in self.nets)}: {words}")

    def _task(self, net: ScoringNet) -> Task:
        view = self.view_names.index(net.view)
        return Task(messages.text(net.param), net.input, net.output, net.weights.absolute(), net.transform, view)


def fixing_layers(param: caffe_pb2.NetParameter) -> list[str]:
    """The layers, but for the one of the photos, that may state how many photos a batch has."""
    return [layer.name for layer in param.layer[1:] if layer.type in FIXES_BATCH]
