"""The demo's photographer: takes a scene with the faults of a rating, in the frame and in the camera."""

import cv2
import numpy as np

from demo.brushes import BLACK, WHITE, blob, blur, hsv, oval, paint, strokes
from demo.scenes import draw_scene
from demo.score import Rating
from demo.setting import DAY_MOODS, NIGHT_MOODS, Mood, Setting

# What the worst photo suffers; a fault of 0.5 is half of it.
MAX_TILT = 15.0  # degrees
MAX_CLUTTER = 15  # things strewn around
MAX_PILLAR = 0.27  # of the width, the dark mass that weighs on one side
MAX_BLUR = 0.013  # of the longer side, sigma
MAX_GRAIN, MAX_STAIN = 34.0, 20.0  # grey levels, of the fine grain and of the coarse stains of colour
MAX_DARK, MAX_BRIGHT = 1.7, 0.8  # stops under and over
MUDDY_SHARE = 0.65  # of the colour faults; the others are garish

LONG_SIDES = (400, 416, 448, 480, 512, 560, 640)
ASPECTS = (4 / 3, 3 / 2, 3 / 2, 16 / 9, 5 / 4, 1.0)


def take_photo(rating: Rating, rng: np.random.Generator) -> np.ndarray:
    """The photo, BGR uint8 of 160 to 800 pixels a side."""
    faults = rating.faults
    width, height = draw_size(rng)
    tilt = np.deg2rad(MAX_TILT * max(faults["horizon"] - 0.08, 0) * rng.choice([-1, 1]))
    setting = set_up(rating.scene, faults, width, height, float(tilt), rng)
    picture = turn(draw_scene(rating.scene, setting, rng), width, height, float(tilt))
    weigh_down(picture, faults["balance"], setting.flip, rng)
    strew(picture, faults["clutter"], rng)
    picture = defocus(picture, faults["sharpness"], rng)
    return develop(picture, faults, rng)


def draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """Width and height: mostly 400 to 640 on the longer side, some 800, some small."""
    kind = rng.random()
    long_side = int(rng.choice(LONG_SIDES))
    if kind < 0.05:
        long_side = 800
    elif kind > 0.93:
        long_side = int(rng.integers(160, 251))
    short_side = max(160, round(long_side / float(rng.choice(ASPECTS))))
    sides = (long_side, short_side)
    return sides if rng.random() < 0.7 else sides[::-1]


def set_up(
    scene: str,
    faults: dict[str, float],
    width: int,
    height: int,
    tilt: float,
    rng: np.random.Generator,
) -> Setting:
    """Where things stand: the subject at a third or, the worse the composition, off into an edge or a corner.

    A tilted camera needs a larger scene to turn the frame in: the setting is that scene.
    """
    wrong = faults["composition"]
    side = rng.choice([-1, 1])
    low = bool(rng.random() < 0.6)
    good_x, good_y = 0.5 + side / 6, 0.57 if low else 0.48
    bad_x, bad_y = (
        0.5 + side * rng.uniform(0.46, 0.6),
        0.5 + rng.choice([-1, 1]) * rng.uniform(0.1, 0.45),
    )
    across = (good_x + (bad_x - good_x) * wrong + rng.normal(0, 0.012) - 0.5) * width
    down = (good_y + (bad_y - good_y) * wrong + rng.normal(0, 0.012) - 0.5) * height
    good_horizon = 0.36 if low else 0.64
    bad_horizon = 0.5 + (0.4 if good_horizon > 0.5 else -0.3) * rng.random()
    horizon = good_horizon + (bad_horizon - good_horizon) * wrong
    full_width = round(width * np.cos(tilt) + height * abs(np.sin(tilt))) + 2
    full_height = round(height * np.cos(tilt) + width * abs(np.sin(tilt))) + 2
    light_x = rng.choice([-1, 1]) * rng.uniform(0.45, 0.8)
    return Setting(
        width=full_width,
        height=full_height,
        unit=min(width, height),
        horizon=round(full_height / 2 + (horizon - 0.5) * height),
        x=full_width / 2 + across * np.cos(tilt) + down * np.sin(tilt),
        y=full_height / 2 - across * np.sin(tilt) + down * np.cos(tilt),
        scale=1 - 0.4 * wrong,
        light=(light_x, -float(np.sqrt(1 - light_x**2))),
        flip=-int(side),
        mood=choose_mood(scene, faults["colour"], rng),
    )


