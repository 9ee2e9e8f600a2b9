"""Where a demo photo is taken: its palette, where horizon and subject stand, the sky, ground and hills behind."""

from dataclasses import dataclass

import cv2
import numpy as np

from demo.brushes import (
    BLACK,
    WHITE,
    Colour,
    blur,
    gradient,
    grain,
    hsv,
    mix,
    noise,
    paint,
    spot,
    strokes,
    tint,
)
from demo.sitter import Sitter

# Palettes that go together, as hue, saturation, value of: upper sky, lower sky, far ground, near ground, accent.
DAY_MOODS = (
    ((212, 0.65, 0.82), (200, 0.22, 0.97), (110, 0.35, 0.66), (100, 0.58, 0.46), (6, 0.75, 0.88)),
    ((215, 0.38, 0.78), (38, 0.50, 1.00), (42, 0.60, 0.66), (30, 0.62, 0.40), (352, 0.68, 0.80)),
    ((265, 0.48, 0.52), (20, 0.65, 0.98), (290, 0.30, 0.45), (270, 0.38, 0.28), (45, 0.80, 0.96)),
    ((220, 0.34, 0.82), (345, 0.26, 0.97), (160, 0.28, 0.60), (150, 0.38, 0.40), (330, 0.60, 0.88)),
    ((190, 0.42, 0.76), (170, 0.14, 0.93), (165, 0.36, 0.55), (160, 0.48, 0.36), (22, 0.78, 0.92)),
    ((205, 0.48, 0.86), (45, 0.18, 0.97), (28, 0.62, 0.66), (18, 0.66, 0.42), (4, 0.80, 0.74)),
    ((200, 0.55, 0.90), (190, 0.14, 0.98), (80, 0.52, 0.76), (95, 0.62, 0.50), (320, 0.58, 0.92)),
)
NIGHT_MOODS = (
    ((235, 0.75, 0.15), (28, 0.55, 0.48), (235, 0.40, 0.16), (232, 0.55, 0.10), (42, 0.70, 1.00)),
    ((252, 0.65, 0.18), (305, 0.45, 0.40), (255, 0.40, 0.18), (250, 0.55, 0.10), (34, 0.75, 1.00)),
    ((215, 0.82, 0.16), (202, 0.62, 0.46), (212, 0.50, 0.18), (214, 0.60, 0.10), (46, 0.60, 1.00)),
)


@dataclass(frozen=True)
class Mood:
    """The palette of one photo."""

    upper_sky: Colour
    lower_sky: Colour
    far: Colour
    near: Colour
    accent: Colour


@dataclass(frozen=True)
class Setting:
    """Where things stand in a picture of `width` x `height`: horizon and subject in pixels, light, palette."""

    width: int
    height: int
    unit: float  # the shorter side of the photo
    horizon: int
    x: float
    y: float
    scale: float  # 1 for a subject of its usual size
    light: tuple[float, float]
    flip: int
    mood: Mood

    def sitter(self, picture: np.ndarray, size: float, standing: bool = False) -> Sitter:
        """A place at the subject's point, `size` photo units high; one that stands has its feet on the ground."""
        pixels = size * self.scale * self.unit
        y = max(self.y, self.horizon + 0.06 * self.unit - 0.5 * pixels + 0.05 * pixels) if standing else self.y
        return Sitter(picture, self.x, y, pixels, self.light, self.flip)


def draw_sky(picture: np.ndarray, s: Setting, rng: np.random.Generator, clouds: float = 0.8) -> None:
    """A sky down to the horizon, clouds lit from below the haze."""
    gradient(picture, 0, s.horizon + 2, s.mood.upper_sky, s.mood.lower_sky)
    rows = min(s.horizon, s.height)
    if rows < 8:
        return
    field = noise(rng, rows, s.width, rng.uniform(3, 6), 2.5)
    cover = np.clip((field - rng.uniform(0, 0.5)) * 1.5, 0, 1) * clouds
    tint(picture, cover, mix(s.mood.lower_sky, WHITE, 0.6))


