"""A learned backup: a safety policy and its value, asked about all states that may be true.

The value Q_h (DRAC's, or any network that a user brings) is bounded from below over the whole ball
around what is shown, by the enclosure of `safer_gym.bounds`. Nothing is known of how well Q_h was
learned: this is a run-time switch, and no certificate given a model rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import enclose
from safer_gym.bounds.network import Layers
from safer_gym.domains import ANY_NUMBER, NOT_NEGATIVE, require
from safer_gym.wrappers.policies.view import view_of


class SafetySwitch:
    """Acts as the task policy while Q_h stays >= margin for every state of the ball, else safely.

    Args:
        task, safety: the two policies, whatever `as_victim` takes; without a memory.
        q_safety: the networks of Q_h, whose least value counts: layers that read rows
            [observation, action, disturbance]. `DRACPolicy.q_safety_layers` has DRAC's.
        eps, norm: the ball of observations [*O].
        n_disturbances: how many last entries of a row are a disturbance, any in [-1, 1].
        margin: what Q_h has to stay above.
        observation_space, action_space: of the environment, a Box each; Q_h reads actions as
            shares of the action space in [-1, 1].

    Raises:
        ValueError: eps negative, networks of other sizes.
    """

    def __init__(
        self,
        task: Any,
        safety: Any,
        q_safety: Sequence[Layers],
        *,
        eps: float,
        observation_space: Any,
        action_space: Any,
        norm: str = "linf",
        n_disturbances: int = 0,
        margin: float = 0.0,
    ) -> None:
        require(NOT_NEGATIVE, eps=eps)
        require(ANY_NUMBER, margin=margin)
        self.observation_space, self.action_space = observation_space, action_space
        self.task, self.safety = view_of(task).victim(), view_of(safety).victim()
        self.q_safety, self.margin, self.n_disturbances = tuple(q_safety), margin, n_disturbances
        low, high = (
            torch.as_tensor(end).flatten() for end in (action_space.low, action_space.high)
        )
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        seen = torch.full((int(np.prod(observation_space.shape)),), float(eps)).double()
        still = torch.zeros(len(low), dtype=torch.float64)
        self._eps = torch.cat([seen, still, torch.ones(n_disturbances, dtype=torch.float64)])
        # A disturbance is free of what is shown: the box around both, whatever the norm.
        self.ball = LpBall.of("linf" if n_disturbances else norm, self._eps)

    def least(self, obs: Tensor, action: Tensor) -> Tensor:
        """A lower bound [B] of Q_h of an action [B, A] over the ball around each of obs [B, *O]."""
        unit = (action - self._middle) / self._half
        nothing = torch.zeros(len(obs), self.n_disturbances)
        rows = torch.cat([obs.flatten(1), unit.to(obs), nothing.to(obs)], 1)
        found = [enclose(layers, rows, self.ball).lower[:, 0] for layers in self.q_safety]
        return torch.stack(found).amin(0)

    @torch.no_grad()
    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, None]:
        """The action at [*O] or [B, *O]; it has no memory."""
        obs = torch.as_tensor(np.asarray(observation, dtype=np.float32))
        alone = obs.shape == self.observation_space.shape
        obs = obs.unsqueeze(0) if alone else obs
        task, safety = self.task.action(obs), self.safety.action(obs)
        is_safe = (self.least(obs, task) >= self.margin).unsqueeze(1)
        action = torch.where(is_safe, task, safety).numpy()
        return action[0] if alone else action, None
