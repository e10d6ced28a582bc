"""Costs of single episodes, attack by attack: a small histogram in each row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from safer_gym.conformance.report.certificate.numbers import amount, percent
from safer_gym.conformance.report.certificate.view import Data, costs_of, name_of, worst_first

WIDTH, HEIGHT, BINS = 300, 26, 50


def cost_table(row: Data, certificate: Data) -> str:
    """All attacks of one radius, the worst first, on one scale of cost."""
    limit = certificate["limit"]
    attacks = [{**a, "costs": costs_of(a, certificate)} for a in worst_first(row["attacks"])]
    top = max([limit * 1.25, *(cost for a in attacks for cost in a["costs"])])
    scale = (
        f'<span class="scale"><span>0</span><span>cost of an episode</span>'
        f"<span>{amount(top)}</span></span>"
    )
    body = "".join(_row(attack, limit, top) for attack in attacks)
    return (
        '<div class="scroll"><table class="strips"><thead><tr><th>attack</th>'
        f"<th>{scale}</th><th>over the limit</th><th>mean cost</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(attack: Data, limit: float, top: float) -> str:
    share = attack["violations"] / max(attack["n"], 1)
    over = ' class="over"' if attack["violations"] else ""
    return (
        f"<tr><td>{escape(name_of(attack['attack']))}</td>"
        f"<td>{strip(attack['costs'], limit, top, attack['attack'])}</td>"
        f"<td{over}>{attack['violations']} of {attack['n']} ({percent(share)})</td>"
        f"<td>{amount(attack['mean_cost'])}</td></tr>"
    )


def strip(costs: Sequence[float], limit: float, top: float, label: str) -> str:
    """A histogram of costs on [0, top]; bars over the limit stand out."""
    edges = np.linspace(0.0, top, BINS + 1)
    values = np.asarray(costs, dtype=np.float64)
    # A bar holds costs of one side of the limit only.
    bars = [
        bar
        for part, style in ((values[values <= limit], "bar"), (values[values > limit], "bar over"))
        for bar in _bars(part, edges, len(values), style)
    ]
    at = WIDTH * limit / top
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Costs under {escape(label, quote=True)}">{"".join(bars)}'
        f'<line class="base" x1="0" x2="{WIDTH}" y1="{HEIGHT - 0.5}" y2="{HEIGHT - 0.5}"/>'
        f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}"/></svg>'
    )


def _bars(values: np.ndarray, edges: np.ndarray, total: int, style: str) -> list[str]:
    counts, _ = np.histogram(values, edges)
    width = WIDTH / BINS
    bars = []
    for i in np.flatnonzero(counts):
        # By the root: one episode of a thousand must still be seen.
        height = max((HEIGHT - 2) * float(np.sqrt(counts[i] / total)), 2.0)
        bars.append(
            f'<rect class="{style}" x="{i * width:.1f}" y="{HEIGHT - height:.1f}" '
            f'width="{width - 0.6:.1f}" height="{height:.1f}"/>'
        )
    return bars
