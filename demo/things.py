"""The still subjects of the demo's photos: flowers, trees, fruit, vessels."""

import numpy as np

from demo.brushes import BLACK, WHITE, Colour, hsv, mix
from demo.sitter import Sitter


def flower(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A blossom on its stem: a daisy, a many-leaved rose or a tulip; the blossom is at the centre."""
    green = hsv(rng.uniform(95, 125), 0.6, 0.45)
    bend = rng.uniform(-0.2, 0.2)
    stem = [
        [-0.02, 0],
        [0.02, 0],
        [bend + 0.03, 1],
        [bend * 2, 3],
        [bend * 2 - 0.06, 3],
        [bend - 0.03, 1],
    ]
    s.fill(stem, green)
    for side in (-1, 1):
        root, tip = rng.uniform(0.7, 1.0), rng.uniform(0.3, 0.6)
        leaf = [[bend, root], [side * 0.3, tip], [side * 0.6, tip + 0.02], [side * 0.35, root]]
        s.fill(leaf, mix(green, WHITE, 0.1), 0.6, 3)
    kind = rng.integers(3)
    if kind == 0:
        for layer in (0.0, 1.0):
            _petals(
                s,
                rng,
                int(rng.integers(9, 15)),
                0.48 - 0.12 * layer,
                0.1,
                mix(colour, WHITE, 0.15 + 0.2 * layer),
            )
        s.disc(0, 0, 0.14, 0.13, hsv(40, 0.85, 0.75), 0.9)
    elif kind == 1:
        for layer in range(5):
            shade = mix(mix(colour, BLACK, 0.3), WHITE, 0.09 * layer)
            _petals(s, rng, 6, 0.46 - 0.09 * layer, 0.2 - 0.03 * layer, shade)
    else:
        s.fill(
            "-30,-45 -10,-20 0,-50 10,-20 30,-45 36,0 18,34 -18,34 -36,0",
            mix(colour, BLACK, 0.2),
            0.6,
            2,
        )
        s.fill("0,-48 16,-10 12,34 -12,34 -16,-10", colour, 0.8, 2)


def _petals(s: Sitter, rng: np.random.Generator, number: int, reach: float, width: float, colour: Colour) -> None:
    """A ring of petals, each a little different."""
    start = rng.uniform(0, 360)
    for turn in start + np.arange(number) * 360 / number + rng.uniform(-5, 5, number):
        middle = reach * 0.55
        x, y = middle * np.cos(np.deg2rad(turn)), middle * np.sin(np.deg2rad(turn))
        s.disc(x, y, reach * 0.5, width, mix(colour, BLACK, rng.uniform(0, 0.18)), 0.7, turn * s.flip)


def tree(s: Sitter, leaves: Colour, rng: np.random.Generator) -> None:
    """A broad tree, or a conifer."""
    bark = hsv(25, 0.4, 0.28)
    s.shadow(0.7)
    if rng.random() < 0.3:
        s.fill("-4,30 4,30 5,50 -5,50", bark)
        for top, width in ((0.05, 0.3), (-0.18, 0.24), (-0.4, 0.17)):
            skirt = [[0, top - 0.2], [width, top + 0.3], [0, top + 0.25], [-width, top + 0.3]]
            s.fill(skirt, mix(leaves, BLACK, 0.15), 0.7)
        return
    s.fill("-5,0 5,0 6,38 12,50 -12,50 -6,38", bark, 0.6, 1)
    s.lump(rng, 0, -0.15, 0.36, 0.29, mix(leaves, BLACK, 0.35), 0.5)
    for reach in np.linspace(1, 0.2, 30):
        angle = rng.uniform(0, 2 * np.pi)
        x, y = 0.36 * reach * np.cos(angle), -0.17 + 0.28 * reach * np.sin(angle)
        sunlit = np.clip(0.5 + 1.3 * (x * s.light[0] * s.flip + (y + 0.17) * s.light[1]), 0, 1)
        s.lump(
            rng,
            x,
            y,
            0.12,
            0.1,
            mix(mix(leaves, BLACK, 0.4), mix(leaves, WHITE, 0.25), sunlit),
            0.5,
        )


def fruit(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A bowl with fruit in it, a few beside it."""
    s.shadow(1.0)
    tones = (
        colour,
        hsv(rng.uniform(0, 15), 0.8, 0.75),
        hsv(rng.uniform(28, 55), 0.8, 0.9),
        hsv(90, 0.6, 0.65),
    )
    for x, y in (
        (-0.3, -0.02),
        (0, -0.06),
        (0.3, -0.02),
        (-0.14, -0.22),
        (0.16, -0.22),
        (0.0, -0.38),
    ):
        _ball(s, x, y + 0.08, 0.19, tones[rng.integers(4)])
    s.fill("-56,4 56,4 46,34 20,50 -20,50 -46,34", mix(colour, WHITE, rng.uniform(0.3, 0.8)), 0.7, 1)
    for x in (-0.78, 0.72)[: rng.integers(3)]:
        s.glow(x, 0.5, 0.2, 0.05, BLACK, 0.5)
        _ball(s, x, 0.34, 0.17, tones[rng.integers(4)])


def _ball(s: Sitter, x: float, y: float, radius: float, colour: Colour) -> None:
    """A round fruit with a highlight and a stalk."""
    s.disc(x, y, radius, radius * 0.95, colour, 0.8)
    s.glow(
        x + 0.4 * radius * s.light[0] * s.flip,
        y - 0.4 * radius,
        radius * 0.22,
        radius * 0.18,
        WHITE,
        0.8,
    )
    s.lines([[[x, y - radius * 0.85], [x + radius * 0.2, y - radius * 1.25]]], hsv(30, 0.6, 0.25), 0.02)


def vessel(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A vase with flowers, a bottle or a jug, turned on a potter's wheel."""
    s.shadow(0.6)
    bottle = rng.random() < 0.45
    neck, belly, foot = rng.uniform(0.05, 0.1), rng.uniform(0.16, 0.28), rng.uniform(0.1, 0.18)
    if bottle:
        radii = [0.055, 0.05, 0.05, 0.16, 0.17, 0.17, 0.16]
        heights = [-0.62, -0.5, -0.3, -0.12, 0.1, 0.48, 0.5]
    else:
        radii = [neck * 1.5, neck, belly * 0.8, belly, belly * 0.8, foot, foot]
        heights = [-0.2, -0.1, 0.02, 0.18, 0.34, 0.46, 0.5]
        for _ in range(int(rng.integers(3, 8))):
            x, y = rng.uniform(-0.3, 0.3), rng.uniform(-0.66, -0.36)
            s.lines([[[0, -0.18], [x * 0.7, y * 0.6], [x, y]]], hsv(110, 0.5, 0.35), 0.016)
            bloom = Sitter(s.picture, *s.at([[x, y]])[0], s.size * 0.24, s.light, s.flip)
            _petals(bloom, rng, 8, 0.5, 0.16, mix(hsv(rng.uniform(-20, 50), 0.7, 0.92), colour, 0.3))
            bloom.disc(0, 0, 0.14, 0.14, hsv(45, 0.8, 0.7))
    profile = list(zip(radii, heights, strict=True))
    s.fill([*profile, *[(-x, y) for x, y in reversed(profile)]], colour, 0.9, 1 if bottle else 2)
    shine = belly * 0.45 * (1 if s.light[0] * s.flip > 0 else -1)
    s.glow(shine, 0.14, 0.025, 0.16, WHITE, 0.55)
    if bottle:
        s.fill("-17,5 17,5 17,30 -17,30", mix(WHITE, hsv(45, 0.5, 0.9), 0.5), 0.7)
        s.lines(["-10,12 10,12", "-8,18 8,18", "-10,24 10,24"], mix(colour, BLACK, 0.6), 0.015)
