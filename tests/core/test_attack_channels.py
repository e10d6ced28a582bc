"""Actions and disturbances are attacked by the attacks on observations, inside their own balls."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.attacks import ATTACKS, make_attack
from safer_gym.attacks.channels import ChannelRows
from safer_gym.balls import NORMS, LpBall
from safer_gym.types import Victim

DUAL = {"l1": math.inf, "l2": 2.0, "linf": 1.0}
SIZES = {"action": 2, "disturbance": 3}
ROWS = {channel: ChannelRows(channel, (4,), 2, 3) for channel in SIZES}  # type: ignore[arg-type]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def smooth(seed: int) -> Victim:
    """Critics that are smooth in all that they see."""
    by_obs, by_action, by_disturbance = draws(seed, 9).split([4, 2, 3])

    def critic(obs: Tensor, action: Tensor, disturbance: Tensor | None = None) -> Tensor:
        value = torch.tanh(obs @ by_obs + action @ by_action)
        return value if disturbance is None else value + torch.sin(disturbance @ by_disturbance)

    return Victim(lambda obs: obs[:, :2], critic, critic, None, critic, critic)


def situation(seed: int, channel: str) -> Tensor:
    obs, action = draws(seed, 6, 4), draws(seed + 1, 6, 2).clamp(-1, 1)
    return ROWS[channel].pack(obs, action)


@pytest.mark.parametrize("channel", SIZES)
@pytest.mark.parametrize("name", ATTACKS)
@given(seed=st.integers(0, 100), norm=st.sampled_from(NORMS))
@settings(max_examples=4)
def test_only_what_the_channel_moves_is_moved_and_it_stays_in_its_ball(
    name: str, channel: str, seed: int, norm: str
) -> None:
    rows, centre = ROWS[channel], situation(seed, channel)
    ball = rows.ball(LpBall.of(norm, 0.3, -1.0, 1.0))
    victim = rows.view(smooth(seed))
    found = make_attack(name)(victim, centre, ball, generator(seed))
    assert bool(ball.contains(centre, found.obs, rtol=1e-12).all())
    fixed = centre.shape[1] - SIZES[channel]
    assert torch.equal(found.obs[:, :fixed], centre[:, :fixed])
    moved, clean = rows.moved(found.obs), rows.moved(centre)
    own = LpBall.of(norm, 0.3, -1.0, 1.0)
    assert bool(own.contains(clean, moved, rtol=1e-9).all())
    assert bool((found.objective >= found.clean_objective).all())
    still = make_attack(name)(victim, centre, rows.ball(LpBall.of(norm, 0.0)), generator(seed))
    assert torch.equal(still.obs, centre)


@pytest.mark.parametrize("channel", SIZES)
@given(seed=st.integers(0, 1000), norm=st.sampled_from(NORMS))
@settings(max_examples=20)
def test_linear_critics_are_raised_by_the_dual_norm(channel: str, seed: int, norm: str) -> None:
    slope = draws(seed, SIZES[channel])

    def linear(*given: Tensor) -> Tensor:
        return given[-1] @ slope

    victim = ROWS[channel].view(Victim(lambda obs: obs, None, linear, None, None, linear))
    centre = situation(seed, channel)
    found = make_attack("mc")(victim, centre, ROWS[channel].ball(LpBall.of(norm, 0.3)))
    gain = found.objective - found.clean_objective
    best = 0.3 * torch.linalg.vector_norm(slope, ord=DUAL[norm])
    torch.testing.assert_close(gain, best.expand(6), rtol=1e-9, atol=1e-9)


@given(seed=st.integers(0, 100), norm=st.sampled_from(NORMS))
@settings(max_examples=10)
def test_an_attack_on_actions_is_one_on_the_observations_of_a_policy_that_repeats_them(
    seed: int, norm: str
) -> None:
    victim, centre = smooth(seed), situation(seed, "action")
    obs, action = centre[:, :4], centre[:, 4:]
    on_actions = make_attack("mc")(
        ROWS["action"].view(victim), centre, ROWS["action"].ball(LpBall.of(norm, 0.3, -1.0, 1.0))
    )
    judge = victim.q_cost
    assert judge is not None
    repeats = Victim(lambda shown: shown, q_cost=lambda _, shown: judge(obs, shown))
    on_observations = make_attack("mc")(repeats, action, LpBall.of(norm, 0.3, -1.0, 1.0))
    torch.testing.assert_close(ROWS["action"].moved(on_actions.obs), on_observations.obs)
    torch.testing.assert_close(on_actions.objective, on_observations.objective)


def test_the_observation_channel_is_what_it_was() -> None:
    rows, victim, obs = ChannelRows("observation", (2, 3)), smooth(0), torch.zeros(5, 2, 3)
    assert rows.pack(obs) is obs
    assert rows.view(victim) is victim
    assert rows.moved(obs) is obs
    assert rows.ball(LpBall.of("l2", 0.1, -1.0)).eps == LpBall.of("l2", 0.1, -1.0).eps


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_noise_fills_the_ball_of_what_is_moved(norm: str) -> None:
    """Of a uniform draw in two dimensions a quarter is within half the radius."""
    rows = ROWS["action"]
    centre = rows.pack(torch.zeros(4000, 4), torch.zeros(4000, 2))
    found = make_attack("uniform")(
        Victim(lambda obs: obs), centre, rows.ball(LpBall.of(norm, 1.0)), generator(0)
    )
    near = (LpBall.of(norm, 1.0).norm(rows.moved(found.obs)) < 0.5).double().mean()
    assert abs(float(near) - 0.25) < 0.03


def test_what_is_missing_is_named() -> None:
    rows = ROWS["disturbance"]
    blind = rows.view(smooth(0)._replace(q_cost_disturbed=None))
    with pytest.raises(ValueError, match="q_cost_disturbed"):
        make_attack("mc")(blind, situation(0, "disturbance"), rows.ball(LpBall.of("l2", 0.1)))
    with pytest.raises(ValueError, match="action channel needs the policy's action"):
        ROWS["action"].pack(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="Did you mean 'action'"):
        ChannelRows("acton", (4,))  # type: ignore[arg-type]
