"""A small picture in a world's own units, by Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 480, 320
MARGIN = 20

Point = tuple[float, float]


class Canvas:
    """Draws lines and shapes; `view` says which part of the plane is seen."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH, HEIGHT), "white")
        self._pen = ImageDraw.Draw(self._image)
        self.view(-1, 1, -1, 1)

    def view(self, left: float, right: float, bottom: float, top: float) -> None:
        """The part of the plane that fills the picture, in the world's units."""
        self._left, self._bottom = left, bottom
        self._per_x = (WIDTH - 2 * MARGIN) / (right - left)
        self._per_y = (HEIGHT - 2 * MARGIN) / (top - bottom)

    def line(self, points: Sequence[Point], color: str = "black", width: int = 2) -> None:
        """Straight pieces from point to point."""
        self._pen.line([self._place(p) for p in points], fill=color, width=width)

    def polygon(self, points: Sequence[Point], color: str) -> None:
        """A filled shape."""
        self._pen.polygon([self._place(p) for p in points], fill=color)

    def dot(self, point: Point, color: str = "black", radius: int = 5) -> None:
        """A filled circle, its radius in pixels."""
        x, y = self._place(point)
        self._pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)

    def array(self) -> NDArray[np.uint8]:
        """The picture [H, W, 3]."""
        return np.asarray(self._image).copy()

    def _place(self, point: Point) -> Point:
        x, y = point
        return (
            MARGIN + (x - self._left) * self._per_x,
            HEIGHT - MARGIN - (y - self._bottom) * self._per_y,
        )
