"""Photos of one's own: a list with scores or labels, or two folders with the good and the bad ones.

Where the list has no column that says which photos are for training and which for test, the test photos are drawn: the
same share of the good and of the bad ones.
"""

from user_error import UserError

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from data_prep import columns, folders, lists, scores
from data_prep.partitions import Partition
from data_prep.photos import BAD, GOOD, Photo, shuffled
from data_prep.request import digest_of_lines
from paper import stated

WORDS = {GOOD: "good", BAD: "bad"}
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
VALIDATION = ("val", "valid", "validation")
NAME_THEM = (
    "columns are separated by commas, semicolons or tabs; say which they are by name or by number from 1, as in "
    "--path-column 1 --score-column 2"
)


@dataclass(frozen=True)
class ListedPhotos:
    """Photos below `root` that a list names (a Source).

    `threshold` is the lowest score of a good photo, None if the list has labels; `test_share` is drawn for test, None
    if the list says which photos are; `columns` names columns that are not called as usual.
    """

    root: Path
    list: Path
    seed: int
    threshold: Decimal | None = None
    test_share: Decimal | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        return self._list.digest

    def partition(self) -> Partition:
        photos, rule = self._photos
        if "split" not in self._list.columns.places:
            return _drawn(photos, self.test_share, self.seed, rule)
        if self.test_share is not None:
            raise UserError(
                f"--test-share draws test photos, but {self.list} names them in {self._list.columns.title('split')}; "
                "leave out one of the two"
            )
        splits = {"train": [], "test": [], None: []}
        for entry, photo in zip(self._list.entries, photos, strict=True):
            splits[self._split(entry)].append(photo)
        for split in ("train", "test"):
            if word := _missing_label(splits[split]):
                raise UserError(f"{self.list} has no {word} photo for {split}; training and test need both")
        rule = f"{rule}; training and test as the list says"
        excluded = [(photo, "for validation, which the paper does without") for photo in splits[None]]
        return _partition(splits["train"], splits["test"], excluded, self.seed, rule)

    def require_pictures(self) -> None:
        folders.require_most(
            self._photos[0],
            f"the paths in {self.list} are relative to --root, which is {self.root.absolute()}"
            f"{folders.how_to_unpack(self.root)}",
        )

    @cached_property
    def _list(self) -> lists.PhotoList:
        if not self.root.is_dir():
            raise UserError(f"--root {self.root} is not a folder: it is the one that the list's paths start from")
        return lists.read(self.list, self.root, self.columns, NAME_THEM)

    @cached_property
    def _photos(self) -> tuple[list[Photo], str]:
        """The photos in the list's order, and the rule of their labels."""
        title = self._list.columns.title
        if not self._has_scores():
            photos = [self._photo(entry, self._label(entry)) for entry in self._list.entries]
            if word := _missing_label(photos):
                raise UserError(f"{self.list} has no {word} photo in {title('label')}; training needs both")
            return photos, f"labels from {title('label')} of the list"
        values = [self._score(entry) for entry in self._list.entries]
        if self.threshold is None:
            raise UserError(
                f"--threshold is needed, the lowest score of a good photo: {title('score')} of {self.list} goes "
                f"{scores.described(values)}"
            )
        photos = [
            self._photo(entry, GOOD if score >= self.threshold else BAD, score)
            for entry, score in zip(self._list.entries, values, strict=True)
        ]
        if word := _missing_label(photos):
            raise UserError(
                f"with --threshold {scores.decimal(self.threshold)} no photo is {word}: {title('score')} of "
                f"{self.list} goes {scores.described(values)}"
            )
        return photos, (
            f"good: {title('score')} at least {scores.decimal(self.threshold)}, in a range from "
            f"{scores.decimal(min(values))} to {scores.decimal(max(values))}: {scores.share(values, self.threshold)} "
            "of the photos"
        )

    def _has_scores(self) -> bool:
        """Whether the labels come from scores; raises UserError if the list leaves that open."""
        there = self._list.columns.places
        both = {"score", "label"} <= there.keys()
        wanted = [noun for noun in ("score", "label") if noun in self.columns]
        if both and len(wanted) != 1 and (wanted or self.threshold is None):
            raise UserError(
                f"{self.list} has scores and labels: give --threshold T for the scores, or name one of the two with "
                "--score-column or --label-column"
            )
        if both:
            return wanted == ["score"] or not wanted
        if "label" in there and self.threshold is not None:
            raise UserError(f"--threshold belongs to scores, but {self.list} has labels; leave it out")
        if not there.keys() & {"score", "label"}:
            raise UserError(
                f"{self.list}: no column is named score, mos, mean or label; the first row is "
                f"{columns.shown(self._list.columns.first_row)}: {NAME_THEM}"
            )
        return "score" in there

    def _label(self, entry: lists.Entry) -> int:
        label = lists.label(entry.label)
        if label is None:
            raise UserError(
                f"{self._list.where(entry)} the label is {entry.label[:40]!r}; it is 1, good, high, yes or true, or 0, "
                "bad, low, no or false (scores have --score-column and --threshold)"
            )
        return label

    def _score(self, entry: lists.Entry) -> Decimal:
        score = lists.number(entry.score)
        if score is None:
            raise UserError(
                f"{self._list.where(entry)} the score {entry.score[:40]!r} is not a plain decimal number such as 5.25"
            )
        return score

    def _split(self, entry: lists.Entry) -> str | None:
        """'train', 'test', or None for a photo that is for neither."""
        name = entry.split.lower()
        if name in VALIDATION:
            return None
        if name not in SPLITS:
            raise UserError(
                f"{self._list.where(entry)} the split is {entry.split[:40]!r}; it is train or test (rows of val are "
                "left out)"
            )
        return SPLITS[name]

    def _photo(self, entry: lists.Entry, label: int, score: Decimal | None = None) -> Photo:
        votes = lists.votes(entry.votes)
        if votes is None:
            raise UserError(f"{self._list.where(entry)} the number of votes is {entry.votes[:40]!r}")
        total, divisor = (0, 0) if score is None else score.as_integer_ratio()
        return Photo(entry.path, self.root, entry.path, label, total, divisor, votes)


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
        return _drawn(self._photos, self.test_share, self.seed, "good and bad as in the two folders")

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
                if (real := listing.real(path)) in taken:
                    raise UserError(f"{folder / path} is the same file as {taken[real]}; remove one of them")
                taken[real] = str(folder / path)
                photos.append(Photo(f"{word}/{path}", Path(base), os.path.relpath(folder / path, base), label))
        return photos


