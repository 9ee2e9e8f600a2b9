"""Why a child process died, in one line: Caffe's own FATAL line, where there is one, and what to do about it."""

import re
import signal

FATAL = re.compile(r"^F\d{4,8} .*?\] (.*)", re.MULTILINE)  # glog: F1124 10:00:00.000000 77 net.cpp:757] ...
LAYER = re.compile(r"\] (?:Creating Layer (\S+)|Network initialization done)")
KNOWN_TYPES = re.compile(r" \(known types: .*?\)")  # some 700 characters
PYTHON_ERROR = re.compile(r"^\w[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)

SMALLER_BATCHES = (
    "half the batch_size in train_val.prototxt with iter_size: 2 in the solver (that of the test net changes no score)"
)
FULL_GPU = (
    f"the GPU's memory is full: fewer runs on it (--per-gpu), another one (--gpu), or {SMALLER_BATCHES}; nvidia-smi"
    " shows who uses it"
)
GPU_FAULT = (
    "the GPU or its driver failed, and the same command resumes from the last snapshot; where it happens again take"
    " another GPU (--gpu): dmesg shows the driver's Xid errors"
)
TOO_OLD = "this card is older than all that this CUDA has code for: take a newer one, or give --cpu"
FOREIGN_CUDNN = (
    "the GPU's memory may be full (nvidia-smi), or libraries of another cuDNN were loaded: try again without"
    " LD_LIBRARY_PATH"
)
OLD_DRIVER = "NVIDIA's driver is older than this Caffe's CUDA: install a newer one, or give --cpu"
LIBRARIES = "CUDA's libraries in .venv are not whole: type `make setup CUDA=1`"

# What Caffe, CUDA and the kernel say, and what a user can do. CUDA's texts are those of cudaGetErrorString.
ADVICE = {
    "out of memory": FULL_GPU,
    "no kernel image is available": "this Caffe has no code for that GPU: type `make setup CUDA=1`, which builds it for"
    " every card from Turing on",
    "driver version is insufficient": OLD_DRIVER,
    "unsupported toolchain": OLD_DRIVER,
    "unsupported display driver": "NVIDIA's driver does not go with the CUDA libraries that were loaded: no"
    " compatibility libraries (cuda-compat) may be in LD_LIBRARY_PATH, and after a change of driver the machine has to"
    " be started again",
    "forward compatibility was attempted": "CUDA's compatibility libraries (cuda-compat) are for data centres' cards"
    " alone: take them out of LD_LIBRARY_PATH, or install a newer driver",
    "system not yet initialized": "on machines whose GPUs are joined by NVSwitch the service nvidia-fabricmanager has"
    " to run, in the driver's own version",
    "busy or unavailable": "another process has the GPU for itself: take another one (--gpu), or free it; nvidia-smi"
    " shows the compute mode and who uses it",
    "uncorrectable ECC error": "the GPU's memory is damaged: take another one (--gpu); nvidia-smi -q -d ECC counts the"
    " errors",
    "illegal memory access": GPU_FAULT,
    "unspecified launch failure": GPU_FAULT,
    "misaligned address": GPU_FAULT,
    "launch timed out": "this GPU drives a display, and the driver stops what keeps it for seconds: take another one"
    " (--gpu), or end the graphical session",
    "(999 vs. 0)": "the driver is in no good state: start the machine, or the container, again",
    "CUBLAS_STATUS_NOT_INITIALIZED": "often the GPU's memory is full: nvidia-smi shows who uses it; fewer runs on it"
    " (--per-gpu), or another one (--gpu)",
    "CUBLAS_STATUS_ALLOC_FAILED": FULL_GPU,
    "CURAND_STATUS_ALLOCATION_FAILED": FULL_GPU,
    "CUDNN_STATUS_ALLOC_FAILED": FULL_GPU,
    "DEVICE_ALLOCATION_FAILED": FULL_GPU,  # this one and those below, as cuDNN 9 says it
    "HOST_ALLOCATION_FAILED": "the machine's memory is full: fewer runs side by side, or a smaller batch",
    "ARCH_MISMATCH": TOO_OLD,
    "SUBLIBRARY": "libraries of another cuDNN were loaded: try again without LD_LIBRARY_PATH",
    "INCOMPATIBLE_CUDA_DRIVER": OLD_DRIVER,
    "INTERNAL_ERROR_COMPILATION_FAILED": LIBRARIES,
    "CUBLAS_STATUS_EXECUTION_FAILED": GPU_FAULT,
    "CURAND_STATUS_LAUNCH_FAILURE": GPU_FAULT,
    "CUDNN_STATUS_EXECUTION_FAILED": GPU_FAULT,
    "CUBLAS_STATUS": GPU_FAULT,  # in every failed check of Caffe's, with any status
    "CURAND_STATUS": GPU_FAULT,
    "CUDNN_STATUS": FOREIGN_CUDNN,
    "libcudnn": LIBRARIES,
    "libcublas": LIBRARIES,
    "libcurand": LIBRARIES,
    "libcudart": LIBRARIES,
    "no CUDA-capable device": "no GPU can be seen from here: fix the driver or the container's runtime, or give --cpu",
    "invalid device ordinal": "there is no GPU of that number: nvidia-smi lists them",
    "Cannot use GPU in CPU-only Caffe": "this Caffe is built for the CPU: type `make setup CUDA=1`, or give --cpu",
    "SerializeToOstream": "the disk may be full: make room",
    "No space left on device": "make room",
    "mdb_status == 0": "the LMDB cannot be read: its folder must be readable and the data whole; prepared again it is",
    "channels == img_channels (3 vs. 1)": "a record is a JPEG that cannot be decoded, or a gray one: prepared again"
    " all are whole and in color",
    "SIGKILL": "the kernel does so when memory runs out: fewer runs side by side, or a smaller batch",
    "SIGBUS": "a file that was being read was cut short, an LMDB perhaps: prepare the dataset again",
}


def last_words(log: str, status: int) -> str:
    """Say why a process ended that left `log` and this exit status (negative: the signal that ended it)."""
    fatal, errors = FATAL.findall(log), PYTHON_ERROR.findall(log)
    if fatal:
        layer = (LAYER.findall(log.rpartition(fatal[-1])[0]) or [""])[-1]
        where = f" of layer {layer}" if layer else ""
        words = f"Caffe says{where}: {KNOWN_TYPES.sub('', fatal[-1]).strip()}"
    elif errors:
        words = errors[-1]
    elif status < 0:
        words = f"ended by {signal.Signals(-status).name}"
    else:
        words = (log.strip().splitlines() or [f"exit status {status}"])[-1]
    return with_advice(words)


def with_advice(words: str) -> str:
    """Add to `words` what a user can do about it, where that is known."""
    return next((f"{words}: {advice}" for sign, advice in ADVICE.items() if sign in words), words)
