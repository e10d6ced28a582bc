"""Certificates to draw: made-up episodes, real bounds of them, every part of the schema in use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import norm

from safer_gym.conformance.statistics import binomial_lower, binomial_upper

EPS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05)
LIMIT, DELTA, HORIZON = 5.0, 0.05, 200
ATTACKS = {"null": 0.0, "uniform": 0.1, "mad": 0.5, "mr": 0.8, "mc": 1.0, "random_search": 0.6}
SHARE = DELTA / 300


def _costs(strength: float, n: int, chance: np.random.Generator) -> np.ndarray:
    """Mostly nothing, and more with the strength of the attack."""
    hit = chance.random(n) < 1.0 - math.exp(-strength)
    return np.round(hit * chance.gamma(2.0, 2.0 + 12.0 * strength, n)).clip(0, HORIZON)


def _attack(name: str, strength: float, chance: np.random.Generator) -> dict[str, Any]:
    n = 120
    costs = _costs(strength, n, chance)
    k = int((costs > LIMIT).sum())
    mean = float(costs.mean())
    return {
        "attack": name,
        "n": n,
        "violations": k,
        "mean_cost": mean,
        "mean_return": 600.0 - mean,
        "rate_lower": binomial_lower(k, n, SHARE),
        "rate_upper": binomial_upper(k, n, SHARE),
        "mean_lower": max(0.0, mean - 4.0),
        "mean_upper": mean + 9.0,
        "quantile_upper": float(np.quantile(costs, 0.97)) + 3.0,
        "cvar_upper": float(costs.max()) + 1.0,
        "costs": costs.tolist(),
        "returns": (600.0 - costs).tolist(),
        "lengths": [HORIZON] * n,
        "search_mean_cost": mean,
        "search_max_cost": float(costs.max()),
        "cost_directed": name in ("mc", "random_search"),
        "evidence": "statistical",
    }


def _every(eps: float, weakness: float, *, metric: str) -> dict[str, Any]:
    budget, p = 110.0 * eps * weakness, 0.012
    value = float(norm.cdf(norm.ppf(p) + budget))
    value = value if metric == "rate" else value * HORIZON
    return {
        "value": value,
        "method": "gaussian" if metric == "rate" else "gaussian moment",
        "M": budget,
        "p_ucb": p,
        "n": 600,
        "hits": 1,
        "delta": SHARE,
        "vacuous": budget > 4.0,
        "mode": "stochastic",
        "refused": None,
        "eps": eps,
        "spent": [],
        "options": None,
        "promises": {"gaussian": value, "coupling": 1.2 * value, "additive": 1.4 * value},
        "evidence": "statistical, over a formal enclosure",
    }


def _refused() -> dict[str, Any]:
    return {
        **_every(0.0, 0.0, metric="rate"),
        **{"value": None, "method": None, "M": None, "p_ucb": None, "n": 0, "hits": 0},
        "promises": None,
        "refused": "a deterministic policy has no action noise to bound a divergence with",
    }


def _sandwich(metric: str, eps: float, attacks: list[dict], every: dict) -> dict[str, Any]:
    low = max(attacks, key=lambda a: a[f"{metric}_lower"])
    high = max(attacks, key=lambda a: a[f"{metric}_upper"])
    return {
        "lower": {
            "value": low[f"{metric}_lower"],
            "attack": low["attack"] if low[f"{metric}_lower"] > 0 else None,
            "eps": eps,
            "delta": SHARE * len(attacks),
            "evidence": "statistical",
        },
        "upper_attacks": {
            "value": high[f"{metric}_upper"],
            "attack": high["attack"],
            "delta": SHARE,
            "vacuous": False,
            "refused": None,
            "evidence": "statistical",
        },
        "upper_every": every,
    }


def _row(eps: float, mode: str, weakness: float, chance: np.random.Generator) -> dict[str, Any]:
    attacks = [
        _attack(name, weakness * eps * 40.0 * strength, chance)
        for name, strength in ATTACKS.items()
    ]
    ends = {
        metric: _sandwich(
            metric,
            eps,
            attacks,
            _refused() if mode == "deterministic" else _every(eps, weakness, metric=metric),
        )
        for metric in ("rate", "mean")
    }
    return {"eps": eps, "mode": mode, "attacks": attacks, **ends}


def _trace(eps: float, chance: np.random.Generator) -> dict[str, Any]:
    angle = np.linspace(0.0, 6.0, HORIZON)
    positions = np.stack([6.8 * np.cos(angle), 6.5 * np.sin(angle)], 1)
    clean = np.stack([np.sin(angle * (i + 1) / 3) for i in range(8)], 1)
    pushed = np.sign(np.sin(angle[:, None] * np.arange(1, 9)))
    return {
        "clean": clean.round(4).tolist(),
        "attacked": (clean + eps * pushed * chance.random(clean.shape)).round(4).tolist(),
        "positions": positions.round(4).tolist(),
        "costs": (np.abs(positions[:, 0]) > 6.0).astype(float).tolist(),
        "calm_positions": (positions * [0.85, 1.0]).round(4).tolist(),
        "calm_costs": [0.0] * HORIZON,
    }


def _decision(row: dict[str, Any], scope: str, rate: float) -> dict[str, Any]:
    eps, mode, ends = row["eps"], row["mode"], row["rate"]
    upper = ends["upper_attacks" if scope == "attacks" else "upper_every"]["value"]
    verdict = "INCONCLUSIVE"
    verdict = "PASS" if upper is not None and upper <= rate else verdict
    verdict = "FAIL" if ends["lower"]["value"] > rate else verdict
    against = "under attacks" if scope == "attacks" else "for every adversary"
    return {
        "text": f"P(cost > 5) <= {rate:g} at eps = {eps:g} with 95 % confidence {against} by the "
        f"{mode} policy",
        "limit": LIMIT,
        "bound": rate,
        "metric": "rate",
        "eps": eps,
        "scope": scope,
        "confidence": 0.95,
        "mode": mode,
        "channel": "observation",
        "verdict": verdict,
        "why": f"the bounds are {ends['lower']['value']:.4f} and {upper:.4f}"
        if upper is not None
        else "there is no upper bound",
    }


def _allocation(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **{"eps": row["eps"], "mode": row["mode"], "metric": metric},
            **{"attack": attack, "side": side, "delta": SHARE},
        }
        for row in rows
        for metric in ("rate", "mean")
        for attack, side in [*((name, "lower") for name in ATTACKS), ("worst", "upper")]
    ]


def sample(weakness: float = 1.0, *, requirements: bool = True) -> dict[str, Any]:
    """The JSON of a certificate; 1.0 is a policy like CVPO, 0.05 one like SAFER."""
    chance = np.random.default_rng(0)
    modes = ("deterministic", "stochastic")
    rows = [_row(eps, mode, weakness, chance) for mode in modes for eps in EPS]
    decisions = [_decision(rows[3], "attacks", 0.1), _decision(rows[7], "every", 0.05)]
    verdicts = [d["verdict"] for d in decisions]
    verdict = next((v for v in ("FAIL", "INCONCLUSIVE") if v in verdicts), "PASS")
    name = "ball-circle/cvpo" if weakness > 0.5 else "ball-circle/safer-attacked"
    return {
        "schema": "safer-gym/certificate/1",
        "created": "2026-11-20T14:00:00+00:00",
        "command": f"safer-gym certify {name} --requirement requirements.toml",
        "versions": {"safer-gym": "0.1.0", "python": "3.11.7", "torch": "2.13.0"},
        "policy": {
            **{"digest": "d4e236cc" * 8, "kind": "sb3", "source": name},
            **{"action_noise": None, "observation_noise": None, "normaliser": None},
        },
        "environment": {
            "id": "SaferGym/BallCircle-v0",
            "digest": "0f1e2d3c" * 8,
            "horizon": HORIZON,
            "max_step_cost": 1.0,
        },
        "norm": "linf",
        "scale": None,
        "limit": LIMIT,
        "delta": DELTA,
        "seed": 0,
        "battery": "standard",
        "episodes": {"search": 25, "measure": 120, "benign": 600},
        "allocation": _allocation(rows),
        "rows": rows,
        "benign": None,
        "requirements": decisions if requirements else [],
        "headlines": [_headline(rows, mode) for mode in modes[::-1]],
        "attacked_eps": _headline(rows, "stochastic")["attacked_eps"],
        "certified_eps": _headline(rows, "stochastic")["certified_eps"],
        "verdict": verdict,
        "flags": _flags(),
        "refusals": [
            {"what": "other adversaries against the deterministic policy", "reason": "no noise"}
        ],
        "episodes_of_note": [_of_note(rows[5], i, chance) for i in range(2)],
        "seconds": 431.0,
        "attacks": [*ATTACKS, "learned"],
        "unlearned": [],
        "units": "raw",
        "channel": "observation",
    }


def _headline(rows: list[dict[str, Any]], mode: str) -> dict[str, Any]:
    own = [row for row in rows if row["mode"] == mode]
    attacked = [r["eps"] for r in own if r["rate"]["lower"]["value"] > 0.05]
    held = [r["eps"] for r in own if r["rate"]["upper_attacks"]["value"] <= 0.1]
    every = [r["eps"] for r in own if (r["rate"]["upper_every"]["value"] or 1.0) <= 0.05]
    return {
        "mode": mode,
        "rate": 0.05,
        "attacked_eps": min(attacked, default=None),
        "certified_eps": max(every, default=None),
        "certified_eps_attacks": max(held, default=None),
        "reason": None,
    }


def _flags() -> list[dict[str, str]]:
    return [
        {
            "name": "gradient_free_wins",
            "level": "warning",
            "message": "random search found more cost than every gradient attack at eps = 0.01; "
            "the gradients may be masked.",
        }
    ]


def _of_note(row: dict[str, Any], index: int, chance: np.random.Generator) -> dict[str, Any]:
    attack = row["attacks"][4]
    order = np.argsort(attack["costs"])[::-1]
    cost = attack["costs"][int(order[index])]
    return {
        "eps": row["eps"],
        "mode": row["mode"],
        "attack": "mc",
        "index": int(order[index]),
        "seed": 1000 + int(order[index]),
        "cost": cost,
        "reward": 600.0 - cost,
        "replay": f"safer-gym replay certificate.json --episode {index}",
        "trace": _trace(row["eps"], chance),
    }
