"""The two scenes of the demo's photos without a subject close by: landscapes and nights."""

import cv2
import numpy as np

from demo import things
from demo.brushes import BLACK, WHITE, Colour, gradient, hsv, mirror, mix, paint, spot, strokes
from demo.setting import Setting, draw_ground, draw_hills, draw_ridge, draw_sky
from demo.sitter import Sitter


def landscape(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """Mountains over a lake, the sea with the sun and a sail, or fields with a path."""
    kind = rng.integers(3)
    draw_sky(picture, s, rng, 1.0)
    sun = mix(s.mood.lower_sky, hsv(50, 0.3, 1.0), 0.7)
    sun_y = min(s.y, s.horizon - 0.12 * s.unit)
    spot(picture, s.x, sun_y, 0.4 * s.unit, 0.3 * s.unit, sun, 0.6)
    spot(picture, s.x, sun_y, 0.06 * s.unit, 0.06 * s.unit, WHITE, 1.0)
    if kind == 0:
        draw_hills(picture, s, rng, 0.3, rough=4)
        peak = draw_ridge(picture, s, rng, s.horizon + 1, 0.2 * s.unit, mix(s.mood.near, BLACK, 0.35), 4)
        strokes(picture, [peak], mix(s.mood.near, WHITE, 0.25), 1)
        mirror(picture, s.horizon, mix(s.mood.upper_sky, BLACK, 0.35), 0.7)
    elif kind == 1:
        _sea(picture, s, rng, sun)
    else:
        draw_hills(picture, s, rng, 0.16)
        draw_ground(picture, s, rng)
        _furrows(picture, s, rng)
        things.tree(s.sitter(picture, 0.4, standing=True), mix(hsv(115, 0.55, 0.45), s.mood.far, 0.4), rng)


def _sea(picture: np.ndarray, s: Setting, rng: np.random.Generator, sun: Colour) -> None:
    """Waves with the sun's glitter, and a sailing boat."""
    gradient(
        picture,
        s.horizon,
        s.height,
        mix(s.mood.lower_sky, s.mood.upper_sky, 0.6),
        mix(s.mood.upper_sky, BLACK, 0.6),
    )
    depth = s.height - s.horizon
    if depth > 4:
        near = rng.random(220)
        glitter = rng.random(220) < 0.5
        x = np.where(glitter, s.x + rng.normal(0, 0.04 + 0.1 * near) * s.unit, rng.uniform(0, s.width, 220))
        half = (0.004 + 0.04 * near * rng.random(220)) * s.unit
        y = s.horizon + near**1.4 * depth
        waves = np.stack([np.stack([x - half, y], 1), np.stack([x + half, y], 1)], 1)
        strokes(picture, list(waves[glitter]), mix(sun, WHITE, 0.4), 0.004 * s.unit)
        strokes(picture, list(waves[~glitter]), mix(s.mood.upper_sky, BLACK, 0.45), 0.003 * s.unit)
    boat = Sitter(
        picture,
        s.x + s.flip * 0.1 * s.unit,
        s.horizon - 0.06 * s.unit,
        0.26 * s.unit * s.scale,
        s.light,
        s.flip,
    )
    boat.fill("-34,30 34,30 24,44 -26,44", mix(s.mood.accent, BLACK, 0.45))
    boat.fill("2,-50 32,24 2,24", mix(s.mood.accent, WHITE, 0.5), 0.4)
    boat.fill("-2,-44 -2,24 -24,24", mix(s.mood.accent, WHITE, 0.2), 0.4)


def _furrows(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """Rows of a crop, or a path, that lead to the subject."""
    top = s.horizon + 2
    if rng.random() < 0.5:
        for foot in np.linspace(-1.2, 2.2, 22) * s.width:
            rows = [[s.x, top], [foot, s.height], [foot + 0.05 * s.width, s.height]]
            paint(picture, rows, mix(s.mood.accent, s.mood.near, 0.4), opacity=0.6)
        return
    foot, wide = s.x - s.flip * 0.3 * s.width, 0.2 * s.unit
    middle, half = (s.x + foot) / 2 + s.flip * 0.12 * s.width, (top + s.height) / 2
    bank = [[s.x - 2, top], [middle - wide / 4, half], [foot - wide, s.height]]
    bank += [[foot + wide, s.height], [middle + wide / 4, half], [s.x + 2, top]]
    paint(picture, bank, mix(hsv(38, 0.3, 0.85), s.mood.far, 0.3), s.light, 0.3)


def night(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A lit city by the water, some under fireworks, the moon over mountains, or a street with lamps."""
    kind = rng.integers(4)
    draw_sky(picture, s, rng, 0.15)
    sky = max(min(s.horizon, s.height), 1)
    for x, y, bright in zip(*rng.random((3, 90)), strict=True):
        cv2.circle(
            picture,
            (int(x * s.width), int(y * sky)),
            1,
            (WHITE * (0.4 + 0.6 * bright)).tolist(),
            -1,
        )
    moon_y = min(s.y, s.horizon - 0.2 * s.unit)
    if kind == 2:
        spot(picture, s.x, moon_y, 0.3 * s.unit, 0.3 * s.unit, mix(s.mood.lower_sky, WHITE, 0.4), 0.7)
        Sitter(picture, s.x, moon_y, 0.16 * s.unit, s.light).disc(0, 0, 0.5, 0.5, hsv(48, 0.15, 1.0), 0.3)
        draw_hills(picture, s, rng, 0.3, rough=4)
        mirror(picture, s.horizon, mix(s.mood.near, BLACK, 0.2), 0.75)
        return
    if kind == 1:
        for burst in range(3):
            _firework(
                picture,
                s,
                rng,
                s.x + burst * 0.3 * s.unit * rng.normal(),
                moon_y + burst * rng.normal() * 0.1 * s.unit,
            )
    for layer in (0, 1):
        _skyline(picture, s, rng, layer)
    if kind == 3:
        _lamps(picture, s, rng)
    else:
        mirror(picture, s.horizon, mix(s.mood.near, BLACK, 0.3), 0.7)


def _firework(picture: np.ndarray, s: Setting, rng: np.random.Generator, x: float, y: float) -> None:
    """A burst of glowing sparks."""
    colour = hsv(rng.choice([0, 45, 130, 200, 310]), 0.55, 1.0)
    reach = rng.uniform(0.12, 0.24) * s.unit
    spot(picture, x, y, reach, reach, colour, 0.5)
    angles = np.linspace(0, 2 * np.pi, 36) + rng.normal(0, 0.05, 36)
    rays = np.stack([np.cos(angles), np.sin(angles)], 1) * (reach * rng.uniform(0.7, 1.1, 36))[:, None]
    strokes(
        picture,
        [np.outer([0.25, 1], ray) + np.array([x, y]) for ray in rays],
        mix(colour, WHITE, 0.5),
        0.006 * s.unit,
    )


def _skyline(picture: np.ndarray, s: Setting, rng: np.random.Generator, layer: int) -> None:
    """A row of towers, tallest at the subject, with lit windows."""
    tone = mix(mix(s.mood.near, s.mood.lower_sky, 0.3 - 0.25 * layer), BLACK, 0.15)
    pane = max(2, int(0.011 * s.unit))
    x = -0.05 * s.unit
    while x < s.width:
        wide = rng.uniform(0.07, 0.15) * s.unit
        peak = np.exp(-(((x + wide / 2 - s.x) / (0.25 * s.unit)) ** 2))
        tall = (rng.uniform(0.1, 0.22) + 0.3 * peak * s.scale) * s.unit * (1.0 - 0.25 * layer)
        top = s.horizon - tall
        left, right = int(x), int(x + wide)
        cv2.rectangle(picture, (left, int(top)), (right, s.horizon + 1), tone.tolist(), -1)
        lit = [mix(s.mood.accent, WHITE, share) * (0.75 + 0.25 * layer) for share in (0.0, 0.35)]
        for column in range(left + pane, right - 2 * pane, 2 * pane):
            for row in range(int(top) + pane, s.horizon - pane, 2 * pane + pane // 2):
                if rng.random() < 0.42:
                    colour = lit[int(rng.random() < 0.4)].tolist()
                    cv2.rectangle(picture, (column, row), (column + pane - 1, row + pane - 1), colour, -1)
        x += wide * rng.uniform(0.85, 1.2)
    spot(
        picture,
        s.x,
        s.horizon,
        0.7 * s.unit,
        0.12 * s.unit,
        mix(s.mood.accent, s.mood.lower_sky, 0.5),
        0.35,
    )


def _lamps(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A wet road that leads to the subject between glowing lamps."""
    gradient(
        picture,
        s.horizon,
        s.height,
        mix(s.mood.far, s.mood.lower_sky, 0.3),
        mix(s.mood.near, BLACK, 0.3),
    )
    for near in (0.08, 0.16, 0.32, 0.64):
        for side in (-1, 1):
            x = s.x + side * near * 1.1 * s.unit
            foot, top = s.horizon + near * 0.6 * s.unit, s.horizon - near * 0.7 * s.unit
            strokes(picture, [np.array([[x, foot], [x, top]])], BLACK, 0.02 * near * s.unit + 1)
            spot(picture, x, top, 0.3 * near * s.unit, 0.3 * near * s.unit, s.mood.accent, 0.85)
            spot(picture, x, top, 0.07 * near * s.unit, 0.07 * near * s.unit, WHITE, 1.0)
            spot(
                picture,
                x,
                foot + 0.12 * s.unit,
                0.12 * near * s.unit,
                0.2 * s.unit,
                s.mood.accent,
                0.5,
            )
