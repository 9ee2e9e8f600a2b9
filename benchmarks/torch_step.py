"""Seconds per iteration of PyTorch, as benchmarks.step times Caffe's.

`python -m benchmarks.torch_step NET GPU THREADS COUNT`: GPU is a number, or None for the CPU; THREADS are a number, or
None for as many as there are cores. It runs in a Python of its own, which has PyTorch: benchmarks.torch_venv.
"""

import sys

import torch
from torch.nn.functional import cross_entropy

from benchmarks.stopwatch import per_iteration
from benchmarks.torch_nets import NETS, optimizer
from paper import stated


def measure(network: str, gpu: int | None, iterations: int) -> float:
    """Time fine-tuning on one batch that is ready in memory."""
    place = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
    torch.backends.cudnn.benchmark = True
    net = NETS[network]().to(place)
    steps = optimizer(net)
    batch, crop = stated(f"finetuning.batch_size.{network}"), stated(f"networks.{network}.crop_size")
    photos = torch.randn(batch, 3, crop, crop, device=place) * 60  # of the size of pixels less their mean
    labels = torch.arange(batch, device=place) % 2

    def work(iterations: int) -> None:
        for _ in range(iterations):
            steps.zero_grad()
            loss = cross_entropy(net(photos), labels)
            loss.backward()
            steps.step()
        loss.item()

    return per_iteration(work, iterations)


if __name__ == "__main__":
    network = sys.argv[1]
    gpu, threads, iterations = (None if word == "None" else int(word) for word in sys.argv[2:])
    if threads:
        torch.set_num_threads(threads)
    print(measure(network, gpu, iterations))