def draw_ground(picture: np.ndarray, s: Setting, rng: np.random.Generator, grass: bool = True) -> None:
    """Ground below the horizon, coarser towards the viewer, with blades of grass and flowers."""
    gradient(picture, s.horizon, s.height, s.mood.far, s.mood.near)
    depth = s.height - s.horizon
    if depth < 8:
        return
    grain(picture, s.horizon, s.height, noise(rng, depth, s.width, 24, 4.0), 0.16)
    if not grass:
        return
    for share in (0.0, 0.3, 0.6):
        near = rng.random(110) ** 0.7
        feet = np.stack([rng.uniform(0, s.width, 110), s.horizon + near * depth], 1)
        rise = np.stack([rng.normal(0, 0.25, 110), -np.ones(110)], 1) * (near * 0.06 * s.unit + 1)[:, None]
        blades = [np.stack([foot, foot + up]) for foot, up in zip(feet, rise, strict=True)]
        strokes(
            picture,
            blades,
            mix(mix(s.mood.near, BLACK, 0.35), mix(s.mood.far, WHITE, 0.2), share),
            1,
        )
    if rng.random() < 0.5:
        for x, near in zip(rng.uniform(0, s.width, 50), rng.random(50), strict=True):
            centre = (int(x), int(s.horizon + near * depth))
            colour = mix(s.mood.accent, WHITE, 0.3).tolist()
            cv2.circle(picture, centre, max(1, int(near * s.unit * 0.009)), colour, -1, cv2.LINE_AA)


def draw_ridge(
    picture: np.ndarray,
    s: Setting,
    rng: np.random.Generator,
    base: float,
    rise: float,
    colour: Colour,
    rough: int,
) -> np.ndarray:
    """A range of hills or mountains whose foot is at row `base`; the outline of its crest."""
    x = np.linspace(-5, s.width + 5, 100)
    y = np.zeros_like(x)
    for octave in range(rough):
        knots = rng.uniform(0, 1, 4 * 2**octave)
        y += np.interp(x, np.linspace(-5, s.width + 5, len(knots)), knots) / 1.9**octave
    crest = np.stack([x, base - rise * y / y.max()], 1)
    paint(
        picture,
        np.vstack([crest, [[s.width + 5, base + 5], [-5, base + 5]]]),
        colour,
        s.light,
        0.35,
    )
    return crest


def draw_hills(picture: np.ndarray, s: Setting, rng: np.random.Generator, rise: float, rough: int = 2) -> None:
    """Three ranges, the farther the hazier."""
    for layer, haze in enumerate((0.72, 0.5, 0.25)):
        colour = mix(mix(s.mood.far, BLACK, 0.25), s.mood.lower_sky, haze)
        draw_ridge(picture, s, rng, s.horizon + 1, rise * s.unit * (1 - 0.28 * layer), colour, rough)


def draw_wall(picture: np.ndarray, s: Setting, rng: np.random.Generator, table: bool) -> None:
    """A studio's backdrop lit from one side, with a table top below the horizon."""
    backdrop = mix(s.mood.far, s.mood.upper_sky, rng.random())
    gradient(picture, 0, s.height, mix(backdrop, WHITE, 0.15), mix(backdrop, BLACK, 0.45))
    lamp_x = s.width * (0.5 + 0.3 * s.light[0])
    spot(
        picture,
        lamp_x,
        0.35 * s.height,
        0.5 * s.width,
        0.45 * s.height,
        mix(backdrop, WHITE, 0.5),
        0.7,
    )
    grain(picture, 0, s.height, noise(rng, s.height, s.width, 6), 0.06)
    if table:
        wood = hsv(rng.uniform(18, 34), rng.uniform(0.35, 0.65), rng.uniform(0.4, 0.75))
        gradient(picture, s.horizon, s.height, mix(wood, WHITE, 0.1), mix(wood, BLACK, 0.35))
        depth = s.height - s.horizon
        if depth > 8:
            grain(picture, s.horizon, s.height, noise(rng, depth, s.width, 40, 12.0), 0.14)


def soften(picture: np.ndarray, s: Setting, share: float) -> None:
    """Throw what is drawn so far out of focus."""
    picture[:] = blur(picture, share * 0.01 * s.unit)
