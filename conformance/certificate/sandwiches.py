"""The bounds of a certificate by radius, and the figure of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from safer_gym.conformance.certificate.view import Data, decisions_of, every_of, rows_of
from safer_gym.conformance.figures.columns import Column, paint_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def columns_of(certificate: Data, mode: str, metric: str) -> list[Column]:
    """The sandwiches of one metric of the policy in one mode, by growing radius."""
    found = []
    for row in rows_of(certificate, mode):
        ends = row[metric]
        every = every_of(ends)
        value = None if every is None or every["vacuous"] else every["value"]
        under = ends["upper_attacks"]
        attacks = None if under["vacuous"] else under["value"]
        found.append(Column(row["eps"], ends["lower"]["value"], attacks, value))
    return found


def says_something(columns: Sequence[Column]) -> bool:
    """Whether any end of any sandwich is more than trivial."""
    return any(c.lower > 0 or c.attacks is not None or c.every is not None for c in columns)


def title_of(certificate: Data, metric: str) -> str:
    """What the figure of a metric shows."""
    if metric == "rate":
        return f"P(cost > {certificate['limit']:g})"
    return "Mean cost of an episode"


def paint_sandwiches(ax: Axes, certificate: Data, mode: str, metric: str) -> None:
    """One metric over the radii, with the requirements on it."""
    required = [(d["eps"], d["bound"]) for d in decisions_of(certificate, mode, metric)]
    columns = columns_of(certificate, mode, metric)
    paint_columns(ax, columns, title_of(certificate, metric), required, rate=metric == "rate")
