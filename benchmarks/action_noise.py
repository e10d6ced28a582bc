"""What constant action noise costs and buys: reward and benign violations against certified eps.

Each row is another policy: the packaged one's mean action plus Gaussian noise of one deviation.
Only one attack is run (`mc`), so the attacked eps is a weaker statement than that of a whole
battery; the certified eps holds for every adversary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.certificates import Effort, Row, Timed, certified
from safer_gym.attacks import make_attack

NOISES = (0.1, 0.2, 0.25, 0.3, 0.4)
"""In units of an action box from -1 to 1."""


def measure(effort: Effort | None = None, noises: tuple[float, ...] = NOISES) -> dict[str, Any]:
    """A row for each policy and deviation; the first of each is the policy with its own noise."""
    effort = effort or Effort(battery={"mc": make_attack("mc")})
    rows = []
    for name in effort.policies:
        for noise in (None, *noises):
            found = certified(name, effort, modes=("stochastic",), action_noise=noise)
            rows.append(_row(name, noise, found))
    return {"benchmark": "action noise", "setting": effort.setting, "rows": rows}


def _row(name: str, noise: float | None, found: Timed) -> Row:
    certificate = found.certificate
    benign, (line,) = certificate.benign, certificate.headlines
    assert benign is not None
    bounds = [row.rate.upper_every for row in certificate.rows]
    return {
        "policy": name,
        "action_noise": noise,
        "reward": float(np.mean(benign.returns)),
        "cost": float(np.mean(benign.costs)),
        "violations": float(np.mean(np.array(benign.costs) > certificate.limit)),
        "benign_episodes": benign.n,
        "attacked_eps": line.attacked_eps,
        "certified_eps": line.certified_eps,
        "M": {f"{row.eps:g}": bound.M for row, bound in zip(certificate.rows, bounds, strict=True)},
        "at_most_any": {
            f"{row.eps:g}": bound.value for row, bound in zip(certificate.rows, bounds, strict=True)
        },
        "cpu_s": found.cpu_s,
    }
