"""Counts cost in Stable-Baselines3's vector environments."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from safer_gym.wrappers.cost import counted
from safer_gym.wrappers.cost_budget import CostBudget
from safer_gym.wrappers.cost_source import Constraint, CostSource, Reducer
from safer_gym.wrappers.gate.environment import BatchGate


class VecCostTracker(VecEnvWrapper):
    """`CostTracker` for a Stable-Baselines3 `VecEnv`: the same entries in each environment's info.

    The step that ends an episode keeps its cost, its sum, and, with `observe_budget`, the right
    share in `info["terminal_observation"]`; the observation beside it is the next episode's first.

    Args:
        venv: the vector environment; costs must not have been scaled by then (VecNormalize does
            not scale them).
        cost, reduce, budget, observe_budget, strict: as for `CostTracker`.

    An episode cannot be ended from out here: for `terminate_at_budget` wrap each environment in a
    `CostTracker`.

    Raises:
        TypeError, ValueError: as for `CostTracker`.
    """

    def __init__(
        self,
        venv: VecEnv,
        cost: Constraint | Mapping[str, Constraint] | None = None,
        *,
        reduce: str | Reducer = "sum",
        budget: float | None = None,
        observe_budget: bool = False,
        strict: bool = True,
    ) -> None:
        self._gate = BatchGate(venv.observation_space)
        self._source = CostSource(cost, reduce=reduce, strict=strict)
        self._budget = CostBudget(budget, terminate=False, observe=observe_budget)
        super().__init__(venv, self._budget.extended_space(venv.observation_space))
        self.episode_costs = np.zeros(venv.num_envs)
        self._obs: Any = None
        self._actions: Any = None

    def reset(self) -> VecEnvObs:
        """Begin an episode in every environment."""
        obs = self.venv.reset()
        self._gate.check(obs)
        self.episode_costs[:] = 0.0
        self._keep(obs)
        return self._budget.extended(obs, self.episode_costs)

    def step_async(self, actions: np.ndarray) -> None:
        """Start a step; remember the actions for cost functions."""
        self._actions = copy.deepcopy(actions) if self._source.needs_transition else None
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Finish the step, and count."""
        obs, rewards, dones, infos = self.venv.step_wait()
        self._gate.check(obs, rewards)
        counted_infos = [
            self._counted(row, obs, dones[row], infos[row]) for row in range(len(infos))
        ]
        self.episode_costs[dones] = 0.0
        self._keep(obs)
        return self._budget.extended(obs, self.episode_costs), rewards, dones, counted_infos

    def _counted(self, row: int, obs: Any, done: bool, info: dict[str, Any]) -> dict[str, Any]:
        if self._source.needs_transition:
            after = info["terminal_observation"] if done else _row(obs, row)
            reading = self._source.read(_row(self._obs, row), self._actions[row], after, info)
        else:
            reading = self._source.read(None, None, None, info)
        self.episode_costs[row] += reading.cost
        total = float(self.episode_costs[row])
        info = counted(info, reading, total)
        if done and "episode" in info:
            info["episode"] = {**info["episode"], "c": total}
        if done and self._budget.observe:
            last = info["terminal_observation"]
            info["terminal_observation"] = self._budget.extended(last, total)
        return info

    def _keep(self, obs: VecEnvObs) -> None:
        if self._source.needs_transition:
            self._obs = copy.deepcopy(obs)


def _row(obs: Any, row: int) -> Any:
    if isinstance(obs, dict):
        return {key: value[row] for key, value in obs.items()}
    if isinstance(obs, tuple):
        return tuple(value[row] for value in obs)
    return obs[row]
