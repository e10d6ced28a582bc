"""The tables as text, shared by the page and by Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.harness.records import Record, seeds_of, select
from experiments.skills.methods import ABLATIONS, BOUNDED, METHODS, PRIORS, UNSAFE_WITHIN
from experiments.skills.numbers import (
    Numbers,
    mean_of,
    numbers,
    published,
    published_by_task,
)
from safer_gym.conformance.formatting import percent
from safer_gym.conformance.report.certificate.tables import Table

RUNS_TITLE = (
    "Success of the last policy / violations in training / the same for each 1,000 steps / "
    "violations of the last policy for each 1,000 steps; means over seeds"
)
PRIORS_TITLE = "Priors on held-out data, seed by seed"
BOUNDS_TITLE = (
    "Unsafe share of roll-outs within the bound for at most so many unsafe actions (mean)"
)
PAPER_TASKS_TITLE = (
    "The paper's Table 1: success, violations of 50,000 steps and their deviation over seeds"
)
PAPER_TITLE = "The paper's Table 1, mean over its six tasks; 50,000 steps, images, another arm"


def rows_with_runs(records: Sequence[Record], task: str) -> list[str]:
    """The table's rows, then ablations and bounds that have a run."""
    known = {r.method for r in records if r.task == task}
    more = [name for name in ABLATIONS if name in known]
    return [*METHODS, *more, *sorted(known - set(METHODS) - set(ABLATIONS))]


def runs_table(records: Sequence[Record], task: str) -> Table:
    """Rows by numbers."""
    lines = []
    for row in rows_with_runs(records, task):
        runs = select(records, task, row)
        if not runs:
            lines.append((row, "not run", "–", "–"))
            continue
        found = numbers(records, task, row)
        each = "; ".join(f"{percent(n.success)}, {n.violations:.0f}" for n in found)
        lines.append((row, seeds_of(runs), said(mean_of(found)), each))
    return Table(("method", "seeds", "mean", "each seed: success, violations"), lines)


def said(found: Numbers) -> str:
    """One cell.

    >>> said(Numbers(0.5, 1234.0, 61.7, 20.04))
    '50 % / 1234 / 61.7 / 20.0'
    """
    rates = f"{found.rate:.1f} / {found.deployed:.1f}"
    return f"{percent(found.success)} / {found.violations:.0f} / {rates}"


def paper_table() -> Table:
    """The paper's own numbers."""
    lines = [
        (name, f"{percent(n.success)} ({percent(n.least)} to {percent(n.most)})", f"{n.rate:.1f}")
        for name, n in published().items()
    ]
    return Table(("method", "success (tasks)", "violations for each 1,000 steps"), lines)


def paper_tasks_table() -> Table:
    """The paper's Table 1 itself."""
    found = published_by_task()
    tasks = list(next(iter(found.values())))
    lines = [(name, *(cells[task] for task in tasks)) for name, cells in found.items()]
    return Table(("method", *tasks), lines)


def priors_table(priors: Sequence[dict[str, Any]]) -> Table:
    """AUC, unsafe among likely, eta."""
    lines = [
        (
            prior["prior"],
            str(prior["seed"]),
            f"{prior['auc']:.3f}",
            f"{prior['auc_onset']:.3f}",
            _nats(prior),
            *(percent(prior["unsafe_among_likely"][top]) for top in ("0.1", "0.5", "1.0")),
            f"{prior['bound']:.2f}" if prior["prior"] in BOUNDED else "–",
            f"{prior['eta_exact']['0.15']:.2f} / {prior['eta']:.2f}",
            f"{prior['cpu_seconds']:.0f} s",
        )
        for prior in in_order(priors)
    ]
    head = (
        "prior", "seed", "AUC", "AUC, onsets", "log p: safe / unsafe (c silenced); KL",
        "unsafe in the likeliest 10 %", "50 %", "all",
        f"eta for {UNSAFE_WITHIN:.0%}, own labels", "eta for 15 %: exact / as printed", "CPU",
    )  # fmt: skip
    return Table(head, lines)


def bounds_table(priors: Sequence[dict[str, Any]]) -> Table:
    """Figure 4 in numbers."""
    lines = []
    for prior in in_order(priors):
        for draw, by_bound in prior["calibration"].items():
            cells = ["–" if part is None else _rolled(part) for part in by_bound.values()]
            lines.append((prior["prior"], str(prior["seed"]), draw, *cells))
    bounds = list(priors[0]["calibration"]["truncated"]) if priors else []
    return Table(("prior", "seed", "z", *(percent(float(b)) for b in bounds)), lines)


def in_order(priors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As `PRIORS` has them, then by seed."""
    known = [prior for prior in priors if prior["prior"] in PRIORS]
    return sorted(known, key=lambda p: (list(PRIORS).index(p["prior"]), p["seed"]))


def _nats(prior: dict[str, Any]) -> str:
    """Means over held-out steps; – in a record that is older than they are."""
    if "log_p_safe" not in prior:
        return "–"
    silenced = f"{prior['silenced']['log_p_safe']:.2f} / {prior['silenced']['log_p_unsafe']:.2f}"
    said = f" ({silenced})" if prior["kl"] else ""
    return f"{prior['log_p_safe']:.2f} / {prior['log_p_unsafe']:.2f}{said}; {prior['kl']:.2f}"


def _rolled(part: dict[str, Any]) -> str:
    return f"{percent(float(np.mean(part['unsafe'])))} (eta {part['eta']:.2f})"
