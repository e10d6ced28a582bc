"""Where figures are painted: the Axes of a notebook, or an SVG that takes the page's colours."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from safer_gym.conformance.figures.svg import inline
from safer_gym.conformance.figures.theme import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PIXELS = 72.0
"""For each inch of matplotlib's SVG."""
MISSING = "figures need matplotlib: pip install 'safer-gym[report]'"

Paint = Callable[["Axes"], None]
Box = tuple[float, float, float, float]


class Frame(NamedTuple):
    """A figure's size and the room around its Axes, in pixels."""

    width: float = 360.0
    height: float = 250.0
    left: float = 46.0
    right: float = 14.0
    top: float = 24.0
    bottom: float = 34.0

    def inches(self, scale: float = 1.0) -> tuple[float, float]:
        """The size as matplotlib takes it."""
        return self.width * scale / PIXELS, self.height * scale / PIXELS

    def axes(self, row: int, column: int, rows: int, columns: int) -> Box:
        """Left, bottom, width and height of the Axes in a grid, as shares of its figure."""
        left = column * self.width + self.left
        bottom = (rows - 1 - row) * self.height + self.bottom
        across, up = self.width - self.left - self.right, self.height - self.top - self.bottom
        width, height = self.width * columns, self.height * rows
        return left / width, bottom / height, across / width, up / height


PLOT = Frame()


def bare(width: float, height: float) -> Frame:
    """A frame of a picture without labels."""
    return Frame(width, height, 2.0, 2.0, 2.0, 2.0)


@contextmanager
def _styled(**more: Any) -> Iterator[None]:
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(MISSING, name="matplotlib") from error
    style: Any = {**STYLE, **more}
    with matplotlib.rc_context(style):
        yield


def plotted(paint: Paint, ax: Axes | None = None) -> Axes:
    """Paint on `ax`, or on the Axes of a new figure, which a notebook shows.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    with _styled():
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots(figsize=PLOT.inches(1.6), layout="constrained")
        paint(ax)
    return ax


def picture(paint: Paint, label: str, frame: Frame = PLOT) -> str:
    """A figure of one Axes as an SVG element.

    Args:
        label: What the figure shows, for readers who cannot see it.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    return grid([paint], label, 1, frame)


def grid(paints: Sequence[Paint], label: str, columns: int, frame: Frame = PLOT) -> str:
    """Axes of one size in rows of `columns`, as one SVG element; as `picture`."""
    with _styled(**{"svg.hashsalt": label}):
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        rows, (width, height) = -(-len(paints) // columns), frame.inches()
        figure = Figure(figsize=(width * columns, height * rows))
        figure.patch.set_visible(False)
        for i, paint in enumerate(paints):
            ax = figure.add_axes(frame.axes(*divmod(i, columns), rows, columns))
            ax.patch.set_visible(False)
            paint(ax)
        out = io.StringIO()
        with warnings.catch_warnings():
            # The reader's fonts may have what matplotlib's own lack.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
    return inline(out.getvalue(), label)
