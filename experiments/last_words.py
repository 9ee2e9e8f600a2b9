"""Why a child process died, in one line: Caffe's own FATAL line, where there is one, and what to do about it."""

import re
import signal

FATAL = re.compile(r"^F\d{4,8} .*?\] (.*)", re.MULTILINE)  # glog: F1124 10:00:00.000000 77 net.cpp:757] ...

# What Caffe, CUDA and the kernel say, and what a user can do. CUDA's texts are those of cudaGetErrorString.
MENDS = {
    "out of memory": "the GPU's memory is full: fewer runs on it (--per-gpu), another one (--gpu), or half the"
    " batch_size in train_val.prototxt with iter_size: 2 in the solver; `doctor` shows who uses it",
    "no kernel image is available": "this Caffe has no code for that GPU: `doctor` tells how to build it",
    "driver version is insufficient": "NVIDIA's driver is older than this Caffe's CUDA: renew it, or give --cpu",
    "no CUDA-capable device": "no GPU can be seen from here: mend the driver or the container's runtime, or give --cpu",
    "invalid device ordinal": "there is no GPU of that number: `doctor` lists them",
    "Cannot use GPU in CPU-only Caffe": "this Caffe is built for the CPU: type `make setup GPU=1`, or give --cpu",
    "SerializeToOstream": "the disk may be full: make room, the same command goes on from the last snapshot",
    "No space left on device": "make room: the same command goes on from the last snapshot",
    "mdb_status == 0": "the LMDB cannot be read: `doctor` checks the dataset",
    "SIGKILL": "the kernel does so when memory runs out: fewer runs side by side, or a smaller batch",
    "SIGBUS": "a file that was being read was cut short, an LMDB perhaps: `doctor` checks the dataset",
}


def last_words(log: str, status: int) -> str:
    """Tell why a process ended that left `log` and this exit status (negative: the signal that ended it)."""
    fatal = FATAL.findall(log)
    if fatal:
        words = f"Caffe says: {fatal[-1]}"
    elif status < 0:
        words = f"ended by {signal.Signals(-status).name}"
    else:
        words = (log.strip().splitlines() or [f"exit status {status}"])[-1]
    return with_mend(words)


def with_mend(words: str) -> str:
    """Add to `words` what a user can do about it, where that is known."""
    return next((f"{words}: {mend}" for sign, mend in MENDS.items() if sign in words), words)
