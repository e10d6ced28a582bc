"""Counts cost in Gymnasium's vector environments, whichever way they reset."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from safer_gym.wrappers.cost_budget import CostBudget
from safer_gym.wrappers.cost_source import Constraint, CostReading, CostSource, Reducer
from safer_gym.wrappers.gate.environment import BatchGate
from safer_gym.wrappers.vector_rows import Mask, autoreset_mode, put, reset_rows, row_info


class VectorCostTracker(VectorWrapper):
    """`CostTracker` for a `gymnasium.vector.VectorEnv`: the same entries, as arrays with masks.

    `infos["cost"]` [E], `infos["episode_cost"]` [E] and, with several constraints,
    `infos["costs"][name]` [E] are there at every step, with masks `_cost` and so on. A mask is
    False where an environment took no step, but a reset: the step after an episode's end with
    NEXT_STEP, or the top level of the step that ends one with SAME_STEP, whose own cost lies in
    `infos["final_info"]`. Sums go into an `infos["episode"]` from inside as `"c"`.

    Gymnasium takes the type of an info array from the first environment that gives one: costs 0
    and 0.7 arrive as 0 and 0. A warning says when costs arrive as integers; wrap each environment
    in a `CostTracker` to be sure.

    Args:
        env: the vector environment.
        cost, reduce, strict: as for `CostTracker`. Functions are called once an environment.
        budget, observe_budget: as for `CostTracker`.
        terminate_at_budget: only for an environment whose autoreset is disabled. Elsewhere the
            environments inside would not reset: wrap each in a `CostTracker`.

    Raises:
        TypeError, ValueError: as for `CostTracker`.
    """

    def __init__(
        self,
        env: VectorEnv,
        cost: Constraint | Mapping[str, Constraint] | None = None,
        *,
        reduce: str | Reducer = "sum",
        budget: float | None = None,
        terminate_at_budget: bool = False,
        observe_budget: bool = False,
        strict: bool = True,
    ) -> None:
        super().__init__(env)
        self._mode = autoreset_mode(env)
        self._gate = BatchGate(env.single_observation_space)
        if terminate_at_budget and self._mode != AutoresetMode.DISABLED:
            raise ValueError(
                "terminate_at_budget=True needs autoreset_mode=DISABLED; got "
                f"{self._mode.name}. Wrap each environment in a CostTracker instead."
            )
        self._source = CostSource(cost, reduce=reduce, strict=strict)
        self._budget = CostBudget(budget, terminate=terminate_at_budget, observe=observe_budget)
        if observe_budget:
            single = self._budget.extended_space(env.single_observation_space)
            self.single_observation_space = single
            self.observation_space = batch_space(single, env.num_envs)
        self.episode_costs = np.zeros(env.num_envs)
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)
        self._obs: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes: all, or with `options["reset_mask"]` some."""
        rows = reset_rows(options, self.num_envs)
        obs, infos = self.env.reset(seed=seed, options=options)
        self._gate.check(obs)
        self.episode_costs[rows] = 0.0
        self._ended[rows] = False
        self._keep(obs)
        return self._budget.extended(obs, self.episode_costs), infos

    def step(self, actions: Any) -> tuple[Any, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Act in all environments, and count where a step was taken."""
        obs, rewards, terminated, truncated, infos = self.env.step(actions)
        self._gate.check(obs, rewards)
        infos = dict(infos)
        self.episode_costs[self._ended] = 0.0
        stepped = ~self._ended
        same_step = self._mode == AutoresetMode.SAME_STEP
        over = (terminated | truncated) if same_step else np.zeros_like(stepped)
        self._count(stepped & ~over, actions, obs, infos)
        if over.any():
            self._count_last_steps(over, actions, infos)
        if self._budget.terminate:
            exceeded = self.episode_costs > self._budget.limit
            put(infos, "budget_exceeded", exceeded, stepped)
            terminated = terminated | (exceeded & stepped)
        done = terminated | truncated
        self._summarise(infos, done)
        self.episode_costs[over] = 0.0
        self._ended = np.zeros_like(done) if same_step else done
        self._keep(obs)
        obs = self._budget.extended(obs, self.episode_costs)
        return obs, rewards, terminated, truncated, infos

    def _count(self, rows: Mask, actions: Any, next_obs: Any, infos: dict[str, Any]) -> None:
        """Read and add up the costs of `rows` [E], and write them into `infos`."""
        readings = self._readings(rows, actions, next_obs, infos)
        costs = np.zeros(self.num_envs)
        for row, reading in readings.items():
            costs[row] = reading.cost
        self.episode_costs += costs
        put(infos, "cost", costs, rows)
        put(infos, "episode_cost", self.episode_costs, rows)
        names = {name for reading in readings.values() for name in reading.parts or ()}
        if names:
            infos["costs"], infos["_costs"] = self._parts(readings, sorted(names)), rows.copy()

    def _parts(self, readings: Mapping[int, CostReading], names: list[str]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for name in names:
            values, there = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=np.bool_)
            for row, reading in readings.items():
                if reading.parts is not None and name in reading.parts:
                    values[row], there[row] = reading.parts[name], True
            put(parts, name, values, there)
        return parts

    def _readings(
        self, rows: Mask, actions: Any, next_obs: Any, infos: Mapping[str, Any]
    ) -> dict[int, CostReading]:
        self._warn_of_integers(infos)
        places = [int(row) for row in np.flatnonzero(rows)]
        if not self._source.needs_transition:
            keys = self._source.keys
            return {
                row: self._source.read(None, None, None, row_info(infos, row, keys))
                for row in places
            }
        before, done = self._split(self._obs), list(iterate(self.env.action_space, actions))
        after = next_obs if isinstance(next_obs, list) else self._split(next_obs)
        return {
            row: self._source.read(before[row], done[row], after[row], row_info(infos, row))
            for row in places
        }

    def _split(self, obs: Any) -> list[Any]:
        return list(iterate(self.env.observation_space, obs))

    def _count_last_steps(self, rows: Mask, actions: Any, infos: dict[str, Any]) -> None:
        """SAME_STEP: the steps that ended episodes have their observation and info apart."""
        final = dict(infos["final_info"])
        self._count(rows, actions, list(infos["final_obs"]), final)
        if "episode" in final:
            final["episode"] = self._with_sum(final["episode"], rows)
        infos["final_info"] = final
        if self._budget.observe:
            last = infos["final_obs"].copy()
            for row in np.flatnonzero(rows):
                last[row] = self._budget.extended(last[row], self.episode_costs[row])
            infos["final_obs"] = last

    def _summarise(self, infos: dict[str, Any], done: Mask) -> None:
        if done.any() and "episode" in infos:
            infos["episode"] = self._with_sum(infos["episode"], done)

    def _with_sum(self, episode: Mapping[str, Any], rows: Mask) -> dict[str, Any]:
        summed = dict(episode)
        put(summed, "c", self.episode_costs, rows)
        return summed

    def _keep(self, obs: Any) -> None:
        if self._source.needs_transition:
            self._obs = copy.deepcopy(obs)

    def _warn_of_integers(self, infos: Mapping[str, Any]) -> None:
        for key in self._source.keys or ():
            values = infos.get(key)
            if isinstance(values, np.ndarray) and values.dtype.kind in "iub":
                warnings.warn(
                    f"infos[{key!r}] arrives as {values.dtype}: if any environment gives "
                    "fractional costs, the vector environment has cut them off. Wrap each "
                    "environment in a CostTracker to be sure.",
                    stacklevel=3,
                )
