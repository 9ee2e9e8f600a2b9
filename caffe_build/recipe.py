"""Everything that decides a build of Caffe. Its hash, the key, names the build in the cache."""

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from caffe_build import cuda, source
from caffe_build.packages import PYTHON, SITE
from files import sha256

HERE = Path(__file__).resolve().parent
PATCHES = HERE / "patches"
VERSION = "1.0.0"
COMPILER = "/usr/bin/g++"
# No -march: BLAS picks its own code for the processor, and the rest gains nothing from it (measured), so a
# build runs on every x86_64. -fno-trapping-math lets the compiler compute both sides of a condition: that changes
# no result, and ReLU, now vectorised, runs 9 times as fast.
FLAGS = "-O3 -fno-trapping-math"
# Every package of the system that Caffe is compiled with or linked to, under the names that carry real versions.
PACKAGES = (
    "cmake",
    "libboost-filesystem1*-dev",
    "libboost-python1*-dev",
    "libboost-system1*-dev",
    "libboost-thread1*-dev",
    "libgflags-dev",
    "libgoogle-glog-dev",
    "libhdf5-dev",
    "libleveldb-dev",
    "liblmdb-dev",
    "libopencv-core-dev",
    "libopencv-imgcodecs-dev",
    "libopencv-imgproc-dev",
    "libprotobuf-dev",
    f"libpython{PYTHON}-dev",
    "libsnappy-dev",
    "protobuf-compiler",
)
WHEELS = ("numpy", "scipy-openblas32")
OPENBLAS = SITE / "scipy_openblas32"
NO_CUDNN = "none"
DEFAULT, MINIMAL = "default", "minimal"  # choices of patches; another one is names of optional patches


@dataclass(frozen=True)
class Recipe:
    """One way to build Caffe.

    In an option, `{venv}` is the .venv to build against, `{toolkit}` is CUDA's toolkit, `{here}` is this folder.
    """

    variant: str
    source_sha256: str
    blas: str
    cuda: dict[str, str]  # the versions of CUDA and cuDNN, the architectures; {} for the CPU
    flags: str
    options: dict[str, str]
    choice: str  # of patches: DEFAULT, MINIMAL, or DEFAULT's and these
    patches: dict[str, str]  # the file in patches/ -> sha256, in the order in which they are applied
    compiler: str
    python: str
    packages: dict[str, str]  # the system's packages and wheels -> version
    builder: dict[str, str]  # the code that builds: file name -> sha256

    def key(self) -> str:
        """Hash everything that goes in: the name of the build in the cache."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def facts(self) -> dict[str, str]:
        """What the record of a run should say about the Caffe it ran with."""
        return {
            "caffe": VERSION,
            "source": f"upstream at {source.COMMIT}",
            "source_sha256": self.source_sha256,
            "variant": self.variant,
            "blas": self.blas,
            **self.cuda,
            **({} if self.choice == DEFAULT else {"patches": self.choice}),
            "flags": self.flags,
            "compiler": self.compiler,
            "numpy": self.packages["numpy"],
            "key": self.key(),
        }

    def title(self) -> str:
        """The build's name for people: `Caffe 1.0.0 (cpu, OpenBLAS 0.3.34)`."""
        parts = [self.variant, self.blas]
        if self.cuda:
            parts[1:1] = [
                f"CUDA {self.cuda['cuda']}",
                "no cuDNN" if self.cuda["cudnn"] == NO_CUDNN else f"cuDNN {self.cuda['cudnn']}",
                f"sm {self.cuda['architectures']}",
            ]
        if self.choice != DEFAULT:
            parts.append(f"patches: {self.choice}")
        return f"Caffe {VERSION} ({', '.join(parts)})"


def cpu(requirements: Path, choice: str = DEFAULT) -> Recipe:
    """Describe Caffe for the CPU, on OpenBLAS, with the Python packages that `requirements` pins."""
    pins = pinned(requirements)
    wheels = {name: pins[name] for name in WHEELS}
    return Recipe(
        variant="cpu",
        source_sha256=source.TREE,
        blas=f"OpenBLAS {'.'.join(wheels['scipy-openblas32'].split('.')[:3])}",
        cuda={},
        flags=FLAGS,
        options={
            "CPU_ONLY": "ON",
            "BLAS": "open",
            "OpenBLAS_INCLUDE_DIR": f"{{here}}/include;{{venv}}/{OPENBLAS}/include",  # our cblas.h before the wheel's
            "OpenBLAS_LIB": f"{{venv}}/{OPENBLAS}/lib/libscipy_openblas.so",
            "OpenCV_DIR": "{here}/opencv",
        },
        choice=choice,
        patches=patches(choice, gpu=False),
        compiler=compiler_version(),
        python=platform.python_version(),
        packages=installed(PACKAGES) | wheels,
        builder=hashes("build.py", "include/cblas.h", "opencv/OpenCVConfig.cmake"),
    )


