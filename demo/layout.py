"""The demo's files beside the pictures, in AVA's and CUHKPQ's own layouts, and the oddities of a real collection."""

import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from demo.score import SCENES, VIEWERS, Rating
from paper import stated

AGREEING = 8  # of the ten viewers, for a photo to be in CUHKPQ (section IV-A.1)
TEST_SHARE = stated("partitions.demo.test") / (stated("partitions.demo.train") + stated("partitions.demo.test"))
GHOSTS = 3  # ids on the test list that AVA.txt lacks; the real list has 70
JPEG_QUALITY = 90

# Indices of the photos that are not as they should be.
MISSING, TRUNCATED, CMYK = 3, 4, 5
GREY_FIRST, GREY_STEP = 6, 80

# Ids step through 0 .. ID_PRIME - 1 without meeting one twice, in an order that looks like none.
ID_PRIME, ID_STEP, ID_FIRST = 953_273, 377_141, 53

SCENE_TAGS = {
    "animal": (19, "Animals"),
    "architecture": (20, "Architecture"),
    "human": (17, "Portraiture"),
    "landscape": (14, "Landscape"),
    "night": (2, "Cityscape / Night"),
    "plant": (40, "Floral"),
    "static": (18, "Still Life"),
}
BLACK_AND_WHITE = (21, "Black and White")
OTHER_TAGS = (
    (1, "Abstract"),
    (5, "Humorous"),
    (16, "Candid, Snapshot"),
    (22, "Macro"),
    (37, "Travel"),
)
CHALLENGES = {
    12: "Alone", 57: "Colour_Of_The_Year", 101: "Early_Morning", 204: "Free_Study", 318: "Golden_Hour",
    411: "In_The_Corner", 523: "Long_Exposure", 640: "Low_Light_II", 777: "Negative_Space", 805: "One_Subject",
    911: "Rule_Of_Thirds", 1040: "Symmetry", 1163: "The_View_From_Here", 1287: "Weather", 1396: "Wish_You_Were_Here",
}  # fmt: skip


def photo_id(seed: int, index: int) -> int:
    """The AVA id of photo `index`; unequal for unequal indices below ID_PRIME."""
    return ID_FIRST + (seed * 104_729 + index * ID_STEP) % ID_PRIME


def is_grey(index: int) -> bool:
    """Whether photo `index` is stored with one channel."""
    return index % GREY_STEP == GREY_FIRST


def encode(picture: np.ndarray, index: int, path: Path) -> None:
    """Write photo `index` as a JPEG, or as the odd file it is meant to be."""
    if index == MISSING:
        return
    if index == CMYK:
        rgb = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        rgb.convert("CMYK").save(path, "JPEG", quality=JPEG_QUALITY)
        return
    if is_grey(index):
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(data.tobytes()[: len(data) // 2] if index == TRUNCATED else data.tobytes())


def write_ava(root: Path, seed: int, ratings: list[Rating]) -> int:
    """Write AVA.txt, tags.txt, challenges.txt and the list of test ids; the number of test photos."""
    challenges = list(CHALLENGES)
    lines = []
    for index, rating in enumerate(ratings):
        rng = np.random.default_rng(np.random.SeedSequence([seed, index, 1]))
        second = OTHER_TAGS[rng.integers(len(OTHER_TAGS))][0] * int(rng.random() < 0.5)
        if is_grey(index):
            second = BLACK_AND_WHITE[0]
        challenge = challenges[rng.integers(len(challenges))]
        first = SCENE_TAGS[rating.scene][0]
        row = [index + 1, photo_id(seed, index), *rating.votes, first, second, challenge]
        lines.append(" ".join(map(str, row)) + "\n")
    (root / "AVA.txt").write_text("".join(lines))
    tags = sorted([*SCENE_TAGS.values(), BLACK_AND_WHITE, *OTHER_TAGS], key=lambda tag: tag[1])
    (root / "tags.txt").write_text("".join(f"{number} {name}\n" for number, name in tags))
    (root / "challenges.txt").write_text("".join(f"{number} {name}\n" for number, name in CHALLENGES.items()))
    order = np.random.default_rng(np.random.SeedSequence([seed, len(ratings), 2]))
    test = order.permutation(len(ratings))[: round(TEST_SHARE * len(ratings))]
    listed = order.permutation([*test, *range(len(ratings), len(ratings) + GHOSTS)])
    folder = root / "aesthetics_image_lists"
    folder.mkdir()
    ids = [photo_id(seed, int(index)) for index in listed]
    (folder / "generic_test.jpgl").write_text("".join(f"{number}\n" for number in ids))
    return len(test)


def write_cuhkpq(root: Path, images: Path, seed: int, ratings: list[Rating]) -> tuple[int, int]:
    """Link the photos that eight of ten viewers agree on into CUHKPQ's folders; how many are high and low.

    Files are numbered within their folder, so names recur across folders. The missing photo and the one that is cut
    off are left out.
    """
    for quality in ("HighQuality", "LowQuality"):
        for scene in SCENES:
            (root / quality / scene).mkdir(parents=True)
    numbers: Counter[str] = Counter()
    for index, rating in enumerate(ratings):
        if index in (MISSING, TRUNCATED) or VIEWERS - AGREEING < rating.approvals < AGREEING:
            continue
        quality = "HighQuality" if rating.approvals >= AGREEING else "LowQuality"
        folder = f"{quality}/{rating.scene}"
        numbers[folder] += 1
        _link(images / f"{photo_id(seed, index)}.jpg", root / folder / f"{numbers[folder]}.jpg")
    high = sum(count for folder, count in numbers.items() if folder.startswith("High"))
    return high, numbers.total() - high


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy on a file system without them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
