"""The other process of `AheadVecEnv`: the environments, and a copy of the agent that acts in them.

The copy runs Stable-Baselines3's own `collect_rollouts`, with a callback that takes notes instead
of a replay buffer. All that it draws follows from a seed that comes with each order.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from safer_gym.agents.finite import NotFiniteError, require_finite_transition

SEEDS = 2**31
"""Below it lie the seeds of the draws."""


class Step(NamedTuple):
    """One step of E environments, and what was acted on."""

    obs: Any
    """[E, *O]: what the agent saw and stores, the attacker's where it collects under attack."""
    actions: np.ndarray
    """[E, A], in the environments' units."""
    buffer_actions: np.ndarray
    """[E, A], as the replay buffer keeps them."""
    result: tuple[Any, np.ndarray, np.ndarray, Any]
    """What `VecEnv.step` gave."""


class Order(NamedTuple):
    """All that the next rollout depends on beside the environments."""

    state: dict[str, Any]
    """The agent's attributes, without networks, buffers and environments."""
    weights: dict[str, Tensor]
    seed: int
    copy: tuple[type[OffPolicyAlgorithm], bytes] | None
    """The agent as a file, for a collector that has no copy of it yet."""


def order_of(agent: OffPolicyAlgorithm, seed: int, *, anew: bool) -> bytes:
    """An order for `agent` as it is now, pickled."""
    copy = None
    if anew:
        file = io.BytesIO()
        agent.save(file)
        copy = (type(agent), file.getvalue())
    states, variables = agent._get_torch_save_params()
    left_out = {*agent._excluded_save_params(), *(n.split(".")[0] for n in (*states, *variables))}
    left_out |= {"_last_obs", "_last_original_obs", "_last_episode_starts"}  # the collector's own
    state = {name: value for name, value in vars(agent).items() if name not in left_out}
    weights = {name: value.cpu() for name, value in agent.policy.state_dict().items()}
    return cloudpickle.dumps(Order(state, weights, seed, copy))


class Collector:
    """Gathers rollouts as ordered.

    Args:
        wanted: asked at each step; False ends the rollout.
    """

    def __init__(self, wanted: Callable[[], bool] = lambda: True) -> None:
        self.wanted = wanted
        self.venv: Any = None
        self.agent: Any = None

    def build(self, env_fns: bytes) -> tuple[Any, Any]:
        """Make the environments; returns their spaces."""
        self.venv = DummyVecEnv(cloudpickle.loads(env_fns))
        return self.venv.observation_space, self.venv.action_space

    def reset(self, seeds: list[int | None], options: list[dict[str, Any]]) -> tuple[Any, Any]:
        """First observations, and infos, of every environment."""
        self.venv._seeds, self.venv._options = seeds, options
        self.obs = self.venv.reset()
        if self.agent is not None:
            self.agent._begin_episodes()
        return self.obs, self.venv.reset_infos

    def close(self) -> None:
        """Close the environments, where they have been made."""
        if self.venv is not None:
            self.venv.close()

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Any other method of the vector environment."""
        return getattr(self.venv, method)(*args, **kwargs)

    def gather(self, pickled: bytes) -> list[Step]:
        """The next `train_freq` steps of the ordered agent."""
        order: Order = cloudpickle.loads(pickled)
        if order.copy is not None:
            algorithm, file = order.copy
            self.agent = algorithm.load(
                io.BytesIO(file), env=self.venv, device="cpu", buffer_size=self.venv.num_envs
            )
        agent = self.agent
        vars(agent).update(order.state)
        agent.policy.load_state_dict(order.weights)
        set_random_seed(order.seed)
        agent.action_space.seed(order.seed)
        agent._generator.manual_seed(int(torch.randint(SEEDS, ())))
        agent._last_obs = self.obs
        notes = _Notes(self.wanted)
        notes.init_callback(agent)
        agent.collect_rollouts(
            self.venv, notes, agent.train_freq, _Nowhere(), None, agent.learning_starts
        )
        self.obs = agent._last_obs
        return notes.steps


class _Notes(BaseCallback):
    def __init__(self, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self.wanted = wanted
        self.steps: list[Step] = []

    def _on_step(self) -> bool:
        now = self.locals
        result = (now["new_obs"], now["rewards"], now["dones"], now["infos"])
        obs: Any = self.model._last_obs
        self.steps.append(Step(obs, now["actions"], now["buffer_actions"], result))
        try:
            require_finite_transition(now["new_obs"], now["actions"], now["rewards"], now["infos"])
        except NotFiniteError:
            return False  # the agent will refuse this step
        return self.wanted()


class _Nowhere:
    """Stands for the replay buffer, which the other process has."""

    def add(self, *transition: Any) -> None:
        pass
