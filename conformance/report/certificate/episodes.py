"""Pictures of single episodes: the way, the cost, and what was done to the observation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from safer_gym.conformance.certificate.view import Data
from safer_gym.conformance.figures.canvas import bare
from safer_gym.conformance.figures.ground import paint_path
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.report.templates import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Trace = dict[str, NDArray]
"""Keys: clean and attacked observations [T, O], positions [T, 2], costs [T], and calm_positions
and calm_costs, those of the same start without an attack. All but `costs` may be missing."""

MAX_COLUMNS = 200
"""Steps of a picture; longer episodes are thinned out."""
DOTTED = (0, (1, 2))


def pictures(episode: Data, certificate: Data) -> Iterator[tuple[Markup, str]]:
    """Figures of one recorded episode, each with its caption."""
    trace = {k: np.asarray(v, np.float64) for k, v in (episode.get("trace") or {}).items()}
    if not trace.get("costs", np.zeros(0)).size:
        return
    calm = trace.get("calm_positions")
    if _in_the_plane(trace.get("positions")):
        same = " Dotted: the same start without an attack." if calm is not None else ""
        way = partial(paint_way, positions=trace["positions"], costs=trace["costs"], calm=calm)
        words = f"The way, seen from above. Thick: steps with a cost.{same}"
        yield drawn(way, "The way of the episode", bare(250, 250)), words
    same = " Dotted: without an attack." if "calm_costs" in trace else ""
    cost = partial(paint_cost, trace=trace, limit=certificate["limit"])
    yield drawn(cost, "Cost so far"), f"Cost so far, step by step.{same}"
    if certificate.get("channel", "observation") == "observation":
        yield from _observation(trace, episode["eps"], certificate.get("scale"))


def _in_the_plane(positions: NDArray | None) -> bool:
    return positions is not None and positions.ndim == 2 and positions.shape[1] == 2


def _observation(trace: Trace, eps: float, scale: Any) -> Iterator[tuple[Markup, str]]:
    clean, shown = trace.get("clean"), trace.get("attacked")
    if clean is None or shown is None or clean.shape != shown.shape or clean.ndim < 2 or eps <= 0:
        return
    clean, shown = clean.reshape(len(clean), -1), shown.reshape(len(shown), -1)
    share = (shown - clean) / (eps * np.asarray(1.0 if scale is None else scale))
    most = int(np.abs(shown - clean).mean(0).argmax())
    lines = partial(paint_entry, clean=clean[:, most], shown=shown[:, most], entry=most)
    yield (
        drawn(lines, f"Entry {most} of the observation"),
        "The entry that was moved most. Grey: as it was; orange: as the policy saw it.",
    )
    yield (
        drawn(partial(paint_tampering, share=share), "What was added to the observation"),
        "What was added to the observation: a row for each entry, a column for each step. Full "
        "colour: moved by the whole radius, orange up, blue down.",
    )


def paint_way(ax: Axes, positions: NDArray, costs: NDArray, calm: NDArray | None) -> None:
    """The path of an episode in the plane, on one scale in both directions."""
    if calm is not None:
        ax.plot(*calm.T, color=light("muted"), linewidth=1.3, linestyle=DOTTED)
    paint_path(ax, positions, costs)
    ax.set_aspect("equal", "datalim")
    ax.axis("off")


def paint_cost(ax: Axes, trace: Trace, limit: float) -> None:
    """The sum of costs after each step, with the limit."""
    ax.axhline(limit, color=light("alarm"), linewidth=1.3, linestyle="--")
    ax.annotate("limit", (1, limit), (0, 4), ax.get_yaxis_transform(), "offset points", ha="right")
    calm = {"color": light("muted"), "linewidth": 1.3, "linestyle": DOTTED}
    for key, style in (("calm_costs", calm), ("costs", {"color": light("s1")})):
        if key in trace:
            total = np.concatenate([[0.0], np.cumsum(trace[key])])
            steps = _thinned(len(total))
            ax.plot(steps, total[steps], **style)
    ax.margins(x=0)
    ax.set_ylim(0.0, max(limit * 1.2, ax.get_ylim()[1]))
    ax.set(title="Cost so far", xlabel="step")


def paint_entry(ax: Axes, clean: NDArray, shown: NDArray, entry: int) -> None:
    """One entry of the observation over time, as it was and as the policy saw it."""
    steps = _thinned(len(clean))
    ax.plot(steps, clean[steps], color=light("muted"), linewidth=1.4)
    ax.plot(steps, shown[steps], color=light("s0"))
    ax.margins(x=0)
    ax.set(title=f"Entry {entry} of the observation", xlabel="step")


def paint_tampering(ax: Axes, share: NDArray) -> None:
    """Shares of the radius [T, O]: a row for each entry, a column for each step."""
    from matplotlib.colors import to_rgb

    values = np.nan_to_num(share[_thinned(len(share))].T)
    up, down = (np.array(to_rgb(light(role))) for role in ("s0", "s1"))
    colour = np.where(values[..., None] >= 0, up, down)
    # Nothing added is transparent, so that the page's own colour shows.
    rgba = np.concatenate([colour, np.clip(np.abs(values), 0.0, 1.0)[..., None]], axis=-1)
    ax.imshow(rgba, aspect="auto", interpolation="none", extent=(0, len(share), len(values), 0))
    ax.grid(False)
    ax.set(xlabel="step", yticks=[])


def _thinned(count: int) -> NDArray:
    """At most MAX_COLUMNS indices of `count`, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_COLUMNS)).astype(int))
