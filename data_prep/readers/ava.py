"""A copy of AVA, in the layouts in which it circulates today, and the partition of it that is wanted.

The votes are in AVA.txt (ava_table.py), on Kaggle in ground_truth_dataset.csv (ava_shares.py), on Hugging Face in
parquet files (ava_parquet.py); the pictures are files (ava_pictures.py) or rows of parquet files.
"""

from user_error import UserError

import shlex
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from data_prep import deltas
from data_prep.photos import Photo
from data_prep.readers import ava_pictures, ava_shares, ava_table, folders, partitions
from data_prep.readers.ava_parquet import Rows, read_rows, require_readable
from data_prep.readers.ava_pictures import Pictures
from data_prep.readers.ava_table import Votes
from data_prep.readers.inputs import opened
from data_prep.readers.parquet import files_in
from data_prep.readers.partitions import Partition
from data_prep.request import digest_of_files, digest_of_lines
from paper import stated

LISTS = "aesthetics_image_lists"
LAYOUT = f"AVA.txt, {LISTS}/ and images/"


@dataclass(frozen=True)
class Copy:
    """A copy of AVA in `root`, its pictures in `images` if they are elsewhere, and its partition 'large' or 'small'."""

    root: Path
    size: str
    seed: int
    delta: Fraction = Fraction(0)
    small_rule: str | None = None  # None: the paper's
    images: Path | None = None

    @property
    def name(self) -> str:
        """The dataset's name: the paper's, with the option in it that makes it another dataset than the paper's."""
        name = f"ava-{self.size}"
        if self.size == "small" and self._rule != stated("partitions.ava-small.small_rule"):
            return f"{name}-{self._rule}"
        if self.size == "large":
            return deltas.named(name, Decimal(self.delta.numerator) / self.delta.denominator)
        return name

    def digest(self) -> str:
        """SHA-256 of what decides the lists: the votes, and for 'large' the test list."""
        lists = [self._test_list] if self.size == "large" else []
        if self._table:
            for path in (self._table, *lists):
                if path.exists():
                    opened(path).close()  # else a FIFO would never end
            return digest_of_files([self._table, *lists])
        votes = self._votes
        rows = sorted(zip(votes.ids, votes.totals, votes.divisors, strict=True))
        return digest_of_lines([*(f"{name} {total} {count}" for name, total, count in rows), digest_of_files(lists)])

    def partition(self) -> Partition:
        """The lists; reads no picture. Raises UserError where the table or the list is not as it should be."""
        return self._partition

    def require_pictures(self) -> None:
        """Raise UserError if few of the lists' pictures are there, or they cannot be those of the lists' photos."""
        pictures = self._pictures
        if pictures.rows:
            require_readable(pictures.folder, sorted(set(pictures.paths.values())))
        usual = [folder / name for folder in (self._home, self.root) for name in ava_pictures.FOLDERS]
        places = [pictures.folder, self._home, self.root, *usual]
        ava_pictures.require_enough(pictures, self._partition.photos, self._votes.ids, places)

    @cached_property
    def photos(self) -> list[Photo]:
        """All photos in the table's order, labelled good (1) iff their mean score is >= 5 (III-A)."""
        votes = self._votes
        columns = (votes.labels, votes.totals, votes.divisors, votes.votes)
        return [self._pictures.photo(*row) for row in zip(votes.ids, *columns, strict=True)]

    @property
    def _rule(self) -> str:
        return self.small_rule or stated("partitions.ava-small.small_rule")

    @cached_property
    def _table(self) -> Path | None:
        return find_table(self.root)

    @property
    def _home(self) -> Path:
        """The folder of the table."""
        return self._table.parent if self._table else self.root

    @cached_property
    def _test_list(self) -> Path:
        return find_test_list(self._home, self.root)

    @cached_property
    def _rows(self) -> Rows | None:
        """The photos in parquet files, where the copy has some."""
        for folder in [self.images or self._home, self.root] if self._table else [self.root]:
            if paths := files_in(folder):
                return read_rows(folder, paths)
        return None

    @cached_property
    def _votes(self) -> Votes:
        if self._table:
            reader = ava_shares if self._table.name == ava_shares.NAME else ava_table
            return reader.read_votes(self._table)
        if self._rows.votes is None:
            raise UserError(f"{self.root}: its parquet files have no votes (rating_counts): put AVA.txt beside them")
        return self._rows.votes

    @cached_property
    def _pictures(self) -> Pictures:
        found = ava_pictures.find(self.root, self._home, self.images)
        if found.paths or not self._rows:
            return found
        places = self._rows.places
        return Pictures(
            self._rows.folder,
            {photo_id: path for photo_id, (path, _) in places.items()},
            {photo_id: row for photo_id, (_, row) in places.items()},
        )

    @cached_property
    def _partition(self) -> Partition:
        test_ids = ava_table.read_ids(self._test_list) if self._test_list.exists() else None
        if self.size == "small":
            lists = partitions.ava_small(self.photos, self._rule, self.seed, test_ids=test_ids)
        else:
            lists = partitions.ava_large(self.photos, test_ids, self.seed, self.delta, table=self._source)
        return replace(
            lists, notes=(*lists.notes, *self._votes.notes, *self._wholeness(test_ids), *self._disagreement())
        )

    @property
    def _source(self) -> str:
        """What the votes are from, for people."""
        return self._table.name if self._table else "this copy"

    def _wholeness(self, test_ids: list[str] | None) -> list[str]:
        """A note if the official test list is there, but not all of AVA's photos."""
        photos, whole = len(self._votes.ids), stated("partitions.ava.photos")
        if not test_ids or len(test_ids) != stated("partitions.ava-large.test") or photos >= whole:
            return []
        return [f"{self._source} has {photos:,} photos, the release of June 2012 has {whole:,}"]

    def _disagreement(self) -> list[str]:
        """A note if parquet files that give the pictures have other votes than the table."""
        if not self._table or not self._pictures.rows or self._rows.votes is None:
            return []
        other, own = (
            set(zip(votes.ids, votes.totals, votes.divisors, strict=True)) for votes in (self._rows.votes, self._votes)
        )
        differing = len({photo_id for photo_id, _, _ in other - own} & set(self._votes.ids))
        if not differing:
            return []
        return [f"{differing:,} photos have other votes in the parquet files than in {self._source}, whose votes count"]


def find_table(root: Path) -> Path | None:
    """The path of AVA.txt or of Kaggle's table, in a root or one level below it; None where there are parquet files.

    Raises UserError if there is nothing of these, or a table in several folders.
    """
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder: it is the one that holds {LAYOUT}")
    for name in (ava_table.NAME, ava_shares.NAME):
        places = [root / name] if (root / name).exists() else sorted(root.glob(f"*/{name}"))
        if len(places) > 1:
            first, second, *_ = (shlex.quote(str(path.parent)) for path in places)
            raise UserError(f"{root} has no {name}, but several folders in it do: --root {first} or --root {second}")
        if places:
            return places[0]
    if files_in(root):
        return None
    raise UserError(
        f"{root} has no AVA.txt: --root is the folder that holds {LAYOUT} (or {ava_shares.NAME}, or parquet files)"
        f"{folders.how_to_unpack(root)}"
    )


def find_test_list(home: Path, root: Path) -> Path:
    """The path of the official test list, where it is or where it would be; `home` is the folder of the table."""
    name = stated("partitions.ava-large.test_list")
    usual = home / LISTS / name
    return next((path for path in (usual, root / LISTS / name, home / name) if path.exists()), usual)
