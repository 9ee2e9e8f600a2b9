"""What a build of Caffe is made of. Its hash, the key, names the build in the cache."""

import hashlib
import json
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from caffe_build import source
from files import sha256

HERE = Path(__file__).resolve().parent
COMPILER = "/usr/bin/g++"
# No -march: BLAS picks its own code for the processor, and the rest gains nothing from it (measured), so a
# build runs on every x86_64. What does help is leave to compute both sides of a condition: it changes no
# result, and ReLU runs 9 times as fast, being vectorised.
FLAGS = "-O3 -fno-trapping-math"
# All of Debian's that is compiled with or linked to, under the names that carry real versions.
DEBIAN = (
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
    "libopencv-dev",
    "libprotobuf-dev",
    "libpython3.11-dev",
    "libsnappy-dev",
    "protobuf-compiler",
)
WHEELS = ("intel-openmp", "mkl", "mkl-include", "numpy")


@dataclass(frozen=True)
class Recipe:
    """One way to build Caffe; `{venv}` in an option stands for the .venv to build against."""

    variant: str
    source_sha256: str
    blas: str
    flags: str
    options: dict[str, str]
    patches: dict[str, str]  # file name -> sha256
    compiler: str
    python: str
    packages: dict[str, str]  # Debian package or wheel -> version
    builder: str  # sha256 of the code that builds

    def key(self) -> str:
        """Hash everything that goes in: the name of the build in the cache."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def facts(self) -> dict[str, str]:
        """Give what the record of a run should say of the Caffe that it ran with."""
        return {
            "caffe": "1.0.0",
            "source": source.TARBALL,
            "source_sha256": self.source_sha256,
            "variant": self.variant,
            "blas": self.blas,
            "flags": self.flags,
            "compiler": self.compiler,
            "numpy": self.packages["numpy"],
            "key": self.key(),
        }


def cpu(requirements: Path) -> Recipe:
    """Describe Caffe for the CPU, on MKL, with the Python packages that `requirements` pins."""
    wheels = pinned(requirements, WHEELS)
    return Recipe(
        variant="cpu",
        source_sha256=source.SHA256,
        blas=f"MKL {wheels['mkl']}",
        flags=FLAGS,
        options={
            "CPU_ONLY": "ON",
            "BLAS": "mkl",
            "MKL_INCLUDE_DIR": "{venv}/include",
            # By itself it takes Intel's OpenMP. GNU's is as fast on an idle machine, but beside other busy
            # programs its threads were seen to wait for each other for 7 s in an iteration of 12 ms.
            "MKL_RT_LIBRARY": "{venv}/lib/libmkl_rt.so.3",
        },
        patches={patch.name: sha256(patch) for patch in sorted(HERE.glob("patches/*.patch"))},
        compiler=compiler_version(),
        python=platform.python_version(),
        packages=installed(DEBIAN) | wheels,
        builder=sha256(HERE / "build.py"),
    )


def pinned(requirements: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Read the versions that a requirements file pins for `names`."""
    pins = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", requirements.read_text(), re.MULTILINE))
    return {name: pins[name] for name in names}


def installed(patterns: tuple[str, ...]) -> dict[str, str]:
    """List the versions of the installed Debian packages whose names match."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\n"]
    found = subprocess.run([*query, *patterns], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in found.splitlines())
    return {row[1]: row[2] for row in rows if row[0] == "installed"}


def compiler_version() -> str:
    """The first line of what the compiler says of itself."""
    done = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
