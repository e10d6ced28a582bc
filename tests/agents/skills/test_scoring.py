"""How a prior rates actions against its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from safer_gym.agents.data.offline import offline_data
from safer_gym.agents.skills import PriorShape, SkillPrior
from safer_gym.agents.skills.dataset import SkillData
from safer_gym.agents.skills.scoring import log_likelihoods, typicality

N = 400


def data_of(actions: np.ndarray) -> SkillData:
    data = offline_data({
        "observations": np.zeros((N, 2)), "actions": actions, "rewards": np.zeros(N),
        "costs": np.zeros(N), "terminals": np.arange(N) == N - 1, "timeouts": np.zeros(N),
        "success": np.ones(N),
    })  # fmt: skip
    return SkillData(data, window=4)


def rated(prior: SkillPrior, actions: np.ndarray) -> torch.Tensor:
    known = data_of(actions)
    return typicality(prior, known, known.safe, torch.Generator().manual_seed(1), draws=50)


@pytest.fixture(params=[0, 3])
def prior(request: pytest.FixtureRequest) -> SkillPrior:
    torch.manual_seed(0)
    shape = PriorShape((2,), 2, window=4, safety_size=request.param, layers=2, hidden=8)
    return SkillPrior(shape).requires_grad_(False)


def drawn(prior: SkillPrior, tries: int = 1) -> np.ndarray:
    """Of each row the least likely of so many actions; c is the mean, as everywhere in scoring."""
    features = prior.features(torch.zeros(N, 2))
    window = features[:, None].expand(N, 4, features.shape[1])
    q = prior.posterior(window, torch.arange(1, N + 1).clamp(max=4))
    c, generator = None if q is None else q.mean, torch.Generator().manual_seed(0)
    found = [
        prior.decode(torch.randn(N, 2, generator=generator), features, c) for _ in range(tries)
    ]
    least = torch.stack([prior.log_prob(a, features, c) for a in found]).argmin(dim=0)
    return torch.stack(found)[least, torch.arange(N)].numpy()


def test_the_prior_s_own_actions_are_typical_by_a_half(prior: SkillPrior) -> None:
    found = rated(prior, drawn(prior))
    assert found.shape == (N,)
    assert abs(float(found.mean()) - 0.5) < 0.05


def test_the_least_likely_of_many_is_typical_by_the_share_that_order_statistics_give(
    prior: SkillPrior,
) -> None:
    """The smallest of n uniform ranks has a mean of 1 / (n + 1)."""
    assert abs(float(rated(prior, drawn(prior, 9)).mean()) - 0.1) < 0.03


def test_silenced_is_the_likelihood_at_the_mean_of_p_of_c(prior: SkillPrior) -> None:
    known = data_of(drawn(prior))
    found = log_likelihoods(prior, known, known.safe, silenced=True)
    features = prior.features(torch.zeros(N, 2))
    c = torch.zeros(N, prior.shape.safety_size) if prior.safety else None
    torch.testing.assert_close(found, prior.log_prob(known.actions, features, c))
    heard = log_likelihoods(prior, known, known.safe)
    assert torch.equal(found, heard) == (prior.safety is None)
