"""Single episodes to look at: the way, the cost, and what was done to the observation."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.report.certificate.numbers import amount
from safer_gym.conformance.report.certificate.png import data_address, signed_png
from safer_gym.conformance.report.certificate.view import Data
from safer_gym.conformance.report.svg import Chart, Margins, Point, Span, span_of

MAX_COLUMNS = 200
"""Steps of a picture; longer episodes are thinned out."""
MAP_SIZE = 250


def episode_card(episode: Data, certificate: Data) -> str:
    """One episode as a figure: its numbers, its pictures and the command that runs it again."""
    over = episode["cost"] > certificate["limit"]
    cost = f"<strong{' class=over' if over else ''}>{amount(episode['cost'])}</strong>"
    pictures = _pictures(episode, certificate) if episode.get("trace") else ""
    return (
        f'<article class="episode"><h3>{escape(episode["attack"])} at ε = {episode["eps"]:g}, '
        f"{escape(episode['mode'])} policy</h3>"
        f"<p>Cost {cost}, with a limit of {certificate['limit']:g}; reward "
        f"{amount(episode['reward'])}; seed {episode['seed']}.</p>{pictures}"
        f'<p class="replay">Run it again: <code>{escape(episode["replay"])}</code></p></article>'
    )


def _pictures(episode: Data, certificate: Data) -> str:
    trace = {key: np.asarray(value, np.float64) for key, value in episode["trace"].items()}
    costs = trace.get("costs", np.zeros(0)).ravel()
    if not len(costs):
        return ""
    figures = []
    positions = trace.get("positions")
    if positions is not None and positions.ndim == 2 and positions.shape[1] == 2:
        figures.append(
            (way(positions, costs), "The way, seen from above. Thick: steps with a cost.")
        )
    figures.append((cost_over_time(costs, certificate["limit"]), "Cost so far, step by step."))
    moved = tampering(trace, episode["eps"], certificate.get("scale"))
    if moved is not None:
        figures.append(
            (
                moved,
                "What was added to the observation: a row for each of its entries, a column for "
                "each step. Full colour: moved by the whole radius, orange up, blue down.",
            )
        )
    return (
        '<div class="pictures">'
        + "".join(
            f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
            for picture, caption in figures
        )
        + "</div>"
    )


def way(positions: NDArray, costs: NDArray) -> str:
    """The path of an episode in the plane, on one scale in both directions."""
    middle = (positions.max(0) + positions.min(0)) / 2
    reach = max(float(np.ptp(positions, axis=0).max()) / 2, 1e-6) * 1.06
    x, y = (Span(float(m) - reach, float(m) + reach) for m in middle)
    chart = Chart("The way of the episode", x, y, (MAP_SIZE, MAP_SIZE), Margins(4, 4, 4, 4))
    points: list[Point] = [(float(a), float(b)) for a, b in positions]
    chart.line(points, "path")
    for (start, end), cost in zip(pairwise(points), costs[1:], strict=False):
        if cost > 0:
            chart.line([start, end], "alarm")
    chart.circle(points[0], reach * 0.025, "start")
    return chart.render()


def cost_over_time(costs: NDArray, limit: float) -> str:
    """The sum of costs after each step, with the limit."""
    total = np.concatenate([[0.0], np.cumsum(costs)])
    steps = np.unique(np.linspace(0, len(costs), min(len(total), MAX_COLUMNS)).astype(int))
    chart = Chart(
        "Cost so far", Span(0.0, float(len(costs))), span_of(total.tolist(), [limit * 1.2], low=0.0)
    )
    chart.axes("Cost so far", "step")
    chart.line([(0.0, limit), (float(len(costs)), limit)], "limit")
    chart.text((float(len(costs)), limit), "limit", "end small", shift=(0, -5))
    chart.line([(float(i), float(total[i])) for i in steps], "s1")
    return chart.render()


def tampering(trace: dict[str, Any], eps: float, scale: Any = None) -> str | None:
    """A picture of what was added to each entry of the observation, as shares of its radius."""
    clean, shown = trace.get("clean"), trace.get("attacked")
    if clean is None or shown is None or clean.shape != shown.shape or eps <= 0 or clean.ndim < 2:
        return None
    moved = (shown - clean).reshape(len(clean), -1)
    moved = moved / (eps * np.asarray(1.0 if scale is None else scale, dtype=np.float64))
    steps = np.unique(np.linspace(0, len(moved) - 1, min(len(moved), MAX_COLUMNS)).astype(int))
    address = data_address(signed_png(np.nan_to_num(moved[steps].T)))
    return f'<img class="tampering" alt="What was added to the observation" src="{address}">'
