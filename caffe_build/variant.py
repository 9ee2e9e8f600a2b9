"""Which Caffe to build: the one the environment asks for, else the one .venv holds; and the code that a card needs."""

from user_error import UserError

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from caffe_build import recipe
from caffe_build.cuda import ARCHITECTURES
from caffe_build.recipe import DEFAULT, MINIMAL, NO_CUDNN, Recipe

NVIDIA_DRIVER = 580  # the oldest that runs CUDA 13.0: its release notes, section "CUDA Driver"


def choose(requirements: Path, environment: Mapping[str, str], facts: Mapping[str, str]) -> Recipe:
    """Choose by CUDA=1|0, CUDNN=1|0, CUDA_ARCH and CAFFE_PATCHES, then by what .venv holds.

    `facts` are those of the Caffe in .venv ({} if there is none).
    Raises UserError for any other value of these variables.
    """
    gpu, cudnn = switch(environment, "CUDA"), switch(environment, "CUDNN")
    asked = architectures(environment.get("CUDA_ARCH", ""))
    held = facts.get("variant") == "gpu"
    gpu = held if gpu is None else gpu
    choice = patches(environment.get("CAFFE_PATCHES", ""), facts.get("patches", DEFAULT), gpu)
    if not gpu:
        return recipe.cpu(requirements, choice)
    if held:
        asked = asked or tuple(facts["architectures"].split())
        cudnn = facts["cudnn"] != NO_CUDNN if cudnn is None else cudnn
    return recipe.gpu(requirements, asked or ARCHITECTURES, cudnn is not False, choice)


def switch(environment: Mapping[str, str], name: str) -> bool | None:
    """Read a variable that is 1 or 0; None if it is not set."""
    value = environment.get(name, "")
    if value not in ("", "0", "1"):
        raise UserError(f"{name}={value}: it can be 1 or 0")
    return value == "1" if value else None


def architectures(text: str) -> tuple[str, ...]:
    """Read a list of architectures, separated by spaces or commas; () for an empty one."""
    named = re.findall(r"[^\s,]+", text)
    for name in named:
        if name not in ARCHITECTURES:
            raise UserError(f"CUDA_ARCH={text}: {name} is not one of {' '.join(ARCHITECTURES)}")
    return tuple(name for name in ARCHITECTURES if name in named)


def patches(text: str, held: str, gpu: bool) -> str:
    """Read a choice of patches: "default", "minimal", or names of optional ones, separated by spaces or commas.

    An empty one is `held`, but for names that are no longer there, or are for GPUs and this is the CPU.
    """
    there = recipe.optional_patches(gpu)
    named = re.findall(r"[^\s,]+", text)
    if not named:
        return held if held == MINIMAL else " ".join(name for name in there if name in held.split()) or DEFAULT
    if named in ([DEFAULT], [MINIMAL]):
        return named[0]
    if not set(named) <= set(there):
        every = recipe.optional_patches(gpu=True)
        names = ", ".join(name if name in there else f"{name} (with CUDA=1)" for name in every)
        raise UserError(f"CAFFE_PATCHES={text}: it can be {DEFAULT}, {MINIMAL}, or names of optional patches: {names}")
    return " ".join(name for name in there if name in named)


def architecture_for(card: str, built: Sequence[str] = ARCHITECTURES) -> str | None:
    """The architecture in `built` (sorted) whose code a card of compute capability `card` ("8.9") runs; None if none.

    Code runs on cards of its own generation with its number or a higher one; the PTX of the newest architecture runs
    on every later generation (nvcc's documentation, "GPU Compilation").
    """
    number = int(card.replace(".", ""))
    fit = [name for name in built if int(name) // 10 == number // 10 and int(name) <= number]
    return fit[-1] if fit else built[-1] if number > int(built[-1]) else None
