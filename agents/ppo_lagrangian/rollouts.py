"""Rollout buffers that keep the cost beside the reward, and what an attacker makes of the states.

Shapes: T steps, E environments; rollouts [T, E, ...]. Samples come from the flat order of
Stable-Baselines3, one environment after the other: [E * T, ...].
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.utils import explained_variance
from torch import Tensor

from safer_gym.agents.ppo_lagrangian.losses import scaled
from safer_gym.returns import generalised_advantages

ROWS_AT_ONCE = 4096

if TYPE_CHECKING:  # the mix-in is used beside a rollout buffer of Stable-Baselines3
    _Base = RolloutBuffer
else:
    _Base = object


class CostRolloutSamples(NamedTuple):
    """A batch of steps; Stable-Baselines3's six fields first."""

    observations: PyTorchObs
    actions: Tensor
    """[B, A], in units of the policy's own [-1, 1], not clipped."""
    old_values: Tensor
    old_log_prob: Tensor
    advantages: Tensor
    returns: Tensor
    cost_advantages: Tensor
    cost_returns: Tensor
    attacked: PyTorchObs | None
    """The observations as the attack shows them; None without one."""


class _CostRollout(_Base):
    """Adds costs to a Stable-Baselines3 rollout buffer; mixed in before it."""

    costs: np.ndarray
    ends: np.ndarray
    """1 where a step ended its episode."""
    end_cost_values: np.ndarray
    cost_advantages: np.ndarray
    cost_returns: np.ndarray
    attacked: Any
    """The attacked observations, in the flat order; None without an attack."""

    def reset(self) -> None:
        shape = (self.buffer_size, self.n_envs)
        names = ("costs", "ends", "end_cost_values", "cost_advantages", "cost_returns")
        for name in names:
            setattr(self, name, np.zeros(shape, dtype=np.float32))
        self.attacked = None
        super().reset()

    def note(self, costs: np.ndarray, ends: np.ndarray, end_cost_values: np.ndarray) -> None:
        """What the step about to be added cost, which episodes it ended, and V_c of their last
        states where only a time limit ended them (zero elsewhere); all [E].
        """
        self.costs[self.pos] = costs
        self.ends[self.pos] = ends
        self.end_cost_values[self.pos] = end_cost_values

    def compute_cost_advantages(self, values: Tensor, last_values: Tensor) -> None:
        """GAE of the cost from V_c of all states, in the flat order [E * T], the next [E]."""
        shape = (self.n_envs, self.buffer_size)
        own = values.detach().cpu().view(shape).mT
        ends = torch.as_tensor(self.ends)
        following = torch.cat([own[1:], last_values.detach().cpu().view(1, -1)])
        advantages = generalised_advantages(
            torch.as_tensor(self.costs),
            own,
            torch.where(ends > 0, torch.as_tensor(self.end_cost_values), following),
            torch.zeros_like(ends),  # behind a termination the value is a zero already
            ends,
            self.gamma,
            self.gae_lambda,
        )
        self.cost_advantages = advantages.numpy()
        self.cost_returns = (advantages + own).numpy()

    def known_before(self) -> dict[str, float]:
        """How well both values knew the returns, before they learn from them; by name."""
        costs = self.cost_returns.flatten()
        known = costs - self.cost_advantages.flatten()
        return {
            "explained_variance": explained_variance(self.values.flatten(), self.returns.flatten()),
            "cost_explained_variance": explained_variance(known, costs),
        }

    def scale_advantages(self, reward: str, cost: str) -> None:
        """Scale both advantages over the whole rollout; see losses.scaled."""
        self.advantages = scaled(torch.as_tensor(self.advantages), reward).numpy()
        self.cost_advantages = scaled(torch.as_tensor(self.cost_advantages), cost).numpy()

    def map_observations(self, function: Callable[[PyTorchObs], Any]) -> Any:
        """`function` of all observations in the flat order, some thousand rows at a time.

        Call it before the first sample is drawn.
        """
        stored: Any = self.observations
        is_dict = isinstance(stored, dict)
        parts = stored if is_dict else {"": stored}
        flat = {key: self.swap_and_flatten(part) for key, part in parts.items()}
        results = []
        for first in range(0, self.buffer_size * self.n_envs, ROWS_AT_ONCE):
            rows = {k: self.to_torch(v[first : first + ROWS_AT_ONCE]) for k, v in flat.items()}
            results.append(function(rows if is_dict else rows[""]))
        if isinstance(results[0], dict):
            return {key: torch.cat([part[key] for part in results]) for key in results[0]}
        return torch.cat(results)

    def get(  # type: ignore[override]
        self, batch_size: int | None = None
    ) -> Generator[CostRolloutSamples, None, None]:
        if not self.generator_ready:
            self.cost_advantages = self.swap_and_flatten(self.cost_advantages)
            self.cost_returns = self.swap_and_flatten(self.cost_returns)
        yield from super().get(batch_size)  # type: ignore[misc]

    def _get_samples(  # type: ignore[override]
        self, batch_inds: np.ndarray, env: Any = None
    ) -> CostRolloutSamples:
        own = (self.cost_advantages[batch_inds], self.cost_returns[batch_inds])
        costs = [self.to_torch(part.flatten()) for part in own]
        shown = self.attacked
        if isinstance(shown, dict):
            shown = {key: part[batch_inds] for key, part in shown.items()}
        elif shown is not None:
            shown = shown[batch_inds]
        fields: Any = super()._get_samples(batch_inds, env)
        return CostRolloutSamples._make((*fields, *costs, shown))


class CostRolloutBuffer(_CostRollout, RolloutBuffer):
    """Steps with costs."""


class CostDictRolloutBuffer(_CostRollout, DictRolloutBuffer):  # type: ignore[misc]
    """Steps of Dict observations with costs."""


def choose_rollout_buffer(
    asked: type[RolloutBuffer] | None, space: spaces.Space
) -> type[CostRolloutBuffer] | type[CostDictRolloutBuffer]:
    """The rollout buffer for an observation space.

    Raises:
        TypeError: the class asked for keeps no costs.
    """
    if asked is None:
        return CostDictRolloutBuffer if isinstance(space, spaces.Dict) else CostRolloutBuffer
    if issubclass(asked, (CostRolloutBuffer, CostDictRolloutBuffer)):
        return asked
    raise TypeError(
        "rollout_buffer_class must keep costs: CostRolloutBuffer, CostDictRolloutBuffer or a "
        f"subclass of one; got {asked.__name__}."
    )
