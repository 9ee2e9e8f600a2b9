"""The training and test lists of photos of one's own (own_list.py, own_folders.py)."""

from user_error import UserError

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from data_prep.photos import BAD, GOOD, Photo, shuffled
from data_prep.readers.partitions import Partition, in_record_order
from data_prep.readers.scores import decimal
from paper import stated

WORDS = {GOOD: "good", BAD: "bad"}


def drawn(photos: Sequence[Photo], share: Decimal | None, seed: int, rule: str, advice: str = "") -> Partition:
    """A seeded draw for test: the same share (None: ours) of the good and of the bad photos, of each at least one.

    Raises UserError, which ends with the advice, if there are too few for that.
    """
    if share is None:
        share = Decimal(str(stated("partitions.own.test_share")))
    train, test = [], []
    for label, word in WORDS.items():
        order = shuffled((photo for photo in photos if photo.label == label), seed, "test")
        if len(order) < 2:
            raise UserError(f"there is 1 {word} photo: training and test need one each at least{advice}")
        size = min(max(round(Fraction(share) * len(order)), 1), len(order) - 1)
        test += order[:size]
        train += order[size:]
    rule = f"{rule}; test: a seeded draw of {decimal(100 * share)}% of the good and of the bad ones"
    return in_record_order(train, test, [], seed, rule, [])


def missing_label(photos: Iterable[Photo]) -> str | None:
    """'good' or 'bad' if no photo is."""
    labels = {photo.label for photo in photos}
    return next((word for label, word in WORDS.items() if label not in labels), None)
