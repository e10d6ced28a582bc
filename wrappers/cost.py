"""Counts the cost of each step and of each episode."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from safer_gym.domains import FLAG, require
from safer_gym.wrappers.adapters.safety_gymnasium import five_values
from safer_gym.wrappers.cost_budget import CostBudget
from safer_gym.wrappers.cost_source import Constraint, CostReading, CostSource, Reducer
from safer_gym.wrappers.gate.environment import EnvironmentGate


class CostTracker(gym.Wrapper, RecordConstructorArgs):
    """Puts the cost into `info`, for every step, always as a float.

        env = CostTracker(gymnasium.make("SaferGym/BallCircle-v0"))

    `info["cost"]` is the cost of the step and `info["episode_cost"]` that of the episode so far;
    with several constraints `info["costs"]` has each. At an episode's end the sum goes into
    `info["episode"]` as `"c"`, beside `"r"` and `"l"`, if Gymnasium's RecordEpisodeStatistics or
    Stable-Baselines3's Monitor is inside. Both may be outside instead: then
    `Monitor(env, info_keywords=("episode_cost",))` writes the sum down. (Without either,
    `record_episode=True` makes that entry; it would stop a RecordEpisodeStatistics outside.)

    Order: env -> adapter -> TimeLimit -> CostTracker -> ObservationAdversary -> Monitor, so that
    the cost is that of the true state.

    Args:
        env: the environment. A step of six values (Safety-Gymnasium's) is understood.
        cost: where the cost comes from: None, a key of `info`, a function of
            (obs, action, next_obs, info), or a dict of keys and functions; see `CostSource`.
        reduce: how several constraints become one cost: "sum", "max" or a function of their dict.
        budget: cost that an episode may have, for the two options that follow.
        terminate_at_budget: end an episode once its cost is above the budget;
            `info["budget_exceeded"]` says so.
        observe_budget: give flat Box observations one entry more, the share of the budget that
            is left, from 1 to 0.
        strict: whether a missing cost is an error; if not, it counts as zero, with one warning.
        record_episode: make `info["episode"]` with "r", "l" and "c" at an episode's end if no
            wrapper inside did.

    Raises:
        TypeError, ValueError: at once for arguments out of range; at a step for a cost that is
            missing, not finite or negative, and for an observation or a reward that is not finite
            or too large for float32.
    """

    def __init__(
        self,
        env: gym.Env,
        cost: Constraint | Mapping[str, Constraint] | None = None,
        *,
        reduce: str | Reducer = "sum",
        budget: float | None = None,
        terminate_at_budget: bool = False,
        observe_budget: bool = False,
        strict: bool = True,
        record_episode: bool = False,
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            cost=cost,
            reduce=reduce,
            budget=budget,
            terminate_at_budget=terminate_at_budget,
            observe_budget=observe_budget,
            strict=strict,
            record_episode=record_episode,
        )
        gym.Wrapper.__init__(self, env)
        self._gate = EnvironmentGate(env.observation_space, bounded=False)
        self._source = CostSource(cost, reduce=reduce, strict=strict)
        self._budget = CostBudget(budget, terminate=terminate_at_budget, observe=observe_budget)
        if observe_budget:
            self.observation_space = self._budget.extended_space(env.observation_space)
        require(FLAG, record_episode=record_episode)
        self._record_episode = record_episode
        self._obs: Any = None
        self.episode_cost, self._return, self._length = 0.0, 0.0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; its cost is zero so far. `info` gets nothing: no step, no cost."""
        obs, info = self._gate.reset(self.env.reset(seed=seed, options=options), seed)
        self.episode_cost, self._return, self._length = 0.0, 0.0, 0
        self._keep(obs)
        return self._budget.extended(obs, 0.0), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act, and count."""
        answer = self._gate.step(five_values(self.env.step(action)))
        obs, reward, terminated, truncated, info = answer
        reading = self._source.read(self._obs, action, obs, info)
        self._keep(obs)
        self.episode_cost += reading.cost
        self._return, self._length = self._return + reward, self._length + 1
        info = counted(info, reading, self.episode_cost)
        if self._budget.terminate:
            info["budget_exceeded"] = self._budget.exceeded(self.episode_cost)
            terminated = terminated or info["budget_exceeded"]
        if terminated or truncated:
            self._summarise(info)
        obs = self._budget.extended(obs, self.episode_cost)
        return obs, reward, terminated, truncated, info

    def _keep(self, obs: Any) -> None:
        """Remember what a cost function may look at; environments may reuse their arrays."""
        if self._source.needs_transition:
            self._obs = copy.deepcopy(obs)

    def _summarise(self, info: dict[str, Any]) -> None:
        if "episode" in info:
            info["episode"] = {**info["episode"], "c": self.episode_cost}
        elif self._record_episode:
            info["episode"] = {"r": self._return, "l": self._length, "c": self.episode_cost}


def counted(info: Mapping[str, Any], reading: CostReading, episode_cost: float) -> dict[str, Any]:
    """A copy of a step's `info` with its cost and the episode's so far."""
    more: dict[str, Any] = {"cost": reading.cost, "episode_cost": episode_cost}
    if reading.parts is not None:
        more["costs"] = reading.parts
    return {**info, **more}
