"""CUDA from NVIDIA's wheels: the libraries stand in .venv, the compiler in the build's own folder."""

from pathlib import Path

from caffe_build.long_command import run
from caffe_build.packages import SITE

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "requirements-gpu.txt"
COMPILE = ROOT / "requirements-nvcc.txt"
# From Turing to Blackwell, all that CUDA 13.0 and a PC's cards have in common. Code for one of them runs on those
# of its generation that came later: 86 on 87, 100 on 103. A card of tomorrow takes the newest one's PTX.
ARCHITECTURES = ("75", "80", "86", "89", "90", "100", "120")
LIBRARIES = (SITE / "nvidia/cu13/lib", SITE / "nvidia/cudnn/lib")
# cuDNN and cuBLAS load the first by its bare name when they compile a kernel, and that the second. Such a name is found
# if the library is in memory already, so libcaffe asks for both.
COMPILERS_AT_RUN_TIME = ("libnvrtc.so.13", "libnvrtc-builtins.so.13.0")


def toolkit(folder: Path, venv: Path, log: Path) -> Path:
    """Make a toolkit as CMake looks for one: the compiler, beside links to the libraries in `venv`."""
    pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    command = [*pip, "--target", folder, "--require-hashes", "--requirement", COMPILE]
    run(command, what="installing CUDA's compiler", log=log)
    made = folder / "nvidia" / "cu13"
    for library in LIBRARIES:
        link(venv / library, made / "lib")
        link(venv / library.parent / "include", made / "include")
    for library in list((made / "lib").glob("*.so.*")):  # the linker wants the name without the version
        library.with_name(f"{library.name.split('.so.')[0]}.so").symlink_to(library.name)
    return made


def link(base: Path, to: Path) -> None:
    """Link what is in the folder `base` and not yet in `to` into `to`."""
    for file in base.iterdir():
        target = to / file.name
        if not target.exists():
            target.symlink_to(file)
