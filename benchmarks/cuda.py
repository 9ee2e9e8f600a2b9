"""What a process of Caffe's has of CUDA: `python -m benchmarks.cuda GPU`, in lines (None: the CPU).

The libraries are those that are loaded, found in the process's own memory map; they are asked through ctypes.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from caffe_build.install import describe
from experiments import gpus

SHOWN = re.compile(r"/lib(?:cu(?!rl)|nv|caffe|scipy_openblas)[^/]*\.so[^/]*$")
KERNEL = b'extern "C" __global__ void one(float* x) { x[0] = 1; }'


def libraries() -> list[str]:
    """The paths of the loaded libraries that matter here."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps}
    return sorted(path for path in paths if SHOWN.search(path))


def library(name: str) -> ctypes.CDLL:
    """A loaded library by the beginning of its name, as in `libcudart.so`."""
    return ctypes.CDLL(next(path for path in libraries() if Path(path).name.startswith(name)))


def memory() -> tuple[int, int]:
    """Free and whole memory of the current GPU, in bytes."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    check(library("libcudart.so").cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)))
    return free.value, total.value


def check(status: int) -> None:
    """Raise RuntimeError for any status of CUDA's or cuDNN's but 0."""
    if status:
        raise RuntimeError(f"status {status}")


def compile_a_kernel(architecture: str) -> int:
    """NVRTC's status for a kernel of one line, as cuDNN has kernels compiled; 0 is well."""
    nvrtc = ctypes.CDLL(f"libnvrtc.so.{describe(Path(sys.prefix))['cuda'].split('.')[0]}")
    program = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), KERNEL, b"one.cu", 0, None, None))
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture=sm_{architecture}".encode())
    return nvrtc.nvrtcCompileProgram(program, 1, options)


def facts(gpu: int | None) -> Iterator[str]:
    """All of it, a line each."""
    import caffe

    if gpu is None:
        yield from libraries()
        return
    card = gpus.listed()[gpu]
    yield f"GPU {gpu}: {card}, compute capability {card.compute_cap}"
    caffe.set_device(gpu)
    caffe.set_mode_gpu()
    yield f"{memory()[0] / 2**20:,.0f} of {memory()[1] / 2**20:,.0f} MiB free beside Caffe's context"
    yield from libraries()
    if any("libcudnn" in path for path in libraries()):
        yield f"cudnnGetVersion: {library('libcudnn.so').cudnnGetVersion()}"
    yield f"NVRTC compiles a kernel with status {compile_a_kernel(card.compute_cap.replace('.', ''))}"


if __name__ == "__main__":
    for line in facts(None if sys.argv[1] == "None" else int(sys.argv[1])):
        print(line, flush=True)
