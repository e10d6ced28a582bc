"""Single episodes to look at: the way, the cost, and what was done to the observation."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.report.certificate.numbers import amount
from safer_gym.conformance.report.certificate.png import data_address, signed_png
from safer_gym.conformance.report.certificate.view import Data
from safer_gym.conformance.report.svg import Chart, Margins, Point, Span, span_of

Trace = dict[str, NDArray]
"""Keys: clean and attacked observations [T, O], positions [T, 2], costs [T], and calm_positions
and calm_costs, those of the same start without an attack. All but `costs` may be missing."""

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
    if not trace.get("costs", np.zeros(0)).size:
        return ""
    figures = [*_way(trace), _cost(trace, certificate["limit"])]
    figures += _observation(trace, episode["eps"], certificate.get("scale"))
    return "".join(
        [
            '<div class="pictures">',
            *(f"<figure>{svg}<figcaption>{words}</figcaption></figure>" for svg, words in figures),
            "</div>",
        ]
    )


def _way(trace: Trace) -> Iterator[tuple[str, str]]:
    positions, calm = trace.get("positions"), trace.get("calm_positions")
    if positions is not None and positions.ndim == 2 and positions.shape[1] == 2:
        same = " Dotted: the same start without an attack." if calm is not None else ""
        words = f"The way, seen from above. Thick: steps with a cost.{same}"
        yield way(positions, trace["costs"], calm), words


def _cost(trace: Trace, limit: float) -> tuple[str, str]:
    same = " Dotted: without an attack." if "calm_costs" in trace else ""
    svg = cost_over_time(trace["costs"], limit, trace.get("calm_costs"))
    return svg, f"Cost so far, step by step.{same}"


def _observation(trace: Trace, eps: float, scale: Any) -> Iterator[tuple[str, str]]:
    clean, shown = trace.get("clean"), trace.get("attacked")
    if clean is None or shown is None or clean.shape != shown.shape or clean.ndim < 2 or eps <= 0:
        return
    clean, shown = clean.reshape(len(clean), -1), shown.reshape(len(clean), -1)
    share = (shown - clean) / (eps * np.asarray(1.0 if scale is None else scale))
    most = int(np.abs(shown - clean).mean(0).argmax())
    yield (
        two_lines(clean[:, most], shown[:, most], f"Entry {most} of the observation"),
        "The entry that was moved most. Grey: as it was; orange: as the policy saw it.",
    )
    yield (
        tampering(share),
        "What was added to the observation: a row for each entry, a column for each step. Full "
        "colour: moved by the whole radius, orange up, blue down.",
    )


def way(positions: NDArray, costs: NDArray, calm: NDArray | None = None) -> str:
    """The path of an episode in the plane, on one scale in both directions."""
    seen = positions if calm is None else np.concatenate([positions, calm])
    middle = (seen.max(0) + seen.min(0)) / 2
    reach = max(float(np.ptp(seen, axis=0).max()) / 2, 1e-6) * 1.06
    x, y = (Span(float(m) - reach, float(m) + reach) for m in middle)
    chart = Chart("The way of the episode", x, y, (MAP_SIZE, MAP_SIZE), Margins(4, 4, 4, 4))
    if calm is not None:
        chart.line(_points(calm), "calm")
    points = _points(positions)
    chart.line(points, "path")
    for (start, end), cost in zip(pairwise(points), costs[1:], strict=False):
        if cost > 0:
            chart.line([start, end], "alarm")
    chart.circle(points[0], reach * 0.025, "start")
    return chart.render()


def two_lines(clean: NDArray, shown: NDArray, title: str) -> str:
    """One entry of the observation over time, as it was and as the policy saw it."""
    chart = Chart(title, Span(0.0, float(len(clean))), span_of(clean.tolist(), shown.tolist()))
    chart.axes(title, "step")
    steps = _thinned(len(clean))
    chart.line([(float(i), float(clean[i])) for i in steps], "path")
    chart.line([(float(i), float(shown[i])) for i in steps], "s0")
    return chart.render()


def cost_over_time(costs: NDArray, limit: float, calm: NDArray | None = None) -> str:
    """The sum of costs after each step, with the limit."""
    total, other = _summed(costs), _summed(np.zeros(0) if calm is None else calm)
    steps = float(max(len(total), len(other)) - 1)
    values = [*total.tolist(), *other.tolist()]
    chart = Chart("Cost so far", Span(0.0, steps), span_of(values, [limit * 1.2], low=0.0))
    chart.axes("Cost so far", "step")
    chart.line([(0.0, limit), (steps, limit)], "limit")
    chart.text((steps, limit), "limit", "end small", shift=(0, -5))
    if calm is not None:
        chart.line([(float(i), float(other[i])) for i in _thinned(len(other))], "calm")
    chart.line([(float(i), float(total[i])) for i in _thinned(len(total))], "s1")
    return chart.render()


def tampering(share: NDArray) -> str:
    """A picture of shares of the radius [T, O]: a row for each entry, a column for each step."""
    address = data_address(signed_png(np.nan_to_num(share[_thinned(len(share))].T)))
    return f'<img class="tampering" alt="What was added to the observation" src="{address}">'


def _summed(costs: NDArray) -> NDArray:
    return np.concatenate([[0.0], np.cumsum(costs)])


def _thinned(count: int) -> NDArray:
    """At most MAX_COLUMNS indices of `count`, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_COLUMNS)).astype(int))


def _points(positions: NDArray) -> list[Point]:
    return [(float(x), float(y)) for x, y in positions]
