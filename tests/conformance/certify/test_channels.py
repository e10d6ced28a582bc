"""Certificates against adversaries that move actions, or disturb the world."""

from __future__ import annotations

import json
import math
import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from certify_toys import Line, homing_network
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm as gaussian
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import gaussian_filter
from safer_gym.bounds.smoothing import noise_shift
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify.entry import certify
from safer_gym.conformance.certify.plan import make_plan
from safer_gym.conformance.certify.replay import replay
from safer_gym.conformance.certify.verify import verify
from safer_gym.types import AttackResult, Victim
from safer_gym.wrappers.policies.noisy_actions import NoisyActions

ROOT = Path(__file__).parents[3]
STEPS, STD, LIMIT = 4, 0.5, 1.5


class Sum(gym.Env):
    """The cost is one where the actions add up to more than LIMIT. Nothing is seen."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-9.0, 9.0, (1,), np.float32)
    disturbance_space = gym.spaces.Box(-0.5, 0.5, (1,), np.float32)
    max_step_cost = 1.0
    spec = gym.envs.registration.EnvSpec("Sum-v0", max_episode_steps=STEPS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps, self.total, self.gust = 0, 0.0, 0.0
        self.start = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.start, {}

    def disturb(self, disturbance: Any) -> None:
        self.gust = float(disturbance[0])

    def step(self, action: Any) -> Any:
        self.steps, self.total = self.steps + 1, self.total + float(action[0]) + self.gust
        self.gust = 0.0
        cost = float(self.total > LIMIT) if self.steps == STEPS else 0.0
        return self.start, 0.0, False, self.steps == STEPS, {"cost": cost}


def rest(obs: np.ndarray) -> np.ndarray:
    """A black box: a callable from one observation to one action."""
    return np.zeros(1, np.float32)


def exact(eps: float) -> float:
    """The worst case, of a constant push: the sum is N(STEPS eps, STEPS STD^2)."""
    return float(gaussian.sf((LIMIT - STEPS * eps) / (STD * math.sqrt(STEPS))))


@dataclass(frozen=True)
class Push:
    """Moves as far up as the ball allows."""

    cost_directed: ClassVar = True
    per_row_noise: ClassVar = False

    def __call__(
        self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None
    ) -> AttackResult:
        nothing = obs.new_zeros(len(obs))
        return AttackResult(ball.project(obs, obs + ball.eps.to(obs)), nothing, nothing)


QUICK: dict[str, Any] = {"battery": {"push": Push()}, "episodes": 100, "benign_episodes": 1500}


@pytest.mark.parametrize("eps", [0.05, 0.1, 0.2])
def test_the_bound_is_attained_by_a_constant_shift(eps: float) -> None:
    policy = NoisyActions.constant(lambda obs: 0 * obs, STD)
    shift = float(policy.shift(LpBall.of("linf", eps), torch.zeros(1, 1)))
    bound = gaussian_filter(exact(0.0), math.sqrt(STEPS) * shift)
    assert bound == pytest.approx(exact(eps), rel=1e-4)
    assert bound >= exact(eps)


@given(
    p=st.sampled_from((1, 2, math.inf)),
    seed=st.integers(0, 10_000),
    full=st.booleans(),
)
@settings(max_examples=40)
def test_no_move_in_the_ball_shifts_by_more_and_one_by_as_much(
    p: float, seed: int, full: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    eps = torch.rand(3, generator=generator, dtype=torch.float64)
    eps[seed % 3] *= seed % 2
    scale = 0.1 + torch.rand(1, 3, generator=generator, dtype=torch.float64)
    if full:
        scale = torch.diag_embed(scale) + torch.randn(
            1, 3, 3, generator=generator, dtype=torch.float64
        ).tril(-1)
    found = float(noise_shift(p, eps, scale)[0])
    moves = LpBall(p, eps).offsets(torch.zeros(5000, 3, dtype=torch.float64), generator)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).double()
    corners = signs * eps if p == math.inf else torch.diag(eps)
    moves = torch.cat([moves, corners])
    if full:
        sizes = torch.linalg.solve_triangular(scale[0], moves.T, upper=False).norm(dim=0)
    else:
        sizes = (moves / scale[0]).norm(dim=1)
    assert float(sizes.max()) <= found
    if not (full and p != 1):
        assert float(sizes.max()) == pytest.approx(found, rel=1e-5)


@pytest.fixture(scope="module")
def certified() -> Certificate:
    text = "P(cost > 0) <= 0.3 at action eps = 0.1 for every adversary"
    return certify(rest, Sum, requirement=text, action_noise=STD, eps=(0.05, 0.1, 0.4), **QUICK)


def test_a_black_box_with_noise_on_its_action_has_a_bound_over_every_adversary(
    certified: Certificate,
) -> None:
    assert certified.verdict == "PASS", certified.requirements
    assert certified.channel == certified.requirements[0].channel == "action"
    for row in certified.rows:
        every = row.rate.upper_every
        assert every.method == "gaussian"
        assert every.value >= exact(row.eps)
        assert row.rate.lower.value <= exact(row.eps) <= every.value
        assert every.value <= min(1.0, 2.2 * exact(row.eps))
    pushed = certified.row(0.4, "stochastic").attacks
    rate = next(a.violations / a.n for a in pushed if a.attack == "push")
    assert rate == pytest.approx(exact(0.4), abs=0.15)


def test_verify_and_replay_agree(certified: Certificate, tmp_path: Any) -> None:
    assert verify(certified) == ()
    path = tmp_path / "certificate.json"
    certified.save(path)
    again = Certificate.load(path)
    assert again == certified
    note = next(n for n in again.episodes_of_note if n.attack == "push")
    index = again.episodes_of_note.index(note)
    assert replay(again, rest, Sum, index, battery=QUICK["battery"]).cost == note.cost


def test_the_second_checker_agrees(certified: Certificate) -> None:
    check = runpy.run_path(str(ROOT / "examples" / "check_certificate.py"))["check"]
    assert check(json.dumps(certified.to_json())) == []
    (decision,) = certified.requirements
    other = replace(decision, channel="disturbance")
    assert check(json.dumps(replace(certified, requirements=(other,)).sealed().to_json()))


@pytest.mark.parametrize("channel", ["observation", "disturbance"])
def test_another_channel_is_another_certificate(certified: Certificate, channel: str) -> None:
    assert verify(replace(certified, channel=channel).sealed())  # type: ignore[arg-type]
    (decision,) = certified.requirements
    changed = replace(decision, channel=channel)
    assert verify(replace(certified, requirements=(changed,)).sealed())


def test_disturbances_have_attacks_and_no_bound_over_every_adversary() -> None:
    found = certify(
        rest,
        Sum,
        requirement="P(cost > 0) <= 0.3 at disturbance eps = 0.1 under attacks",
        modes=["deterministic"],
        eps=(0.1, 0.5),
        **QUICK,
    )
    assert found.verdict == "PASS"
    assert found.row(0.5, "deterministic").rate.lower.value > 0.5
    assert verify(found) == ()
    noisy = certify(rest, Sum, eps=0.1, limit=0, channel="disturbance", action_noise=STD, **QUICK)
    assert "meets the world" in noisy.rows[0].rate.upper_every.refused
    assert noisy.rows[0].rate.upper_every.value is None


def test_observations_of_a_black_box_have_no_bound() -> None:
    with pytest.raises(ValueError, match=r"action_noise can ?not be bounded"):
        certify(rest, Sum, eps=0.1, limit=0, action_noise=STD, **QUICK)


def test_a_certificate_has_one_channel() -> None:
    with pytest.raises(ValueError, match=r"one channel, got \['action', 'observation'\]"):
        certify(
            rest,
            Sum,
            requirement=[f"P(cost > 0) <= 0.3 at {word}eps = 0.1" for word in ("action ", "")],
        )
    with pytest.raises(ValueError, match="Did you mean 'action'"):
        make_plan([], eps=0.1, limit=0.0, modes=None, delta=None, channel="actions")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_policy_without_critics_is_attacked_by_fitted_ones_on_its_actions() -> None:
    """The ball of an attack on actions has entries that an observation does not have."""
    found = certify(
        homing_network(), Line, battery="quick", channel="action", eps=[0.1], limit=2.0,
        modes=["deterministic"], episodes=25,
    )  # fmt: skip
    assert "mc fitted" in found.attacks
    assert verify(found) == ()
