"""Makes .venv with everything in it, real Caffe included, or finds that all of it is there.

A setup that was stopped, at whatever moment, is put right by the next one.
"""

from user_error import UserError, exit_with_status

import os
from pathlib import Path

from caffe_build import build, cache, cuda, install, packages, source, variant

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Set up this clone."""
    state = ROOT / ".setup"
    try:
        with cache.lock(state / "lock", "another setup runs in this folder: waiting for it"):
            set_up(ROOT / ".venv", ROOT / "requirements.txt", state / "setup.log")
    except OSError as error:  # a full disk, a folder that may not be written
        raise UserError(f"setup: {error}") from error


def set_up(venv: Path, requirements: Path, log: Path) -> None:
    """Bring `venv` to what requirements and recipe say; what is so already is not touched."""
    named_source = source.named()
    caffe = variant.choose(requirements, os.environ, install.describe(venv))
    wanted = [requirements, *([cuda.RUN] if caffe.cuda else [])]
    if packages.are_installed(venv, wanted) and install.is_installed(venv, caffe):
        print(f"{caffe.title()} is set up: nothing to do")
        return

    def make(folder: Path) -> Path:
        tarball = named_source or source.download(folder / "download", cache.folder(), log)
        return build.build(caffe, tarball, venv, folder, log)

    log.unlink(missing_ok=True)
    packages.install(venv, wanted, log)
    install.install(cache.entry(cache.folder(), caffe.key(), make), venv, caffe)
    print(f"{caffe.title()} is set up in {venv.name}")


if __name__ == "__main__":
    exit_with_status(main)
