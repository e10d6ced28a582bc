"""Rows [memory, observation]: nothing is lost, and attacks move the observation alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.attacks import ATTACKS, make_attack
from safer_gym.attacks.channels import ChannelRows
from safer_gym.balls import LpBall
from safer_gym.memory import NO_MEMORY, Memory
from safer_gym.types import Victim


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_a_row_holds_both(size: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    obs, held = (torch.randn(3, n, generator=generator).double() for n in (width, size))
    memory = Memory(size)
    rows = memory.rows(obs, held)
    assert rows.shape == (3, *memory.shape((width,)))
    assert torch.equal(memory.observed(rows), obs)
    assert torch.equal(rows[:, :size], held)
    assert torch.equal(memory.at_start(obs)[:, 0], torch.ones(3).double())
    assert NO_MEMORY.rows(obs, NO_MEMORY.begin(3)) is obs
    assert NO_MEMORY.observed(obs) is obs


@pytest.mark.parametrize("name", [n for n in ATTACKS if n not in ("null", "ensemble")])
def test_no_attack_touches_the_memory(name: str) -> None:
    def q(obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return (obs.sum(1) + action.square().sum(1)) + obs[:, 0] ** 2

    victim = Victim(
        lambda rows: torch.tanh(rows @ torch.ones(5, 2).double()), q, q, memory=Memory(2)
    )
    rows = ChannelRows("observation", (5,), n_memory=2)
    ball = rows.ball(LpBall.of("linf", [0.1, 0.0, 0.2], low=[-1.0] * 3, high=[1.0] * 3))
    clean = torch.linspace(-0.8, 0.8, 15, dtype=torch.float64).reshape(3, 5)
    try:
        found = make_attack(name)(victim, clean, ball, torch.Generator().manual_seed(0)).obs
    except ValueError as error:
        pytest.skip(f"another channel's: {error}")
    assert torch.equal(found[:, [0, 1, 3]], clean[:, [0, 1, 3]])
    assert not torch.equal(found, clean)
    assert rows.n_moved == 3
    assert torch.equal(rows.moved(found), found[:, 2:])
    assert torch.equal(rows.radius(ball), torch.tensor([0.1, 0.0, 0.2], dtype=torch.float64))


@given(
    st.sampled_from(["linf", "l2", "l1"]),
    st.floats(0.01, 6.0),
    st.integers(0, 10_000),
)
def test_settled_points_are_whole_and_inside(norm: str, eps: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    center = torch.as_tensor(np.concatenate([rng.integers(0, 256, (4, 3)), rng.random((4, 2))], 1))
    ball = LpBall.of(norm, eps, low=0.0, high=255.0, whole=[1, 1, 1, 0, 0])
    points = ball.project(center, center + torch.as_tensor(rng.normal(0, eps + 1, (4, 5))))
    settled = ball.settle(center, points)
    assert torch.equal(settled[:, :3], settled[:, :3].round())
    assert torch.equal(settled[:, 3:], points[:, 3:])
    assert bool(ball.contains(center, settled).all())
    # No whole number lies between a point and what it became.
    assert bool(((settled - points).abs() < 1).all())
    assert LpBall.of(norm, eps).settle(center, points) is points
