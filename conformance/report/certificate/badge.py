"""A badge: certified and attacked radius in one small picture, with no font or file of its own."""

from __future__ import annotations

from typing import Any

from safer_gym.conformance.certificate.view import Data, checked
from safer_gym.conformance.formatting import radius
from safer_gym.conformance.report.templates import fill

COLOURS = {"PASS": "#0c7a5c", "FAIL": "#b3102a", "INCONCLUSIVE": "#8a6100"}
NEUTRAL = "#48505c"
LETTER = 6.6
"""Width of a letter, about; `textLength` makes the text fit whatever the font."""


def render_badge(certificate: Any) -> str:
    """An SVG, 20 pixels high. Its colour is the verdict's; grey where nothing was required.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    words, parts, x = _words(data), [], 0
    colour = COLOURS[data["verdict"]] if data["requirements"] else NEUTRAL
    for text, fill_colour in (("safer-gym", NEUTRAL), (words, colour)):
        width = 12 + round(LETTER * len(text))
        parts.append({"text": text, "fill": fill_colour, "x": x, "width": width})
        x += width
    return fill("badge.svg", parts=parts, width=x, label=f"safer-gym: {words}")


def _words(data: Data) -> str:
    verdict = f"{data['verdict']} · " if data["requirements"] else ""
    certified, attacked = radius(data["certified_eps"]), radius(data["attacked_eps"])
    return f"{verdict}certified ε {certified} · attacked ε {attacked}"
