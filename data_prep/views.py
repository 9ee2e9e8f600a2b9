"""Picture -> 256x256 view; the only code that makes views, also for prediction (III-C).

Global view: the whole picture resized, whatever its shape, as Caffe's convert_imageset
--resize_height=256 --resize_width=256 does it (OpenCV's bilinear resize), byte for byte.
Local view: the central 256x256 patch of the picture as it is.
"""

import cv2
import numpy as np

from paper import stated

SIZE: int = stated("views.size")
LONGEST = 64  # times the shorter side: only so much of a small picture is enlarged, to bound the memory of 1x60000


def global_view(picture: np.ndarray) -> np.ndarray:
    """The whole picture, height x width x 3 BGR uint8 of any size -> 256x256x3 BGR uint8."""
    return cv2.resize(picture, (SIZE, SIZE))


def local_view(picture: np.ndarray) -> np.ndarray:
    """The central patch, height x width x 3 BGR uint8 of any size -> 256x256x3 BGR uint8.

    A picture with a side under 256 is first enlarged so that its shorter side is 256 (`is_enlarged`).
    """
    if is_enlarged(picture):
        shorter = min(picture.shape[:2])
        picture = _centre(picture, LONGEST * shorter)
        height, width = (max(SIZE, round(side * SIZE / shorter)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height))
    return _centre(picture, SIZE)


def is_enlarged(picture: np.ndarray) -> bool:
    """Whether the local view has to enlarge the picture: one of its sides is under 256."""
    return min(picture.shape[:2]) < SIZE


MAKE_VIEW = {"global": global_view, "local": local_view}


def _centre(picture: np.ndarray, size: int) -> np.ndarray:
    """The central part of at most size x size; the upper left one of the middle ones, like Caffe's centre crop."""
    height, width = picture.shape[:2]
    top, left = max(0, height - size) // 2, max(0, width - size) // 2
    return picture[top : top + size, left : left + size]
