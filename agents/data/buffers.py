"""Replay buffers that keep the cost, and other signals by name, beside the reward.

One gathering rule serves all: windows of `n_steps` transitions, cut
at the first end of an episode, with rewards and costs summed under the same mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from safer_gym.agents.data.signals import Signal, cost_signal, over_steps, read, stored

if TYPE_CHECKING:  # the mix-in is used beside a replay buffer of Stable-Baselines3
    _Base = ReplayBuffer
else:
    _Base = object

Told = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
"""From the windows' rows [B, n] and columns [B, 1] to the reward and the signals of their steps."""


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
    signals: Mapping[str, Tensor] = MappingProxyType({})
    """What else the buffer keeps, by name: [B, *shape], [B, 1] of a number."""


class CostStorage(_Base):
    """Adds costs to a Stable-Baselines3 replay buffer; mixed in before it."""

    def __init__(
        self,
        *args: Any,
        gamma: float = 0.99,
        n_steps: int = 1,
        cost_key: str = "cost",
        missing_cost: str = "error",
        signals: Mapping[str, Signal] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        if isinstance(self, NStepReplayBuffer):
            kwargs |= {"gamma": gamma, "n_steps": n_steps}
        super().__init__(*args, **kwargs)
        self.gamma, self.n_steps = gamma, n_steps
        self.kinds = {"cost": cost_signal(cost_key, missing_cost), **signals}
        self.signals = stored(self.kinds, self.buffer_size, self.n_envs)
        self._warned: set[str] = set()

    @property
    def costs(self) -> np.ndarray:
        """[rows, E]"""
        return self.signals["cost"]

    def add(self, obs, next_obs, action, reward, done, infos) -> None:  # type: ignore[no-untyped-def]
        found = {name: read(kind, infos, self._warned) for name, kind in self.kinds.items()}
        for name, values in found.items():
            self.signals[name][self.pos] = values
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
        return self._gather(batch_inds, columns, env, self._recorded)

    def _gather(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        env: VecNormalize | None,
        told: Told,
        instead: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> CostSamples:
        """The transitions that begin at the rows [B] of the columns [B].

        Args:
            told: what the steps told.
            instead: parts of Dict observations in place of the stored ones, [B, ...] by key.
        """
        steps = np.arange(self.n_steps)
        window = (rows[:, None] + steps) % self.buffer_size
        mask = self._alive(window, columns)
        ends = mask.sum(axis=1) - 1
        last = window[np.arange(len(rows)), ends]
        weights = mask * self.gamma**steps
        found = told(window, columns[:, None])
        rewards = self._normalize_reward(found.pop("reward"), env)
        signals = {
            name: self._column(over_steps(kind, found[name], weights, ends))
            for name, kind in self.kinds.items()
        }
        ended = self.dones[last, columns] * (1.0 - self.timeouts[last, columns])
        discounts = self.gamma ** mask.sum(axis=1)
        return CostSamples(
            self._observations_at(self.observations, rows, columns, env, instead),
            self.to_torch(self.actions[rows, columns]),
            self._next_observations_at(last, columns, env, instead),
            self._column(ended),
            self._column((rewards * weights).sum(axis=1)),
            self._column(discounts),
            signals.pop("cost"),
            signals,
        )

    def _recorded(self, window: np.ndarray, columns: np.ndarray) -> dict[str, np.ndarray]:
        """The reward and every signal of the steps of windows, [B, n, ...], as they were."""
        told = {name: values[window, columns] for name, values in self.signals.items()}
        return {"reward": self.rewards[window, columns], **told}

    def _alive(self, window: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """True for each step of a window up to and with the first end; the first is always True.

        The newest stored row ends every window: behind it lies nothing, or another episode.
        """
        ends = self.dones[window, columns[:, None]] > 0
        ends |= self.timeouts[window, columns[:, None]] > 0
        ends |= window == (self.pos - 1) % self.buffer_size
        before = np.cumsum(ends, axis=1) - ends
        return before == 0

    def _observations_at(
        self, store: Any, rows: np.ndarray, columns: np.ndarray, env: Any, instead: Any
    ) -> Any:
        if isinstance(store, dict):
            whole = {key: part[rows, columns] for key, part in store.items()} | dict(instead)
            picked: Any = self._normalize_obs(whole, env)
            return {key: self.to_torch(value) for key, value in picked.items()}
        normalized: Any = self._normalize_obs(store[rows, columns], env)
        return self.to_torch(normalized)

    def _next_observations_at(
        self, rows: np.ndarray, columns: np.ndarray, env: Any, instead: Any
    ) -> Any:
        if self.optimize_memory_usage:
            rows = (rows + 1) % self.buffer_size
            return self._observations_at(self.observations, rows, columns, env, instead)
        return self._observations_at(self.next_observations, rows, columns, env, instead)

    def _column(self, values: np.ndarray) -> Tensor:
        """[B, 1] of numbers, [B, *shape] of more."""
        flat = values if values.ndim > 1 else values.reshape(-1, 1)
        return self.to_torch(flat.astype(np.float32))


class CostReplayBuffer(CostStorage, ReplayBuffer):
    """Transitions with costs."""


class CostDictReplayBuffer(CostStorage, DictReplayBuffer):  # type: ignore[misc]
    """Transitions of Dict observations with costs."""


class CostNStepReplayBuffer(CostStorage, NStepReplayBuffer):  # type: ignore[misc]
    """The same as CostReplayBuffer, for code that asks for Stable-Baselines3's n-step class."""
