"""A small chart in SVG. Its colours are the page's, so it is at home in light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]


class Span(NamedTuple):
    """The values that an axis shows."""

    low: float
    high: float


class Margins(NamedTuple):
    """Room around the plot, in pixels."""

    left: float
    right: float
    top: float
    bottom: float


PLOT_MARGINS = Margins(46, 14, 30, 40)


class Chart:
    """Elements in data coordinates, collected and then printed.

    Args:
        label: What the picture shows, for those who can not see it.
        x, y: The values that the axes show.
        size: Width and height in pixels.
        margins: Room for the labels.
    """

    def __init__(
        self,
        label: str,
        x: Span,
        y: Span,
        size: tuple[float, float] = (360, 250),
        margins: Margins = PLOT_MARGINS,
    ) -> None:
        self.label, self.size, self.margins = label, size, margins
        self.x, self.y = x, y
        self.elements: list[str] = []

    def at(self, x: float, y: float) -> Point:
        """Data to pixels."""
        m, (width, height) = self.margins, self.size
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return (
            m.left + across * (width - m.left - m.right),
            height - m.bottom - up * (height - m.top - m.bottom),
        )

    def line(self, points: Sequence[Point], style: str) -> None:
        """A polyline; `style` is a CSS class."""
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*p) for p in points))
        self.elements.append(f'<polyline class="line {style}" points="{path}"/>')

    def band(self, low: Sequence[Point], high: Sequence[Point], style: str) -> None:
        """The area between two lines; `style` is a CSS class."""
        around = [*low, *reversed(high)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*p) for p in around))
        self.elements.append(f'<polygon class="band {style}" points="{path}"/>')

    def circle(self, center: Point, radius: float, style: str) -> None:
        """A circle with its radius in the units of x."""
        px, py = self.at(*center)
        pixels = self.at(center[0] + radius, center[1])[0] - px
        self.elements.append(
            f'<circle class="{style}" cx="{px:.1f}" cy="{py:.1f}" r="{pixels:.1f}"/>'
        )

    def box(self, corner: Point, opposite: Point, style: str, title: str = "") -> None:
        """A rectangle between two corners; `title` is shown to who points at it."""
        (x0, y0), (x1, y1) = self.at(*corner), self.at(*opposite)
        inside = f"><title>{escape(title)}</title></rect>" if title else "/>"
        self.elements.append(
            f'<rect class="{style}" x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" '
            f'width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}"{inside}'
        )

    def marker(self, point: Point, style: str, kind: int) -> None:
        """A mark whose shape tells the series apart without colour."""
        px, py = self.at(*point)
        self.elements.append(f'<g transform="translate({px:.1f} {py:.1f})">{mark(kind, style)}</g>')

    def text(self, point: Point, text: str, style: str = "", shift: Point = (0, 0)) -> None:
        """A label at a point, moved by `shift` pixels."""
        px, py = self.at(*point)
        self._write(px + shift[0], py + shift[1], text, style)

    def axes(
        self,
        title: str,
        x_label: str,
        *,
        x_ticks: bool = True,
        y_label: Callable[[float], str] | None = None,
    ) -> None:
        """Title (which names the y axis), grid, ticks and the x axis' label."""
        y_label = y_label or "{:g}".format
        m, (width, height) = self.margins, self.size
        self._write(m.left, m.top - 12, title, "title")
        self._write((m.left + width - m.right) / 2, height - 6, x_label, "middle")
        for value in ticks(self.y):
            (x0, py), (x1, _) = self.at(self.x.low, value), self.at(self.x.high, value)
            self.elements.append(
                f'<line class="grid" x1="{x0:.1f}" x2="{x1:.1f}" y1="{py:.1f}" y2="{py:.1f}"/>'
            )
            self._write(x0 - 7, py + 4, y_label(value), "end")
        for value in ticks(self.x) if x_ticks else ():
            px, py = self.at(value, self.y.low)
            self._write(px, py + 17, short(value), "middle")

    def render(self) -> str:
        """The SVG element."""
        width, height = self.size
        return (
            f'<svg viewBox="0 0 {width:g} {height:g}" role="img" '
            f'aria-label="{escape(self.label, quote=True)}">{"".join(self.elements)}</svg>'
        )

    def _write(self, px: float, py: float, text: str, style: str) -> None:
        self.elements.append(
            f'<text class="{style}" x="{px:.1f}" y="{py:.1f}">{escape(text)}</text>'
        )


def side_by_side(
    pictures: Sequence[str], size: tuple[float, float], columns: int, label: str
) -> str:
    """SVG elements of one size in rows of `columns`, as one SVG element."""
    width, height = size
    placed = "".join(
        picture.replace(
            "<svg ",
            f'<svg x="{i % columns * width:g}" y="{i // columns * height:g}" '
            f'width="{width:g}" height="{height:g}" ',
            1,
        )
        for i, picture in enumerate(pictures)
    )
    rows = -(-len(pictures) // columns)
    return (
        f'<svg viewBox="0 0 {min(columns, len(pictures)) * width:g} {rows * height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{placed}</svg>'
    )


MARKS = "●■▲◆▼✚"
"""The shapes of `mark`, in order."""


def mark(kind: int, style: str) -> str:
    """The mark of series `kind`, around the origin: one of MARKS."""
    shapes = (
        '<circle class="mark {}" r="4"/>',
        '<rect class="mark {}" x="-3.7" y="-3.7" width="7.4" height="7.4"/>',
        '<path class="mark {}" d="M0-5 4.7 3.6-4.7 3.6z"/>',
        '<path class="mark {}" d="M0-5.2 5.2 0 0 5.2-5.2 0z"/>',
        '<path class="mark {}" d="M0 5 4.7-3.6-4.7-3.6z"/>',
        '<path class="mark {}" d="M-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z"/>',
    )
    return shapes[kind % len(shapes)].format(style)


def ticks(span: Span, about: int = 5) -> list[float]:
    """Round values inside the span, about as many as asked for.

    >>> ticks(Span(0.0, 700.0))
    [0.0, 200.0, 400.0, 600.0]
    """
    raw = (span.high - span.low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(span.low / step - 1e-9)
    last = math.floor(span.high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def span_of(*groups: Sequence[float], low: float | None = None) -> Span:
    """A span that holds all values with a little room above; `low` fixes its lower end."""
    values = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups])
    bottom = float(values.min()) if low is None else low
    top = max(float(values.max()), bottom + 1e-9)
    room = 0.06 * (top - bottom) or 1.0
    return Span(bottom - (room if low is None else 0.0), top + room)


def short(value: float) -> str:
    """A number as an axis shows it.

    >>> short(300_000), short(0.05)
    ('300k', '0.05')
    """
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"
