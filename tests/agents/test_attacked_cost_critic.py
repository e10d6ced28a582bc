"""The cost critic's bootstrap action: the policy's own, or the policy's under attack."""

from __future__ import annotations

import pytest
import torch
from agent_envs import small_agent


@pytest.mark.parametrize("attacked", [True, False])
@pytest.mark.parametrize("kind", ["mean", "sample"])
def test_the_bootstrap_action_is_taken_where_the_attack_leads(
    attacked: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = small_agent("SAFER", attacked_cost_critic=attacked, cost_action=kind)
    next_obs = torch.tensor(agent.observation_space.sample()).float().unsqueeze(0)
    action = torch.zeros(1, *agent.action_space.shape)
    monkeypatch.setattr(agent, "_attacked", lambda obs, attack: obs + 1.0)
    torch.manual_seed(0)
    found = agent._cost_action(next_obs, action)
    torch.manual_seed(0)
    mean = kind == "mean"
    led = agent.actor._predict(next_obs + 1.0, deterministic=mean)
    own = agent.actor._predict(next_obs, deterministic=True) if mean else action
    torch.testing.assert_close(found, led if attacked else own)
    assert not torch.equal(led, own)


@pytest.mark.parametrize("algorithm", ["CVPO", "SAFER"])
def test_an_unknown_bootstrap_action_names_the_nearest(algorithm: str) -> None:
    with pytest.raises(ValueError, match="Did you mean 'sample'"):
        small_agent(algorithm, cost_action="samples")


def test_the_attack_raises_the_value_of_the_next_state() -> None:
    """At the attacked observation the mean action costs no less by the critic's own account."""
    agent = small_agent("SAFER", attacked_cost_critic=True, eps=0.5, eps_schedule="constant")
    obs = torch.stack([torch.tensor(agent.observation_space.sample()).float() for _ in range(32)])
    attacked = agent._attacked(obs, agent.adversary)
    victim = agent.victim()
    clean = victim.q_cost(obs, victim.action(obs))
    attacked = victim.q_cost(obs, victim.action(attacked))
    assert bool((attacked >= clean - 1e-6).all())
    assert bool((attacked > clean + 1e-6).any())
