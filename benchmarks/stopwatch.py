"""How long something takes; without any package, as it also runs in the Python that has PyTorch and nothing else."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def per_iteration(work: Callable[[int], None], iterations: int) -> float:
    """Seconds that one of many iterations takes, after a few that do not count."""
    work(max(1, iterations // 10))
    return seconds(lambda: work(iterations)) / iterations
