"""What the process that scores is told, and the memory that it shares; Caffe is not needed."""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.net import CHANNELS, VIEW_SIZE, Transform


@dataclass(frozen=True)
class Task:
    """One net, in what can be sent to a process."""

    net: str  # the text of its NetParameter
    input: str
    output: str
    weights: Path
    transform: Transform
    view: int  # the number of its view among those of a photo


@dataclass(frozen=True)
class Work:
    """All that the process gets first."""

    tasks: tuple[Task, ...]
    shape: tuple[int, int, int]  # of the memory: slots x views x batch
    gpu: int | None  # None: on the CPU
    pads: bool  # whether every batch has to be a whole one


def views_in(memory: mmap.mmap, shape: tuple[int, int, int]) -> np.ndarray:
    """The shared memory as slots x views x batch x 3 x 256 x 256 uint8."""
    return np.frombuffer(memory, np.uint8).reshape(*shape, CHANNELS, VIEW_SIZE, VIEW_SIZE)
