"""Builds Caffe: its checked source in, a tree out that is laid over .venv as it is."""

import os
import shutil
import subprocess
import sysconfig
from functools import partial
from pathlib import Path

from caffe_build import cuda, long_command
from caffe_build.packages import PYTHON, SITE
from caffe_build.recipe import COMPILER, HERE, OPENBLAS, Recipe

TOOLS = ("convert_imageset", "compute_image_mean", "upgrade_net_proto_text", "upgrade_solver_proto_text")
PROGRAMS = ("caffe", *TOOLS)
TARGETS = ("pycaffe", "caffe.bin", *TOOLS)
LIBRARY = Path("lib/libcaffe.so.1.0.0")
PACKAGE = SITE / "caffe"
SHARE = Path("share/caffe")  # Caffe's own tests of pycaffe, beside what they read
BINARIES = (LIBRARY, PACKAGE / "_caffe.so", *(Path("bin", program) for program in PROGRAMS))
MEMORY_PER_JOB = 1.5 * 2**30  # bytes; the largest of Caffe's files takes the compiler about 1 GiB


def build(recipe: Recipe, original: Path, venv: Path, folder: Path, log: Path) -> Path:
    """Build Caffe from the source in `original`, in the empty `folder`, against the packages of `venv`.

    Returns the tree to lay over a .venv.
    """
    source, objects, tree = folder / "source", folder / "objects", folder / "tree"
    shutil.copytree(original, source)
    toolkit = cuda.toolkit(folder / "toolkit", venv, log) if recipe.cuda else None
    # The user's CXXFLAGS, CPATH and the like are no part of the recipe.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "NINJA_STATUS": "[%p] "}
    run = partial(long_command.run, log=log, env=environment)

    for name in recipe.patches:
        patch = ["patch", "--strip=1", "--fuzz=0", "--input", HERE / "patches" / name]
        run(patch, what=f"applying {name}", cwd=source)
    configure = ["cmake", "-G", "Ninja", "-S", source, "-B", objects, *options(recipe, source, venv, toolkit)]
    run(configure, what="configuring Caffe")
    run(["ninja", "-C", objects, f"-j{jobs()}", *TARGETS], what="building Caffe")

    copy(source, tree / SHARE, "LICENSE", "python/caffe/test/*.py")
    copy(source, tree / SHARE, "models/**/*.prototxt", "examples/**/*.prototxt")
    copy(source / "python/caffe", tree / PACKAGE, "*.py", "proto/*.py", "imagenet/*.npy")
    copy(objects / "lib", tree / PACKAGE, "_caffe.so")
    copy(objects / "lib", tree / "lib", LIBRARY.name)
    copy(objects / "tools", tree / "bin", *PROGRAMS)
    for file in BINARIES:
        patchelf = ["patchelf", "--force-rpath", "--set-rpath", rpath(recipe, file)]
        run([*patchelf, tree / file], what="finishing Caffe")
    for name in cuda.COMPILERS_AT_RUN_TIME if recipe.cuda else ():
        run(["patchelf", "--add-needed", name, tree / LIBRARY], what="finishing Caffe")
    return tree


def rpath(recipe: Recipe, file: Path) -> str:
    """Say where `file` looks for libcaffe, OpenBLAS and CUDA, seen from itself: a .venv may stand anywhere."""
    folders = (LIBRARY.parent, OPENBLAS / "lib", *(cuda.LIBRARIES if recipe.cuda else ()))
    return ":".join(f"$ORIGIN/{os.path.relpath(folder, file.parent)}" for folder in folders)


def options(recipe: Recipe, source: Path, venv: Path, toolkit: Path | None) -> list[str]:
    """Give CMake's options: the recipe's own, and the system's Python with the numpy of `venv`."""
    python = venv / "bin" / "python"
    numpy = subprocess.run(
        [python, "-c", "import numpy; print(numpy.get_include())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    libpython = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    defined = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_C_COMPILER": "/usr/bin/gcc",
        "CMAKE_CXX_COMPILER": COMPILER,
        "CMAKE_CXX_FLAGS": f"-ffile-prefix-map={source}=.",
        "CMAKE_CXX_FLAGS_RELEASE": f"-DNDEBUG {recipe.flags}",
        "CMAKE_SKIP_RPATH": "ON",
        "CMAKE_UNITY_BUILD": "ON",  # several files at once: each of Caffe's reads the same large headers
        "BUILD_docs": "OFF",
        "python_version": PYTHON,
        "PYTHON_EXECUTABLE": python,
        "PYTHON_INCLUDE_DIR": sysconfig.get_path("include"),
        "PYTHON_LIBRARY": libpython,
        "NUMPY_INCLUDE_DIR": numpy,
        **{name: value.format(venv=venv, toolkit=toolkit, here=HERE) for name, value in recipe.options.items()},
    }
    return [f"-D{name}={value}" for name, value in defined.items()]


def jobs() -> int:
    """Count the files to compile at once: one for each processor that is ours and has memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(len(os.sched_getaffinity(0)), int(memory / MEMORY_PER_JOB)))


def copy(base: Path, to: Path, *patterns: str) -> None:
    """Copy the files under `base` that match into `to`, in the same folders."""
    for pattern in patterns:
        for file in base.glob(pattern):
            target = to / file.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
