"""Colours and style of all figures and pages, for light and dark screens."""

from __future__ import annotations

from typing import Any, NamedTuple


class Colour(NamedTuple):
    """One role's colour on a light and on a dark page."""

    light: str
    dark: str


COLOURS = {
    "paper": Colour("#fcfcfa", "#14171b"),
    "card": Colour("#ffffff", "#1b1f25"),
    "ink": Colour("#1c1f24", "#e8eaed"),
    "muted": Colour("#5c6470", "#a0a8b3"),
    "rule": Colour("#dcdfe3", "#343a43"),
    "s0": Colour("#b85c00", "#f5a04c"),
    "s1": Colour("#0b62a8", "#66b2f2"),
    "s2": Colour("#0c7a5c", "#45c9a2"),
    "s3": Colour("#7a3f98", "#c795e6"),
    "s4": Colour("#a8246e", "#f48fc2"),
    "s5": Colour("#5a6a12", "#b4c95c"),
    "alarm": Colour("#c8102e", "#ff6b75"),
    "doubt": Colour("#8a6100", "#e0b04a"),
    "reached": Colour("#c8102f", "#e0505b"),
    "open": Colour("#b9bec6", "#6d7581"),
    "unproved": Colour("#f1e6c8", "#4a4127"),
    "barred": Colour("#bfe3d6", "#1f4a3e"),
}
"""No light colour stands twice: an SVG's colours are replaced by the names of their roles."""

SERIES = 6
"""How many colours tell series apart."""
MARKERS = "os^DvP"
MARKS = "●■▲◆▼✚"
"""The markers as text, in the same order, for legends."""


def light(role: str) -> str:
    """The colour of a role in a notebook."""
    return COLOURS[role].light


def series(index: int) -> str:
    """The role of the series at `index`."""
    return f"s{index % SERIES}"


STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "image.composite_image": False,
    "text.parse_math": False,  # a name with dollar signs is a name
    "axes.unicode_minus": True,
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": light("ink"),
    "axes.labelcolor": light("muted"),
    "axes.facecolor": "none",
    "axes.edgecolor": light("rule"),
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": light("rule"),
    "text.color": light("muted"),
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 7.0,
    "lines.markeredgecolor": light("card"),
}
