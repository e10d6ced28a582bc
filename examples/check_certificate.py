"""Check a certificate of safer-gym without safer-gym: NumPy, SciPy and the documentation.

    python examples/check_certificate.py certificate.json ...

Computes the hash, the shares of delta, every bound from the recorded episodes, requirements,
headlines and the verdict again, as docs/certificates.md and docs/statistics.md describe them. It
prints what does not agree, and exits with 1 if anything does not.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats import beta

Data = dict[str, Any]
INDEX = (np.arange(64) + 0.5) / 64
EVEN, BOLD = np.sin(np.pi * INDEX / 2) ** 2, 1 - INDEX**2
METRICS = ("rate", "mean")
CLOSE = 1e-7
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
SOLVER = {"rate": 1e-6, "mean": 0.01}
"""By how much log wealth at a recorded bound may exceed log(1 / delta)."""

NOTHING = {
    **dict.fromkeys(("value", "method", "M", "p_ucb", "eps", "options", "promises")),
    **{"n": 0, "hits": 0, "delta": 0.0, "vacuous": True, "spent": []},
}
"""What is recorded where no bound over every adversary is given."""


# Bounds.


def peak(z: np.ndarray, claim: float, shares: np.ndarray) -> float:
    """The largest log wealth, at any time, against "the mean of z is at most `claim`"."""
    z = np.where(z < 1e-12, 0.0, z)
    with np.errstate(divide="ignore"):
        wealth = np.cumsum(np.log1p(shares * (z[:, None] / claim - 1)), axis=0)
    return float((logsumexp(wealth, axis=1) - math.log(64)).max())


def is_lower(z: np.ndarray, bound: float, delta: float, slack: float, shares: Any = EVEN) -> bool:
    """Whether a recorded lower bound of the mean of z in [0, 1] is the one that betting gives."""
    if not (z >= 1e-12).any():
        return bound == 0
    excess = peak(z, bound, shares) + math.log(delta) if 0 < bound <= 1 else math.inf
    # A bound is known to about 1e-12 of itself, and the wealth of n bets to n times that.
    return -CLOSE <= excess <= slack + CLOSE


def is_upper(z: np.ndarray, bound: float, delta: float, slack: float) -> bool:
    """The same for an upper bound."""
    return is_lower(1 - z, 1 - bound, delta, slack, BOLD)


def quantile(costs: np.ndarray, delta: float, high: float) -> float:
    n, k = len(costs), np.arange(len(costs) + 1)[:, None]
    wealth = k * np.log1p(BOLD * (1 / 0.95 - 1)) + (n - k) * np.log1p(-BOLD)
    possible = np.flatnonzero(logsumexp(wealth, axis=1) - math.log(64) < -math.log(delta))[-1]
    return float(np.sort(costs)[possible]) if possible < n else high


def cvar(costs: np.ndarray, delta: float, high: float) -> float:
    x, thresholds = costs / high, np.array([0.0, *(2.0**-i for i in range(1, 12))])

    def is_refuted(v: float) -> bool:
        logs = []
        for t in thresholds[thresholds < v]:
            paid = 1 - np.maximum(x - t, 0) / (1 - t)
            gain = paid / (1 - 0.05 * (v - t) / (1 - t)) - 1
            logs.append(np.log1p(np.outer(gain, BOLD)).sum(axis=0))
        return bool(logsumexp(logs) - math.log(12 * 64) >= -math.log(delta)) if logs else False

    kept, refuted = 0.0, 1.0
    if not is_refuted(refuted):
        return high
    for _ in range(24):
        middle = (kept + refuted) / 2
        kept, refuted = (kept, middle) if is_refuted(middle) else (middle, refuted)
    return high * refuted


def worst_case(method: str, p: float, budget: float, order: float) -> float:
    """From the upper bound of a benign mean to every adversary."""
    if method == "gaussian":
        return float(ndtr(ndtri(p) + math.sqrt(budget)))
    if method in ("gaussian moment", "renyi moment"):
        rho = order * budget / 2 if method == "gaussian moment" else budget
        return min(math.exp(min((order - 1) / order * rho, 700)) * p ** ((order - 1) / order), 1.0)
    if method == "coupling":
        return min(p + 1 - math.exp(-budget), 1.0)
    if method == "additive":
        return min(p, 1.0)
    if method == "renyi":
        return renyi(p, budget, order)
    raise ValueError(f"unknown method {method!r}")


def renyi(p: float, rho: float, order: float) -> float:
    if not 0 < p < 1:
        return p
    low, high = p, 1.0
    for _ in range(200):
        u = (low + high) / 2
        hit = order * math.log(u) + (1 - order) * math.log(p)
        miss = order * math.log1p(-u) + (1 - order) * math.log1p(-p) if u < 1 else -math.inf
        inside = np.logaddexp(hit, miss) / (order - 1) <= rho
        low, high = (u, high) if inside else (low, u)
    return high


# The parts of a certificate.


class Checker:
    """Yields what is wrong. `deltas` are the shares by mode, eps, attack, metric and side."""

    def __init__(self, certificate: Data) -> None:
        self.c = certificate
        self.rows: list[Data] = certificate["rows"]
        self.limit = certificate["limit"]
        self.modes = [m for m in ("deterministic", "stochastic") if self.rows_of(m)]
        self.shares = {
            (s["mode"], s["eps"], s["attack"], s["metric"], s["side"]): s["delta"]
            for s in certificate["allocation"]
        }
        steps, cost = (certificate["environment"][k] for k in ("horizon", "max_step_cost"))
        known = steps is not None and cost is not None
        self.high = float(np.cumsum(np.full(steps, cost))[-1]) if known else None

    def rows_of(self, mode: str) -> list[Data]:
        return [row for row in self.rows if row["mode"] == mode]

    def problems(self) -> Iterator[str]:
        yield from self.hash()
        yield from self.allocation()
        yield from self.questions()
        for row in self.rows:
            place = f"eps {row['eps']:g} ({row['mode']})"
            checks = [self.evidence(row), self.lower(row), self.battery(row), self.every(row)]
            yield from (f"{place}: {words}" for check in checks for words in check)
        yield from self.decisions()
        yield from self.headlines()
        yield from self.notes()
        if self.c.get("model") is not None:
            yield from self.model(self.c["model"])

    def hash(self) -> Iterator[str]:
        if self.c["schema"] != "safer-gym/certificate/2":
            yield f"the schema {self.c['schema']!r} is not the one that is documented"
        kept = {k: v for k, v in self.c.items() if k not in ("content_hash", "signature")}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(text.encode()).hexdigest() != self.c["content_hash"]:
            yield "the content hash is another"

    def allocation(self) -> Iterator[str]:
        if [(r["mode"], r["eps"]) for r in self.rows] != [
            (mode, eps) for mode in self.modes for eps in sorted({r["eps"] for r in self.rows})
        ]:
            yield "rows are not one for each mode and radius, in order"
        made = [share for row in self.rows for share in self.shares_of(row)]
        found = [tuple(s[k] for k in ("mode", "eps", "attack", "metric", "side", "delta"))
                 for s in self.c["allocation"]]  # fmt: skip
        if found != made:
            yield "the shares of delta are others"
        if math.fsum(share[-1] for share in found) > self.c["delta"]:
            yield "the shares sum to more than delta"

    def shares_of(self, row: Data) -> Iterator[tuple]:
        mode, eps = row["mode"], row["eps"]
        place = (mode, eps, "rate", "lower")
        keys = ("mode", "eps", "metric", "side")
        chosen = [s["attack"] for s in self.c["allocation"] if tuple(s[k] for k in keys) == place]
        allowed = self.labels(row)
        if len(chosen) != min(3, len(allowed)) or not set(chosen) <= set(allowed):
            raise ValueError(f"lower ends of eps {eps:g} ({mode}) are of {chosen}")
        part = down(self.c["delta"] / len(self.rows)) / (8 if mode == "stochastic" else 6)
        for metric in METRICS:
            yield from ((mode, eps, a, metric, "lower", down(part / len(chosen))) for a in chosen)
            yield (mode, eps, "worst", metric, "upper", down(part))
            if mode == "stochastic":
                yield (mode, eps, "every", metric, "upper", down(part))
        yield from ((mode, eps, "worst", m, "upper", down(part)) for m in ("quantile", "cvar"))

    def labels(self, row: Data) -> list[str]:
        return self.c["attacks"] if row["eps"] > 0 else ["null"]

    def delta(self, row: Data, attack: str, metric: str, side: str) -> float | None:
        return self.shares.get((row["mode"], row["eps"], attack, metric, side))

    def episodes(self, row: Data, evidence: Data) -> Data:
        is_benign = row["mode"] == "stochastic" and evidence["attack"] == "null"
        return self.c["benign"] if is_benign else evidence

    # What was measured.

    def evidence(self, row: Data) -> Iterator[str]:
        measured = [a["attack"] for a in row["attacks"]]
        if measured != [label for label in self.labels(row) if label in measured]:
            yield f"the attacks {measured} are not the battery's"
        for a in row["attacks"]:
            source = self.episodes(row, a)
            costs, lengths = np.array(source["costs"]), np.array(source["lengths"])
            if not (a["n"] == source["n"] == len(costs) == len(source["returns"]) == len(lengths)):
                yield f"{a['attack']}: numbers of episodes differ"
                continue
            yield from (f"{a['attack']}: {words}" for words in self.episode_limits(costs, lengths))
            counted = {
                "violations": float((costs > self.limit).sum()),
                "mean_cost": costs.mean(),
                "mean_return": np.mean(source["returns"]),
            }
            yield from (f"{a['attack']}: {k} is not {v:g}" for k, v in counted.items()
                        if not close(a[k], v))  # fmt: skip
            for metric in METRICS:
                yield from self.ends(row, a, costs, metric)
            yield from self.tail(row, a, costs)

    def episode_limits(self, costs: np.ndarray, lengths: np.ndarray) -> Iterator[str]:
        steps, cost = (self.c["environment"][k] for k in ("horizon", "max_step_cost"))
        if (lengths < 1).any() or (steps is not None and (lengths > steps).any()):
            yield "an episode is longer than the horizon, or empty"
        if (costs < 0).any() or (cost is not None and (costs > lengths * cost * (1 + 1e-9)).any()):
            yield "an episode costs more than it can"

    def ends(self, row: Data, a: Data, costs: np.ndarray, metric: str) -> Iterator[str]:
        z, high = (costs > self.limit).astype(float), 1.0
        if metric == "mean":
            cap = self.high if self.high is not None else (a["search_max_cost"] or 0.0)
            high = cap if cap > 0 else 1.0
            z = np.minimum(costs, cap) / high
        lower, upper = a[f"{metric}_lower"], a[f"{metric}_upper"]
        own = self.delta(row, a["attack"], metric, "lower")
        worst = self.delta(row, "worst", metric, "upper")
        right = lower == 0 if own is None else is_lower(z, lower / high, own, SOLVER[metric])
        if not right:
            yield f"{a['attack']}: {metric}_lower does not follow"
        if metric == "mean" and self.high is None:
            right = upper is None
        else:
            right = is_upper(z, upper / high, worst, SOLVER[metric])
        if not right:
            yield f"{a['attack']}: {metric}_upper does not follow"

    def tail(self, row: Data, a: Data, costs: np.ndarray) -> Iterator[str]:
        for metric, bound in (("quantile", quantile), ("cvar", cvar)):
            found, delta = a[f"{metric}_upper"], self.delta(row, "worst", metric, "upper")
            made = None if self.high is None else bound(costs, delta, self.high)
            if not close(found, made):
                yield f"{a['attack']}: {metric}_upper does not follow"

    # Both ends of each sandwich.

    def lower(self, row: Data) -> Iterator[str]:
        smaller = [r for r in self.rows_of(row["mode"]) if r["eps"] <= row["eps"]]
        for metric in METRICS:
            best: tuple[float, str | None, float] = (0.0, None, row["eps"])
            for r in smaller:
                for a in r["attacks"]:
                    if a[f"{metric}_lower"] > best[0]:
                        best = (a[f"{metric}_lower"], a["attack"], r["eps"])
            end = row[metric]["lower"]
            if (end["value"], end["attack"], end["eps"]) != best:
                yield f"the lower end of the {metric} is not {best}"
            spent = [self.delta(r, label, metric, "lower") or 0.0
                     for r in smaller for label in self.labels(r)]  # fmt: skip
            if not close(end["delta"], math.fsum(spent)):
                yield f"the delta of the lower end of the {metric} is another"

    def battery(self, row: Data) -> Iterator[str]:
        measured = {a["attack"]: a for a in row["attacks"]}
        threats = [a for a in row["attacks"] if a["cost_directed"] and a["n"] > 0]
        refused = row["eps"] > 0 and (bool(self.c["unlearned"]) or not threats)
        for metric in METRICS:
            cap = 1.0 if metric == "rate" else self.high
            ends = {label: measured[label][f"{metric}_upper"] if label in measured else cap
                    for label in self.labels(row)}  # fmt: skip
            worst = max(ends, key=lambda label: -1.0 if ends[label] is None else ends[label])
            if cap is None:
                worst = next(iter(ends))
            end, value = row[metric]["upper_attacks"], ends[worst]
            made = (value, worst, self.delta(row, "worst", metric, "upper"))
            if (end["value"], end["attack"], end["delta"]) != made:
                yield f"the battery's upper end of the {metric} is not {made}"
            if end["vacuous"] != (value is None or value >= cap) or bool(end["refused"]) != refused:
                yield f"the battery's upper end of the {metric} is vacuous, or refused, or not"

    def every(self, row: Data) -> Iterator[str]:
        larger = [r for r in self.rows_of(row["mode"]) if r["eps"] >= row["eps"]]
        for metric in METRICS:
            end = row[metric]["upper_every"]
            if row["eps"] == 0:
                yield from self.unmoved(row, metric, end, larger[1:])
                continue
            if end["mode"] != "stochastic":
                yield f"no bound of the {metric} over every adversary is of that mode"
            if end["refused"] is not None or row["mode"] == "deterministic":
                if not end["refused"] or any(end[k] != v for k, v in NOTHING.items()):
                    yield f"the bound of the {metric} over every adversary is refused, or is not"
                continue
            cap = 1.0 if metric == "rate" else self.high
            spent = [self.delta(r, "every", metric, "upper") for r in larger]
            if cap is None or None in spent or not close(end["delta"], math.fsum(spent)):
                yield f"the delta of the {metric} over every adversary is another"
                continue
            home = next((r for r in larger if r["eps"] == end["eps"]), None)
            if home is not None and home is not row:
                other, skipped = home[metric]["upper_every"], ("delta", "spent", "promises")
                if any(end[k] != other[k] for k in end if k not in skipped):
                    yield f"the bound of the {metric} over every adversary is not its radius'"
            elif home is None:
                yield f"the bound of the {metric} over every adversary is of no larger radius"
            elif min(r[metric]["upper_every"]["value"] for r in larger) < end["value"]:
                yield f"a larger radius has a lower bound of the {metric} over every adversary"
            elif end["method"] == "trivial":
                made = {**NOTHING, "value": cap, "method": "trivial"}
                if any(end[k] != made[k] for k in ("value", "M", "p_ucb", "n", "hits", "vacuous")):
                    yield f"the trivial bound of the {metric} is {cap:g}"
            else:
                yield from self.composed(row, metric, end, cap)

    def unmoved(self, row: Data, metric: str, end: Data, larger: list[Data]) -> Iterator[str]:
        """At eps = 0 the bound without an attack, or a lower one of a larger radius."""
        what, cap = (
            f"the bound of the {metric} without room",
            1.0 if metric == "rate" else self.high,
        )
        if cap is None:
            if not end["refused"] or any(end[k] != v for k, v in NOTHING.items()):
                yield f"{what} is refused, or is not"
            return
        found = [a for a in row["attacks"] if a["attack"] == "null"]
        value = found[0][f"{metric}_upper"] if found else cap
        made = {**NOTHING, "value": value, "eps": 0.0, "mode": row["mode"]}
        made["n"] = found[0]["n"] if found else 0
        made["hits"] = found[0]["violations"] if found and metric == "rate" else 0
        made["vacuous"] = value >= cap
        bounded = [r for r in larger if r[metric]["upper_every"]["refused"] is None]
        bounded = bounded if row["mode"] == "stochastic" else []
        best = min(
            (r[metric]["upper_every"] for r in bounded), key=lambda e: e["value"], default=None
        )
        if best is not None and best["value"] < value:
            made = {k: best[k] for k in made}
        spent = [self.delta(row, "worst", metric, "upper")]
        spent += [self.delta(r, "every", metric, "upper") for r in bounded]
        if None in spent or not close(end["delta"], math.fsum(spent)):
            yield f"the delta of {what} is another"
        skipped = ("delta", "spent", "promises")
        if (
            end["refused"]
            or end["spent"]
            or any(end[k] != made[k] for k in made if k not in skipped)
        ):
            yield f"{what} is not {made['value']:g}"

    def composed(self, row: Data, metric: str, end: Data, cap: float) -> Iterator[str]:
        """A bound over every adversary, from the benign episodes of its own radius."""
        costs = np.array(self.c["benign"]["costs"][: len(end["spent"])])
        budget, order = end["options"]["budget"], end["options"].get("order", math.nan)
        spent = np.array([math.inf if s is None else s for s in end["spent"]])
        over, method = spent > budget, end["method"]
        shares = (costs > self.limit).astype(float) if metric == "rate" else costs / cap
        if (
            end["n"] != len(costs)
            or end["hits"] != (over | (metric == "rate") & (shares > 0)).sum()
        ):
            yield f"{metric}, every adversary: n or hits are others"
        top, values = 1.0, np.where(over, 1.0, shares)
        if method == "additive":
            top = 1 + budget
            values = np.where(over, top, shares + np.minimum(spent, budget))
        elif method.endswith("moment"):
            values = values ** (order / (order - 1))
        is_event = metric == "rate" and method != "additive"
        p = end["p_ucb"] if is_event else end["options"]["value_ucb"]
        if (end["p_ucb"] is None) == is_event:
            yield f"{metric}, every adversary: p_ucb is of rates"
        delta = self.delta(row, "every", metric, "upper")
        if not is_upper(values / top, p / top, delta, SOLVER["rate" if is_event else "mean"]):
            yield f"{metric}, every adversary: the bound of the benign mean does not follow"
        value = cap * worst_case(method, p, budget, order)
        if not close(end["value"], min(value, cap)) or end["vacuous"] != (end["value"] >= cap):
            yield f"{metric}, every adversary: the value is not {value:g}"
        shift = {"gaussian": budget, "renyi": 2 * budget / order}.get(method.split()[0])
        if not close(end["M"], None if shift is None else math.sqrt(shift)):
            yield f"{metric}, every adversary: M is another"

    # What follows for the questions.

    def questions(self) -> Iterator[str]:
        for r in self.c["requirements"]:
            what = f"P(cost > {r['limit']:.12g})" if r["metric"] == "rate" else "mean cost"
            against = {
                "attacks": "under attacks",
                "every": "for every adversary",
                "model": "for every adversary given the model",
            }[r["scope"]]
            channel = r.get("channel", "observation")
            where = "" if channel == "observation" else f"{channel} "
            text = (
                f"{what} <= {r['bound']:.12g} at {where}eps = {r['eps']:.12g} with "
                f"{100 * r['confidence']:.12g} % confidence {against} by the {r['mode']} policy"
            )
            if r["text"] != text:
                yield f"the requirement {r['text']!r} has other numbers than its words"
            if r["limit"] not in (None, self.limit):
                yield f"{r['text']!r} has another limit than the certificate"
            if channel != self.c.get("channel", "observation"):
                yield f"{r['text']!r} is about another channel than the certificate"
            if self.c["delta"] > (1 - r["confidence"]) * (1 + 1e-9):
                yield f"{r['text']!r} is more confident than the certificate"

    @property
    def doubt(self) -> bool:
        return any(flag["level"] == "error" for flag in self.c["flags"])

    def passes(self, row: Data, metric: str, scope: str, bound: float) -> bool:
        sandwich = row[metric]
        ends = [sandwich["upper_every"]["value"]]
        if scope == "model" and metric == "rate":
            ends.append(self.given_model(row["eps"]))
        if scope == "attacks" and not sandwich["upper_attacks"]["refused"]:
            ends.append(sandwich["upper_attacks"]["value"])
        return any(end is not None and end <= bound for end in ends)

    def given_model(self, eps: float) -> float | None:
        """The bound given a shield's model; that its proof was found is taken at its word."""
        model = self.c.get("model")
        if model is None or not model["proved"]:
            return None
        tests = [test for test in model["tests"] if test["eps"] <= eps]
        bad = ("left", "outside", "unexplained", "costly", "alarms", "infeasible")
        needed = [*self.shield_tests, *self.c["attacks"], *self.c["unlearned"]]
        places = {("null", 0.0), *((a, eps) for a in needed if eps > 0 and a != "null")}
        if not places <= {(test["attack"], test["eps"]) for test in tests}:
            return None
        if any(test[key] for test in tests for key in bad) or not self.built_for(model, eps):
            return None
        share = model["delta"] / len(model["tests"])
        return max(1 - share ** (1 / test["n"]) for test in tests)

    @property
    def shield_tests(self) -> tuple[str, ...]:
        """The attacks that a shield's model is tested under beside the battery's."""
        if self.c.get("channel", "observation") == "observation":
            return ("spoof", "greedy")
        return ("full push low", "full push high", "full push held")

    def model(self, model: Data) -> Iterator[str]:
        """The tests of a shield's model, and its numbers; the counts are taken at their word."""
        radii = [row["eps"] for row in self.rows_of("deterministic") if row["eps"] > 0]
        labels = [*self.shield_tests, *(a for a in self.c["attacks"] if a != "null")]
        known = {("null", 0.0), *((a, eps) for a in labels for eps in radii)}
        places = [(test["attack"], test["eps"]) for test in model["tests"]]
        if len(set(labels)) < len(labels) or len(set(places)) < len(places):
            yield "the model has two tests of one name"
        if not set(places) <= known:
            yield f"tests of the model that none asked for: {sorted(set(places) - known)}"
        if model["delta"] != self.c["delta"]:
            yield "the tests of the model have another delta than the certificate"
        share = model["delta"] / max(len(model["tests"]), 1)
        for test in model["tests"]:
            yield from self.counts(test, share)
        shield = shield_of(model)
        if any(room_missing(shield, part) for part in shield["parts"]):
            yield "the errors of the shield's model are too small for what it says it allows for"

    def counts(self, test: Data, share: float) -> Iterator[str]:
        """One test's."""
        n, steps, place = test["n"], test["steps"], f"the model under {test['attack']}"
        if n != min(self.c["episodes"]["measure"], 100):
            yield f"{place} was tested on another number of episodes"
        episodes = ("left", "outside", "unexplained", "costly", "alarms")
        if not all(0 <= test[k] <= n for k in episodes):
            yield f"{place}: more episodes are counted than there were"
        if not all(0 <= test[k] <= steps for k in ("moved", "infeasible")):
            yield f"{place}: more steps are counted than there were"
        left = test["left"]
        upper = 1.0 if left >= n else float(beta.ppf(1 - share, left + 1, n - left))
        if not math.isclose(test["upper"], upper, rel_tol=1e-6):
            yield f"{place}: upper does not follow"

    def built_for(self, model: Data, eps: float) -> bool:
        """Whether the shield allows for all that an adversary of this radius can do."""
        shield, scale = shield_of(model), self.c["scale"]
        unit = np.array([1.0] if scale is None else scale)
        channel = self.c.get("channel", "observation")
        if channel != "observation":
            built = shield["action_eps" if channel == "action" else "disturbance"]
            return bool(eps * unit.max() <= built * (1 + 1e-9))
        order = {"linf": 1, "l2": 2, "l1": np.inf}[self.c["norm"]]
        return all(
            np.linalg.norm(np.array(row) * unit * eps, order) <= reach * (1 + 1e-9)
            for part in shield["parts"]
            for row, reach in zip(part["weight"], part["reach"], strict=True)
        )

    def decisions(self) -> Iterator[str]:
        verdicts = set()
        for r in self.c["requirements"]:
            row = next((w for w in self.rows_of(r["mode"]) if w["eps"] == r["eps"]), None)
            verdict = "INCONCLUSIVE"
            if row is not None and not self.doubt:
                if row[r["metric"]]["lower"]["value"] > r["bound"]:
                    verdict = "FAIL"
                elif self.passes(row, r["metric"], r["scope"], r["bound"]):
                    verdict = "PASS"
            verdicts.add(verdict)
            if r["verdict"] != verdict:
                yield f"{r['text']!r} is {verdict}, not {r['verdict']}"
        whole = "FAIL" if "FAIL" in verdicts else "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"
        if self.c["verdict"] != whole:
            yield f"the verdict is {whole}, not {self.c['verdict']}"

    def headlines(self) -> Iterator[str]:
        made = [self.headline(mode) for mode in self.modes[::-1]]
        found = [{k: v for k, v in line.items() if k != "reason"} for line in self.c["headlines"]]
        if found != made:
            yield f"the headlines are {made}"
        elif any(self.c[k] != made[0][k] for k in ("attacked_eps", "certified_eps")):
            yield "the certificate's radii are not those of its first headline"

    def headline(self, mode: str) -> Data:
        rates = [r for r in self.c["requirements"] if r["metric"] == "rate"]
        own = [r["bound"] for r in rates if r["mode"] == mode] + [r["bound"] for r in rates]
        rate, rows = [*own, 0.05][0], self.rows_of(mode) * (not self.doubt)
        attacked = [r["eps"] for r in rows if r["rate"]["lower"]["value"] > rate]
        certified = [r["eps"] for r in rows if self.passes(r, "rate", "every", rate)]
        stood = []
        for r in rows:
            if not self.passes(r, "rate", "attacks", rate):
                break
            stood.append(r["eps"])
        own = mode == "deterministic"
        given = [(r["eps"], self.given_model(r["eps"])) for r in rows if own and r["eps"] > 0]
        refuted = {r["eps"] for r in rows if r["rate"]["lower"]["value"] > rate}
        held = [e for e, end in given if end is not None and end <= rate and e not in refuted]
        known = {"certified_eps_given_model": max(held)} if held else {}
        return {
            **known,
            "mode": mode,
            "rate": rate,
            "attacked_eps": min(attacked, default=None),
            "certified_eps": max(certified, default=None),
            "certified_eps_attacks": max(stood, default=None),
        }

    def notes(self) -> Iterator[str]:
        made = [note for mode in self.modes for note in self.costliest(mode)]
        keys = ("mode", "attack", "eps", "index", "seed")
        if [tuple(n[k] for k in keys) for n in self.c["episodes_of_note"]] != [m[:5] for m in made]:
            yield "the episodes of note are others"
        elif not any(flag["name"] == "not-repeatable" for flag in self.c["flags"]):
            pairs = zip(self.c["episodes_of_note"], made, strict=True)
            if any((note["cost"], note["reward"]) != m[5:] for note, m in pairs):
                yield "an episode of note costs or earns something else than where it was measured"

    def costliest(self, mode: str) -> list[tuple]:
        found = []
        for row in self.rows_of(mode):
            attacked = [a for a in row["attacks"] if a["attack"] != "null"]
            if attacked:
                worst = max(attacked, key=lambda a: max(a["costs"]))
                index = worst["costs"].index(max(worst["costs"]))
                seed = start(self.c["seed"]) + 1_000_000 + index
                outcome = (worst["costs"][index], worst["returns"][index])
                found.append((mode, worst["attack"], row["eps"], index, seed, *outcome))
        found.sort(key=lambda note: (-note[5], note[2]))
        return [note for note in found[: 4 // len(self.modes)] if note[5] > 0]


def shield_of(model: Data) -> Data:
    """The numbers of a shield, all of them finite."""
    shield = json.loads(model["shield"], parse_constant=_refuse, object_pairs_hook=_once)
    pushes = shield["pushes"] if shield["format"] == "safer-gym/shield/2" else {}
    radii = [*(shield[key] for key in ("eps", "action_eps", "disturbance")), *pushes.values()]
    if not all(isinstance(v, int | float) and 0 <= v < math.inf for v in radii):
        raise ValueError("a shield's radii are no finite numbers >= 0")
    if shield["disturbance"] > 0 and not pushes:
        raise ValueError("a shield allows for disturbances, and does not say what they move")
    for part in shield["parts"]:
        for key in ("weight", "reach", "action_low", "action_high"):
            if not np.isfinite(np.array(part[key], float)).all():
                raise ValueError(f"a shield's {key} is not finite")
    if shield["format"] not in ("safer-gym/shield/1", "safer-gym/shield/2"):
        raise ValueError(f"a shield of format {shield['format']!r}")
    return {**shield, "pushes": pushes}


def room_missing(shield: Data, part: Data) -> bool:
    """Whether one state and action lead to more next states than a part's model allows for."""
    free = {key: np.array(part["free"][key], float) for key in ("B", "low", "high")}
    pushed = [shield["disturbance"] * shield["pushes"].get(name, 0.0) for name in part["names"]]
    least = 2 * np.array(pushed)
    if "function" not in part:
        half = (np.array(part["action_high"]) - np.array(part["action_low"])) / 2
        least = least + 2 * np.abs(free["B"]) @ np.minimum(half, shield["action_eps"])
    return not (free["high"] - free["low"] >= least * (1 - 1e-9) - 1e-12).all()


def start(seed: int) -> int:
    """Where the seeds of a certificate begin."""
    word = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    return word % (2**31 - 1 - 4_000_000) if seed else 0


def down(value: float) -> float:
    """Two floats below."""
    return float(np.nextafter(np.nextafter(value, 0.0), 0.0))


def close(found: float | None, made: float | None) -> bool:
    """Equal, but for rounding."""
    if found is None or made is None:
        return found is made
    return math.isclose(found, made, rel_tol=1e-6, abs_tol=1e-9)


def check(text: str) -> list[str]:
    """What is wrong with a certificate, given as the text of its file."""
    try:
        certificate = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
        with np.errstate(all="ignore"):
            return list(Checker(certificate).problems())
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        return [f"it cannot be read: {type(error).__name__}: {error}"]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Data:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def main(paths: list[str]) -> int:
    """Check each file; 0 if all agree."""
    wrong = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            problems = check(file.read())
        wrong += bool(problems)
        print(f"{path}: {'agrees' if not problems else 'does not agree'}")
        print(*(re.sub(r"[^ -~]", "?", f"  {problem}"[:500]) for problem in problems), sep="\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
