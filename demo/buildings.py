"""The architecture of the demo's photos: streets, houses, towers, bridges."""

import numpy as np

from demo.brushes import BLACK, WHITE, Colour, gradient, hsv, mirror, mix, paint, strokes
from demo.setting import Setting, draw_ground, draw_hills, draw_sky
from demo.sitter import Sitter


def architecture(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A street front in perspective, a house, a tower, or a bridge over water."""
    kind = rng.integers(4)
    wall = mix(
        hsv(rng.uniform(15, 48), rng.uniform(0.1, 0.45), rng.uniform(0.75, 0.95)),
        s.mood.accent,
        0.12,
    )
    draw_sky(picture, s, rng, 0.7)
    draw_hills(picture, s, rng, 0.14)
    draw_ground(picture, s, rng, grass=kind in (1, 2))
    if kind == 0:
        _street(picture, s, rng, wall)
    elif kind == 1:
        house(s.sitter(picture, 0.55, standing=True), wall, rng)
    elif kind == 2:
        tower(s.sitter(picture, 0.62, standing=True), wall, rng)
    else:
        _bridge(picture, s, wall)
        mirror(
            picture,
            min(s.horizon + int(0.03 * s.unit), s.height),
            mix(s.mood.upper_sky, BLACK, 0.3),
        )


def _street(picture: np.ndarray, s: Setting, rng: np.random.Generator, wall: Colour) -> None:
    """Two rows of fronts that meet at the vanishing point, one in the sun and one in the shade."""
    gradient(
        picture,
        s.horizon,
        s.height,
        mix(s.mood.far, WHITE, 0.3),
        mix(hsv(30, 0.1, 0.35), s.mood.near, 0.2),
    )
    for side in (-1, 1):
        outer = s.x + side * max(s.width, s.unit)
        lit = side * s.light[0] < 0
        for block, near in enumerate((0.12, 0.24, 0.45, 0.85)):
            far = (0.06, 0.12, 0.24, 0.45)[block]
            tone = mix(mix(wall, hsv(rng.uniform(0, 60), 0.35, 0.8), 0.5), BLACK, 0.05 if lit else 0.5)
            tone = mix(tone, s.mood.lower_sky, 0.5 - 0.15 * block)
            top = rng.uniform(0.75, 1.1) * s.unit

            def spot_at(depth, level, outer=outer, top=top):
                return [
                    s.x + (outer - s.x) * depth,
                    s.horizon + (0.45 * s.unit - level * (top + 0.45 * s.unit)) * depth * 1.4,
                ]

            corners = [(far, 0), (near, 0), (near, 1), (far, 1)]
            paint(picture, [spot_at(*corner) for corner in corners], tone, s.light, 0.1)
            glass = mix(mix(tone, BLACK, 0.55), s.mood.upper_sky, 0.3)
            for column in (0.1, 0.4, 0.7):
                a, b = far + (near - far) * column, far + (near - far) * (column + 0.2)
                for row in (0.12, 0.38, 0.62, 0.82):
                    pane = [
                        spot_at(a, row),
                        spot_at(b, row),
                        spot_at(b, row + 0.12),
                        spot_at(a, row + 0.12),
                    ]
                    paint(picture, pane, glass)


def _bridge(picture: np.ndarray, s: Setting, wall: Colour) -> None:
    """A stone bridge of arches across the whole picture, highest at the subject."""
    deck = s.horizon - 0.2 * s.unit * s.scale
    span = 0.3 * s.unit * s.scale
    arches = np.arange(-8, 9)
    outline = [[-9 * span + s.x, deck], [9 * span + s.x, deck]]
    for arch in arches[::-1]:
        turn = np.linspace(0, np.pi, 14)
        centre = s.x + arch * span
        foot = s.horizon + 0.05 * s.unit
        bow = np.stack([centre + 0.4 * span * np.cos(turn), foot - (foot - deck) * 0.78 * np.sin(turn)], 1)
        outline += [[centre + 0.5 * span, foot], *bow.tolist(), [centre - 0.5 * span, foot]]
    paint(picture, outline, mix(wall, BLACK, 0.15), s.light, 0.6)
    rail = np.array([[-9 * span + s.x, deck], [9 * span + s.x, deck]])
    strokes(picture, [rail], mix(wall, WHITE, 0.5), 0.015 * s.unit)


def house(s: Sitter, wall: Colour, rng: np.random.Generator) -> None:
    """A gabled house with a lit and a shaded side."""
    roof = mix(hsv(rng.uniform(5, 20), 0.6, 0.45), wall, 0.15)
    near, far = (wall, mix(wall, BLACK, 0.35)) if s.light[0] * s.flip < 0 else (mix(wall, BLACK, 0.3), wall)
    s.shadow(1.2)
    s.fill("30,-30 38,-30 38,-5 30,-5", mix(roof, BLACK, 0.4))
    s.fill("-60,-8 -30,-45 0,-8 0,50 -60,50", near, 0.1)
    s.fill("0,-8 62,-8 62,46 0,50", far, 0.1)
    s.fill("-30,-45 38,-45 68,-6 2,-6", roof, 0.2)
    s.fill("-66,-4 -30,-49 -30,-42 -60,-3", mix(roof, BLACK, 0.3), 0)
    glass, frame = mix(hsv(210, 0.3, 0.4), BLACK, 0.2), mix(wall, WHITE, 0.7)
    for x, y in (
        (-0.5, 0.02),
        (-0.22, 0.02),
        (0.12, 0.08),
        (0.32, 0.08),
        (0.52, 0.08),
        (-0.36, -0.24),
    ):
        _pane(s, x, y, 0.1, 0.15, glass, frame)
    s.fill("-36,24 -22,24 -22,50 -36,50", mix(roof, BLACK, 0.5), 0.2)


def tower(s: Sitter, wall: Colour, rng: np.random.Generator) -> None:
    """A lighthouse with bands, or a church tower."""
    s.shadow(0.5)
    if rng.random() < 0.5:
        band = hsv(rng.choice([5, 210, 355]), 0.75, 0.7)
        for step in range(6):
            top, bottom = -0.4 + step * 0.15, -0.25 + step * 0.15
            half, wide = 0.1 + step * 0.012, 0.112 + step * 0.012
            quad = [[-half, top], [half, top], [wide, bottom], [-wide, bottom]]
            s.fill(quad, mix(band, WHITE, 0.9 * (step % 2)), 0.9)
        s.fill("-14,-42 14,-42 14,-39 -14,-39", mix(BLACK, WHITE, 0.25))
        s.fill("-7,-54 7,-54 7,-42 -7,-42", hsv(48, 0.5, 0.98))
        s.fill("-9,-53 0,-66 9,-53", band, 0.8)
        return
    dark = mix(wall, BLACK, 0.4)
    s.fill("-15,-35 15,-35 15,50 -15,50", wall, 0.7)
    s.fill("-18,-34 0,-85 18,-34", mix(hsv(160, 0.35, 0.45), wall, 0.2), 0.8)
    s.fill("15,5 75,5 75,50 15,50", mix(wall, BLACK, 0.12), 0.2)
    s.fill("12,6 25,-14 70,-14 80,6", mix(hsv(12, 0.6, 0.45), wall, 0.2), 0.3)
    for x, y in ((-0.03, -0.24), (-0.03, 0.05), (0.26, 0.16), (0.42, 0.16), (0.58, 0.16)):
        _pane(s, x, y, 0.06, 0.16, dark, mix(wall, WHITE, 0.4))
    s.disc(0, -0.08, 0.07, 0.07, WHITE)
    s.lines(["0,-8 0,-13", "0,-8 4,-8"], BLACK, 0.012)


def _pane(s: Sitter, x: float, y: float, width: float, height: float, glass: Colour, frame: Colour) -> None:
    """A window with a light frame and a reflection of the sky."""
    for grow, tone in ((0.015, frame), (0, glass)):
        left, right, top, bottom = x - grow, x + width + grow, y - grow, y + height + grow
        s.fill([[left, top], [right, top], [right, bottom], [left, bottom]], tone, 0)
    s.fill([[x, y], [x + width, y], [x, y + height * 0.7]], mix(glass, WHITE, 0.35), 0)
