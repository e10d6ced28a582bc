"""A GIF: episodes from the same start, side by side, seen from above."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.report.maps import View
from safer_gym.wrappers.tasks import TaskGeometry

PAPER, INK, MUTED, RULE = (light(role) for role in ("paper", "ink", "muted", "rule"))
ALARM, SHADE, CIRCLE = light("alarm"), "#f9ebec", light("open")
SIDE, CAPTION, GAP = 250, 46, 12
SCALE = 2
"""Drawn larger and then reduced, for smooth edges."""
FRAMES = 100
MILLISECONDS = 60
COLOURS = 64


class Scene(NamedTuple):
    """One column of the film."""

    title: str
    trace: Trace


def film(scenes: Sequence[Scene], geometry: TaskGeometry) -> bytes:
    """Draw the scenes side by side as an endless GIF.

    Raises:
        ValueError: no scene, or one without positions in the plane.
    """
    if not scenes or any(s.trace.positions.shape[1:] != (2,) for s in scenes):
        raise ValueError("a film needs at least one scene, each with positions in the plane")
    view = View(geometry, [scene.trace for scene in scenes])
    steps = max(len(scene.trace.costs) for scene in scenes)
    moments = np.unique(np.linspace(1, steps, min(FRAMES, steps)).astype(int))
    frames = [_frame(scenes, view, int(moment)) for moment in moments]
    palette = _side_by_side(frames[0], frames[len(frames) // 2], frames[-1]).quantize(COLOURS)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [MILLISECONDS] * (len(frames) - 1) + [1500]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return out.getvalue()


def _side_by_side(*frames: Image.Image) -> Image.Image:
    """One image that holds all colours of the film."""
    width, height = frames[0].size
    image = Image.new("RGB", (width * len(frames), height))
    for i, frame in enumerate(frames):
        image.paste(frame, (i * width, 0))
    return image


def _frame(scenes: Sequence[Scene], view: View, moment: int) -> Image.Image:
    height = round(SIDE * view.aspect())
    width = len(scenes) * SIDE + (len(scenes) + 1) * GAP
    image = Image.new("RGB", (width * SCALE, (height + CAPTION + 2 * GAP) * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    for i, scene in enumerate(scenes):
        left = GAP + i * (SIDE + GAP)
        _Column(draw, view, left, GAP + CAPTION, height).draw(scene, moment)
    return image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.LANCZOS)


class _Column:
    """One scene at one moment; coordinates of the plane to pixels of the image."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, view: View, left: int, top: int, height: int
    ) -> None:
        self.image, self.view = draw, view
        self.left, self.top, self.height = left, top, height

    def draw(self, scene: Scene, moment: int) -> None:
        moment = min(moment, len(scene.trace.costs))
        self._ground()
        points = [self.at(x, y) for x, y in scene.trace.positions[:moment]]
        for i in range(1, moment):
            over = scene.trace.costs[i] > 0
            self.image.line(
                points[i - 1 : i + 1], ALARM if over else MUTED, 3 * SCALE if over else 2
            )
        over = scene.trace.costs[moment - 1] > 0
        self._dot(points[-1], 6 * SCALE, ALARM if over else INK)
        cost = scene.trace.costs[:moment].sum()
        self._write(0, scene.title, INK, 15)
        self._write(22, f"cost so far: {cost:g}", ALARM if cost > 0 else MUTED, 14)

    def at(self, x: float, y: float) -> tuple[float, float]:
        view = self.view
        across = (x - view.x.low) / (view.x.high - view.x.low)
        up = (y - view.y.low) / (view.y.high - view.y.low)
        return (
            (self.left + across * SIDE) * SCALE,
            (self.top + (1.0 - up) * self.height) * SCALE,
        )

    def _ground(self) -> None:
        view, geometry = self.view, self.view.geometry
        low, high = self.at(view.x.low, view.y.high), self.at(view.x.high, view.y.low)
        for limit, vertical in ((geometry.x_limit, True), (geometry.y_limit, False)):
            for sign in (-1.0, 1.0) if limit is not None else ():
                self._forbidden(sign * (limit or 0.0), sign, vertical)
        if geometry.circle_radius is not None:
            r = geometry.circle_radius
            self.image.ellipse([self.at(-r, r), self.at(r, -r)], outline=CIRCLE, width=SCALE)
        self.image.rectangle([low, high], outline=RULE, width=SCALE)

    def _forbidden(self, limit: float, sign: float, vertical: bool) -> None:
        view = self.view
        if vertical:
            edge = view.x.low if sign < 0 else view.x.high
            corners = (min(limit, edge), view.y.high), (max(limit, edge), view.y.low)
            line = (limit, view.y.low), (limit, view.y.high)
        else:
            edge = view.y.low if sign < 0 else view.y.high
            corners = (view.x.low, max(limit, edge)), (view.x.high, min(limit, edge))
            line = (view.x.low, limit), (view.x.high, limit)
        self.image.rectangle([self.at(*corner) for corner in corners], fill=SHADE)
        self.image.line([self.at(*point) for point in line], ALARM, SCALE)

    def _dot(self, center: tuple[float, float], radius: float, colour: str) -> None:
        x, y = center
        self.image.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)

    def _write(self, down: int, text: str, colour: str, size: int) -> None:
        font = ImageFont.load_default(size * SCALE)
        place = (self.left * SCALE, (self.top - CAPTION + down) * SCALE)
        self.image.text(place, text, colour, font)
