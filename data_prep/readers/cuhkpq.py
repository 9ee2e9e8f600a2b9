"""A copy of CUHKPQ, {HighQuality,LowQuality}/<category>/, and the extra photos of its large partition.

A photo's id is its path below the dataset's folder: the files are numbered, and whether a number is
unique across the folders is not documented.
"""

from user_error import UserError

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from data_prep.photos import BAD, EXTRA, GOOD, Photo
from data_prep.readers import folders, lists, partitions
from data_prep.readers.partitions import Partition
from data_prep.request import digest_of_lines
from paper import stated

QUALITIES = {"HighQuality": GOOD, "LowQuality": BAD}
CATEGORIES = ("animal", "architecture", "human", "landscape", "night", "plant", "static")
CELLS_IN_A_NOTE = 4
NAME_THEM = "the first line of manifest.csv names the columns path,label"


@dataclass(frozen=True)
class Copy:
    """A copy of CUHKPQ and one of its partitions (a Source); `size` is 'small' or 'large', which needs `extra`."""

    root: Path
    size: str
    seed: int
    extra: Path | None = None

    @property
    def name(self) -> str:
        return f"cuhkpq-{self.size}"

    def digest(self) -> str:
        return digest_of_lines(f"{photo.photo_id} {photo.label}" for photo in [*self._photos, *self._extra_photos])

    def partition(self) -> Partition:
        partition = partitions.cuhkpq(self._photos, self._extra_photos, self.seed)
        return replace(partition, notes=(*partition.notes, *_differences(self._photos)))

    def require_pictures(self) -> None:
        """The photos of the folders were seen there; those of a manifest are looked for."""
        folders.require_most(self._extra_photos, "the paths in manifest.csv are relative to its folder")

    @cached_property
    def _photos(self) -> list[Photo]:
        return read_cuhkpq(self.root)

    @cached_property
    def _extra_photos(self) -> list[Photo]:
        return read_extra(self.extra, self._photos) if self.extra else []


def read_cuhkpq(root: Path) -> list[Photo]:
    """The photos of the 7 categories x 2 qualities, by path; raises UserError if a folder is missing or empty.

    The folders may be in the root or up to two levels below it, their names in any case.
    """
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder: it is the one that holds HighQuality/ and LowQuality/")
    base = _base(root)
    photos = []
    for quality, label in QUALITIES.items():
        for category in CATEGORIES:
            folder = _subfolder(_subfolder(base, quality), category)
            names = folders.pictures_in(folder)
            if not names:
                raise UserError(
                    f"{folder} is missing or holds no picture; unpack CUHKPQ again, all 14 folders are needed"
                    f"{folders.how_to_unpack(base)}"
                )
            place = folder.relative_to(base)
            cell = f"{quality}/{category}"
            photos += [Photo(f"{cell}/{name}", base, f"{place}/{name}", label, cell=cell) for name in names]
    return photos


def read_extra(folder: Path, known: list[Photo]) -> list[Photo]:
    """The extra photos of CUHKPQ (large): `manifest.csv` (path,label) in `folder`, or its HighQuality/ and LowQuality/.

    Raises UserError if a file is already one of the `known` photos: it could end up in training and in test.
    """
    if not folder.is_dir():
        raise UserError(f"--extra {folder} is not a folder")
    manifest = folder / "manifest.csv"
    rows = sorted(_manifest_rows(manifest) if manifest.exists() else _labelled_files(folder))
    if not rows:
        raise UserError(
            f"--extra {folder} has no photos: it needs HighQuality/ and LowQuality/, or manifest.csv with path,label"
            f"{folders.how_to_unpack(folder)}"
        )
    listings = {place: folders.Listing(place) for place in {folder, *(photo.folder for photo in known)}}
    taken = {listings[photo.folder].real(photo.path): photo.photo_id for photo in known}
    photos = []
    for photo_id, path, label in rows:
        photo = Photo(f"{EXTRA}{photo_id}", folder, path, label, cell=f"{EXTRA}{'good' if label else 'bad'}")
        real = listings[folder].real(path)
        if real in taken:
            raise UserError(
                f"--extra {folder}: {path} is the same file as {taken[real]}, so one photo could be in training and "
                "in test; remove it"
            )
        taken[real] = photo.photo_id
        photos.append(photo)
    return photos