def gpu(requirements: Path, architectures: Sequence[str], cudnn: bool, choice: str = DEFAULT) -> Recipe:
    """Describe Caffe for GPUs of these architectures, with cuDNN or without; on the CPU it computes as `cpu`'s."""
    base = cpu(requirements, choice)
    pins = pinned(cuda.RUN) | pinned(cuda.COMPILE)
    return replace(
        base,
        variant="gpu",
        cuda={
            "cuda": ".".join(pins["nvidia-cuda-nvcc"].split(".")[:2]),
            "cudnn": pins["nvidia-cudnn-cu13"] if cudnn else NO_CUDNN,
            "architectures": " ".join(architectures),
        },
        options=base.options
        | {
            "CPU_ONLY": "OFF",
            "USE_CUDNN": "ON" if cudnn else "OFF",
            "CUDA_TOOLKIT_ROOT_DIR": "{toolkit}",
            "CUDA_TOOLKIT_ROOT_DIR_INTERNAL": "{toolkit}",  # or CMake thinks the root is new, and forgets the includes
            # Our cudnn.h before cuDNN's; thrust is in a folder that only nvcc knows by itself.
            "CUDA_TOOLKIT_INCLUDE": "{here}/include;{toolkit}/include;{toolkit}/include/cccl",
            "CUDNN_INCLUDE": "{here}/include",
            "CUDNN_LIBRARY": "{toolkit}/lib/libcudnn.so",
            "CUDA_HOST_COMPILER": COMPILER,
            "CUDA_ARCH_NAME": "Manual",
            "CUDA_ARCH_BIN": " ".join(architectures),
            "CUDA_ARCH_PTX": architectures[-1],
            "CUDA_NVCC_FLAGS": "--compress-mode=size",
        },
        patches=patches(choice, gpu=True),
        packages=base.packages | pins,
        builder=base.builder | hashes("cuda.py", "include/cudnn.h"),
    )


def patches(choice: str, gpu: bool) -> dict[str, str]:
    """Hash the patches of a choice.

    Caffe is not compiled, imported or tested here without those in needed/. Those in default/ change no result of one
    thread on the CPU; with several, OpenBLAS's work is shared out in other parts than its own, and rounds differently.
    Those in the gpu/ of each touch what is compiled for GPUs alone, and are no part of a build for the CPU.
    """
    chosen = _in_folder("needed", gpu)
    if choice != MINIMAL:
        chosen += _in_folder("default", gpu)
        chosen += [patch for patch in _in_folder("optional", gpu) if patch.stem in choice.split()]
    return {str(patch.relative_to(PATCHES)): sha256(patch) for patch in chosen}


def optional_patches(gpu: bool) -> list[str]:
    """Name the patches that are applied only where they are asked for."""
    return [patch.stem for patch in _in_folder("optional", gpu)]


def _in_folder(kind: str, gpu: bool) -> list[Path]:
    found = sorted(PATCHES.glob(f"{kind}/*.patch"))
    return found + sorted(PATCHES.glob(f"{kind}/gpu/*.patch")) if gpu else found


def hashes(*names: str) -> dict[str, str]:
    """Hash files of this folder."""
    return {name: sha256(HERE / name) for name in names}


def pinned(requirements: Path) -> dict[str, str]:
    """Read the versions that a requirements file pins."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", requirements.read_text(), re.MULTILINE))


def installed(patterns: tuple[str, ...]) -> dict[str, str]:
    """List the versions of the installed packages of the system whose names match."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\n"]
    found = subprocess.run([*query, *patterns], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in found.splitlines())
    return {row[1]: row[2] for row in rows if row[0] == "installed"}


def compiler_version() -> str:
    """The first line of `g++ --version`."""
    done = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
