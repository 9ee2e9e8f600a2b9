"""Photo records -> training and test lists: the paper's partitions (III-A, IV-A), with our choices where it is silent.

Every function is pure: the same photos, in whatever order, and the same seed give the same lists.
The lists come in the order in which their records are stored: random, seeded (III-C).
"""

from user_error import UserError

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from data_prep.photos import BAD, GOOD, Photo, shuffled
from paper import stated


@dataclass(frozen=True)
class Partition:
    """Training and test photos in record order; the excluded photos and why; the rule and its notes in words."""

    train: list[Photo]
    test: list[Photo]
    excluded: list[tuple[Photo, str]]
    rule: str
    notes: tuple[str, ...] = ()

    def splits(self) -> dict[str, list[Photo]]:
        return {"train": self.train, "test": self.test}

    @property
    def photos(self) -> list[Photo]:
        """All photos of the two lists."""
        return [*self.train, *self.test]


def ava_large(
    photos: Sequence[Photo], test_ids: Sequence[str] | None, seed: int, delta: Fraction, table: str = "AVA.txt"
) -> Partition:
    """AVA (large): the official test list, or a seeded draw if it is missing; all other photos train (IV-A.2).

    delta > 0 leaves out the training photos with 5 - delta <= mean <= 5 + delta (III-A). `table` is what the photos
    were read from, in the words of the rule.
    """
    notes = []
    if test_ids is not None:
        listed = set(test_ids)
        test = [photo for photo in photos if photo.photo_id in listed]
        rule = f"test: the ids of {stated('partitions.ava-large.test_list')} that {table} has; training: all the rest"
        notes.append(f"{len(test):,} of the {len(listed):,} ids of the test list are in {table}")
    else:
        size = stated("partitions.ava-large.test")
        stated_total = size + stated("partitions.ava-large.train")
        wanted = size
        if len(photos) < 2 * size:
            wanted = round(Fraction(len(photos) * size, stated_total))
            notes.append(
                f"this copy is small: the test draw is scaled to the paper's share, {size:,} of {stated_total:,}"
            )
        test = shuffled(photos, seed, "test")[:wanted]
        rule = f"test: a seeded draw of {wanted:,}; training: all the rest"
        notes.append(
            f"{stated('partitions.ava-large.test_list')} is missing: the test photos are our own draw, "
            "not AVA's official list; results on them cannot be compared with anyone else's"
        )
    held_out = {photo.photo_id for photo in test}
    train = [photo for photo in photos if photo.photo_id not in held_out]
    excluded: list[tuple[Photo, str]] = []
    if delta > 0:
        near_threshold = f"mean within {float(delta):g} of {stated('labels.threshold')}"
        rule += f"; training photos with a {near_threshold} left out"
        near = {photo.photo_id for photo in train if is_near_threshold(photo, delta)}
        excluded = [(photo, near_threshold) for photo in train if photo.photo_id in near]
        train = [photo for photo in train if photo.photo_id not in near]
    return in_record_order(train, test, excluded, seed, rule, notes)