def _drawn(photos: Sequence[Photo], share: Decimal | None, seed: int, rule: str) -> Partition:
    """The partition with a seeded draw of the same share of the good and of the bad photos for test."""
    if share is None:
        share = Decimal(str(stated("partitions.own.test_share")))
    train, test = [], []
    for label, word in WORDS.items():
        order = shuffled((photo for photo in photos if photo.label == label), seed, "test")
        if len(order) < 2:
            raise UserError(f"there is 1 {word} photo: training and test need one each at least")
        size = min(max(round(Fraction(share) * len(order)), 1), len(order) - 1)
        test += order[:size]
        train += order[size:]
    rule = f"{rule}; test: a seeded draw of {scores.decimal(100 * share)}% of the good and of the bad ones"
    return _partition(train, test, [], seed, rule)


def _partition(
    train: Iterable[Photo], test: Iterable[Photo], excluded: list[tuple[Photo, str]], seed: int, rule: str
) -> Partition:
    excluded = sorted(excluded, key=lambda item: item[0].photo_id)
    return Partition(shuffled(train, seed, "order"), shuffled(test, seed, "order"), excluded, rule)


def _missing_label(photos: Iterable[Photo]) -> str | None:
    """'good' or 'bad' if no photo is."""
    labels = {photo.label for photo in photos}
    return next((word for label, word in WORDS.items() if label not in labels), None)
