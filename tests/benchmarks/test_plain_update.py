"""The plain version is a fair opponent: the same numbers come out of both."""

from __future__ import annotations

import pytest
import torch

from benchmarks.networks import fill_buffer, make_agent
from benchmarks.plain_cvpo import PlainUpdate
from benchmarks.products import Products
from benchmarks.updates import Setting, _agent
from safer_gym.agents.cvpo.estep import Dual, DualBounds, dual_value, solve_estep

TIGHT = {"estep_tolerance": 1e-6, "estep_iterations": 100}


def _pair(algorithm: str):  # type: ignore[no-untyped-def]
    agent = make_agent(
        algorithm, 16, batch_size=32, n_particles=8, m_steps=3, buffer_size=200, **TIGHT
    )
    fill_buffer(agent, 200)
    agent._current_progress_remaining = 0.0
    # Both draw from the global generator, in the same order.
    agent._generator = torch.default_generator
    return agent, PlainUpdate(agent)


@pytest.mark.parametrize("algorithm", ["cvpo", "safer"])
def test_both_versions_of_an_update_give_equal_networks(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, plain = _pair(algorithm)
    batch = agent._sample_batch(32)
    monkeypatch.setattr(agent, "_sample_batch", lambda size: batch)
    torch.manual_seed(0)
    agent.train(1, 32)
    # SLSQP stops early by its defaults; here both use the exact dual.
    monkeypatch.setattr(plain, "solve_dual", lambda reward, cost: tuple(agent.dual))
    monkeypatch.setattr(agent.replay_buffer, "sample", lambda size: batch)
    torch.manual_seed(0)
    plain.train(1, 32)
    own = agent.actor
    pairs = [
        (own.latent[0].weight, plain.actor.body[0].weight),
        (own.mean_head.weight, plain.actor.mean.weight),
        (own.scale_head.bias, plain.actor.scale.bias),
        (agent.critic.ensemble.weights[1][1].T, plain.critics[1].body[2].weight),
        (agent.cost_critic_target.ensemble.weights[0][0].T, plain.cost_targets[0].body[0].weight),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_plain_dual_is_as_low_as_newtons_but_for_its_own_early_stop() -> None:
    agent, plain = _pair("cvpo")
    q_reward, q_cost = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(0))
    args = (agent.estep.kl_bound_estep, agent.threshold)
    options = {"start": Dual(1.0, 0.1), "bounds": DualBounds(), "max_iterations": 100}
    best = solve_estep(q_reward, q_cost, *args, tolerance=1e-6, **options).dual
    found = Dual(*plain.solve_dual(q_reward.double().numpy(), q_cost.double().numpy()))
    lowest, reached, start = (
        float(dual_value(q_reward, q_cost, dual, *args).value)
        for dual in (best, found, Dual(1.0, 0.1))
    )
    assert lowest - 1e-6 <= reached <= lowest + 0.1 * (start - lowest)


def test_products_count_a_known_amount_of_work_with_its_backward_pass() -> None:
    layer = torch.nn.Linear(3, 5)
    with Products() as products:
        layer(torch.randn(7, 3, requires_grad=True)).sum().backward()
    assert products.flops == 3 * 2 * 7 * 3 * 5
    products.replay()


def test_the_setting_reaches_the_agent() -> None:
    agent = _agent("safer", Setting(batch=8, particles=4, m_steps=2, width=8, transitions=20))
    assert (agent.estep.n_particles, agent.mstep.m_steps, agent.critic.n_critics) == (4, 2, 2)
    assert agent.adversary.attack.steps == 5
