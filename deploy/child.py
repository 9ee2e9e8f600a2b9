"""How the processes that hold Caffe are started: they end with the one that started them, however that ends."""

import sys


def command(module: str, *words: object) -> list[str]:
    """The command line of a module of ours in a process of its own; the kernel kills it once its parent is dead."""
    return ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", module, *map(str, words)]
