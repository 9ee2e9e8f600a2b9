"""The sizes of a copy's pictures: a copy that was warped or scaled down before has no local view (III-C)."""

from user_error import UserError

from collections import Counter

from paper import stated

SAMPLE = 32  # pictures that it takes to recognise such a copy
SHARE = 0.9  # of the pictures; a photographer's own may well have one size, but not a square one

Size = tuple[int, int]


def require_local_view(root: object, sizes: Counter[Size], is_own: bool) -> None:
    """Raise UserError if nearly all pictures have one size, or no side longer than a view on their shorter side.

    `sizes` counts the pictures by (width, height). The paper's datasets are of many sizes; photos of a user's own
    (`is_own`) may all come from one camera, so only one square size counts against them.
    """
    total = sizes.total()
    if total < SAMPLE:
        return
    side = stated("views.size")
    (width, height), most = sizes.most_common(1)[0]
    small = sum(number for size, number in sizes.items() if min(size) <= side)
    if most > SHARE * total and not (is_own and width != height):
        found = f"{most:,} of {total:,} pictures are {width}x{height}, so this copy was already warped to that size"
    elif small > SHARE * total:
        found = f"{small:,} of {total:,} pictures have a side of {side} pixels or less, so this copy was scaled down"
    else:
        return
    raise UserError(
        f"{root}: {found} and its central {side}x{side} patch is no detail of a photo: there is no local view. "
        "Take the original pictures, or the global view alone with --views global"
    )
