"""Which photos a page shows, and their small pictures out of the test LMDBs."""

from user_error import UserError

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep import stores
from data_prep.photos import BAD, GOOD, shuffled
from experiments.run_folder import Prediction
from paper import stated
from report.testset import Photos, TestPhoto

SHOWN = 6  # of each kind: so many of the surest, and so many drawn
EXAMPLES = 12  # of the dataset's good photos, and of its bad ones
WORST = 10
WHOLE = "whole"  # the global view in the photo's own proportions
SIZES = ((192, 80), (160, 78), (144, 75), (128, 72), (112, 68), (96, 60), (80, 50), (64, 40))  # pixels, JPEG quality


@dataclass(frozen=True)
class Kind:
    """The test photos of one label that a run predicted as one label: how many, the surest, and a drawn sample."""

    label: int
    predicted: int
    n: int
    surest: list[Prediction]
    drawn: list[Prediction]

    @property
    def is_right(self) -> bool:
        return self.label == self.predicted


def kinds(predictions: Sequence[Prediction]) -> list[Kind]:
    """The four kinds, the mistakes first; the draw depends on the photos' ids and the seed alone."""
    found = []
    for label, predicted in ((BAD, GOOD), (GOOD, BAD), (GOOD, GOOD), (BAD, BAD)):
        those = [p for p in predictions if (p.label, p.predicted) == (label, predicted)]
        found.append(Kind(label, predicted, len(those), sorted(those, key=_sureness)[:SHOWN], drawn(those, SHOWN)))
    return found


def worst(predictions: Iterable[Prediction]) -> list[Prediction]:
    """The mistakes of which a run was most sure."""
    return sorted((p for p in predictions if p.label != p.predicted), key=_sureness)[:WORST]


def examples(photos: Photos, label: int) -> list[TestPhoto]:
    """A drawn sample of a dataset's test photos with some label."""
    return drawn([photo for photo in (photos.by_id or {}).values() if photo.label == label], EXAMPLES)


def drawn(photos: Sequence, count: int) -> list:
    """A sample of what has a photo_id, in an order that depends on the ids and the seed alone."""
    return shuffled(photos, stated("partitions.seed"), "report")[:count]


def _sureness(prediction: Prediction) -> tuple[float, str]:
    return -abs(prediction.p_good - 0.5), prediction.photo_id


def jpegs(photos: Photos, wanted: dict[str, set[str]], budget: int) -> dict[tuple[str, str], bytes]:
    """Small JPEGs by view and photo id, of `wanted` ids by view, as large as a budget of bytes allows.

    UserError as in `pictures`, or where not even the smallest fit.
    """
    views = pictures(photos, wanted)
    for size, quality in SIZES:
        small = {name: _jpeg(view, size, quality) for name, view in views.items()}
        if sum(map(len, small.values())) <= budget:
            return small
    raise UserError(f"{len(views):,} photos do not fit into {budget:,} bytes")


def pictures(photos: Photos, wanted: dict[str, set[str]]) -> dict[tuple[str, str], np.ndarray]:
    """Views (BGR uint8) by view and photo id, of `wanted` ids by view, read from the test LMDBs by their keys.

    WHOLE is the global view in the photo's own proportions, or the local one where there is no other. Raises UserError
    where a store is damaged, or cannot be read.
    """
    views = {}
    for view, ids in wanted.items():
        known = {photo_id: photos.by_id[photo_id] for photo_id in sorted(ids)}
        stored = view if view != WHOLE else "global" if "global" in photos.views else "local"
        found = stores.views_at(photos.store(stored), sorted(photo.position for photo in known.values()))
        is_squeezed = (view, stored) == (WHOLE, "global")
        for photo_id, photo in known.items():
            views[view, photo_id] = _shaped(found[photo.position], photo if is_squeezed else None)
    return views


def _shaped(view: np.ndarray, photo: TestPhoto | None) -> np.ndarray:
    """A view in the proportions of its photo, as far as they are known."""
    if photo is None or not photo.width or not photo.height:
        return np.ascontiguousarray(view)
    long = view.shape[0]
    ratio = photo.width / photo.height
    width, height = (long, max(1, round(long / ratio))) if ratio >= 1 else (max(1, round(long * ratio)), long)
    return cv2.resize(np.ascontiguousarray(view), (width, height), interpolation=cv2.INTER_AREA)


def _jpeg(view: np.ndarray, size: int, quality: int) -> bytes:
    scale = size / max(view.shape[:2])
    width, height = (max(1, math.floor(side * scale + 0.5)) for side in view.shape[1::-1])
    small = cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1].tobytes()
