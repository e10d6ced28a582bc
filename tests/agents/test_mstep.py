"""The M-step's losses: the moment form, what gradients may reach, and the trust region."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from safer_gym.agents.cvpo.mstep import (
    KLPair,
    Moments,
    expected_log_prob,
    likelihood,
    multiplier_steps,
    penalty,
    trust_region_kl,
    weighted_moments,
)
from safer_gym.types import Gaussian

laws = settings(max_examples=20)
kinds = pytest.mark.parametrize("full", [False, True], ids=["diagonal", "full"])
seeds = st.integers(0, 10_000)


def random_gaussian(seed: int, n_states: int, n_dims: int, full: bool) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n_states, n_dims, dtype=torch.float64, generator=generator)
    std = 0.3 + torch.rand(n_states, n_dims, dtype=torch.float64, generator=generator)
    if not full:
        return Gaussian(mean, std)
    lower = torch.randn(n_states, n_dims, n_dims, dtype=torch.float64, generator=generator)
    return Gaussian(mean, 0.2 * lower.tril(-1) + torch.diag_embed(std))


def random_samples(seed: int, n: int, n_states: int, n_dims: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed + 1)
    actions = torch.randn(n, n_states, n_dims, dtype=torch.float64, generator=generator)
    logits = torch.randn(n, n_states, dtype=torch.float64, generator=generator)
    return actions, torch.softmax(2.0 * logits, 0)


def as_distribution(gaussian: Gaussian) -> torch.distributions.Distribution:
    if gaussian.scale.dim() == gaussian.mean.dim():
        return Independent(Normal(gaussian.mean, gaussian.scale), 1)
    return MultivariateNormal(gaussian.mean, scale_tril=gaussian.scale)


def check_moments(actions: Tensor, weights: Tensor, moments: Moments, policy: Gaussian) -> None:
    by_samples = (weights * as_distribution(policy).log_prob(actions)).sum(0)
    torch.testing.assert_close(expected_log_prob(moments, policy), by_samples)


@kinds
@laws
@given(seed=seeds, n_dims=st.integers(1, 4), n=st.integers(1, 12))
def test_moments_give_the_weighted_log_likelihood(
    full: bool, seed: int, n_dims: int, n: int
) -> None:
    actions, weights = random_samples(seed, n, 5, n_dims)
    policy = random_gaussian(seed, 5, n_dims, full)
    check_moments(actions, weights, weighted_moments(actions, weights, full), policy)


def test_the_moment_check_rejects_a_lost_cross_moment() -> None:
    """Specimen: diagonal second moments under a full-covariance policy."""
    actions, weights = random_samples(0, 8, 5, 3)
    moments = weighted_moments(actions, weights, full=True)
    lossy = moments._replace(
        covariance=torch.diag_embed(moments.covariance.diagonal(dim1=-2, dim2=-1))
    )
    with pytest.raises(AssertionError):
        check_moments(actions, weights, lossy, random_gaussian(0, 5, 3, full=True))


@kinds
def test_the_fit_is_best_at_the_weighted_moments(full: bool) -> None:
    """Moment matching is the maximum of the likelihood, so the gradient vanishes there."""
    actions, weights = random_samples(7, 64, 3, 2)
    moments = weighted_moments(actions, weights, full)
    mean = moments.mean.clone().requires_grad_(True)
    factor = torch.linalg.cholesky(moments.covariance) if full else moments.covariance.sqrt()
    scale = factor.clone().requires_grad_(True)
    expected_log_prob(moments, Gaussian(mean, scale)).sum().backward()
    torch.testing.assert_close(mean.grad, torch.zeros_like(mean))
    grad = scale.grad.tril() if full else scale.grad
    torch.testing.assert_close(grad, torch.zeros_like(grad))


def gradients(full: bool, decoupled: bool, new_scale: float) -> tuple[Tensor, Tensor]:
    """Of the likelihood by the new mean and the new scale, which is the old one times a factor."""
    actions, weights = random_samples(3, 16, 4, 2)
    moments = weighted_moments(actions, weights, full)
    old = random_gaussian(3, 4, 2, full)
    mean = (old.mean + 0.1).requires_grad_(True)
    scale = (new_scale * old.scale).requires_grad_(True)
    likelihood(moments, Gaussian(mean, scale), old, decoupled).sum().backward()
    assert mean.grad is not None
    assert scale.grad is not None
    return mean.grad, scale.grad


@kinds
def test_decoupled_mean_is_fitted_whatever_the_new_covariance(full: bool) -> None:
    torch.testing.assert_close(gradients(full, True, 0.5)[0], gradients(full, True, 2.0)[0])
    with pytest.raises(AssertionError):  # the joint likelihood is the specimen
        torch.testing.assert_close(gradients(full, False, 0.5)[0], gradients(full, False, 2.0)[0])


@kinds
def test_decoupled_likelihood_at_the_old_policy_counts_it_twice(full: bool) -> None:
    actions, weights = random_samples(5, 16, 4, 2)
    moments, old = weighted_moments(actions, weights, full), random_gaussian(5, 4, 2, full)
    torch.testing.assert_close(
        likelihood(moments, old, old, True), 2.0 * likelihood(moments, old, old, False)
    )


def test_only_the_new_policy_gets_a_gradient() -> None:
    """Not the weights, not the old policy: an agent makes both without a graph."""
    from agent_envs import small_agent

    agent = small_agent("CVPO")
    agent.learn(60)
    batch = agent.replay_buffer.sample(8)
    _, posterior = agent._expectation(batch.observations)
    for part in (*posterior.moments, *posterior.old):
        assert not part.requires_grad
    agent.policy.zero_grad(set_to_none=True)
    loss, _ = agent._vanilla_loss(agent.actor.distribution(batch.observations), posterior)
    loss.backward()
    assert any(weight.grad is not None for weight in agent.actor.parameters())
    others = (agent.critic, agent.cost_critic, agent.actor_target, agent.critic_target)
    for net in (*others, agent.cost_critic_target):
        assert all(weight.grad is None for weight in net.parameters())


# ---------------------------------------------------------------- trust region


@kinds
@laws
@given(seed=seeds)
def test_the_kl_is_that_of_torch(full: bool, seed: int) -> None:
    old, new = random_gaussian(seed, 4, 3, full), random_gaussian(seed + 7, 4, 3, full)
    exact = torch.distributions.kl_divergence(as_distribution(old), as_distribution(new)).mean()
    joint = trust_region_kl(old, new, decoupled=False)
    torch.testing.assert_close(joint.mean, exact)
    assert joint.covariance == 0
    parts = trust_region_kl(old, new, decoupled=True)
    same_scale, same_mean = Gaussian(new.mean, old.scale), Gaussian(old.mean, new.scale)
    for part, twin in ((parts.mean, same_scale), (parts.covariance, same_mean)):
        exact = torch.distributions.kl_divergence(as_distribution(old), as_distribution(twin))
        torch.testing.assert_close(part, exact.mean())


@laws
@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 5.0))
def test_a_kl_above_its_bound_raises_the_multiplier_and_the_loss(
    kl: float, bound: float, beta: float
) -> None:
    pair = KLPair(*torch.tensor([kl, 0.0], dtype=torch.float64))
    after = multiplier_steps((beta, 0.0), pair, (bound, 1.0), (1.0, 1.0), (10.0, 10.0))[0]
    excess = float(penalty(pair, (beta, 0.0), (bound, 1.0)))
    if kl > bound:
        assert after >= beta
        assert excess >= 0
    else:
        assert after <= beta
        assert excess <= 0
    assert 0.0 <= after <= 10.0


@kinds
def test_enough_steps_fit_inside_the_trust_region(full: bool) -> None:
    """The samples pull far away; gradient descent with Eq. 64 stops near the bounds."""
    bounds = (0.02, 0.005)
    old = random_gaussian(1, 4, 2, full)
    actions, weights = random_samples(1, 32, 4, 2)
    moments = weighted_moments(actions + 1.0, weights, full)
    mean, scale = (part.clone().requires_grad_(True) for part in old)
    betas = (0.0, 0.0)
    before = likelihood(moments, old, old, True).mean()
    optimiser = torch.optim.SGD([mean, scale], lr=0.003)
    reached = []
    for _ in range(400):
        new = Gaussian(mean, scale.tril() if full else scale)
        kl = trust_region_kl(old, new, decoupled=True)
        reached.append(torch.stack(kl).detach())
        betas = multiplier_steps(betas, kl, bounds, (20.0, 200.0), (1e4, 1e4))
        loss = penalty(kl, betas, bounds) - likelihood(moments, new, old, True).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert likelihood(moments, new, old, True).mean() > before
    late = torch.stack(reached[-100:]).mean(0)
    torch.testing.assert_close(late, torch.tensor(bounds).double(), rtol=0.3, atol=1e-4)
    assert min(betas) > 0
