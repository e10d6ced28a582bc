"""The bound of the cost multiplier may grow with training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from agent_envs import Gamble, small_agent, vectorised

from safer_gym.agents.cvpo.estep import rising


def test_the_bound_grows_linearly_and_then_stays() -> None:
    bounds = [rising(20.0, progress, 0.5) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert bounds == pytest.approx([0.0, 10.0, 20.0, 20.0, 20.0])


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_without_a_warm_up_the_bound_is_itself(progress: float) -> None:
    assert rising(20.0, progress, 0.0) == 20.0


def prices(**options: Any) -> tuple[list[float], Any]:
    """The multiplier of each update, where the cost limit cannot be met, and the agent."""
    agent = small_agent("CVPO", vectorised(Gamble, 2), cost_limit=1e-6, max_lam=2.0, **options)
    found: list[float] = []
    expect = agent._expectation

    def note(obs: Any) -> Any:
        estep, posterior = expect(obs)
        found.append(estep.dual.lam)
        return estep, posterior

    agent._expectation = note  # type: ignore[method-assign]
    agent.learn(400)
    return found, agent


def test_the_price_stays_below_the_growing_bound() -> None:
    found, _ = prices(lam_warmup=1.0)
    updates = len(found)
    bound = [2.0 * (k // 2 + 1) / (updates // 2) for k in range(updates)]
    # Two updates follow each tenth of the training.
    assert all(price <= limit + 1e-6 for price, limit in zip(found, bound, strict=True))
    assert max(found) > 0.5
    full, _ = prices()
    assert max(full[: updates // 4]) > max(found[: updates // 4])


def test_no_warm_up_is_the_default_to_the_bit() -> None:
    first, second = (prices(**own)[1].policy.state_dict() for own in ({}, {"lam_warmup": 0.0}))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_bad_shares_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"lam_warmup must be a number in \[0, 1\]"):
        small_agent("CVPO", lam_warmup=share)
