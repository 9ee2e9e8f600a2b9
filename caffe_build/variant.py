"""Which Caffe to build: the one the environment asks for, else the one .venv holds; and the code that a card needs."""

from user_error import UserError

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from caffe_build import recipe
from caffe_build.cuda import ARCHITECTURES
from caffe_build.recipe import NO_CUDNN, Recipe

NVIDIA_DRIVER = 580  # the oldest that runs CUDA 13.0: its release notes, section "CUDA Driver"


def choose(requirements: Path, environment: Mapping[str, str], facts: Mapping[str, str]) -> Recipe:
    """Choose by CUDA=1|0, CUDNN=1|0 and CUDA_ARCH, then by the `facts` of the Caffe in .venv ({} if there is none).

    Raises UserError for any other value of these variables.
    """
    gpu, cudnn = switch(environment, "CUDA"), switch(environment, "CUDNN")
    asked = architectures(environment.get("CUDA_ARCH", ""))
    held = facts.get("variant") == "gpu"
    if not (held if gpu is None else gpu):
        return recipe.cpu(requirements)
    if held:
        asked = asked or tuple(facts["architectures"].split())
        cudnn = facts["cudnn"] != NO_CUDNN if cudnn is None else cudnn
    return recipe.gpu(requirements, asked or ARCHITECTURES, cudnn is not False)


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


def architecture_for(card: str, built: Sequence[str] = ARCHITECTURES) -> str | None:
    """The architecture in `built` (sorted) whose code a card of compute capability `card` ("8.9") runs; None if none.

    Code runs on cards of its own generation with its number or a higher one; the PTX of the newest architecture runs
    on every later generation (nvcc's documentation, "GPU Compilation").
    """
    number = int(card.replace(".", ""))
    fit = [name for name in built if int(name) // 10 == number // 10 and int(name) <= number]
    return fit[-1] if fit else built[-1] if number > int(built[-1]) else None
