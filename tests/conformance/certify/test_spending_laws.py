"""What an adversary uses up by its closed form; which attacks may count; whose noise is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from certify_toys import Line, Push, homing
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import Tensor

from safer_gym.attacks.verify import AdversaryError
from safer_gym.balls import LpBall
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.divergence import HAZARD, TV, TV_LEFT, spent_budgets
from safer_gym.conformance.certify.search import CHOSEN
from safer_gym.conformance.certify.verify import verify
from safer_gym.types import AttackResult, Victim
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy

STEPS = 4
EPISODE = [np.linspace(-0.5, 0.5, STEPS)[:, None]]
STD = 0.2


@settings(max_examples=25)
@given(st.floats(0.001, 0.1))
def test_constant_noise_spends_the_square_of_each_shift(eps: float) -> None:
    """a = -x / 2: a ball of eps moves the mean by eps / 2, in deviations eps / (2 std)."""
    (spent,) = spent_budgets(homing(STD), EPISODE, [LpBall.of("linf", eps)], STEPS)
    shift = 0.5 * eps / STD
    tv = 2 * norm.cdf(shift / 2) - 1
    assert spent[0, 0] == pytest.approx(STEPS * shift**2, rel=1e-3)
    assert spent[0, TV] == pytest.approx(STEPS * tv, rel=1e-3)
    assert spent[0, HAZARD] == pytest.approx(-STEPS * np.log1p(-tv), rel=1e-3)


@settings(max_examples=25)
@given(st.floats(0.001, 0.5))
def test_observation_noise_spends_the_balls_radius_in_deviations(eps: float) -> None:
    policy = SmoothedPolicy(lambda obs: obs, STD)
    (spent,) = spent_budgets(policy, EPISODE, [LpBall.of("linf", eps)], STEPS)
    shift = eps / STD
    tv = 2 * norm.cdf(shift / 2) - 1
    assert spent[0, 0] == pytest.approx(STEPS * shift**2, rel=1e-3)
    assert spent[0, TV] == pytest.approx(STEPS * tv, rel=1e-3)
    assert spent[0, TV_LEFT] == pytest.approx(tv * (4 + 3 + 2 + 1) / 4, rel=1e-3)


def test_only_the_chosen_attacks_have_a_share_of_lower_ends() -> None:
    """The error probability is not spread over attacks that the search ranked low."""
    battery = {f"push {k}": Push() for k in range(CHOSEN + 2)}
    found = certify(
        homing(), Line, eps=[0.1, 0.5], limit=2.0, modes=["deterministic"], battery=battery,
        episodes=25, requirement="P(cost > 2) <= 0.5 at eps = 0.5 under attacks",
    )  # fmt: skip
    for eps in (0.1, 0.5):
        lower = {s.attack for s in found.allocation if s.side == "lower" and s.eps == eps}
        assert 0 < len(lower) <= CHOSEN


def test_verify_refuses_lower_ends_of_more_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safer_gym.conformance.certify.run.CHOSEN", CHOSEN + 2)
    battery = {f"push {k}": Push() for k in range(CHOSEN + 2)}
    found = certify(
        homing(), Line, eps=[0.1], limit=2.0, modes=["deterministic"], battery=battery, episodes=25
    )
    assert verify(found) != ()


@dataclass(frozen=True)
class Noisy:
    """Draws a corner, and notes where its generator began."""

    begun: list[int] = field(default_factory=list, compare=False)
    cost_directed: ClassVar = True
    per_row_noise: ClassVar = False
    rows_apart: ClassVar = False

    def __call__(
        self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None
    ) -> AttackResult:
        self.begun.append(generator.initial_seed())
        n = len(obs) if self.rows_apart else 1
        side = torch.randn(n, *obs.shape[1:], generator=generator).sign().to(obs)
        nothing = obs.new_zeros(len(obs))
        return AttackResult(ball.project(obs, obs + side * ball.eps.to(obs)), nothing, nothing)


class NoisyRows(Noisy):
    """The same, each row for itself."""

    per_row_noise: ClassVar = True
    rows_apart: ClassVar = True


class SaysRows(Noisy):
    """Its rows share their draws, whatever it says."""

    per_row_noise: ClassVar = True


@pytest.mark.parametrize(("kind", "shared"), [(Noisy, True), (NoisyRows, False)])
def test_an_attack_that_shares_its_draws_is_one_adversary_in_every_block(
    kind: type[Noisy], shared: bool
) -> None:
    """Episodes that meet fixed draws are independent; noise of a row's own is drawn afresh."""
    attack = kind()
    certify(
        homing(), Line, eps=[0.1], limit=2.0, modes=["deterministic"], battery={"noisy": attack},
        episodes=75, requirement="P(cost > 2) <= 0.05 at eps = 0.1 under attacks",
    )  # fmt: skip
    calls, distinct = len(attack.begun), len(set(attack.begun))
    # Two phases of ten steps: as many streams, however many blocks are measured.
    assert calls > 30
    assert (distinct <= 20) == shared


def test_draws_that_are_shared_in_spite_of_what_is_said_are_refused() -> None:
    """Episodes that share them would count as independent ones."""
    with pytest.raises(AdversaryError, match="'noisy' declares per_row_noise"):
        certify(homing(), Line, eps=[0.1], limit=2.0, battery={"noisy": SaysRows()}, episodes=25)
