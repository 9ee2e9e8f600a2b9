"""The brushes of the demo's painter: colours, noise, shaded polygons, gradients, glows.

A picture is a BGR uint8 array H x W x 3 that brushes change in place. Points are float arrays N x 2 in
pixels, x to the right and y down; a shape may lie partly or wholly outside the picture.
"""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

Colour = np.ndarray  # BGR, 0 .. 255, float32
BLACK = np.array([18, 16, 16], np.float32)
WHITE = np.array([245, 248, 250], np.float32)
SUBPIXEL_BITS = 4


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A BGR colour from hue in degrees, saturation and value in 0 .. 1."""
    rgb = colorsys.hsv_to_rgb(hue / 360 % 1, float(np.clip(saturation, 0, 1)), min(max(value, 0), 1))
    return np.array(rgb[::-1], np.float32) * 255


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour `share` of the way from `first` to `second`."""
    return first + (second - first) * np.float32(share)


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cells: float,
    stretch: float = 1.0,
    octaves: int = 3,
) -> np.ndarray:
    """Smooth noise of about -1 .. 1, `cells` bumps over the longer side, `stretch` times wider than high."""
    field = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        bumps = cells * 2**octave / max(height, width)
        rows, columns = int(height * bumps) + 2, int(width * bumps / stretch) + 2
        coarse = rng.random((rows, columns), np.float32) * 2 - 1
        field += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return field


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur; a wide one is done on a smaller copy, which looks the same."""
    if sigma < 0.3:
        return picture
    shrink = int(sigma // 2)
    if shrink < 2:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    height, width = picture.shape[:2]
    size = (max(1, width // shrink), max(1, height // shrink))
    small = cv2.GaussianBlur(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / shrink)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def oval(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> np.ndarray:
    """The outline of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    turn = np.deg2rad(degrees)
    across, down = radius_x * np.cos(angles), radius_y * np.sin(angles)
    return np.stack(
        [
            x + across * np.cos(turn) - down * np.sin(turn),
            y + across * np.sin(turn) + down * np.cos(turn),
        ],
        1,
    )


def smooth(points: Sequence[Sequence[float]] | np.ndarray, rounds: int = 3) -> np.ndarray:
    """The closed polygon with its corners cut (Chaikin), so that it looks grown."""
    outline = np.asarray(points, np.float32)
    for _ in range(rounds):
        following = np.roll(outline, -1, axis=0)
        quarters = [0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following]
        outline = np.stack(quarters, 1).reshape(-1, 2)
    return outline


def blob(rng: np.random.Generator, x: float, y: float, rx: float, ry: float, rough: float = 0.15) -> np.ndarray:
    """The outline of an uneven round thing: a stone, a crown of leaves, a fleece."""
    radii = 1 + rough * rng.uniform(-1, 1, 12)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return smooth(np.stack([x + rx * radii * np.cos(angles), y + ry * radii * np.sin(angles)], 1))


