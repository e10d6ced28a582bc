"""Templates of all pages, and what fills them in: everything inline, no script, no request."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from safer_gym.conformance.figures.canvas import PLOT, Frame, Paint, picture
from safer_gym.conformance.figures.theme import COLOURS, MARKS, SERIES
from safer_gym.conformance.formatting import amount, printable


def fill(template: str, package: str = __name__, **values: Any) -> str:
    """A template with its values, all of them escaped.

    Args:
        package: where the template lies; it may build on those that lie here.
    """
    return _environment(package).get_template(template).render(values)


def drawn(paint: Paint, label: str, frame: Frame = PLOT) -> Markup:
    """A figure for a page; a line that names what is missing where there is no matplotlib."""
    return inserted(lambda: picture(paint, label, frame))


def inserted(make: Callable[[], str]) -> Markup:
    """As `drawn`, of what makes an SVG."""
    try:
        return Markup(make())
    except ModuleNotFoundError as error:
        return Markup('<p class="empty">{}</p>').format(f"No figure: {error}")


@cache
def _environment(package: str) -> Environment:
    packages = dict.fromkeys((package, __name__))
    found = Environment(
        loader=ChoiceLoader([PackageLoader(name, ".") for name in packages]),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(colours=COLOURS, marks=MARKS, series=SERIES)
    found.filters["amount"] = amount
    return found


def _text(value: Any) -> Any:
    """Text that a page can hold; a number and its unit stay on one line."""
    if isinstance(value, Markup):
        return value
    return printable(str(value)).replace(" %", "\u00a0%")
