"""A place in a picture for one subject, and the brushes in the subject's own units."""

from dataclasses import dataclass

import numpy as np

from demo.brushes import BLACK, WHITE, Colour, blob, oval, paint, smooth, spot, strokes


@dataclass(frozen=True)
class Sitter:
    """A place in a picture to draw a subject at: its centre, its height in pixels, the way towards the light.

    Shapes are given in units of the height around the centre, y down: as lists of points, or as text
    "x,y x,y ..." in hundredths. `flip` is 1, or -1 for a subject that looks to the left.
    """

    picture: np.ndarray
    x: float
    y: float
    size: float
    light: tuple[float, float]
    flip: int = 1

    def at(self, points: str | list) -> np.ndarray:
        """The points in pixels."""
        if isinstance(points, str):
            points = [[int(number) / 100 for number in pair.split(",")] for pair in points.split()]
        scale, centre = [self.size * self.flip, self.size], [self.x, self.y]
        return np.asarray(points, np.float32) * scale + centre

    def fill(self, points: str | list, colour: Colour, relief: float = 0.5, rounds: int = 0) -> None:
        """Paint a shaded shape, its corners cut `rounds` times."""
        paint(self.picture, smooth(self.at(points), rounds), colour, self.light, relief)

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        colour: Colour,
        relief: float = 0.5,
        degrees: float = 0,
    ) -> None:
        """Paint a shaded ellipse."""
        ((centre_x, centre_y),) = self.at([[x, y]])
        outline = oval(centre_x, centre_y, rx * self.size, ry * self.size, degrees * self.flip)
        paint(self.picture, outline, colour, self.light, relief)

    def lump(self, rng: np.random.Generator, x, y, rx, ry, colour: Colour, relief=0.5, rough=0.15) -> None:
        """Paint a shaded uneven round shape."""
        ((centre_x, centre_y),) = self.at([[x, y]])
        outline = blob(rng, centre_x, centre_y, rx * self.size, ry * self.size, rough)
        paint(self.picture, outline, colour, self.light, relief)

    def lines(self, lines: list[str | list], colour: Colour, thickness: float) -> None:
        """Draw open lines."""
        strokes(self.picture, [self.at(line) for line in lines], colour, thickness * self.size)

    def eye(self, x: float, y: float, radius: float) -> None:
        """Paint a dark pupil with a catchlight."""
        self.disc(x, y, radius, radius, BLACK, 0)
        self.disc(x - radius * 0.3, y - radius * 0.3, radius * 0.35, radius * 0.35, WHITE, 0)

    def glow(self, x: float, y: float, rx: float, ry: float, colour: Colour, strength: float) -> None:
        """Lay on a soft spot."""
        ((centre_x, centre_y),) = self.at([[x, y]])
        spot(self.picture, centre_x, centre_y, rx * self.size, ry * self.size, colour, strength)

    def shadow(self, width: float, foot: float = 0.5) -> None:
        """Darken the ground at the subject's foot, on the far side from the light."""
        away = -self.light[0] * width * 0.5 * self.flip
        self.glow(away, foot, width * 0.75, width * 0.14, BLACK, 0.6)