def paint(
    picture: np.ndarray,
    points: Sequence[Sequence[float]] | np.ndarray,
    colour: Colour,
    light: tuple[float, float] | None = None,
    relief: float = 0.45,
    opacity: float = 1.0,
) -> None:
    """Fill a polygon; with `light`, the way towards it, shade it as if it bulged out of the picture."""
    outline = np.asarray(points, np.float32)
    if light is None and opacity == 1:
        cv2.fillPoly(picture, [_fixed(outline)], colour.tolist(), cv2.LINE_AA, SUBPIXEL_BITS)
        return
    height, width = picture.shape[:2]
    left, top = np.maximum(np.floor(outline.min(0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(outline.max(0)).astype(int) + 3, [width, height])
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [_fixed(outline - [left, top])], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    cover = mask.astype(np.float32) * np.float32(1 / 255)
    patch = picture[top:bottom, left:right].astype(np.float32)
    tone = np.ones_like(cover) if light is None else 1 + relief * bulge(cover, light)
    fill = np.minimum(cv2.merge([tone * part for part in colour.astype(np.float32)]), 255)
    cover *= opacity
    patch += cv2.merge([cover] * 3) * (fill - patch)
    picture[top:bottom, left:right] = np.maximum(patch, 0) + 0.5


def _fixed(outline: np.ndarray) -> np.ndarray:
    """Points in OpenCV's fixed-point pixels."""
    return np.round(outline * 2**SUBPIXEL_BITS).astype(np.int32)


def bulge(cover: np.ndarray, light: tuple[float, float]) -> np.ndarray:
    """How much, -1 .. 1, the rounded edge of a shape faces the light; worked out on a copy of 48 pixels."""
    height, width = cover.shape
    shrink = max(min(height, width) / 48, 1.0)
    size = (max(4, round(width / shrink)), max(4, round(height / shrink)))
    small = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    sigma = max(0.2 * min(size), 1.0)
    form = cv2.GaussianBlur(small, (0, 0), sigma)
    slope_x = cv2.Sobel(form, cv2.CV_32F, 1, 0, scale=0.125)
    slope_y = cv2.Sobel(form, cv2.CV_32F, 0, 1, scale=0.125)
    facing = -(slope_x * light[0] + slope_y * light[1]) * (2.5 * sigma)
    return cv2.resize(facing, (width, height), interpolation=cv2.INTER_CUBIC)


def strokes(picture: np.ndarray, lines: Sequence[np.ndarray], colour: Colour, thickness: float = 1.0) -> None:
    """Draw many open lines of one colour and thickness."""
    fixed = [_fixed(line) for line in lines]
    width = max(1, round(thickness))
    cv2.polylines(picture, fixed, False, colour.tolist(), width, cv2.LINE_AA, SUBPIXEL_BITS)


def gradient(picture: np.ndarray, top: int, bottom: int, upper: Colour, lower: Colour) -> None:
    """Fill the rows `top` to `bottom` with a smooth step from one colour to another."""
    first, last = max(top, 0), min(bottom, len(picture))
    if first >= last:
        return
    share = (np.arange(first, last, dtype=np.float32) - top)[:, None, None] / max(bottom - top, 1)
    picture[first:last] = upper + (lower - upper) * share


def grain(picture: np.ndarray, top: int, bottom: int, field: np.ndarray, strength: float) -> None:
    """Make the rows `top` to `bottom` lighter and darker by the rows of `field`, a noise."""
    first, last = max(top, 0), min(bottom, len(picture))
    if first >= last:
        return
    tone = 1 + strength * field[first - top : last - top, : picture.shape[1], None]
    picture[first:last] = np.clip(picture[first:last] * tone, 0, 255)


def tint(picture: np.ndarray, cover: np.ndarray, colour: Colour, left: int = 0, top: int = 0) -> None:
    """Lay a colour over the picture where `cover`, 0 .. 1, says, its corner at `left`, `top`."""
    height, width = cover.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, picture.shape[1]), min(top + height, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    share = cv2.merge([np.ascontiguousarray(cover[y0 - top : y1 - top, x0 - left : x1 - left])] * 3)
    patch = picture[y0:y1, x0:x1].astype(np.float32)
    patch += share * (np.asarray(colour, np.float32) - patch)
    picture[y0:y1, x0:x1] = np.clip(patch, 0, 255)


def spot(
    picture: np.ndarray,
    x: float,
    y: float,
    radius_x: float,
    radius_y: float,
    colour: Colour,
    strength: float,
) -> None:
    """Lay on a soft round spot: the glow of a lamp, or with a dark colour the shadow under a thing."""
    half_x, half_y = int(radius_x * 2) + 1, int(radius_y * 2) + 1
    across = np.exp(-2 * (np.arange(-half_x, half_x + 1, dtype=np.float32) / max(radius_x, 1)) ** 2)
    down = np.exp(-2 * (np.arange(-half_y, half_y + 1, dtype=np.float32) / max(radius_y, 1)) ** 2)
    tint(picture, np.outer(down, across) * strength, colour, round(x) - half_x, round(y) - half_y)


def mirror(picture: np.ndarray, water: int, tone: Colour, strength: float = 0.55) -> None:
    """Fill everything below row `water` with the picture above it upside down, rippled and toned."""
    height, width = picture.shape[:2]
    depth = height - water
    if water < 2 or depth < 2:
        return
    rows = np.arange(depth, dtype=np.float32)
    ripple = np.sin(rows * 0.9 + 6 * np.sin(rows * 0.13)) * (1 + rows / depth * 4)
    map_y = np.clip(water - 1 - rows * min(1.0, (water - 1) / depth), 0, water - 1)
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float32), map_y)
    image = cv2.remap(
        picture,
        grid_x + ripple[:, None] * 0.8,
        grid_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    image = cv2.blur(image, (1, 5)).astype(np.float32)
    picture[water:] = image + (tone - image) * (1 - strength)
