"""Certificates of the packaged policies: both ends of the worst case, how long they take.

Each policy is certified with the whole standard battery, once as it is packaged, drawing with its
own noise, and once with constant noise on its mean action. The deterministic policy, which has no
bound over every adversary, is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

import gymnasium as gym

import safer_gym.wrappers  # noqa: F401  (registers the tasks)
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.loading import load_policy
from safer_gym.types import Attack
from safer_gym.wrappers.tasks import COST_LIMIT, TASKS

POLICIES = ("ball-circle/cvpo", "ball-circle/safer-attacked")
NOISES = (None, 0.3)
"""None: the policy's own."""
EPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05)
"""The smallest is there for the policies' own noise, which certifies no larger one."""

Row = dict[str, Any]


class Effort(NamedTuple):
    """How much to do."""

    policies: tuple[str, ...] = POLICIES
    eps: tuple[float, ...] = EPS
    battery: str | Mapping[str, Attack] = "standard"
    episodes: int = 200
    workers: int = 2
    seed: int = 0
    rate: float = 0.25
    """Violations that are asked for: at most these, as in examples/ci_project."""

    @property
    def requirements(self) -> tuple[str, str]:
        """Of the smallest radius for every adversary, of the largest for the battery."""
        asked = f"P(cost > {COST_LIMIT:g}) <= {self.rate:g} at eps = "
        of_whom = "by the stochastic policy"
        return (
            f"{asked}{min(self.eps):g} for every adversary {of_whom}",
            f"{asked}{max(self.eps):g} under attacks {of_whom}",
        )

    @property
    def setting(self) -> dict[str, Any]:
        """For the record."""
        battery = self.battery if isinstance(self.battery, str) else ", ".join(self.battery)
        return {
            "requirements": "; ".join(self.requirements),
            "battery": battery,
            "episodes": self.episodes,
            "workers": self.workers,
            "seed": self.seed,
        }


class Timed(NamedTuple):
    """A certificate and what it took."""

    certificate: Certificate
    cpu_s: float
    """Of all processes."""


def measure(
    effort: Effort | None = None, noises: tuple[float | None, ...] = NOISES
) -> dict[str, Any]:
    """A certificate for each policy and noise; a row for each radius, and the headlines."""
    effort = effort or Effort()
    rows: list[Row] = []
    headlines: list[Row] = []
    for name, noise in ((name, noise) for name in effort.policies for noise in noises):
        found = certified(name, effort, modes=("stochastic",), action_noise=noise)
        rows += [_row(name, noise, row) for row in found.certificate.rows]
        headlines += _headlines(name, noise, found)
    return {
        "benchmark": "certificates",
        "setting": effort.setting,
        "rows": rows,
        "headlines": headlines,
    }


def certified(name: str, effort: Effort, **options: Any) -> Timed:
    """A packaged policy's certificate on its own task."""
    task = TASKS[name.split("/")[0]]
    before = _cpu()
    certificate = certify(
        load_policy(name).policy,
        _maker(task.env_id),
        eps=effort.eps,
        requirement=effort.requirements,
        battery=effort.battery,
        episodes=effort.episodes,
        workers=effort.workers,
        seed=effort.seed,
        source=name,
        **options,
    )
    return Timed(certificate, _cpu() - before)


def _maker(env_id: str) -> Callable[[], gym.Env]:
    return lambda: gym.make(env_id)


def _row(name: str, noise: float | None, row: Any) -> Row:
    rate, every = row.rate, row.rate.upper_every
    return {
        "policy": name,
        "action_noise": noise,
        "eps": row.eps,
        "at_least": rate.lower.value,
        "by": rate.lower.attack,
        "at_most_battery": rate.upper_attacks.value,
        "at_most_any": every.value,
        "vacuous": every.value is not None and every.vacuous,
        "M": every.M,
        "benign_episodes": every.n,
        "benign_hits": every.hits,
        "attack_episodes": sum(a.n for a in row.attacks if a.attack != "null"),
    }


def _headlines(name: str, noise: float | None, found: Timed) -> list[Row]:
    certificate = found.certificate
    benign = certificate.benign
    assert benign is not None
    violations = sum(cost > certificate.limit for cost in benign.costs)
    return [
        {
            "policy": name,
            "action_noise": noise,
            "reward": sum(benign.returns) / benign.n,
            "violations": violations / benign.n,
            "rate": line.rate,
            "attacked_eps": line.attacked_eps,
            "withstood_eps": line.certified_eps_attacks,
            "certified_eps": line.certified_eps,
            "wall_s": certificate.seconds,
            "cpu_s": found.cpu_s,
            "digest": certificate.policy.digest,
        }
        for line in certificate.headlines
    ]


def _cpu() -> float:
    """Seconds of this process and of those it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    )
