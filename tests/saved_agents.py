"""What a trained agent has to show: it learned, its file acts and goes on alike, attacks climb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from agent_envs import Timed, vectorised

from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.agents.training.random_state import load_random_state
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.policies.victims import as_victim


def weights(agent: Any) -> dict[str, torch.Tensor]:
    """Copies of all weights of the policy, by name."""
    return {name: value.clone() for name, value in agent.policy.state_dict().items()}


def assert_learns(agent: Any, steps: int, nets: tuple[str, ...]) -> None:
    """Learn; every network must have moved, and stay finite.

    Args:
        nets: how the names of their weights begin.
    """
    before = weights(agent)
    agent.learn(steps)
    after = weights(agent)
    for net in nets:
        names = [name for name in before if name.startswith(net)]
        assert names, net
        assert any(not torch.equal(before[name], after[name]) for name in names), net
    assert all(bool(torch.isfinite(value).all()) for value in after.values())


def assert_files_act_alike(agent: Any, obs: Any, folder: Path) -> None:
    """Its file acts as it does, loaded by its class and as data."""
    agent.save(folder / "model")
    expected, _ = agent.predict(obs, deterministic=True)
    as_data = load_policy(folder / "model.zip")
    assert not as_data.ran_code
    for loaded in (type(agent).load(folder / "model"), as_data.policy):
        np.testing.assert_array_equal(loaded.predict(obs, deterministic=True)[0], expected)


def assert_attacks_use_both_critics(agent: Any, folder: Path) -> None:
    """The victim of an agent of `Steep` says what agent and file say, and attacks climb on it."""
    agent.save(folder / "model")
    obs, scaled = torch.randn(6, 1), torch.rand(6, 1) * 2 - 1
    in_env = 3.0 + 2.0 * scaled
    victim = agent.victim()
    acted = agent.predict(obs.numpy(), deterministic=True)[0]
    np.testing.assert_allclose(victim.action(obs).detach().numpy(), acted, rtol=1e-5)
    q_reward, q_cost = agent.critic.values(obs, scaled), agent.cost_critic.values(obs, scaled)
    torch.testing.assert_close(victim.q_reward(obs, in_env), q_reward.amin(0))
    torch.testing.assert_close(victim.q_cost(obs, in_env), q_cost.amax(0))
    as_data = as_victim(load_policy(folder / "model.zip").policy)
    assert torch.equal(as_data.q_cost(obs, in_env), victim.q_cost(obs, in_env))
    for name in ("mc", "mr", "mad", "min_reward"):
        found = make_attack(name)(victim, obs, LpBall.of("linf", 0.3), torch.Generator())
        assert bool((found.objective >= found.clean_objective - 1e-6).all()), name
        assert bool((found.obs != obs).any()), name


def assert_resumed_equals_unbroken(agent: Any, folder: Path, priced: tuple[str, ...]) -> Any:
    """Both go on in fresh environments of one seed; other draws are the specimen.

    Args:
        agent: after some learning in two `Timed`.
        priced: attributes that must be equal beside the weights.

    Returns:
        The resumed one.
    """
    saved = save_checkpoint(agent, folder, [])

    def resumed(model: Any = None, *, draws: bool = True) -> Any:
        if model is None:
            model, _ = load_checkpoint(type(agent), saved, vectorised(Timed, 2), device="cpu")
        env = vectorised(Timed, 2)
        model.set_env(env)
        env.seed(9)
        load_random_state(model, saved / "random.pt")
        if not draws:
            torch.manual_seed(99)
            np.random.seed(99)  # noqa: NPY002
        return model.learn(100, reset_num_timesteps=False)

    def differences(one: Any, other: Any) -> list[str]:
        theirs = weights(other)
        found = [k for k, v in weights(one).items() if not torch.equal(v, theirs[k])]
        return found + [name for name in priced if getattr(one, name) != getattr(other, name)]

    again = resumed()
    assert differences(again, resumed(draws=False))
    assert differences(again, resumed(agent)) == []
    return again
