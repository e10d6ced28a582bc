"""Laws of the losses of PPO-Lagrangian (Eq. 69, 70, Algorithm 4)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.agents.ppo_lagrangian.losses import (
    COST_SURROGATES,
    DISTANCES,
    approximate_kl,
    clipped_surrogate,
    combined_advantage,
    lagrangian_surrogate,
    robustness_distance,
    scaled,
)
from safer_gym.agents.ppo_lagrangian.objective import Weights, clipped_values, policy_loss
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutSamples
from safer_gym.divergences import gaussian_entropy, gaussian_kl
from safer_gym.types import Gaussian

LAMS = st.floats(0.0, 50.0)
SEEDS = st.integers(0, 1000)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_clipped_surrogate_by_hand() -> None:
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1])
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
    found = clipped_surrogate(ratio, advantage, 0.2)
    torch.testing.assert_close(found, torch.tensor([1.2, -1.5, 0.5, -0.8, 2.2]))


@given(SEEDS, st.sampled_from(COST_SURROGATES))
def test_without_a_multiplier_the_cost_does_not_count(seed: int, how: str) -> None:
    ratio, reward, cost = drawn(seed, 3, 8)
    found = lagrangian_surrogate(ratio.exp(), reward, cost, 0.0, 0.2, how)
    torch.testing.assert_close(found, clipped_surrogate(ratio.exp(), reward, 0.2))


def check_first_step(surrogate, seed: int, lam: float) -> None:
    """Before the policy has moved, the slope by the log-ratio is (A_r - lam A_c) / (1 + lam)."""
    reward, cost = drawn(seed, 2, 8)
    log_ratio = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    surrogate(log_ratio.exp(), reward, cost, lam).sum().backward()
    torch.testing.assert_close(log_ratio.grad, (reward - lam * cost) / (1.0 + lam))


@given(SEEDS, LAMS, st.sampled_from(COST_SURROGATES))
def test_the_first_step_weighs_reward_against_cost(seed: int, lam: float, how: str) -> None:
    check_first_step(lambda *parts: lagrangian_surrogate(*parts, 0.2, how), seed, lam)


def test_the_check_of_the_first_step_rejects_a_cost_that_is_sought() -> None:
    with pytest.raises(AssertionError):
        check_first_step(
            lambda ratio, reward, cost, lam: ratio * combined_advantage(reward, -cost, lam), 0, 1.0
        )


def test_a_ratio_out_of_range_stops_the_clipped_cost_and_not_the_linear_one() -> None:
    for how, slope in (("clipped", 0.0), ("linear", -0.5)):
        ratio = torch.tensor([0.5], requires_grad=True)
        parts = (torch.zeros(1), torch.ones(1), 1.0, 0.2, how)
        lagrangian_surrogate(ratio, *parts).sum().backward()
        assert float(ratio.grad) == pytest.approx(slope)


@given(SEEDS)
def test_the_kl_estimate_is_never_negative(seed: int) -> None:
    assert float(approximate_kl(drawn(seed, 16))) >= 0.0
    assert float(approximate_kl(torch.zeros(4))) == 0.0


def policies(seed: int) -> tuple[Gaussian, Gaussian]:
    means, scales = drawn(seed, 2, 5, 3), drawn(seed + 1, 2, 5, 3).exp()
    benign, attacked = (
        Gaussian(mean.clone().requires_grad_(True), scale.clone().requires_grad_(True))
        for mean, scale in zip(means, scales, strict=True)
    )
    return benign, attacked


@given(SEEDS, st.sampled_from(DISTANCES))
def test_the_regulariser_is_zero_where_nothing_is_attacked_and_positive_else(
    seed: int, how: str
) -> None:
    benign, attacked = policies(seed)
    assert not robustness_distance(benign, benign, how).any()
    assert (robustness_distance(benign, attacked, how) > 0).all()


@given(SEEDS, st.sampled_from(DISTANCES))
def test_the_regulariser_pulls_at_the_attacked_side_alone(seed: int, how: str) -> None:
    benign, attacked = policies(seed)
    robustness_distance(benign, attacked, how).sum().backward()
    assert benign.mean.grad is None
    assert benign.scale.grad is None
    assert attacked.mean.grad is not None
    assert attacked.mean.grad.abs().sum() > 0


def test_both_distances_by_definition() -> None:
    benign, attacked = policies(0)
    torch.testing.assert_close(
        robustness_distance(benign, attacked, "kl"), gaussian_kl(benign, attacked)
    )
    squared = (benign.mean - attacked.mean).square().sum(-1)
    torch.testing.assert_close(robustness_distance(benign, attacked, "mean"), squared)


@given(SEEDS, st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_the_loss_is_what_is_weighed(seed: int, ent_coef: float, kl_coef: float) -> None:
    """Less surrogate, less entropy, more distance; and nothing of what has no weight."""
    new, attacked = policies(seed)
    reward, cost, log_ratio, unused = drawn(seed + 2, 4, 5)
    data = CostRolloutSamples(
        unused, unused, unused, unused, reward, unused, cost, unused, attacked=None
    )
    weights, entropy = Weights(2.0, 0.2, "clipped", ent_coef, kl_coef), gaussian_entropy(new)
    surrogate = lagrangian_surrogate(log_ratio.exp(), reward, cost, 2.0, 0.2, "clipped").mean()
    expected = -surrogate - ent_coef * entropy.mean()
    plain, _ = policy_loss(log_ratio, entropy, None, data, weights)
    torch.testing.assert_close(plain, expected)
    distance = robustness_distance(new, attacked, "mean")
    found, record = policy_loss(log_ratio, entropy, distance, data, weights)
    torch.testing.assert_close(found, expected + kl_coef * distance.mean())
    torch.testing.assert_close(record["robustness_distance"], distance.mean())


@given(SEEDS, st.floats(0.01, 1.0))
def test_clipped_values_stay_near_the_old_ones(seed: int, most: float) -> None:
    values, old = drawn(seed, 2, 9)
    found = clipped_values(values, old, most)
    assert float((found - old).abs().max()) <= most + 1e-12
    near = (values - old).abs() <= most
    torch.testing.assert_close(found[near], values[near])
    assert clipped_values(values, old, None) is values


@given(SEEDS)
def test_scalings(seed: int) -> None:
    values = 3.0 + 2.0 * drawn(seed, 4, 5)
    assert scaled(values, "raw") is values
    torch.testing.assert_close(scaled(values, "centred"), values - values.mean())
    whole = scaled(values, "standardised")
    assert float(whole.mean()) == pytest.approx(0.0, abs=1e-9)
    assert float(whole.std()) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: scaled(x, "raww"), "Did you mean 'raw'"),
        (lambda x: lagrangian_surrogate(x, x, x, 1.0, 0.2, "cliped"), "Did you mean 'clipped'"),
        (lambda x: robustness_distance(Gaussian(x, x), Gaussian(x, x), "kll"), "Did you mean 'kl'"),
    ],
)
def test_unknown_options_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, 2))
