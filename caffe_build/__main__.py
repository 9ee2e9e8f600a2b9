"""Makes .venv with everything in it, real Caffe included, or finds that it is already complete: `caffe_build CODENAME`.

With `--packages-only` in the place of the codename it stops after the Python packages, which need no compiler.
A setup may be stopped at any moment: the next one completes it.
"""

from user_error import UserError, exit_with_status

import os
import sys
from pathlib import Path

from caffe_build import build, cache, cuda, install, packages, source, systems, variant

ROOT = Path(__file__).resolve().parent.parent
PACKAGES_ONLY = "--packages-only"


def main() -> None:
    """Set up this clone on the system whose codename setup.sh has found."""
    asked = " ".join(sys.argv[1:])
    system = systems.known().get(asked)
    if system is None and asked != PACKAGES_ONLY:
        raise UserError("setup begins with caffe_build/setup.sh, which finds out what system this is: run `make setup`")
    venv, requirements, log = ROOT / ".venv", ROOT / "requirements.txt", ROOT / ".setup" / "setup.log"
    with cache.lock(log.with_name("lock"), "another setup is running in this folder: waiting for it"):
        if system is not None:
            set_up(system, venv, requirements, log)
        elif not packages.are_installed(venv, [requirements]):
            packages.install(venv, [requirements], log)


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
