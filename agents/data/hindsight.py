"""Hindsight experience replay with costs: what a step costs under another goal is computed anew."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from safer_gym.agents.data.buffers import CostSamples, CostStorage
from safer_gym.agents.data.signals import as_numbers
from safer_gym.agents.finite import require_finite
from safer_gym.choices import choose

HINDSIGHT_COSTS = ("computed", "recorded")


class CostHerReplayBuffer(CostStorage, HerReplayBuffer):  # type: ignore[misc]
    """Transitions of goal environments with costs.

    Args are those of HerReplayBuffer and of the other cost buffers, and:
        hindsight_cost: "computed" asks the environment's `compute_cost(achieved_goal, desired_goal,
            infos)`, the twin of its `compute_reward`; "recorded" keeps the cost of the step, which
            is right where no cost depends on the goal.

    Raises:
        ValueError: the environment has no `compute_cost`.
    """

    def __init__(self, *args: Any, hindsight_cost: str = "computed", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hindsight_cost = choose("hindsight_cost", hindsight_cost, HINDSIGHT_COSTS)
        self._require_cost(self.env)

    def _require_cost(self, env: VecEnv | None) -> None:
        assert env is not None
        if self.hindsight_cost == "computed" and not env.has_attr("compute_cost"):
            raise ValueError(
                "HerReplayBuffer needs the cost of a step under another goal: the environment must "
                "have compute_cost(achieved_goal, desired_goal, infos), as it has compute_reward; "
                "it has none. If no cost depends on the goal, pass "
                "replay_buffer_kwargs={'hindsight_cost': 'recorded'}."
            )

    def set_env(self, env: VecEnv) -> None:
        self._require_cost(env)
        super().set_env(env)

    def cut(self) -> None:
        super().cut()
        for env in np.flatnonzero(self._current_ep_start != self.pos):
            self._compute_episode_length(int(env))

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> CostSamples:  # type: ignore[override]
        """As HerReplayBuffer does, with the costs; only whole episodes are drawn from."""
        valid = np.flatnonzero(self.ep_length > 0)
        if len(valid) == 0:
            super().sample(batch_size, env)  # refuses
        drawn = np.random.choice(valid, size=batch_size)  # noqa: NPY002
        rows, columns = np.unravel_index(drawn, self.ep_length.shape)
        n = int(self.her_ratio * batch_size)
        real = self._gather(rows[n:], columns[n:], env, self._recorded)
        return _joined(real, self._virtual(rows[:n], columns[:n], env)) if n else real

    def _virtual(self, rows: np.ndarray, columns: np.ndarray, env: Any) -> CostSamples:
        """The transitions as they were, under goals that were achieved later."""
        goals = self._sample_goals(rows, columns)
        return self._gather(
            rows, columns, env, partial(self._under, goals), {"desired_goal": goals}
        )

    def _under(self, goals: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> dict[str, Any]:
        """What the steps of windows tell under other goals [B, *G]."""
        shape = rows.shape
        achieved = self.next_observations["achieved_goal"][rows, columns]
        infos = self.infos[rows, columns].ravel()
        asked = (
            achieved.reshape(-1, *goals.shape[1:]),
            goals.repeat(shape[1], axis=0),
            copy.deepcopy(infos) if self.copy_info_dict else [{} for _ in infos],
        )
        told = self._recorded(rows, columns)
        told["reward"] = self._ask("compute_reward", asked).astype(np.float32).reshape(shape)
        if self.hindsight_cost == "computed":
            told["cost"] = _costs(self._ask("compute_cost", asked), rows.size).reshape(shape)
        return told

    def _ask(self, method: str, asked: tuple[Any, ...]) -> Any:
        assert self.env is not None, "set_env must follow unpickling"
        return self.env.env_method(method, *asked, indices=[0])[0]


def _costs(computed: Any, n: int) -> np.ndarray:
    costs = as_numbers(computed, "cost", (n,)).astype(np.float32)
    require_finite("cost of compute_cost", costs, lowest=0.0)
    return costs


def _joined(first: CostSamples, second: CostSamples) -> CostSamples:
    def both(one: Any, other: Any) -> Any:
        if isinstance(one, torch.Tensor):
            return torch.cat([one, other])
        return {key: both(one[key], other[key]) for key in one}

    return CostSamples(*(both(*pair) for pair in zip(first, second, strict=True)))
