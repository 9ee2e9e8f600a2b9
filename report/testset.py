"""The test photos of a dataset as it is prepared on this machine: their scores, votes, and places in the LMDBs."""

from user_error import UserError

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from data_prep import manifest, summary
from data_prep.photos import WRITTEN


@dataclass(frozen=True, slots=True)
class TestPhoto:
    """A test photo; `score` is None where the dataset has labels only, `votes` where their number is not known."""

    __test__ = False  # for pytest, which collects what is called Test

    photo_id: str
    position: int  # its key in the LMDBs
    label: int
    score: float | None = None
    votes: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Photos:
    """What this machine has of a dataset's test photos; without any, `lacking` says why."""

    folder: Path
    views: tuple[str, ...] = ()
    by_id: dict[str, TestPhoto] | None = None
    lacking: str = ""

    @property
    def has_scores(self) -> bool:
        return any(photo.score is not None for photo in (self.by_id or {}).values())

    def store(self, view: str) -> Path:
        """The LMDB of a view of the test photos."""
        return self.folder / f"test_{view}_lmdb"


def read(dataset: str, data: Path, records: list[dict[str, Any]]) -> Photos:
    """The test photos of a dataset, if it is the one that the runs with these records (run.json) saw."""
    folder = data / dataset
    try:
        content = summary.read(folder)
        if content is None:
            return Photos(folder, lacking=f"{folder} is not on this machine")
        for record in records:
            lists = record["dataset"].get("lists_sha256", content["lists_sha256"])
            if lists != content["lists_sha256"]:
                return Photos(folder, lacking=f"{folder} is another preparation than the one that the runs saw")
        return Photos(folder, tuple(content["views"]), {photo.photo_id: photo for photo in _photos(folder)})
    except UserError as error:
        return Photos(folder, lacking=str(error))
    except OSError as error:
        return Photos(folder, lacking=f"{error.filename} cannot be read: {error.strerror}")


def _photos(folder: Path) -> list[TestPhoto]:
    path = folder / "manifest.csv"
    try:
        return [_photo(row) for row in manifest.read(path) if row["split"] == "test" and row["status"] == WRITTEN]
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{path} cannot be read ({error})") from None


def _photo(row: dict[str, str]) -> TestPhoto:
    """A line of the manifest; that of an early version may lack all but the first three."""
    score, votes, width, height = (row.get(name) for name in ("score", "votes", "width", "height"))
    return TestPhoto(
        row["photo_id"],
        int(row["position"]),
        int(row["label"]),
        float(Fraction(score)) if score else None,
        int(votes) if votes else None,
        int(width) if width else None,
        int(height) if height else None,
    )
