"""Laws of DRAC's losses, in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.agents.drac.losses import (
    annealed,
    ascent_multiplier_loss,
    augmented_lagrangian,
    augmented_multiplier,
    clamped_safety_target,
    imitation,
    inside_set,
    lagrangian,
    safety_target,
    split_multiplier_loss,
    split_policy_loss,
    task_target,
)
from safer_gym.tabular.games import make_game, safety_operator

SEEDS = st.integers(0, 2**31)
SHARES = st.floats(0.0, 0.999)


def numbers(seed: int, *rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*rows, generator=generator, dtype=torch.float64)


@given(SEEDS, SHARES)
def test_the_safety_target_is_monotone_contracts_and_is_at_most_h(seed: int, g: float) -> None:
    h, next_h, one, two = numbers(seed, 4, 32)
    ended = (numbers(seed + 1, 32) > 1).double()
    low = safety_target(h, next_h, torch.minimum(one, two), ended, g)
    high = safety_target(h, next_h, one, ended, g)
    other = safety_target(h, next_h, two, ended, g)
    assert (low <= high).all()
    assert ((high - other).abs() <= g * (one - two).abs() + 1e-12).all()
    assert (high <= h + 1e-12).all()


@given(SEEDS, SHARES, SHARES)
def test_the_safety_target_falls_in_the_discount(seed: int, one: float, two: float) -> None:
    h, next_h, value = numbers(seed, 3, 32)
    ended = torch.zeros(32, dtype=torch.float64)
    near, far = (safety_target(h, next_h, value, ended, g) for g in sorted((one, two)))
    assert (far <= near + 1e-12).all()


def test_the_safety_target_is_the_tabular_operator() -> None:
    h, value = numbers(0, 2, 5)
    states = torch.tensor([1, 2, 3, 4, 0])
    game = make_game(states[:, None, None].numpy(), h.numpy())
    exact = safety_operator(game, value.numpy(), 0.9)[:, 0, 0]
    ended = torch.zeros(5, dtype=torch.float64)
    found = safety_target(h, h[states], value[states], ended, 0.9)
    torch.testing.assert_close(found, torch.as_tensor(exact))


def test_an_episode_that_ends_outside_does_not_look_safe() -> None:
    """Other code multiplies the bootstrap by 1 - d, which makes the end look like h = 0."""
    h, next_h = torch.tensor([0.1]), torch.tensor([-0.5])
    found = safety_target(h, next_h, torch.tensor([1.0]), torch.ones(1), 0.99)
    assert found.item() == pytest.approx(0.01 * 0.1 - 0.99 * 0.5)
    assert clamped_safety_target(next_h, torch.tensor([1.0]), torch.ones(1), 0.99) < 0


@given(SEEDS)
def test_a_clamped_target_says_only_how_unsafe(seed: int) -> None:
    next_h, value = numbers(seed, 2, 32)
    found = clamped_safety_target(next_h, value, torch.zeros(32), 0.99)
    assert (found <= 0).all()
    assert ((found < 0) == (torch.minimum(next_h, value) < 0)).all()


def test_the_task_target_stops_at_a_true_end() -> None:
    rewards, value, entropy = numbers(0, 3, 4)
    ended = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    found = task_target(rewards, torch.full((4,), 0.9), ended, value, entropy)
    torch.testing.assert_close(found[1::2], rewards[1::2])
    torch.testing.assert_close(found[::2], (rewards + 0.9 * (value + entropy))[::2])


def leaves(seed: int, n: int = 16) -> list[Tensor]:
    return [row.clone().requires_grad_(True) for row in numbers(seed, 3, n)]


@given(SEEDS, st.floats(0, 20))
def test_the_task_policy_follows_reward_inside_and_safety_alone_outside(
    seed: int, multiplier: float
) -> None:
    penalty, q, q_safety = leaves(seed)
    lam = torch.full((16,), multiplier, dtype=torch.float64, requires_grad=True)
    inside = numbers(seed + 1, 16) > 0
    within = -lagrangian(q - penalty, q_safety, lam)
    split_policy_loss(inside, within, penalty - q_safety).backward()
    assert lam.grad is None
    assert q.grad is not None
    assert q_safety.grad is not None
    # Each state weighs one in all: reward and safety share it as 1 : lambda inside.
    torch.testing.assert_close(-16 * (q.grad + q_safety.grad), torch.ones(16).double())
    assert (q.grad[~inside] == 0).all()
    torch.testing.assert_close(q_safety.grad[inside], multiplier * q.grad[inside])


def test_no_gradient_goes_through_the_indicator() -> None:
    values = numbers(0, 8).requires_grad_(True)
    assert not inside_set(values).requires_grad
    assert inside_set(torch.tensor([-0.4, 0.2]), -0.5).all()


@given(SEEDS)
def test_the_multiplier_rises_exactly_where_the_set_is_violated(seed: int) -> None:
    q_safety = numbers(seed, 16)
    lam = numbers(seed + 1, 16).abs().requires_grad_(True)
    inside = torch.ones(16, dtype=torch.bool)
    split_multiplier_loss(lam, q_safety, inside, 20.0).inside.backward()
    assert lam.grad is not None
    rises = -lam.grad > 0
    assert (rises == (q_safety < 0)).all()


@given(SEEDS)
def test_outside_the_multiplier_goes_to_its_cap(seed: int) -> None:
    lam = (numbers(seed, 16).abs()).requires_grad_(True)
    parts = split_multiplier_loss(lam, numbers(seed, 16), torch.zeros(16, dtype=torch.bool), 20.0)
    assert parts.inside.item() == 0
    parts.outside.backward()
    assert lam.grad is not None
    assert (lam.grad < 0).all()
    capped = torch.full((16,), 20.0)
    assert split_multiplier_loss(capped, capped, capped < 0, 20.0).outside == 0


def test_the_multipliers_gradient_does_not_reach_the_critics() -> None:
    q_safety = numbers(0, 8).requires_grad_(True)
    lam = numbers(1, 8).abs().requires_grad_(True)
    parts = split_multiplier_loss(lam, q_safety, inside_set(q_safety), 20.0)
    (sum(parts) + ascent_multiplier_loss(lam, q_safety)).backward()  # type: ignore[arg-type]
    assert q_safety.grad is None


@given(SEEDS)
def test_plain_ascent_rises_where_violated_and_falls_elsewhere(seed: int) -> None:
    q_safety = numbers(seed, 16)
    lam = torch.ones(16, dtype=torch.float64, requires_grad=True)
    ascent_multiplier_loss(lam, q_safety).backward()
    assert lam.grad is not None
    assert ((lam.grad < 0) == (q_safety < 0)).all()


def test_the_augmented_lagrangian_counts_violations_and_no_slack() -> None:
    penalty = torch.zeros(4, dtype=torch.float64)
    q_safety = torch.tensor([-1.0, -0.1, 0.1, 9.0], dtype=torch.float64, requires_grad=True)
    augmented_lagrangian(penalty, q_safety, torch.tensor(0.5), rho=10.0).mean().backward()
    assert q_safety.grad is not None
    # relu(lam - rho c): far inside the constraint pulls no more.
    torch.testing.assert_close(
        4 * q_safety.grad, torch.tensor([10.5, 1.5, 0.0, 0.0], dtype=torch.float64)
    )


def test_the_augmented_multiplier_settles_at_no_violation() -> None:
    def following(lam: float, value: float) -> float:
        return float(augmented_multiplier(torch.tensor(lam), torch.tensor([value]), 10, 0.2, 1500))

    assert following(1.0, -1.0) > 1.0
    assert following(1.0, 9.0) < 1.0
    assert following(0.0, 9.0) == 0.0
    assert following(1499.9, -1e6) == 1500.0


def test_imitation_pulls_the_task_policy_alone() -> None:
    control, safe = numbers(0, 2, 4, 3).clamp(-1, 1).requires_grad_(True)
    found = imitation(control, safe)
    assert ((found >= 0) & (found <= 1)).all()
    assert (imitation(safe, safe) == 0).all()
    by_control, by_safe = torch.autograd.grad(found.sum(), (control, safe), allow_unused=True)
    assert by_safe is None
    assert ((by_control * (control - safe)) >= 0).all()


@given(st.floats(0, 1))
def test_the_discount_rises_from_start_to_end(progress: float) -> None:
    found = annealed(0.9, 0.999, progress, 0.5)
    assert 0.9 - 1e-12 <= found <= 0.999 + 1e-12
    assert found <= annealed(0.9, 0.999, min(progress + 0.1, 1.0), 0.5) + 1e-12
    assert annealed(0.9, 0.999, 0.0, 0.5) == pytest.approx(0.9)
    assert annealed(0.9, 0.999, 0.5, 0.5) == pytest.approx(0.999)
    assert annealed(0.9, 0.999, 0.0, 0.0) == pytest.approx(0.999)
