"""Caffe's source: upstream's files at one commit, wherever they come from; a digest over all of them decides.

A tarball or a clone that the user names goes before Debian's source package, and that before upstream's repository.
What was once checked stays in the cache.
"""

from user_error import UserError

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from caffe_build import cache
from caffe_build.long_command import run
from caffe_build.systems import System
from files import sha256

COMMIT = "99bd99795dcdf0b1d3086a8d67ab1782a8a08383"  # after it, upstream changed documentation only
TREE = "1bbe7d36aeef04d08a51bb8a8d0cfeeb9733ff840ac7b6339b08d5f98338bb37"  # the digest of its files
REPOSITORY = "https://github.com/BVLC/caffe"
BY_HAND = f"get {REPOSITORY} by hand (a clone, or a tarball of commit {COMMIT[:7]}): make setup CAFFE_SOURCE=PATH"
ENTRY = f"source-{TREE[:16]}"  # in the cache

Place = Callable[[Path, Path], Path]  # (an empty folder, the log) -> the folder in it that has the source


def get(system: System, log: Path) -> Path:
    """Find the source in the cache, or bring it there from the first place that has it."""
    places: dict[str, Place] = {}
    for suite in system.suites:
        places[f"Debian's {suite}"] = partial(from_debian, suite, system.keyring)
    places["upstream's repository"] = partial(from_repository, REPOSITORY)
    return cache.entry(cache.folder(), ENTRY, lambda folder: first(places, folder, log))


def keep(name: str, log: Path) -> None:
    """Check the tarball or the clone that a user names, and bring its files into the cache, where `get` finds them."""
    path = Path(os.path.expanduser(name)).absolute()
    if not path.exists():
        raise UserError(f"CAFFE_SOURCE={name}: there is no such file or folder")
    with tempfile.TemporaryDirectory() as folder:
        place = partial(from_repository if path.is_dir() else from_tarball, path)
        found = first({f"CAFFE_SOURCE={name}": place}, Path(folder), log)
        cache.entry(cache.folder(), ENTRY, lambda empty: shutil.copytree(found, empty / "tree"))


def first(places: Mapping[str, Place], folder: Path, log: Path) -> Path:
    """Return the source from the first of `places` that has it, below `folder`.

    Raises UserError with what was wrong with each of them if none has.
    """
    wrong = []
    for number, (name, place) in enumerate(places.items()):
        empty = folder / str(number)
        empty.mkdir()
        try:
            found = place(empty, log)
            if (seen := digest(found)) == TREE:
                return found
            wrong.append(f"{name}: not Caffe's files at {COMMIT[:7]}, whose digest is {TREE}, but {seen}")
        except UserError as error:
            wrong.append(f"{name}: {error}")
    raise UserError(f"no source of Caffe; {'; '.join(wrong)}; {BY_HAND}")


def digest(folder: Path) -> str:
    r"""Hash all files below `folder` with their paths.

    It is `find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`.
    """
    names = sorted(os.fsencode(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    lines = (sha256(folder / os.fsdecode(name)).encode() + b"  " + name + b"\n" for name in names)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def from_tarball(tarball: Path, folder: Path, log: Path) -> Path:
    """Unpack a tarball; returns the folder that its files are in, with or without one around them."""
    tar = ["tar", "--extract", "--no-same-owner", "--file", tarball, "--directory", folder]
    try:
        run(tar, what="unpacking Caffe's source", log=log, quiet=True)
    except UserError:
        raise UserError("tar cannot unpack it") from None
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def from_repository(address: str | Path, folder: Path, log: Path) -> Path:
    """Take the commit from a repository or a clone of it, whatever else is checked out there."""
    git = ["git", f"--git-dir={folder / 'repository'}"]
    commands = (
        ["init", "--quiet", "--bare"],
        # a server that does not answer is given up after 30 seconds
        ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30", "fetch", "--quiet", "--depth=1", address, COMMIT],
        ["-c", "core.autocrlf=false", "archive", f"--output={folder / 'caffe.tar'}", COMMIT],
    )
    for command in commands:
        no_question = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
        run([*git, *command], what="getting Caffe's source with git", log=log, env=no_question, quiet=True)
    files = folder / "files"
    files.mkdir()
    return from_tarball(folder / "caffe.tar", files, log)


def from_debian(suite: str, keyring: Path, folder: Path, log: Path) -> Path:
    """Take the source package of a suite of Debian from this machine's mirror.

    The package index is read through a private sources list into a private folder, so the machine's
    own sources stay unchanged. apt-get checks the archive's signature.
    """
    lists, archives = folder / "lists", folder / "archives"
    for empty in (lists / "partial", archives / "partial"):
        empty.mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={keyring}] {mirror()} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": lists,
        "Dir::Cache": archives,
    }
    apt_get = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
    for command in (["update"], ["source", "--download-only", "caffe"]):
        run([*apt_get, *command], what="getting Caffe's source from Debian", log=log, cwd=folder, quiet=True)
    (tarball,) = folder.glob("caffe_*.orig.tar.*")
    files = folder / "files"
    files.mkdir()
    return from_tarball(tarball, files, log)


def mirror() -> str:
    """Look up the address of a Debian mirror in this machine's own configuration."""
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]
    main_archive = "Label: Debian"  # not that of the security updates
    found = subprocess.run([*query, main_archive], capture_output=True, text=True, check=False)
    addresses = [uri for uri in found.stdout.split() if not uri.startswith("cdrom:")]
    if not addresses:
        raise UserError("apt-get knows no mirror of it")
    return addresses[0]
