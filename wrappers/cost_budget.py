"""A budget of cost for an episode, and what is left of it as an observation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from safer_gym.domains import FLAG, NOT_NEGATIVE, require


class CostBudget:
    """How much an episode may cost.

    Args:
        limit: at least 0; None for no budget.
        terminate: whether an episode ends once its cost is above the limit.
        observe: whether observations get one entry more.

    Raises:
        ValueError: a limit that is no finite number from 0, or that is missing where it is
            needed, or that is 0 where its share is to be observed.
    """

    def __init__(self, limit: float | None, *, terminate: bool, observe: bool) -> None:
        require(NOT_NEGATIVE.or_none, budget=limit)
        require(FLAG, terminate_at_budget=terminate, observe_budget=observe)
        if limit is None and (terminate or observe):
            wish = "terminate_at_budget" if terminate else "observe_budget"
            raise ValueError(f"{wish}=True needs a budget; got budget=None.")
        if observe and limit == 0:
            raise ValueError("observe_budget=True needs a budget above 0; got 0.")
        self.limit = math.inf if limit is None else float(limit)
        self.terminate = terminate
        self.observe = observe

    def exceeded(self, episode_cost: float) -> bool:
        """Whether the budget is overdrawn; a cost equal to it is still within."""
        return episode_cost > self.limit

    def extended_space(self, space: Space) -> Space:
        """The space with one entry more, from 0 to 1, if that is wished.

        Raises:
            ValueError: the space is no flat Box of floating-point numbers.
        """
        if not self.observe:
            return space
        if not (
            isinstance(space, spaces.Box)
            and len(space.shape) == 1
            and np.issubdtype(space.dtype, np.floating)
        ):
            raise ValueError(
                "observe_budget=True needs observations in a flat Box of floating-point numbers; "
                f"got {space}. Flatten them first, or read info['episode_cost'] instead."
            )
        return spaces.Box(
            np.append(space.low, 0.0).astype(space.dtype),
            np.append(space.high, 1.0).astype(space.dtype),
            dtype=space.dtype.type,
        )

    def extended(self, obs: Any, episode_cost: float | NDArray[np.float64]) -> Any:
        """Observations [..., O] and costs so far [...] to observations [..., O + 1].

        The new entry is the share of the budget that is left: 1 at the start, 0 once it is spent.
        """
        if not self.observe:
            return obs
        left = np.clip(1.0 - np.asarray(episode_cost) / self.limit, 0.0, 1.0)
        return np.concatenate([obs, left[..., None].astype(obs.dtype)], axis=-1)
