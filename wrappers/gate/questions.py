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
from safer_gym.wrappers.obs_layout import ObsLayout, batch_of, pick
from safer_gym.wrappers.policies.view import PolicyView

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

    @classmethod
    def of(cls, view: PolicyView) -> Questions:
        """Of an admitted policy."""
        assert view.admitted is not None
        return cls(view, *view.admitted)

    def measured(self, rows: Any) -> Tensor:
        """What attacks and evaluations read at a batch of observations, [B, A]."""
        packed = self.packed(rows)
        shown: Any = self.layout.unpack(packed.clone())
        given: Any = self.layout.unpack(packed)
        try:
            with torch.no_grad():
                answer = self.view.victim().action(given).detach().clone()
        except (ValueError, TypeError):
            raise
        except Exception as error:
            raise ValueError(
                f"the policy cannot answer a batch of {len(packed)} observations of shape "
                f"{tuple(packed.shape[1:])}; the environment's observation space is "
                f"{self.layout.space}: {type(error).__name__}: {error}"
            ) from error
        if not _equal(given, shown):
            raise ValueError("the policy writes to the observations that it is given")
        if tuple(answer.shape) != (len(packed), self.actions):
            raise ValueError(
                f"the policy must return {self.actions} numbers for each observation, as the "
                f"environment's action space has them; got shape {tuple(answer.shape)} for "
                f"{len(packed)} observations"
            )
        return answer

    def packed(self, rows: Any) -> Tensor:
        """A batch of observations as attacks see it."""
        return self.layout.pack(rows).to(self.view.device)

    def told_apart(self, rows: Any, told: Tensor, read: Tensor) -> Tensor:
        """Actions `read` [B, A], or `told` where two options are too close to tell who is right."""
        distribution = self.view.victim().distribution
        if self.rows.sizes is None or distribution is None:
            return read
        with torch.no_grad():
            shown: Any = self.layout.unpack(self.packed(rows))
            scores, sizes = distribution(shown)
        close = Greedy(scores, sizes).lead <= TIED * scores.abs().amax(-1).clamp(min=1.0)
        return torch.where(close.to(read.device)[:, None], told.to(read), read)

    def alone(self, rows: Any) -> Tensor:
        """`measured`, one observation at a time."""
        parts = [self.measured(batch_of(pick(rows, k))) for k in range(count(rows))]
        return torch.cat(parts)

    def deployed(self, rows: Any, *, deterministic: bool = True) -> Tensor:
        """What the policy's own `predict` answers, [B, A]."""
        return self.rows.pack(self.view.predict(rows, deterministic=deterministic)[0])


def count(rows: Any) -> int:
    """B of a batch."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return all(_equal(a[key], b[key]) for key in a)
    return torch.equal(a, b)


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
