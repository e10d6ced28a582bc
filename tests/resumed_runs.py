"""A run that was saved, and goes on from its file as the one in memory does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from agent_envs import Timed, vectorised

from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.agents.training.random_state import load_random_state


def weights(agent: Any) -> dict[str, torch.Tensor]:
    """Copies of all weights of the policy, by name."""
    return {name: value.clone() for name, value in agent.policy.state_dict().items()}


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
