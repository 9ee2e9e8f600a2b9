"""Caffe's source: Debian's source package, or a file of the user's with the same hash.

It is upstream's master at 99bd997, after which upstream changed documentation only.
"""

from user_error import UserError

import os
import subprocess
from pathlib import Path

from caffe_build.long_command import run
from files import sha256

PACKAGE = "caffe=1.0.0+git20180821.99bd997-8"
SUITE = "bullseye"
TARBALL = "caffe_1.0.0+git20180821.99bd997.orig.tar.gz"
SHA256 = "e0eb3f06794f7402c77b7dec8e8480273ee1a1bb192e9122b621a69d4147ad0c"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BY_HAND = f"get {TARBALL} by hand and run: make setup CAFFE_SOURCE=FILE"


def named() -> Path | None:
    """Check and return the tarball that the user named in CAFFE_SOURCE; None if they named none."""
    name = os.environ.get("CAFFE_SOURCE")
    if not name:
        return None
    file = Path(os.path.expanduser(name))
    if not file.is_file():
        raise UserError(f"CAFFE_SOURCE={file}: there is no such file; it has to be {TARBALL}")
    return checked(file)


def checked(file: Path) -> Path:
    """Return `file` if it is exactly Caffe's source; else raise a UserError."""
    found = sha256(file)
    if found != SHA256:
        raise UserError(f"{file} is not Caffe's source: its sha256 is {found}, that of {TARBALL} is {SHA256}")
    return file


def download(folder: Path, cache: Path, log: Path) -> Path:
    """Download Caffe's source from this machine's Debian mirror into `cache`, working in `folder`.

    The package index is read through a private sources list into a private folder, so the machine's
    own sources stay unchanged. apt-get checks the archive's signature, we check the hash.
    """
    kept = cache / TARBALL
    if kept.is_file() and sha256(kept) == SHA256:
        return kept
    lists, archives = folder / "lists", folder / "archives"
    for empty in (lists / "partial", archives / "partial"):
        empty.mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": lists,
        "Dir::Cache": archives,
    }
    apt_get = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
    try:
        for command in (["update"], ["source", "--download-only", PACKAGE]):
            run([*apt_get, *command], what="getting Caffe's source", log=log, cwd=folder)
    except UserError as error:
        raise UserError(f"{error}; or {BY_HAND}") from None
    return checked(folder / TARBALL).replace(kept)


def mirror() -> str:
    """Look up the address of a Debian mirror in this machine's own configuration."""
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"]
    main_archive = "Label: Debian"  # not that of the security updates
    found = subprocess.run([*query, main_archive], capture_output=True, text=True, check=False)
    addresses = [uri for uri in found.stdout.split() if not uri.startswith("cdrom:")]
    if not addresses:
        raise UserError(f"apt-get knows no Debian mirror: `apt-get update` as root, or {BY_HAND}")
    return addresses[0]
