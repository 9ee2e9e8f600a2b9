"""Makes .venv with everything in it, real Caffe included, or finds that it is already complete: `caffe_build CODENAME`.

A setup may be stopped at any moment: the next one completes it.
"""

from user_error import UserError, exit_with_status

import os
import sys
from pathlib import Path

from caffe_build import build, cache, cuda, install, packages, source, systems, variant

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Set up this clone on the system whose codename setup.sh has found."""
    system = systems.known().get(" ".join(sys.argv[1:]))
    if system is None:
        raise UserError("setup begins with caffe_build/setup.sh, which finds out what system this is: run `make setup`")
    state = ROOT / ".setup"
    with cache.lock(state / "lock", "another setup is running in this folder: waiting for it"):
        set_up(system, ROOT / ".venv", ROOT / "requirements.txt", state / "setup.log")


def set_up(system: systems.System, venv: Path, requirements: Path, log: Path) -> None:
    """Bring `venv` to what the requirements and the recipe say; what is already there is not touched."""
    if name := os.environ.get("CAFFE_SOURCE"):
        source.keep(name, log)
    caffe = variant.choose(requirements, os.environ, install.describe(venv))
    wanted = [requirements, *([cuda.RUN] if caffe.cuda else [])]
    if packages.are_installed(venv, wanted) and install.is_installed(venv, caffe):
        print(f"{caffe.title()} is set up: nothing to do")
        return

    def make(folder: Path) -> Path:
        return build.build(caffe, source.get(system, log), venv, folder, log)

    log.unlink(missing_ok=True)
    packages.install(venv, wanted, log)
    install.install(cache.entry(cache.folder(), caffe.key(), make), venv, caffe)
    print(f"{caffe.title()} is set up in {venv.name}")


if __name__ == "__main__":
    exit_with_status(main)
