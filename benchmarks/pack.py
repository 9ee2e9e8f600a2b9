"""benchmarks.gpu in one file for a machine that has a driver and a Python with PyTorch, and nothing of ours.

It holds the project, Python with its library and the packages of .venv that Caffe and the driver need, Caffe, and the
libraries of the system that it is linked with, but for the C library: the other machine's has to be as new as the one
here (`ldd --version`). CUDA's libraries are those that PyTorch brings. OpenCV, SciPy and scikit-image are left out,
with stand-ins in their place: the photos there are noise, and no picture is opened.
"""

from user_error import UserError

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from fnmatch import fnmatch
from pathlib import Path

import commands
from benchmarks.stand_in import NOT_COPIED
from caffe_build.build import LIBRARY, PACKAGE
from caffe_build.install import STAMP
from caffe_build.packages import SITE
from paper import ROOT

LIMIT = 64 * 2**20  # bytes
VENV = Path(sys.prefix)
NO_PACKAGES = (
    *("cv2", "opencv*.libs", "scipy*", "skimage", "scikit_*", "sklearn", "pyarrow*", "networkx*", "imageio*", "PIL"),
    *("pillow*", "pip*", "setuptools*", "pkg_resources", "*pytest*", "hypothesis*", "nvidia*", "narwhals*", "yaml"),
    *("__pycache__", "ruff*", "_distutils_hack", "*.pth", "xdist*", "execnet*", "pandas*"),
)
KEPT_PACKAGES = ("scipy_openblas32*",)  # though the names above match
NO_LIBRARY = (
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "ensurepip",
    "__pycache__",
    "config-*",
    "*.a",
    "turtledemo",
)
OF_THE_MACHINE = re.compile(r"/(?:ld-linux[^/]*|lib(?:c|m|dl|rt|pthread|util|resolv|cuda)\.so[^/]*)$")
STAND_INS = {  # what `import caffe` and our own modules ask for at their beginning
    "cv2.py": "",
    "skimage/__init__.py": "",
    "skimage/io.py": "",
    "skimage/transform.py": "resize = None\n",
    "scipy/__init__.py": "",
    "scipy/ndimage.py": "zoom = None\n",
}
MEASURE = """#!/bin/sh
# Measures a GPU of this machine: ./measure.sh, or with the options of benchmarks.gpu. TORCH_PYTHON names the Python
# that has PyTorch (python3).
set -eu
cd "$(dirname "$0")"
TORCH_PYTHON=$(command -v "${TORCH_PYTHON:-python3}")
cuda=$(LD_LIBRARY_PATH= "$TORCH_PYTHON" -c '
import glob, sys
folders = (path + end for path in sys.path for end in ("/nvidia/*/lib", "/torch/lib"))
print(":".join(found for folder in folders for found in sorted(glob.glob(folder))))')
export TORCH_PYTHON LD_LIBRARY_PATH="$PWD/.venv/lib:$cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec .venv/bin/python -m benchmarks.gpu "$@"
"""


def write(file: Path) -> str:
    """Write the pack; what it is, in a line. UserError where it is larger than the limit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "gpu-benchmarks")
        shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*NOT_COPIED, "docs", "tests", "*.tar.*"))
        shutil.copytree(ROOT / "models" / "demo", place / "models" / "demo", dirs_exist_ok=True)
        _python(place / ".venv")
        _caffe(place / ".venv")
        (place / "measure.sh").write_text(MEASURE)
        (place / "measure.sh").chmod(0o755)
        partial = file.with_name(f".{file.name}.partial")
        try:
            with tarfile.open(partial, "w:xz") as pack:
                pack.add(place, place.name)
            if (size := partial.stat().st_size) > LIMIT:
                fix = f"`{commands.make('setup', 'CUDA=1', 'CUDA_ARCH=90')}` builds for one kind of card (90: H100)"
                raise UserError(f"{file}: {size / 2**20:.0f} MiB, over the {LIMIT / 2**20:.0f} of a pack: {fix}")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    return f"{file}: {size / 2**20:.1f} MiB; on the other machine: tar xf {file.name}, then {place.name}/measure.sh"


def _python(venv: Path) -> None:
    """Python itself, where it finds its library and the packages by its own place."""
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, venv / "lib" / library.name, ignore=shutil.ignore_patterns(*NO_LIBRARY, "dist-packages"))
    (venv / "bin").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), venv / "bin" / library.name)
    for name in ("python", "python3"):
        (venv / "bin" / name).symlink_to(library.name)
    packages = [path.name for path in (VENV / SITE).iterdir()]
    kept = {name for name in packages if any(fnmatch(name, pattern) for pattern in KEPT_PACKAGES)}
    left_out = {name for name in packages if any(fnmatch(name, pattern) for pattern in NO_PACKAGES)} - kept
    deeper = shutil.ignore_patterns(*NO_LIBRARY)
    shutil.copytree(
        VENV / SITE,
        venv / SITE,
        dirs_exist_ok=True,
        ignore=lambda folder, names: left_out if Path(folder) == VENV / SITE else deeper(folder, names),
    )
    (venv / SITE).with_name("dist-packages").symlink_to(SITE.name)  # Debian's Python looks there
    for name, text in STAND_INS.items():
        path = venv / SITE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _caffe(venv: Path) -> None:
    """Caffe, and the libraries that it and Python's own modules are linked with."""
    shutil.copy2(VENV / STAMP, venv)
    shutil.copy2(VENV / "bin" / "caffe", venv / "bin")
    shutil.copy2(VENV / LIBRARY, venv / LIBRARY)
    opencv = _stand_ins_for_opencv(venv / "lib")
    own = os.environ | {"LD_LIBRARY_PATH": str(venv / "lib")}
    linked = [VENV / PACKAGE / "_caffe.so", *(venv / "lib").rglob("lib-dynload/*.so"), Path(sys.executable).resolve()]
    for path in {path for file in linked for path in _linked(file, own)}:
        if not OF_THE_MACHINE.search(path) and Path(path).name not in opencv and not path.startswith(str(VENV)):
            shutil.copy2(path, venv / "lib" / Path(path).name)


def _stand_ins_for_opencv(folder: Path) -> set[str]:
    """Libraries of the names of OpenCV's, whose functions abort; their names. OpenCV's own drag in 160 MB of others."""
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", VENV / LIBRARY], capture_output=True, text=True, check=True
    )
    functions = re.findall(r"\bU (_ZNK?2cv\w+)", listed.stdout)
    source = "void abort(void);\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in functions)
    needed = subprocess.run(["patchelf", "--print-needed", VENV / LIBRARY], capture_output=True, text=True, check=True)
    names = {name for name in needed.stdout.split() if name.startswith("libopencv")}
    for name in names:
        command = ["gcc", "-shared", "-x", "c", "-", f"-Wl,-soname,{name}", "-o", folder / name]
        subprocess.run(command, input=source, text=True, check=True)
    return names


def _linked(file: Path, environment: dict[str, str]) -> list[str]:
    said = subprocess.run(["ldd", file], env=environment, capture_output=True, text=True).stdout
    return re.findall(r"=> (/\S+)", said)
