"""Ask a policy, and hold two answers against each other.

Axes: B observations, A actions.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from safer_gym.categorical import Greedy
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.victims import through
from safer_gym.wrappers.policies.view import PolicyView

PAST = 3
"""Memories that are asked about: at the start, and after as many steps."""
TIED = 1e-4
"""Scores of two options closer than this, relative to the largest, may go either way."""


class Questions:
    """A policy and the spaces in which it is asked.

    Args:
        view: the policy.
        observation_space: of the environment, a Box or a Dict.
        action_space: of the environment.
    """

    def __init__(
        self, view: PolicyView, observation_space: spaces.Space, action_space: spaces.Space
    ) -> None:
        self.view, self.rows = view, action_rows(action_space)
        self.actions = self.rows.width
        self.layout = ObsLayout(observation_space)
        self.victim = through(self.layout, view.victim())
        """Of rows."""

    @classmethod
    def of(cls, view: PolicyView) -> Questions:
        """Of an admitted policy."""
        assert view.admitted is not None
        return cls(view, *view.admitted)

    def measured(self, packed: Tensor) -> Tensor:
        """What attacks and evaluations read at packed observations, [B, A]."""
        shown = packed.clone()
        try:
            with torch.no_grad():
                answer = self.victim.action(packed).detach().clone()
        except (ValueError, TypeError):
            raise
        except Exception as error:
            raise ValueError(
                f"the policy cannot answer a batch of {len(packed)} observations of shape "
                f"{tuple(packed.shape[1:])}; the environment's observation space is "
                f"{self.layout.space}: {type(error).__name__}: {error}"
            ) from error
        if not torch.equal(packed, shown):
            raise ValueError("the policy writes to the observations that it is given")
        if tuple(answer.shape) != (len(packed), self.actions):
            raise ValueError(
                f"the policy must return {self.actions} numbers for each observation, as the "
                f"environment's action space has them; got shape {tuple(answer.shape)} for "
                f"{len(packed)} observations"
            )
        return answer

    def packed(self, rows: Any) -> Tensor:
        """A batch of observations as attacks see it; a policy with a memory has seen each of them
        a few times before, the first one never."""
        obs, memory = self.layout.pack(rows).to(self.view.device), self.victim.memory
        if not memory.size:
            return obs
        held = memory.begin(len(obs)).to(obs)
        for step in range(1, PAST):
            later = torch.arange(len(obs)) % PAST >= step
            after = memory.after(memory.rows(obs, held))
            held = torch.where(later.to(obs.device)[:, None], after, held)
        return memory.rows(obs, held)

    def told_apart(self, rows: Any, told: Tensor, read: Tensor) -> Tensor:
        """Actions `read` [B, A], or `told` where two options are too close to tell who is right."""
        distribution = self.victim.distribution
        if self.rows.sizes is None or distribution is None:
            return read
        with torch.no_grad():
            scores, sizes = distribution(self.packed(rows))
        close = Greedy(scores, sizes).lead <= TIED * scores.abs().amax(-1).clamp(min=1.0)
        return torch.where(close.to(read.device)[:, None], told.to(read), read)

    def alone(self, packed: Tensor) -> Tensor:
        """`measured`, one observation at a time."""
        return torch.cat([self.measured(row) for row in packed.split(1)])

    def deployed(self, rows: Any, *, deterministic: bool = True) -> Tensor:
        """What the policy's own `predict` answers, [B, A]."""
        if self.view.recurrence is not None:
            return self.view.as_deployed(self.packed(rows)).double()
        return self.rows.pack(self.view.predict(rows, deterministic=deterministic)[0])


def count(rows: Any) -> int:
    """B of a batch."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def apart(a: Tensor, b: Tensor, tolerance: float) -> tuple[int, float] | None:
    """The row where two answers differ most, and by how much; None where they agree.

    Differences count relative to the answers' own size, and absolutely below 1. NaN agrees with
    NaN: what is not finite is refused where it is acted on.
    """
    a, b = a.double().cpu(), b.double().cpu()
    size = torch.maximum(a.abs(), b.abs()).nan_to_num(posinf=0.0).amax(0).clamp(min=1.0)
    same = (a == b) | (a.isnan() & b.isnan())
    error = torch.where(same, 0.0, (a - b).abs().nan_to_num(nan=torch.inf))
    if bool((error <= tolerance * size).all()):
        return None
    row = int((error / size).amax(1).argmax())
    return row, float(error[row].max())
