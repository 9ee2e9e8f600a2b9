"""The living subjects of the demo's photos: four animals, people near and far."""

import numpy as np

from demo.brushes import BLACK, WHITE, Colour, hsv, mix
from demo.sitter import Sitter


def bird(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A songbird on a branch."""
    s.fill("-260,50 -100,40 60,44 240,30 240,34 60,52 -100,50 -260,64", hsv(25, 0.45, 0.3), rounds=2)
    dark = mix(colour, BLACK, 0.55)
    s.fill("-25,5 -85,42 -72,52 -15,25", dark)
    s.fill("38,-34 42,-2 20,36 -12,38 -42,20 -30,-10 2,-40", colour, 0.7, 3)
    s.disc(0.14, 0.14, 0.17, 0.19, mix(colour, WHITE, 0.5), 0.3)
    s.fill("12,-12 10,14 -30,26 -66,36 -36,4", dark, 0.6, 3)
    s.disc(0.22, -0.36, 0.2, 0.18, colour, 0.6)
    s.fill("38,-42 58,-34 38,-30", hsv(38, 0.8, 0.85))
    s.eye(0.28, -0.39, 0.035)
    s.lines(["2,34 4,46", "12,34 14,46"], BLACK, 0.025)


def sheep(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A sheep."""
    fleece = mix(hsv(42, 0.12, 0.92), colour, 0.08)
    face = mix(BLACK, fleece, 0.14)
    s.shadow(0.9, 0.48)
    for a in (-0.32, -0.2, 0.2, 0.32):
        s.fill([[a - 0.04, 0.1], [a + 0.04, 0.1], [a + 0.03, 0.5], [a - 0.03, 0.5]], face)
    s.lump(rng, 0, 0, 0.52, 0.34, fleece, 0.6, 0.08)
    for a, b in zip(rng.uniform(-0.42, 0.42, 14), rng.uniform(-0.24, 0.2, 14), strict=True):
        s.lump(rng, a, b, 0.11, 0.09, mix(fleece, BLACK, 0.04 + 0.3 * max(b, 0)), 0.4)
    s.disc(0.56, -0.12, 0.12, 0.19, face, degrees=-20)
    for a in (0.44, 0.66):
        s.disc(a, -0.24, 0.08, 0.035, face, 0, 25)
    s.eye(0.6, -0.17, 0.022)


def cat(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A sitting cat that looks out of the picture."""
    coat = (mix(hsv(28, 0.7, 0.8), colour, 0.1), hsv(25, 0.12, 0.38), hsv(35, 0.2, 0.85))[rng.integers(3)]
    dark = mix(coat, BLACK, 0.4)
    s.shadow(0.7)
    s.fill("-20,42 -50,46 -62,25 -55,5 -50,22 -44,36 -20,30", dark, rounds=3)
    s.fill("-12,-20 12,-20 26,20 30,50 -30,50 -28,20", coat, 0.7, 2)
    for a in (-0.1, 0.1):
        s.disc(a, 0.33, 0.07, 0.2, mix(coat, WHITE, 0.2))
        s.fill([[a * 2.3, -0.62], [a * 0.3, -0.42], [a * 2.2, -0.32]], dark)
    s.disc(0, -0.3, 0.24, 0.2, coat, 0.6)
    s.lines(["-7,-48 -5,-39", "0,-48 0,-39", "7,-48 5,-39"], dark, 0.025)
    s.disc(0, -0.22, 0.09, 0.06, mix(coat, WHITE, 0.55))
    for a in (-0.09, 0.09):
        s.disc(a, -0.31, 0.045, 0.04, hsv(85, 0.7, 0.8), 0)
        s.eye(a, -0.31, 0.026)
    s.disc(0, -0.25, 0.022, 0.016, hsv(350, 0.45, 0.6), 0)


def deer(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A deer, some with antlers."""
    coat = mix(hsv(24, 0.55, rng.uniform(0.35, 0.6)), colour, 0.12)
    dark, pale = mix(coat, BLACK, 0.35), mix(coat, WHITE, 0.5)
    s.shadow(0.8)
    for a, tone in ((-0.3, dark), (0.16, dark), (-0.22, coat), (0.25, coat)):
        knee = [[a - 0.05, 0], [a + 0.05, 0], [a + 0.03, 0.26], [a + 0.02, 0.5], [a - 0.03, 0.5]]
        s.fill([*knee, [a - 0.02, 0.26]], tone)
    s.fill("-36,-16 0,-14 30,-20 36,0 20,16 -5,12 -34,14 -42,-2", coat, 0.7, 2)
    s.fill("16,-16 36,-50 48,-46 40,-10 28,6", coat, 0.6, 2)
    s.fill("34,-58 44,-60 66,-42 62,-36 46,-40 36,-44", coat, 0.6, 2)
    s.fill("34,-56 28,-68 40,-60", dark)
    s.disc(-0.4, -0.06, 0.04, 0.09, pale)
    if rng.random() < 0.6:
        s.lines(["38,-58 30,-78 36,-98", "33,-76 20,-86"], pale, 0.03)
        s.lines(["42,-58 48,-80 44,-98", "47,-78 58,-88"], pale, 0.03)
    s.eye(0.47, -0.52, 0.02)


def bust(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """Head and shoulders of a person."""
    skin = hsv(rng.uniform(14, 26), rng.uniform(0.3, 0.6), rng.uniform(0.55, 0.95))
    hair = (hsv(20, 0.6, 0.2), hsv(30, 0.55, 0.45), hsv(42, 0.5, 0.8), hsv(10, 0.7, 0.45))[rng.integers(4)]
    long_hair = rng.random() < 0.55
    if long_hair:
        s.fill("-20,-42 20,-42 30,-10 30,22 0,30 -30,22 -30,-10", mix(hair, BLACK, 0.25), rounds=3)
    s.fill("-12,14 12,14 42,26 56,60 62,160 -62,160 -56,60 -42,26", colour, 0.8, 2)
    s.fill("-10,-10 10,-10 11,17 0,26 -11,17", mix(skin, BLACK, 0.22))
    for a in (-0.22, 0.22):
        s.disc(a, -0.13, 0.035, 0.06, mix(skin, BLACK, 0.12))
    s.fill("-20,-36 20,-36 23,-10 13,10 0,15 -13,10 -23,-10", skin, 0.6, 3)
    for a in (-0.085, 0.085):
        s.glow(a * 1.2, -0.02, 0.05, 0.035, hsv(355, 0.5, 0.85), 0.3)
        s.disc(a, -0.14, 0.042, 0.02, WHITE, 0)
        s.eye(a + 0.008, -0.14, 0.019)
        s.lines([[[a - 0.05, -0.19], [a, -0.205], [a + 0.05, -0.19]]], mix(hair, BLACK, 0.3), 0.018)
    s.lines(["1,-13 3,-3 -2,-2"], mix(skin, BLACK, 0.3), 0.012)
    s.fill("-8,5 -2,3 2,3 8,5 3,8 -3,8", mix(skin, hsv(352, 0.75, 0.7), 0.7), rounds=2)
    s.fill("-24,-12 -27,-32 -12,-48 12,-48 27,-32 24,-12 20,-27 4,-32 -19,-25", hair, 0.8, 2)
    if not long_hair and rng.random() < 0.4:
        s.fill("-22,-33 -20,-56 20,-56 22,-33", mix(colour, BLACK, 0.4), rounds=2)
        s.fill("-40,-30 -20,-36 20,-36 40,-30 20,-27 -20,-27", mix(colour, BLACK, 0.3), rounds=2)


def figure(s: Sitter, colour: Colour, rng: np.random.Generator) -> None:
    """A person standing or walking, some under an umbrella."""
    s.shadow(0.4)
    stride = rng.uniform(0.02, 0.1)
    for a in (-stride, stride):
        leg = [[-0.06 + a / 3, 0.1], [0.06 + a / 3, 0.1], [0.035 + a, 0.5], [-0.035 + a, 0.5]]
        s.fill(leg, mix(colour, BLACK, 0.7))
    s.fill("-10,-26 10,-26 13,0 15,20 -15,20 -13,0", colour, 0.7, 2)
    for points in ("-8,-24 -13,-20 -18,4 -14,6 -9,-10", "8,-24 13,-20 18,4 14,6 9,-10"):
        s.fill(points, mix(colour, BLACK, 0.2))
    s.disc(0, -0.36, 0.07, 0.085, hsv(20, 0.45, 0.8))
    s.fill("-8,-34 -8,-44 0,-47 8,-44 6,-38 -3,-39", hsv(25, 0.6, rng.uniform(0.12, 0.5)), rounds=2)
    if rng.random() < 0.4:
        s.lines(["15,2 12,-62"], BLACK, 0.015)
        dome = "-32,-50 -20,-68 12,-78 42,-68 54,-50 30,-54 10,-52 -10,-54"
        s.fill(dome, mix(colour, WHITE, 0.25), 0.8)