def choose_mood(scene: str, wrong: float, rng: np.random.Generator) -> Mood:
    """A palette that goes together; the more `wrong`, the more each of its hues goes its own way."""
    moods = NIGHT_MOODS if scene == "night" else DAY_MOODS
    shift = rng.normal(0, 6)
    stray = rng.uniform(-150, 150, 5) * max(wrong - 0.2, 0)
    colours = moods[rng.integers(len(moods))]
    return Mood(*[hsv(h + shift + off, s, v) for (h, s, v), off in zip(colours, stray, strict=True)])


def turn(scene: np.ndarray, width: int, height: int, tilt: float) -> np.ndarray:
    """The frame of `width` x `height` out of the middle of the scene, turned by `tilt` radians."""
    top, left = (scene.shape[0] - height) // 2, (scene.shape[1] - width) // 2
    if abs(tilt) < 0.005:
        return np.ascontiguousarray(scene[top : top + height, left : left + width])
    cos, sin = np.cos(tilt), np.sin(tilt)
    centre_x, centre_y = scene.shape[1] / 2, scene.shape[0] / 2
    back = np.array([[cos, sin, 0], [-sin, cos, 0]])
    back[:, 2] = [centre_x, centre_y] - back[:, :2] @ [width / 2, height / 2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(scene, back, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def weigh_down(picture: np.ndarray, wrong: float, flip: int, rng: np.random.Generator) -> None:
    """Something dark and close that leans into the picture from one side, and nothing on the other."""
    height, width = picture.shape[:2]
    reach = MAX_PILLAR * width * (wrong - 0.15)
    if reach < 3:
        return
    edges = reach * rng.uniform(0.75, 1.15, 6)
    inner = np.stack([edges, np.linspace(-5, height + 5, 6)], 1)
    outline = np.vstack([[[-5, -5]], inner, [[-5, height + 5]]])
    if flip < 0:
        outline[:, 0] = width - outline[:, 0]
    tone = hsv(rng.uniform(0, 360), 0.2, rng.uniform(0.08, 0.2))
    paint(picture, outline, tone, (float(flip), 0.0), 0.5)


def strew(picture: np.ndarray, wrong: float, rng: np.random.Generator) -> None:
    """Things that do not belong: boxes, balls, poles, wires, litter around the middle, and a date stamp."""
    height, width = picture.shape[:2]
    unit = min(width, height)
    for _ in range(round(MAX_CLUTTER * max(wrong - 0.12, 0))):
        angle = rng.uniform(0, 2 * np.pi)
        x = width * (0.5 + 0.5 * np.clip(rng.uniform(0.75, 1.25) * np.cos(angle) * 1.2, -1, 1))
        y = height * (0.5 + 0.5 * np.clip(rng.uniform(0.75, 1.25) * np.sin(angle) * 1.2, -1, 1))
        size = unit * rng.uniform(0.04, 0.11)
        colour = hsv(rng.uniform(0, 360), rng.uniform(0.6, 1), rng.uniform(0.6, 1))
        kind = rng.integers(4)
        if kind == 0:
            spin = rng.uniform(0, np.pi) + np.arange(4) * np.pi / 2
            box = np.stack([x + size * np.cos(spin), y + 0.7 * size * np.sin(spin)], 1)
            paint(picture, box, colour, (0.5, -0.8), 0.5)
        elif kind == 1:
            paint(picture, oval(x, y, size * 0.7, size * 0.7), colour, (0.5, -0.8), 0.6)
        elif kind == 2:
            paint(picture, blob(rng, x, y, size, size * 0.6, 0.4), WHITE * 0.93, (0.5, -0.8), 0.5)
        else:
            lean, thick = rng.uniform(-0.3, 0.3) * size, 0.12 * size
            pole = [
                [x, y - 2 * size],
                [x + thick, y - 2 * size],
                [x + lean, y + 2 * size],
                [x + lean - thick, y + 2 * size],
            ]
            paint(picture, pole, BLACK)
            sign = [
                [x - size, y - 2.2 * size],
                [x + size, y - 2.2 * size],
                [x + size, y - 1.2 * size],
                [x - size, y - 1.2 * size],
            ]
            paint(picture, sign, colour, (0.5, -0.8), 0.3)
    if wrong > 0.5:
        sag = np.linspace(-1, 1, 20)
        for level in rng.uniform(0.02, 0.16, 3) * height:
            wire = np.stack([(sag + 1) / 2 * width, level + 0.06 * height * (1 - sag**2) * rng.random()], 1)
            strokes(picture, [wire], BLACK, 0.008 * unit)
        place = (int(width * 0.64), int(height * 0.95))
        text = f"{rng.integers(1, 13):2d} {rng.integers(1, 29):2d} '{rng.integers(90, 99)}"
        cv2.putText(
            picture,
            text,
            place,
            cv2.FONT_HERSHEY_DUPLEX,
            unit / 520,
            (30, 120, 255),
            max(1, unit // 240),
            cv2.LINE_AA,
        )


def defocus(picture: np.ndarray, wrong: float, rng: np.random.Generator) -> np.ndarray:
    """The picture out of focus, or shaken: blurred along a line."""
    sigma = MAX_BLUR * max(picture.shape[:2]) * max(wrong - 0.1, 0)
    if rng.random() < 0.6 or sigma < 1:
        return blur(picture, sigma)
    height, width = picture.shape[:2]
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    reach = int(sigma * 1.1) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    way = np.array([np.cos(angle), np.sin(angle)]) * reach
    start, end = (np.round(reach + sign * way).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    half = cv2.filter2D(half, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)


def develop(picture: np.ndarray, faults: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Colour, exposure and noise of the print."""
    image = picture.astype(np.float32)
    image = grade(image, faults["colour"], rng)
    image = expose(image, faults["exposure"], rng)
    image = add_noise(image, faults["noise"], rng)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def grade(image: np.ndarray, wrong: float, rng: np.random.Generator) -> np.ndarray:
    """Rich colours; with the fault a muddy cast, or garish colours."""
    muddy = rng.random() < MUDDY_SHARE
    cast = hsv(rng.choice([38, 62, 95, 185, 290]), 0.55, 0.5)
    saturation = 1.12 - 1.0 * wrong if muddy else 1.12 + 0.9 * wrong
    to_grey = np.full((3, 3), 1 / 3)
    colours = np.eye(3) * saturation + to_grey * (1 - saturation)
    share = 0.55 * wrong if muddy else 0.0
    # share of the way to cast * (0.4 + grey / 190)
    mud = np.outer(cast, np.full(3, 1 / 3)) / 190
    matrix = np.hstack([(1 - share) * colours + share * mud, share * 0.4 * cast[:, None]])
    return cv2.transform(image, matrix)


def expose(image: np.ndarray, wrong: float, rng: np.random.Generator) -> np.ndarray:
    """A full range of tones; with the fault far too dark or washed out."""
    if rng.random() < 0.55:
        return image * 2 ** (-MAX_DARK * wrong)
    return image * 2 ** (MAX_BRIGHT * wrong) + 35 * wrong


def add_noise(image: np.ndarray, wrong: float, rng: np.random.Generator) -> np.ndarray:
    """Grain that is still seen in a small copy of the picture, and stains of colour."""
    amount = max(wrong - 0.1, 0)
    if amount == 0:
        return image
    height, width = image.shape[:2]
    amount *= 0.4 + 0.6 * min(float(image.mean()) / 110, 1)
    coarse = max(1.0, max(height, width) / 320)
    rows, columns = int(height / coarse), int(width / coarse)
    speckle = rng.standard_normal((rows, columns, 3), np.float32) * (MAX_GRAIN * amount)
    stains = rng.standard_normal((rows // 8 + 2, columns // 8 + 2, 3), np.float32) * (MAX_STAIN * amount)
    speckle += cv2.resize(stains, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return image + cv2.resize(speckle, (width, height), interpolation=cv2.INTER_LINEAR)
