"""Replay buffers that keep the cost beside the reward.

One gathering rule serves all three: windows of `n_steps` transitions, cut
at the first end of an episode, with rewards and costs summed under the same mask.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from safer_gym.choices import choose

MISSING_COST = ("error", "zero")

if TYPE_CHECKING:  # the mix-in is used beside a replay buffer of Stable-Baselines3
    _Base = ReplayBuffer
else:
    _Base = object


class CostSamples(NamedTuple):
    """A batch of transitions; Stable-Baselines3's six fields first."""

    observations: PyTorchObs
    actions: Tensor
    """[B, A] in [-1, 1]"""
    next_observations: PyTorchObs
    dones: Tensor
    """[B, 1]; 1 where the episode terminated (a time limit does not count)."""
    rewards: Tensor
    """[B, 1]; discounted n-step sums."""
    discounts: Tensor
    """[B, 1]; gamma to the number of summed steps."""
    costs: Tensor
    """[B, 1]; discounted n-step sums under the same mask as the rewards."""


class _CostStorage(_Base):
    """Adds costs to a Stable-Baselines3 replay buffer; mixed in before it."""

    def __init__(
        self,
        *args: Any,
        gamma: float = 0.99,
        n_steps: int = 1,
        cost_key: str = "cost",
        missing_cost: str = "error",
        **kwargs: Any,
    ) -> None:
        if isinstance(self, NStepReplayBuffer):
            kwargs |= {"gamma": gamma, "n_steps": n_steps}
        super().__init__(*args, **kwargs)
        self.gamma, self.n_steps = gamma, n_steps
        self.cost_key = cost_key
        self.missing_cost = choose("missing_cost", missing_cost, MISSING_COST)
        self.costs = np.zeros((self.buffer_size, self.n_envs), dtype=np.float32)
        self._warned = False

    def _cost_of(self, info: dict[str, Any]) -> float:
        cost = info.get(self.cost_key)
        if cost is not None:
            if not 0.0 <= float(cost) < math.inf:
                raise ValueError(
                    f"info[{self.cost_key!r}] must be a finite number >= 0; got {cost!r}."
                )
            return float(cost)
        if self.missing_cost == "error":
            raise ValueError(
                f"info[{self.cost_key!r}] is missing: the environment reports no cost. Wrap it in "
                "safer_gym.wrappers.CostTracker(env, cost=...), name another key with cost_key=, "
                "or pass missing_cost='zero' if absent means zero."
            )
        if not self._warned:
            warnings.warn(f"info[{self.cost_key!r}] is missing and counts as zero.", stacklevel=3)
            self._warned = True
        return 0.0

    def add(self, obs, next_obs, action, reward, done, infos) -> None:  # type: ignore[no-untyped-def]
        self.costs[self.pos] = [self._cost_of(info) for info in infos]
        self.timeouts[self.pos] = 0.0  # a row that is overwritten may have been cut
        super().add(obs, next_obs, action, reward, done, infos)

    def cut(self) -> None:
        """End the unfinished episodes of the newest row, as a time limit would.

        To be called when the environments are reset between two rows: no n-step window may reach
        from one episode into the next.
        """
        if self.size() == 0:
            return
        newest = (self.pos - 1) % self.buffer_size
        if self.optimize_memory_usage:  # its next observation will be overwritten
            self.dones[newest] = 1.0
        self.timeouts[newest] = np.maximum(self.timeouts[newest], 1.0 - self.dones[newest])

    def _get_samples(  # type: ignore[override]
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> CostSamples:
        # The global generator, as Stable-Baselines3's buffers use it and its seeding expects.
        columns = np.random.randint(0, self.n_envs, size=batch_inds.shape)  # noqa: NPY002
        steps = np.arange(self.n_steps)
        window = (batch_inds[:, None] + steps) % self.buffer_size
        mask = self._alive(window, columns)
        last = window[np.arange(len(batch_inds)), mask.sum(axis=1) - 1]
        weights = mask * self.gamma**steps
        rewards = self._normalize_reward(self.rewards[window, columns[:, None]], env)
        costs = self.costs[window, columns[:, None]]
        ended = self.dones[last, columns] * (1.0 - self.timeouts[last, columns])
        discounts = self.gamma ** mask.sum(axis=1)
        return CostSamples(
            self._observations_at(self.observations, batch_inds, columns, env),
            self.to_torch(self.actions[batch_inds, columns]),
            self._next_observations_at(last, columns, env),
            self._column(ended),
            self._column((rewards * weights).sum(axis=1)),
            self._column(discounts),
            self._column((costs * weights).sum(axis=1)),
        )

    def _alive(self, window: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """True for each step of a window up to and with the first end; the first is always True.

        The newest stored row ends every window: behind it lies nothing, or another episode.
        """
        ends = self.dones[window, columns[:, None]] > 0
        ends |= self.timeouts[window, columns[:, None]] > 0
        ends |= window == (self.pos - 1) % self.buffer_size
        before = np.cumsum(ends, axis=1) - ends
        return before == 0

    def _observations_at(self, store: Any, rows: np.ndarray, columns: np.ndarray, env: Any) -> Any:
        if isinstance(store, dict):
            picked: Any = self._normalize_obs({k: v[rows, columns] for k, v in store.items()}, env)
            return {key: self.to_torch(value) for key, value in picked.items()}
        normalized: Any = self._normalize_obs(store[rows, columns], env)
        return self.to_torch(normalized)

    def _next_observations_at(self, rows: np.ndarray, columns: np.ndarray, env: Any) -> Any:
        if self.optimize_memory_usage:
            rows = (rows + 1) % self.buffer_size
            return self._observations_at(self.observations, rows, columns, env)
        return self._observations_at(self.next_observations, rows, columns, env)

    def _column(self, values: np.ndarray) -> Tensor:
        return self.to_torch(values.astype(np.float32).reshape(-1, 1))


class CostReplayBuffer(_CostStorage, ReplayBuffer):
    """Transitions with costs."""


class CostDictReplayBuffer(_CostStorage, DictReplayBuffer):  # type: ignore[misc]
    """Transitions of Dict observations with costs."""


class CostNStepReplayBuffer(_CostStorage, NStepReplayBuffer):  # type: ignore[misc]
    """The same as CostReplayBuffer, for code that asks for Stable-Baselines3's n-step class."""