def ava_small(photos: Sequence[Photo], small_rule: str, seed: int, test_ids: Sequence[str] | None = None) -> Partition:
    """AVA (small): the lowest and the highest photos by exact mean, then halves balanced by label (III-A, IV-A.2).

    `decile-193k`: 10 % at each end of a seeded draw of 193,080 photos (19,308 a side, the paper's size);
    `decile`: 10 % at each end of all; `extreme`: 19,308 at each end of all.
    `test_ids`, the official test list of `large`, changes nothing but a note.
    """
    share = Fraction(str(stated("partitions.ava-small.share")))
    drawn, whole = stated("partitions.ava-small.drawn"), stated("partitions.ava.photos")
    notes = []
    excluded: list[tuple[Photo, str]] = []
    pool = photos
    if small_rule == "decile-193k":
        wanted = drawn
        if len(photos) < drawn:
            wanted = round(Fraction(len(photos) * drawn, whole))
            notes.append(f"this copy is small: the draw is scaled to the share {drawn:,} of {whole:,}")
        order = shuffled(photos, seed, "draw")
        pool = order[:wanted]
        excluded += [(photo, "not drawn") for photo in order[wanted:]]
        side = int(len(pool) * share)
        rule = f"a seeded draw of {wanted:,}, its lowest and highest {float(share):.0%}"
    elif small_rule == "decile":
        side = int(len(pool) * share)
        rule = f"the lowest and highest {float(share):.0%} of all"
    elif small_rule == "extreme":
        side = stated("partitions.ava-small.train")
        if len(photos) < 2 * side:
            side = round(Fraction(len(photos) * side, whole))
            notes.append(f"this copy is small: {stated('partitions.ava-small.train'):,} a side are scaled to its size")
        rule = f"the lowest and highest {side:,} of all"
    else:
        raise UserError(f"--small-rule {small_rule} does not exist: decile-193k, decile or extreme")
    if side < 2:
        raise UserError(f"{len(photos)} photos are too few for the rule {small_rule}: it leaves {side} at each end")
    ranked = sorted(pool, key=_exact_rank)
    excluded += [(photo, "between the two ends") for photo in ranked[side : len(ranked) - side]]
    chosen = [replace(photo, label=BAD, cell="bad") for photo in ranked[:side]]
    chosen += [replace(photo, label=GOOD, cell="good") for photo in ranked[len(ranked) - side :]]
    train, test = halves(chosen, seed)
    rule += f" ({side:,} a side), in seeded halves balanced by label"
    listed = set(test_ids or ())
    if shared := sum(photo.photo_id in listed for photo in train):
        notes.append(
            f"{shared:,} of the training photos are in {stated('partitions.ava-large.test_list')}: never test a net "
            "trained here on ava-large"
        )
    return in_record_order(train, test, excluded, seed, rule, notes)


def cuhkpq(photos: Sequence[Photo], extra: Sequence[Photo], seed: int) -> Partition:
    """CUHKPQ: each category x quality in seeded halves (IV-A.1); `large` adds the halves of the extra photos.

    Cells with an odd number of photos round up and down in turn: the 17,690 photos of the real
    dataset have six, which gives 8,845 + 8,845.
    """
    train, test = halves([*photos, *extra], seed)
    rule = "each category x quality in seeded halves, odd cells rounded up and down in turn"
    if extra:
        rule += f"; {len(extra):,} extra photos in seeded halves by label"
    return in_record_order(train, test, [], seed, rule, [])


def halves(photos: Iterable[Photo], seed: int) -> tuple[list[Photo], list[Photo]]:
    """Each cell in two seeded halves; odd cells, in the order of their names, give their odd photo to
    training and to test in turn, so that the two totals differ by at most one.
    """
    cells: dict[str, list[Photo]] = {}
    for photo in photos:
        cells.setdefault(photo.cell, []).append(photo)
    train: list[Photo] = []
    test: list[Photo] = []
    round_up = True
    for name in sorted(cells):
        order = shuffled(cells[name], seed, "halves")
        middle = len(order) // 2
        if len(order) % 2:
            middle += round_up
            round_up = not round_up
        train += order[:middle]
        test += order[middle:]
    return train, test


def is_near_threshold(photo: Photo, delta: Fraction) -> bool:
    """Whether 5 - delta <= mean <= 5 + delta, in integers."""
    distance = abs(photo.total - stated("labels.threshold") * photo.divisor)
    return distance * delta.denominator <= delta.numerator * photo.divisor


def _exact_rank(photo: Photo) -> int:
    """Rank by (mean, id), exactly: means with divisors under 2^128 differ by over 2^-256, ids are under 2^128."""
    return ((photo.total << 256) // photo.divisor << 128) + int(photo.photo_id)


def in_record_order(
    train: list[Photo],
    test: list[Photo],
    excluded: list[tuple[Photo, str]],
    seed: int,
    rule: str,
    notes: Iterable[str],
) -> Partition:
    """The partition with both lists in a seeded order (III-C); raises UserError if one is empty."""
    for split, photos in (("training", train), ("test", test)):
        if not photos:
            raise UserError(f"no photo is left for {split}; rule: {rule}. A larger copy or other options are needed")
    return Partition(
        shuffled(train, seed, "order"),
        shuffled(test, seed, "order"),
        sorted(excluded, key=lambda item: item[0].photo_id),
        rule,
        tuple(notes),
    )
