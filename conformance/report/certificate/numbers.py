"""Numbers as the reports print them: a bound is never rounded to the side that flatters it."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

LARGE = 1_000_000
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
