"""Photos of one's own, sorted into a folder of good ones and one of bad ones."""

from user_error import UserError

import os
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from data_prep.photos import BAD, GOOD, Photo
from data_prep.readers import folders
from data_prep.readers.own import WORDS, drawn
from data_prep.readers.partitions import Partition
from data_prep.request import digest_of_lines


@dataclass(frozen=True)
class SortedPhotos:
    """Photos that a person has sorted into a folder of good ones and one of bad ones (a Source).

    An id is 'good/' or 'bad/' and the path in the folder, wherever the folders are.
    """

    good: Path
    bad: Path
    seed: int
    test_share: Decimal | None = None

    def digest(self) -> str:
        return digest_of_lines(f"{photo.photo_id} {photo.label}" for photo in self._photos)

    def partition(self) -> Partition:
        return drawn(self._photos, self.test_share, self.seed, "good and bad as in the two folders")

    def require_pictures(self) -> None:
        """Nothing to look for: the photos are what the folders hold."""

    @cached_property
    def _photos(self) -> list[Photo]:
        base = os.path.commonpath([os.path.abspath(self.good), os.path.abspath(self.bad)])
        photos = []
        taken: dict[str, str] = {}
        for folder, label in ((self.good, GOOD), (self.bad, BAD)):
            word = WORDS[label]
            if not folder.is_dir():
                raise UserError(f"--{word} {folder} is not a folder")
            paths = folders.pictures_below(folder)
            if not paths:
                raise UserError(f"--{word} {folder} holds no picture ({' '.join(folders.PICTURES)})")
            listing = folders.Listing(folder)
            for path in paths:
                photo_id = f"{word}/{path}"
                if (real := listing.real(path)) in taken:
                    raise UserError(
                        f"{real} is found twice, as {taken[real]} and as {photo_id}: give folders that do not overlap, "
                        "without links to photos in them"
                    )
                taken[real] = photo_id
                photos.append(Photo(photo_id, Path(base), os.path.relpath(folder / path, base), label))
        return photos
