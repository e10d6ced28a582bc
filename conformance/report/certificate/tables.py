"""The certificate's numbers as rows of text, shared by the page and by Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from safer_gym.conformance.certificate.view import (
    Data,
    every_of,
    modes_of,
    name_of,
    rows_of,
)
from safer_gym.conformance.certify.compositions import title as composition_title
from safer_gym.conformance.formatting import amount, percent, radius, share
from safer_gym.conformance.report.certificate.given_model import tests_of
from safer_gym.conformance.report.certificate.sentences import bound_words


class Table(NamedTuple):
    """Column names, then rows of cells."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


EMPTY = "excludes nothing"
"""Instead of a bound that every policy keeps, such as a probability of at most 1."""
METRICS = {"rate": "P(cost > {:g})", "mean": "mean cost"}


def bounds_table(certificate: Data, mode: str, metric: str) -> Table:
    """Both ends of one metric's sandwiches, of the policy in one mode."""
    rows = []
    for row in rows_of(certificate, mode):
        ends = row[metric]
        lower, under = ends["lower"], ends["upper_attacks"]
        rows.append(
            (
                radius(row["eps"]),
                bound_words(metric, lower["value"], "down"),
                name_of(lower["attack"]),
                EMPTY if under["vacuous"] else bound_words(metric, under["value"], "up"),
                _every(metric, ends),
            )
        )
    what = METRICS[metric].format(certificate["limit"])
    head = ("ε", f"{what} at least", "by", "at most, battery", "at most, any adversary")
    return Table(head, rows)


def _every(metric: str, ends: Data) -> str:
    every = every_of(ends)
    if every is None:
        return "refused"
    return EMPTY if every["vacuous"] else bound_words(metric, every["value"], "up")


def attacks_table(certificate: Data) -> Table:
    """Every attack at every radius: what was measured, and its bounds."""
    has_h = any(a.get("worst_h") for row in certificate["rows"] for a in row["attacks"])
    head = (
        *("policy", "ε", "attack", "episodes", "over", "P at least", "P at most"),
        *("mean cost", "mean at most", "95 % quantile", "worst 5 %", "reward"),
        *(("worst h",) * has_h),
    )
    rows = [
        (
            mode,
            radius(row["eps"]),
            name_of(a["attack"]),
            str(a["n"]),
            str(a["violations"]),
            percent(a["rate_lower"], "down"),
            percent(a["rate_upper"], "up"),
            amount(a["mean_cost"]),
            _or_dash(a["mean_upper"]),
            _or_dash(a["quantile_upper"]),
            _or_dash(a["cvar_upper"]),
            amount(a["mean_return"]),
            *((_worst_h(certificate, a),) * has_h),
        )
        for mode in modes_of(certificate)
        for row in rows_of(certificate, mode)
        for a in row["attacks"]
    ]
    return Table(head, rows)


def _worst_h(certificate: Data, evidence: Data) -> str:
    """The depth of the deepest violation; the benign episodes are recorded apart."""
    found = evidence.get("worst_h") or (
        () if evidence["costs"] else (certificate["benign"] or {}).get("worst_h", ())
    )
    return f"{min(found):.3f}" if found else "–"


def model_table(certificate: Data) -> Table:
    """The tests of a shield's model; no rows where the policy has none."""
    return Table(*tests_of(certificate))


def every_table(certificate: Data) -> Table:
    """How each bound over every adversary came about."""
    head = ("of", "ε", "composition", "budget M", "episodes", "hits", "benign bound", "bound")
    rows = []
    for metric, title in METRICS.items():
        for mode in modes_of(certificate):
            for row in rows_of(certificate, mode):
                every = every_of(row[metric])
                if every is not None:
                    rows.append(_every_row(title.format(certificate["limit"]), row, metric, every))
    return Table(head, rows)


def _every_row(title: str, row: Data, metric: str, every: Data) -> tuple[str, ...]:
    budget, benign = every["M"], every["p_ucb"]
    return (
        title,
        radius(row["eps"]),
        composition_title(every["method"]),
        "–" if budget is None else f"{budget:.3g}",
        str(every["n"]),
        str(every["hits"]),
        "–" if benign is None else bound_words(metric, benign, "up"),
        EMPTY if every["vacuous"] else bound_words(metric, every["value"], "up"),
    )


def promises_table(certificate: Data) -> Table:
    """What search episodes made each composition seem to give; no bounds."""
    found = [
        (title.format(certificate["limit"]), row["eps"], metric, every["promises"])
        for metric, title in METRICS.items()
        for mode in modes_of(certificate)
        for row in rows_of(certificate, mode)
        if (every := every_of(row[metric])) is not None and every.get("promises")
    ]
    methods = list(dict.fromkeys(method for *_, promises in found for method in promises))
    rows = [
        (
            title,
            radius(eps),
            *(bound_words(metric, promises[m], "up") if m in promises else "–" for m in methods),
        )
        for title, eps, metric, promises in found
    ]
    return Table(("of", "ε", *map(composition_title, methods)), rows)


def allocation_table(certificate: Data) -> Table:
    """The error probability by policy and radius, every bound's share, and what it sums to.

    A lower end is the best of several attacks' bounds, each of which may err and has its own share.
    """
    rows: dict[tuple[str, str], dict[str, list[Data]]] = defaultdict(lambda: defaultdict(list))
    for part in certificate["allocation"]:
        rows[part["mode"], radius(part["eps"])][_claim(part)].append(part)
    claims = list(dict.fromkeys(_claim(part) for part in certificate["allocation"]))
    lines = [
        (
            *place,
            _attacks(parts),
            *(_each(parts.get(claim, ())) for claim in claims),
            _sum(*parts.values()),
        )
        for place, parts in rows.items()
    ]
    last = ("all", "", "", *([""] * len(claims)), _sum(certificate["allocation"]))
    return Table(("policy", "ε", "attacks", *claims, "sum"), [*lines, last])


def allocation_summary(certificate: Data) -> Table:
    """The same by kind of bound: how many there are, and the share of each."""
    kinds: dict[str, list[Data]] = defaultdict(list)
    for part in certificate["allocation"]:
        kinds[_claim(part)].append(part)
    rows = [
        (claim, str(len(parts)), share(min(p["delta"] for p in parts)), _sum(parts))
        for claim, parts in kinds.items()
    ]
    every = certificate["allocation"]
    rows.append(("all", str(len(every)), "", _sum(every)))
    return Table(("bounds of", "number", "share of each", "sum"), rows)


def _claim(part: Data) -> str:
    """What a share is spent on, without radius and policy."""
    metric = {"rate": "P", "cvar": "worst 5 %", "quantile": "95 % quantile"}.get(
        part["metric"], part["metric"]
    )
    side = "at least" if part["side"] == "lower" else "at most"
    whose = {"worst": "battery", "every": "any adversary"}.get(part["attack"], "each attack")
    return f"{metric} {side}, {whose}"


def _attacks(parts: Mapping[str, Sequence[Data]]) -> str:
    """Whose lower ends count."""
    names = (name_of(p["attack"]) for group in parts.values() for p in group)
    return ", ".join(n for n in dict.fromkeys(names) if n not in ("worst", "every")) or "–"


def _each(parts: Sequence[Data]) -> str:
    if not parts:
        return "–"
    count = "" if len(parts) == 1 else f"{len(parts)} × "
    return count + share(min(part["delta"] for part in parts))


def _sum(*groups: Sequence[Data]) -> str:
    return share(sum(part["delta"] for parts in groups for part in parts))


def _or_dash(value: float | None) -> str:
    return "–" if value is None else amount(value, "up")
