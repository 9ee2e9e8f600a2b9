"""The child process that holds Caffe: views in shared memory -> p(good), a batch at a time.

`python -m deploy.scoring CONNECTION MEMORY`, two descriptors, started by deploy.scorer. A failed CHECK in Caffe aborts
the process that made it: here it ends the scoring with a line, and no more.
"""

from user_error import UserError

import mmap
import os
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection

import caffe
import numpy as np

from deploy.scoring_work import Task, Work, views_in
from experiments.evaluation import checked_outputs, p_good
from experiments.preflight import with_fast_fillers
from experiments.transfer import examine


class LoadedNet:
    """A net in Caffe, with its weights."""

    def __init__(self, task: Task, batch: int) -> None:
        self.task, self.net = task, _built(task.net)
        if new := examine(self.net, task.weights).new:
            raise UserError(f"{task.weights} has no weights for layer {', '.join(new)}")
        self.net.copy_from(os.fsencode(task.weights))
        self._reshape(batch)

    def p_good(self, views: np.ndarray, pads: bool) -> np.ndarray:
        """The probability of good (n float32) of n views, 3 x 256 x 256 BGR uint8."""
        count = len(views)
        photos = self.net.blobs[self.task.input]
        if count != photos.shape[0] and not pads:
            self._reshape(count)
        batch = photos.shape[0]
        self.task.transform.apply(views, photos.data[:count])
        self.net.forward()
        return p_good(checked_outputs(self.net, self.task.output, batch)[:count])

    def _reshape(self, batch: int) -> None:
        photos = self.net.blobs[self.task.input]
        if photos.shape[0] != batch:
            photos.reshape(batch, *photos.shape[1:])
            self.net.reshape()


def _built(text: str) -> caffe.Net:
    """The net of phase TEST; Caffe takes it from a file alone."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", encoding="utf-8") as file:
        file.write(with_fast_fillers(text))
        file.flush()
        return caffe.Net(file.name, caffe.TEST)


def serve(connection: Connection, memory: mmap.mmap) -> None:
    """Score what the other end asks for, until it closes: a slot and a count; the answer is nets x count float32."""
    work: Work = connection.recv()
    if work.gpu is not None:
        caffe.set_device(work.gpu)  # before anything that makes Caffe's context
        caffe.set_mode_gpu()
    views = views_in(memory, work.shape)
    batch = work.shape[2] if work.pads else 1  # it grows with need: three photos do not take the memory of fifty
    nets = [LoadedNet(task, batch) for task in work.tasks]  # at once: a run at work removes old snapshots
    while True:
        slot, count = connection.recv()
        connection.send(np.stack([net.p_good(views[slot, net.task.view, :count], work.pads) for net in nets]))


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            serve(connection, mmap.mmap(int(sys.argv[2]), 0))
        except UserError as error:
            connection.send(error)
        except OSError as error:  # its weights are gone
            connection.send(UserError(f"{error.filename}: {error.strerror}"))


if __name__ == "__main__":
    main()
    os._exit(0)  # Caffe's threads, and CUDA's, may abort a process that tears itself down
