"""When two agents have learned the same, bit for bit."""

from __future__ import annotations

import numpy as np
import torch

from safer_gym.agents.cvpo.variational import Variational


def all_tensors(agent: Variational) -> dict[str, torch.Tensor]:
    """Networks, targets and the moments of the optimisers."""
    found = dict(agent.policy.state_dict())
    for name in ("actor", "critic", "cost_critic"):
        state = getattr(agent, name).optimizer.state_dict()["state"]
        for index, moments in state.items():
            found |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
    return found


def assert_same_learner(one: Variational, other: Variational) -> None:
    """Bit for bit: networks, targets, optimisers, duals, multipliers, counters."""
    theirs = all_tensors(other)
    assert all_tensors(one).keys() == theirs.keys()
    for name, tensor in all_tensors(one).items():
        assert torch.equal(tensor, theirs[name]), name
    assert one.dual == other.dual
    assert one.betas == other.betas
    betas = [getattr(agent, "adversarial_betas", None) for agent in (one, other)]
    assert betas[0] == betas[1]
    assert list(one.cost_monitor.recent) == list(other.cost_monitor.recent)
    for name in ("total_cost", "episodes", "violations"):
        assert getattr(one.cost_monitor, name) == getattr(other.cost_monitor, name)
    spreads = [getattr(agent.obs_spread, "var", None) for agent in (one, other)]
    np.testing.assert_array_equal(*spreads)
    for name in ("num_timesteps", "_n_updates", "_episode_num", "episode_length", "threshold"):
        assert getattr(one, name) == getattr(other, name), name


def assert_same_data(one: Variational, other: Variational) -> None:
    """Replay buffers, bit for bit."""
    for name in ("observations", "actions", "rewards", "costs", "timeouts"):
        np.testing.assert_array_equal(
            getattr(one.replay_buffer, name), getattr(other.replay_buffer, name)
        )
