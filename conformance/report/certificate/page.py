"""The certificate as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from safer_gym.conformance.certificate.sandwiches import (
    columns_of,
    paint_sandwiches,
    says_something,
    title_of,
)
from safer_gym.conformance.certificate.view import (
    Data,
    checked,
    costs_of,
    modes_of,
    name_of,
    policy_name,
    rows_of,
    worst_first,
)
from safer_gym.conformance.figures.columns import ZONES
from safer_gym.conformance.figures.histograms import histogram_frame, paint_histograms
from safer_gym.conformance.formatting import amount, percent
from safer_gym.conformance.report.certificate.episodes import pictures
from safer_gym.conformance.report.certificate.radii import radii_picture
from safer_gym.conformance.report.certificate.record import facts
from safer_gym.conformance.report.certificate.sentences import (
    EVIDENCE,
    capital,
    confidence,
    headline_words,
    lead,
    not_said,
    policy_in,
    said,
)
from safer_gym.conformance.report.certificate.tables import (
    allocation_summary,
    allocation_table,
    attacks_table,
    bounds_table,
    every_table,
    model_table,
    promises_table,
)
from safer_gym.conformance.report.templates import drawn, fill

SIGNS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"}


def render_page(certificate: Any) -> str:
    """The whole HTML document of a certificate's JSON.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    return fill(
        "certificate.html",
        title=f"Certificate: {policy_name(data)} on {data['environment']['id']}",
        data=data,
        name=policy_name(data),
        limit=f"{data['limit']:g}",
        signs=SIGNS,
        lead=lead(data),
        radii=radii_picture(data),
        modes=[_mode(data, mode) for mode in modes_of(data)],
        zones=list(reversed(ZONES.items())),
        evidence=[(kind, meaning, False) for kind, meaning in EVIDENCE],
        said=said(data),
        not_said=not_said(data),
        confidence=confidence(data),
        episodes=[(e, list(pictures(e, data))) for e in data["episodes_of_note"]],
        costs=list(_costs(data)),
        attacks=attacks_table(data),
        every=every_table(data),
        model=model_table(data),
        promises=promises_table(data),
        allocation=allocation_table(data),
        allocation_summary=allocation_summary(data),
        facts=facts(data),
    )


def _mode(data: Data, mode: str) -> dict[str, Any]:
    """What the page shows of the policy in one mode."""
    metrics = ["rate"]
    metrics += ["mean"] if says_something(columns_of(data, mode, "mean")) else []
    return {
        "title": capital(policy_in(data, mode)),
        "figures": headline_words(data, mode),
        "charts": [_chart(data, mode, metric) for metric in metrics],
        "rate": bounds_table(data, mode, "rate"),
        "mean": bounds_table(data, mode, "mean"),
    }


def _chart(data: Data, mode: str, metric: str) -> Markup:
    label = f"{title_of(data, metric)} of the {mode} policy, by radius"
    return drawn(lambda ax: paint_sandwiches(ax, data, mode, metric), label)


def _costs(data: Data) -> Iterator[tuple[str, Markup, bool]]:
    """Title and histograms of each radius, the largest first and open."""
    for mode in modes_of(data):
        rows = [row for row in rows_of(data, mode) if row["attacks"]]
        for row in reversed(rows):
            title = f"{mode.capitalize()} policy, ε = {row['eps']:g}"
            yield title, _histograms(row, data, title), row is rows[-1]


def _histograms(row: Data, data: Data, title: str) -> Markup:
    """All attacks of one radius, the worst first, on one scale of cost."""
    groups = [(_words(a), costs_of(a, data)) for a in worst_first(row["attacks"])]
    return drawn(
        lambda ax: paint_histograms(ax, groups, data["limit"]),
        f"Costs of single episodes: {title}",
        histogram_frame(len(groups)),
    )


def _words(attack: Data) -> str:
    share = percent(attack["violations"] / max(attack["n"], 1))
    over = f"{attack['violations']} of {attack['n']} over the limit ({share})"
    return f"{name_of(attack['attack'])}: {over}, mean {amount(attack['mean_cost'])}"
