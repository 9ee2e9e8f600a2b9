"""What folders hold: pictures, whether listed photos are there, archives that nobody unpacked."""

from user_error import UserError

import errno
import os
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from data_prep.photos import Photo

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2")
FOREIGN = (".heic", ".heif", ".jxl")  # photos too: they are counted, and called corrupt with the reason
NO_PHOTOS = ("@eaDir", "__MACOSX")  # folders with thumbnails and the like, which machines make beside photos
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
UNPACK = {".zip": "unzip", ".rar": "7z x", ".7z": "7z x", ".7z.001": "7z x", ".tar": "tar xf", ".tgz": "tar xf",
          ".tar.gz": "tar xf"}  # fmt: skip


def is_picture(name: str) -> bool:
    """Whether a name is a picture's; hidden files and those of the system are none."""
    return name.lower().endswith(PICTURES + FOREIGN) and not name.startswith(".")


def pictures_in(folder: Path) -> list[str]:
    """The names of the pictures in a folder, sorted; [] if there is no such folder."""
    return sorted(name for name in names_in(folder) if is_picture(name))


def pictures_below(folder: Path) -> list[str]:
    """The paths of the pictures in a folder and its subfolders, sorted; [] if there is no such folder.

    Links are followed, but no folder is visited twice. Raises UserError if a folder may not be read.
    """
    found = []
    visited = set()
    for where, below, names in os.walk(folder, followlinks=True, onerror=_refuse_unreadable):
        real = os.path.realpath(where)
        if real in visited:
            below.clear()
            continue
        visited.add(real)
        below[:] = sorted(filter(_may_hold_photos, below))
        inside = os.path.relpath(where, folder)
        found += [os.path.normpath(os.path.join(inside, name)) for name in names if is_picture(name)]
    return sorted(found)


def names_in(folder: Path) -> list[str]:
    """All names in a folder; [] if there is no such folder."""
    try:
        return os.listdir(folder)
    except OSError as error:
        _refuse_unreadable(error)
        return []


def subfolders(folder: Path) -> list[Path]:
    """The subfolders of a folder that may hold photos, sorted; [] if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if is_folder(entry) and _may_hold_photos(entry.name))
    except OSError:
        return []


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether a name leads to a folder; a link that cannot be followed, such as one to itself, does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def how_to_unpack(folder: Path) -> str:
    """'; unpack ... first' for an archive in the folder, '' if it holds none."""
    for name in sorted(names_in(folder)):
        for ending, command in UNPACK.items():
            if name.lower().endswith(ending):
                words = shlex.join([*command.split(), name])
                return f"; {name} is not unpacked: `cd {shlex.quote(str(folder.absolute()))} && {words}`"
    return ""


class Listing:
    """The files below a folder, at the cost of listing each subfolder once.

    `places` are the folder's absolute paths with a / at the end, as it is given and without links.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = tuple(os.path.join(place, "") for place in (os.path.abspath(root), os.path.realpath(root)))
        self._folder = cache(self._read_folder)

    def __contains__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self._folder(folder)[1]

    def real(self, path: str) -> str:
        """The path of the file itself, whichever links lead to it."""
        folder, _, name = path.rpartition("/")
        place, is_link = self._folder(folder)
        return os.path.realpath(os.path.join(place, name)) if is_link.get(name) else f"{place}/{name}"

    def similar(self, path: str) -> Path | None:
        """What may be meant by a path that is not there: a name in another case or with an extension, or no folder."""
        folder, _, name = path.rpartition("/")
        for place in dict.fromkeys((folder, "")):
            for other in sorted(self._folder(place)[1]):
                if name.lower() in (other.lower(), os.path.splitext(other.lower())[0]):
                    return self.root / place / other
        return None

    def _read_folder(self, folder: str) -> tuple[str, dict[str, bool]]:
        """The real path of a folder, and of each name in it whether it is a link."""
        place = os.path.realpath(self.root / folder)
        try:
            with os.scandir(place) as entries:
                return place, {entry.name: entry.is_symlink() for entry in entries}
        except OSError as error:
            _refuse_unreadable(error)
            return place, {}


def require_most(photos: Sequence[Photo], fix: str) -> None:
    """Raise UserError, which ends with `fix`, if more than half of the photos are not where they should be."""
    listings = {folder: Listing(folder) for folder in {photo.folder for photo in photos}}
    missing = [photo for photo in photos if photo.path not in listings[photo.folder]]
    if 2 * len(missing) > len(photos):
        similar = listings[missing[0].folder].similar(missing[0].path)
        but = f" ({similar} is there)" if similar else ""
        raise UserError(
            f"{len(missing):,} of the {len(photos):,} photos are not there, {missing[0].file} is one of them{but}; "
            f"{fix}"
        )


def _may_hold_photos(name: str) -> bool:
    return not name.startswith(".") and name not in NO_PHOTOS


def _refuse_unreadable(error: OSError) -> None:
    """Raise UserError unless the folder is just not there."""
    if error.errno not in NOT_THERE:
        raise UserError(f"{error.filename} cannot be listed: {error.strerror}") from None
