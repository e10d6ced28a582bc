"""A badge: certified and attacked radius in one small picture, with no font or file of its own."""

from __future__ import annotations

from html import escape
from typing import Any

from safer_gym.conformance.report.certificate.numbers import radius
from safer_gym.conformance.report.certificate.view import Data, checked

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
    colour = COLOURS[data["verdict"]] if data["requirements"] else NEUTRAL
    parts = [("safer-gym", NEUTRAL), (_words(data), colour)]
    widths = [12 + round(LETTER * len(text)) for text, _ in parts]
    label = escape(f"safer-gym: {_words(data)}", quote=True)
    boxes, texts, x = "", "", 0
    for (text, fill), width in zip(parts, widths, strict=True):
        boxes += f'<rect x="{x}" width="{width}" height="20" fill="{fill}"/>'
        texts += (
            f'<text x="{x + width / 2:g}" y="14" textLength="{width - 12}">{escape(text)}</text>'
        )
        x += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x}" height="20" role="img" '
        f'aria-label="{label}"><title>{label}</title><clipPath id="r"><rect width="{x}" '
        f'height="20" rx="3"/></clipPath><g clip-path="url(#r)">{boxes}</g><g fill="#fff" '
        f'text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{texts}</g></svg>\n"
    )


def _words(data: Data) -> str:
    verdict = f"{data['verdict']} · " if data["requirements"] else ""
    certified, attacked = radius(data["certified_eps"]), radius(data["attacked_eps"])
    return f"{verdict}certified ε {certified} · attacked ε {attacked}"
