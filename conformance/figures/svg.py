"""SVG of matplotlib's, made fit for a page: in the page's colours, and nothing leaves it."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from safer_gym.conformance.figures.theme import COLOURS
from safer_gym.conformance.formatting import printable

_DROPPED = re.compile(
    r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", re.DOTALL
)
_TAG = re.compile(r"<[a-z][^<>]*>")
_SHORTER = (
    (r' id="(?![mp][0-9a-f]{10})[^"]*"', ""),
    (r"xlink:href", "href"),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r" font-family: [^;\"]*;?", ""),
    (r"font: ([^';\"]*px) [^;\"]*", r"font: \1 system-ui, sans-serif"),
    (r"(?<!opacity: )\b(\d+\.\d)\d+", r"\1"),
    (r"\n(?=[A-Zz])", ""),
)
"""What tags of an SVG inside a page do without, and what stands in its place."""


def inline(svg: str, label: str) -> str:
    """The SVG element alone: no size, no name of its own, no style that leaves it."""
    svg, label = printable(svg), escape(printable(label))
    (box,) = re.findall(r'viewBox="[^"]*"', svg)[:1]
    inside = _DROPPED.sub("", svg[svg.index(">", svg.index("<svg")) + 1 :])
    inside = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", inside)
    inside = re.sub(r"(<g/>|\s)*\n(<g/>|\s)*", "\n", _TAG.sub(_slim, inside))
    return f'<svg {box} role="img" aria-label="{label}">{inside}'.rstrip()


def _slim(match: re.Match[str]) -> str:
    tag = match[0]
    if tag.startswith("<image"):
        return tag.replace("xlink:href", "href")
    for pattern, instead in _SHORTER:
        tag = re.sub(pattern, instead, tag)
    for role, colour in COLOURS.items():
        tag = tag.replace(colour.light, f"var(--{role})")
    return tag


def standalone(svg: str) -> str:
    """The picture as a file of its own: it brings its colours, for light and dark screens."""
    light, dark = (
        "".join(f"--{role}: {colour[i]};" for role, colour in COLOURS.items()) for i in (0, 1)
    )
    style = (
        f":root{{{light}background:var(--paper);font-family:system-ui,sans-serif}}"
        f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{style}</style>", 1
    )


def tip(artist: Any, text: str) -> None:
    """A text that the SVG shows when the reader points at the artist."""
    artist.set_gid(f"tip:{text}")