def refuse_without_extra() -> UserError:
    """Why cuhkpq-large cannot be prepared from CUHKPQ alone."""
    large = stated("partitions.cuhkpq-large.train") + stated("partitions.cuhkpq-large.test")
    small = stated("partitions.cuhkpq-small.train") + stated("partitions.cuhkpq-small.test")
    extra = stated("partitions.cuhkpq-large.extra")
    return UserError(
        f"cuhkpq-large needs --extra DIR: the paper's {large:,} photos are CUHKPQ's {small:,} and {extra:,} more "
        "'available in the download pages' (IV-A.1), which it does not name; judging by their number they may be the "
        "6,000 + 6,000 photos of Ke et al. 2006, unconfirmed. DIR holds HighQuality/ and LowQuality/, or manifest.csv "
        "with path,label"
    )


def _base(root: Path) -> Path:
    """The folder that holds the qualities: the root, or one up to two levels below it."""
    level = [root]
    for _ in range(3):
        found = [folder for folder in level if any(_subfolder(folder, quality).is_dir() for quality in QUALITIES)]
        if len(found) > 1:
            raise UserError(f"{found[0]} and {found[1]} both hold photos of CUHKPQ: give one of them as --root")
        if found:
            return found[0]
        level = [below for folder in level for below in folders.subfolders(folder)]
    raise UserError(
        f"{root} has no HighQuality/: --root is the folder that holds HighQuality/ and LowQuality/, "
        f"each with {', '.join(CATEGORIES)}{folders.how_to_unpack(root)}"
    )


def _subfolder(folder: Path, name: str) -> Path:
    """The subfolder of that name, in whatever case it is written; its usual path if there is none."""
    found = [path for path in folders.subfolders(folder) if _plain(path.name) == _plain(name)]
    if len(found) > 1:
        raise UserError(f"{folder} has {found[0].name} and {found[1].name}: merge them, or remove one")
    return found[0] if found else folder / name


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _differences(photos: list[Photo]) -> Iterator[str]:
    """What a copy lacks of CUHKPQ as it is known, and what it has beyond that."""
    known = {
        f"{quality}/{category}": count
        for quality, counts in zip(QUALITIES, ("high", "low"), strict=True)
        for category, count in zip(CATEGORIES, stated(f"partitions.cuhkpq.{counts}"), strict=True)
    }
    there = Counter(photo.cell for photo in photos)
    for word, sign in (("lacks {:,} of", 1), ("has {:,} beyond", -1)):
        cells = [cell for cell, count in known.items() if sign * (count - there[cell]) > 0]
        if cells:
            number = sum(abs(known[cell] - there[cell]) for cell in cells)
            where = ", ".join(f"{cell} {known[cell]:,} -> {there[cell]:,}" for cell in cells[:CELLS_IN_A_NOTE])
            more = f" and {len(cells) - CELLS_IN_A_NOTE} more folders" if len(cells) > CELLS_IN_A_NOTE else ""
            yield f"this copy {word.format(number)} CUHKPQ's {sum(known.values()):,} photos: {where}{more}"


def _labelled_files(folder: Path) -> Iterator[tuple[str, str, int]]:
    """(id, path, label) of the pictures anywhere below HighQuality/ and LowQuality/."""
    for quality, label in QUALITIES.items():
        place = _subfolder(folder, quality)
        for path in folders.pictures_below(place):
            yield f"{quality}/{path}", f"{place.name}/{path}", label


def _manifest_rows(manifest: Path) -> Iterator[tuple[str, str, int]]:
    """(id, path, label) of each line of manifest.csv."""
    found = lists.read(manifest, manifest.parent, {"path": "path", "label": "label"}, NAME_THEM)
    for entry in found.entries:
        label = lists.label(entry.label)
        if label is None:
            raise UserError(f"{found.where(entry)} the label {entry.label[:40]!r} is neither 1 (good) nor 0 (bad)")
        yield entry.path, entry.path, label
