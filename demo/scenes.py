"""The seven scenes of the demo's photos, each of several kinds, as a photographer without faults sees them."""

import numpy as np

from demo import subjects, things
from demo.brushes import WHITE, hsv, mix
from demo.buildings import architecture
from demo.setting import Setting, draw_ground, draw_hills, draw_sky, draw_wall, soften
from demo.sitter import Sitter
from demo.vistas import landscape, night


def draw_scene(scene: str, s: Setting, rng: np.random.Generator) -> np.ndarray:
    """The picture, BGR uint8 of the setting's height x width."""
    picture = np.empty((s.height, s.width, 3), np.uint8)
    PAINTERS[scene](picture, s, rng)
    return picture


def animal(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A bird on a branch, or sheep, a cat, a deer in a field."""
    kind = rng.integers(4)
    draw_sky(picture, s, rng)
    draw_hills(picture, s, rng, 0.22)
    draw_ground(picture, s, rng)
    soften(picture, s, 2.2 if kind == 0 else 0.7)
    if kind == 0:
        plumage = (s.mood.accent, hsv(215, 0.6, 0.7), hsv(14, 0.7, 0.8))[rng.integers(3)]
        subjects.bird(s.sitter(picture, 0.42), plumage, rng)
    elif kind == 1:
        for far in (-1.1, 1.2):
            herd = s.sitter(picture, 0.16, standing=True)
            x, y = herd.x + far * 0.22 * s.unit, s.horizon + rng.uniform(0.01, 0.04) * s.unit
            subjects.sheep(Sitter(picture, x, y, 0.11 * s.unit, s.light, -s.flip), s.mood.far, rng)
        subjects.sheep(s.sitter(picture, 0.42, standing=True), s.mood.far, rng)
    else:
        (subjects.cat, subjects.deer)[kind - 2](s.sitter(picture, 0.5, True), s.mood.accent, rng)


def human(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A portrait before a backdrop or outdoors, or a person in a landscape."""
    kind = rng.integers(3)
    if kind == 0:
        draw_wall(picture, s, rng, table=False)
    else:
        draw_sky(picture, s, rng)
        draw_hills(picture, s, rng, 0.2)
        draw_ground(picture, s, rng)
        soften(picture, s, 2.2 if kind == 1 else 0.6)
    if kind == 2:
        subjects.figure(s.sitter(picture, 0.62, standing=True), s.mood.accent, rng)
    else:
        subjects.bust(s.sitter(picture, 0.75), s.mood.accent, rng)


def plant(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """One blossom close by, a bed of flowers, or a tree."""
    kind = rng.integers(3)
    draw_sky(picture, s, rng)
    if kind < 2:
        draw_hills(picture, s, rng, 0.3)
    draw_ground(picture, s, rng)
    bloom = s.mood.accent if rng.random() < 0.7 else hsv(rng.choice([285, 330, 50]), 0.55, 0.95)
    if kind == 2:
        things.tree(s.sitter(picture, 0.75, standing=True), mix(hsv(115, 0.55, 0.5), s.mood.far, 0.4), rng)
        return
    if kind == 0:
        soften(picture, s, 3.0)
    else:
        soften(picture, s, 1.0)
        for step, x in enumerate(rng.permutation(9)):
            size, y = (0.1 + 0.012 * step) * s.unit, s.horizon + (0.05 + 0.022 * step) * s.unit
            neighbour = Sitter(picture, (x + rng.random()) / 9 * s.width, y, size, s.light, s.flip)
            things.flower(neighbour, mix(bloom, WHITE, 0.2), rng)
    things.flower(s.sitter(picture, 0.55 if kind == 0 else 0.36), bloom, rng)


def static(picture: np.ndarray, s: Setting, rng: np.random.Generator) -> None:
    """A vase, bottle or jug, or a bowl of fruit, on a table before a wall."""
    draw_wall(picture, s, rng, table=True)
    if rng.random() < 0.45:
        things.fruit(s.sitter(picture, 0.4, standing=True), s.mood.accent, rng)
        return
    main = s.sitter(picture, 0.62, standing=True)
    if rng.random() < 0.5:
        x, y = main.x + s.flip * 0.3 * s.unit, main.y + 0.13 * s.unit
        second = Sitter(picture, x, y, 0.36 * s.unit * s.scale, s.light, s.flip)
        things.vessel(second, mix(s.mood.near, s.mood.upper_sky, 0.5), rng)
    things.vessel(main, s.mood.accent, rng)


PAINTERS = {
    "animal": animal,
    "architecture": architecture,
    "human": human,
    "landscape": landscape,
    "night": night,
    "plant": plant,
    "static": static,
}
