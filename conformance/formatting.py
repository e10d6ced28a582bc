"""How numbers and names are printed: a bound is never rounded to the side that flatters it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

LARGE = 1_000_000
UNPRINTABLE = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028-\u202e\u2066-\u2069]"
)
"""Control characters, which move a terminal's cursor, and marks that turn the reading direction."""
ROUNDING = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "near": ROUND_HALF_EVEN}


def percent(rate: float | None, side: str = "near") -> str:
    """A probability in percent; `side` is "down" for lower bounds and "up" for upper ones.

    >>> percent(0.1239, "down"), percent(0.1231, "up"), percent(0.00031, "up"), percent(0.0)
    ('12.3 %', '12.4 %', '0.04 %', '0 %')
    """
    return "none" if rate is None else f"{_rounded(100.0 * rate, side)} %"


def amount(value: float | None, side: str = "near") -> str:
    """A cost, with the same rule.

    >>> amount(12.345, "up"), amount(0.0, "up"), amount(187.2), amount(7.72e47, "up")
    ('12.4', '0', '187', '7.8e+47')
    """
    return "none" if value is None else _rounded(value, side)


def radius(eps: float | None) -> str:
    """A radius, or a dash."""
    return "–" if eps is None else f"{eps:g}"


def share(delta: float) -> str:
    """An error probability.

    >>> share(0.05), share(1.2e-05)
    ('0.05', '1.2e-05')
    """
    return f"{delta:.3g}" if delta >= 1e-4 else f"{delta:.1e}"


def short(value: float) -> str:
    """A number as an axis shows it.

    >>> short(300_000), short(2_500_000), short(0.05)
    ('300k', '2.5M', '0.05')
    """
    for least, unit, sign in ((LARGE, 1e6, "M"), (10_000, 1e3, "k")):
        if least <= abs(value) < 1e9:
            return f"{value / unit:g}{sign}"
    return f"{value:g}"


def deviations(std: Sequence[float]) -> str:
    """One number, or one for each entry.

    >>> deviations([0.3]), deviations([0.3, 0.1])
    ('0.3', '0.3, 0.1')
    """
    alike = len(set(std)) == 1
    return f"{std[0]:g}" if alike else ", ".join(f"{part:g}" for part in std)


def printable(text: str) -> str:
    """Text without the control characters that XML, HTML and terminals have no place for.

    >>> printable("a\\0b\\x1b\\x9b"), printable("line\\n")
    ('a?b??', 'line\\n')
    """
    return UNPRINTABLE.sub("?", text)


def _rounded(value: float, side: str) -> str:
    """About three digits, none of them below a hundredth; two and a power of ten from a million."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "none"
    exact = Decimal(repr(float(value)))
    if abs(exact) >= LARGE:
        return f"{exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), ROUNDING[side]):.1e}"
    digits = 0 if abs(exact) >= 100 else 1 if abs(exact) >= 1 else 2
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUNDING[side])
    text = f"{rounded:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
