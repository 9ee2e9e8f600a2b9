"""Photos of one's own that a list names, with a score or a label each.

Where the list has no column that says which photos are for training and which for test, the test photos are drawn.
"""

from user_error import UserError

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from data_prep.photos import BAD, GOOD, Photo
from data_prep.readers import columns, folders, lists, scores
from data_prep.readers.own import drawn, missing_label
from data_prep.readers.partitions import Partition, in_record_order

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
VALIDATION = ("val", "valid", "validation")
NAME_THEM = (
    "columns are separated by commas, semicolons or tabs, not by spaces; say which they are, by name or number: "
    "--path-column and --score-column, or --label-column"
)


@dataclass(frozen=True)
class ListedPhotos:
    """Photos below `root` that a list names (a Source).

    `threshold` is the lowest score of a good photo, None if the list has labels; `test_share` is drawn for test, None
    if the list says which photos are; `columns` names columns that are not called as usual.
    """

    root: Path
    file: Path
    seed: int
    threshold: Decimal | None = None
    test_share: Decimal | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        return self._list.digest

    def partition(self) -> Partition:
        photos, rule = self._photos
        if "split" not in self._list.columns.places:
            return drawn(photos, self.test_share, self.seed, rule, self._advice)
        if self.test_share is not None:
            raise UserError(
                f"--test-share draws test photos, but {self.file} names them in {self._list.columns.title('split')}; "
                "leave out one of the two"
            )
        splits = {"train": [], "test": [], None: []}
        for entry, photo in zip(self._list.entries, photos, strict=True):
            splits[self._split(entry)].append(photo)
        for split in ("train", "test"):
            if word := missing_label(splits[split]):
                raise UserError(f"{self.file} has no {word} photo for {split}; training and test need both")
        rule = f"{rule}; training and test as the list says"
        excluded = [(photo, "for validation, which the paper does without") for photo in splits[None]]
        return in_record_order(splits["train"], splits["test"], excluded, self.seed, rule, [])

    def require_pictures(self) -> None:
        folders.require_most(
            self._photos[0],
            f"the paths in {self.file} are relative to --root, which is {self.root.absolute()}"
            f"{folders.how_to_unpack(self.root)}",
        )

    @cached_property
    def _list(self) -> lists.PhotoList:
        if not self.root.is_dir():
            raise UserError(f"--root {self.root} is not a folder: it is the one that the list's paths start from")
        return lists.read(self.file, self.root, self.columns, NAME_THEM)

    @cached_property
    def _photos(self) -> tuple[list[Photo], str]:
        """The photos in the list's order, and the rule of their labels."""
        title = self._list.columns.title
        if not self._has_scores():
            photos = [self._photo(entry, self._label(entry)) for entry in self._list.entries]
            if word := missing_label(photos):
                raise UserError(f"{self.file} has no {word} photo in {title('label')}; training needs both")
            return photos, f"labels from {title('label')} of the list"
        values = [self._score(entry) for entry in self._list.entries]
        if self.threshold is None:
            raise UserError(f"--threshold is needed, the lowest score of a good photo{self._advice}")
        photos = [
            self._photo(entry, GOOD if score >= self.threshold else BAD, score)
            for entry, score in zip(self._list.entries, values, strict=True)
        ]
        if word := missing_label(photos):
            raise UserError(f"with --threshold {scores.decimal(self.threshold)} no photo is {word}{self._advice}")
        return photos, (
            f"good: {title('score')} at least {scores.decimal(self.threshold)}, in a range from "
            f"{scores.decimal(min(values))} to {scores.decimal(max(values))}: {scores.share(values, self.threshold)} "
            "of the photos"
        )

    @property
    def _advice(self) -> str:
        """What the scores are like, for one who has to choose a threshold; '' for labels."""
        if not self._has_scores():
            return ""
        values = [self._score(entry) for entry in self._list.entries]
        return f": {self._list.columns.title('score')} of {self.file} goes {scores.described(values)}"

    def _has_scores(self) -> bool:
        """Whether the labels come from scores; raises UserError if the list and the options leave that open."""
        there = [noun for noun in ("score", "label") if noun in self._list.columns.places]
        if not there:
            raise UserError(
                f"{self.file}: no column is named score, mos, mean or label; the first row is "
                f"{columns.shown(self._list.columns.first_row)}: {NAME_THEM}"
            )
        named = [noun for noun in there if noun in self.columns]
        if len(there) == 2 and (len(named) == 2 or (not named and self.threshold is None)):
            raise UserError(
                f"{self.file} has scores and labels: give --threshold T for the scores, or name one of the two with "
                "--score-column or --label-column"
            )
        has_scores = (named or there) != ["label"]
        if not has_scores and self.threshold is not None:
            raise UserError(
                f"--threshold is for scores, and {self._list.columns.title('label')} has labels: leave it out"
            )
        return has_scores

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
