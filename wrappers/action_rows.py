"""Actions of a space as the rows of numbers that attacks, critics and bounds work with, and back.

A Box action is its numbers in a row. A discrete one is a row of zeros and ones, see
`safer_gym.categorical`.

Axes: B batch, A numbers of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.categorical import Greedy, Sizes


class BoxRows:
    """The numbers of a Box action.

    Args:
        space: the action space of one environment.
    """

    sizes: Sizes | None = None
    """Of the choices; None: the action is no choice."""

    def __init__(self, space: spaces.Box) -> None:
        self.space = space
        self.low, self.high = (torch.as_tensor(np.ravel(end)) for end in (space.low, space.high))
        self.width = len(self.low)

    def pack(self, actions: Any) -> Tensor:
        """Rows [B, A] of a batch of actions."""
        array = np.asarray(actions, dtype=np.float64)
        return torch.as_tensor(array).reshape(len(array), -1)

    def clipped(self, rows: Tensor) -> Tensor:
        """Rows [B, A] as the environment takes them."""
        return torch.clamp(rows.double(), self.low.double(), self.high.double())

    def legal(self, row: NDArray) -> NDArray:
        """One row [A] as an action of the space."""
        space = self.space
        return np.clip(row.reshape(space.shape), space.low, space.high).astype(space.dtype)


class ChoiceRows:
    """The options of a Discrete, MultiDiscrete or MultiBinary action.

    Args:
        space: the action space of one environment.
    """

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary) -> None:
        self.space, self._shape = space, space.shape or ()
        self._is_binary = isinstance(space, spaces.MultiBinary)
        self._start = np.ravel(getattr(space, "start", 0))
        self.sizes = options_of(space)
        self.width = sum(self.sizes)
        self.low, self.high = torch.zeros(self.width), torch.ones(self.width)

    def scores(self, answers: Any) -> Tensor:
        """What a policy answered to B observations as scores of all options [B, A].

        Floats, one for each option, are scores: logits, or values of actions; of a MultiBinary one
        logit for each bit. Anything else are actions.

        Raises:
            ValueError: neither; says which shapes there are.
        """
        given = answers if isinstance(answers, Tensor) else _numbers(np.asarray(answers))
        n, k = len(given), len(self.sizes)
        flat = given.reshape(n, -1)
        if given.is_floating_point() and flat.shape[1] == self.width > k:
            return flat
        if given.is_floating_point() and self._is_binary and flat.shape[1] == k:
            return torch.stack([torch.zeros_like(flat), flat], dim=-1).flatten(1)
        if flat.shape[1] != k:
            raise ValueError(
                f"a policy with actions {self.space} must return for each observation an action, "
                f"{k} integer{'s' * (k > 1)}, or {k if self._is_binary else self.width} logits as "
                f"floats; got shape {tuple(given.shape)} of {given.dtype} for {n} observations"
            )
        return self._one_hot(flat, like=given)

    def pack(self, actions: Any) -> Tensor:
        """Rows [B, A] of a batch of a policy's answers: those of the options taken.

        Raises:
            ValueError: see `scores`.
        """
        return Greedy(self.scores(actions), self.sizes).action.double()

    def clipped(self, rows: Tensor) -> Tensor:
        """Rows [B, A] as they are: every row of options is an action."""
        return rows.double()

    def legal(self, row: NDArray) -> Any:
        """One row [A] as an action of the space: the option with the largest number is taken."""
        ends = np.cumsum(self.sizes)
        taken = [part.argmax() for part in np.split(row, ends[:-1])] + self._start
        action = taken.reshape(self._shape).astype(self.space.dtype)
        return action if self._shape else action[()]

    def _one_hot(self, actions: Tensor, like: Tensor) -> Tensor:
        chosen = actions.double() - torch.as_tensor(self._start).double()
        sizes = torch.as_tensor(self.sizes)
        wrong = ~((chosen == chosen.round()) & (chosen >= 0) & (chosen < sizes))
        if bool(wrong.any()):
            raise ValueError(
                f"a policy returned {actions[wrong.any(1).nonzero()[0, 0]].tolist()}, which is no "
                f"action of {self.space}, nor a logit for each of its {self.width} options"
            )
        columns = zip(chosen.long().unbind(1), self.sizes, strict=True)
        rows = [torch.nn.functional.one_hot(column, size) for column, size in columns]
        kind = like.dtype if like.is_floating_point() else torch.float32
        return torch.cat(rows, dim=1).to(like.device, kind)


ActionRows = BoxRows | ChoiceRows


def action_rows(space: spaces.Space) -> ActionRows:
    """The rows of an action space.

    Raises:
        TypeError: a space that is not a Box, a Discrete, a MultiDiscrete or a MultiBinary.
    """
    if isinstance(space, spaces.Box):
        return BoxRows(space)
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        return ChoiceRows(space)
    raise TypeError(
        f"actions must be a Box, Discrete, MultiDiscrete or MultiBinary; the environment has "
        f"{space}: flatten it, e.g. by gymnasium.wrappers.TransformAction"
    )


def options_of(space: spaces.Space | None) -> Sizes:
    """How many options each choice of a discrete space has; none of another space."""
    if isinstance(space, spaces.MultiBinary):
        return (2,) * int(np.prod(space.shape))
    if not isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        return ()
    return tuple(int(n) for n in np.ravel(getattr(space, "nvec", getattr(space, "n", ()))))


def _numbers(answers: NDArray) -> Tensor:
    if answers.dtype.kind not in "fiub" or answers.ndim == 0:
        raise ValueError(
            f"a policy must return an action of numbers for each observation; got {answers!r:.80}"
        )
    return torch.as_tensor(answers)


def moved_actions(space: spaces.Space) -> spaces.Box:
    """The space itself, where an attack can move its actions.

    Raises:
        TypeError: it is not a Box.
    """
    if not isinstance(space, spaces.Box):
        raise TypeError(
            f"attacks on the action channel move the numbers of a Box by a radius, and the options "
            f"of {space} have no distance: attack the observations; to replace actions with a "
            "stated probability, wrap the environment and certify what comes of it"
        )
    return space
