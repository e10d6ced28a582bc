"""Numbers from which an agent must not learn: those that are not finite, or too large for float32.

Everything is looked at before it is used: a transition before it enters a buffer, a loss and its
gradients before the optimiser's step. So an agent that stops keeps its last finite weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

LARGEST = 1e8
"""Of an observation, a reward, a cost: their fourth power must fit into float32, as a gradient
grows with the square of what goes in, and Adam squares the gradient."""


class NotFiniteError(ValueError):
    """A number from which nothing can be learned. The message says which, and where it came from.

    A ValueError, since the cause is a value that the environment gave or the user chose.
    """


def require_finite(what: str, values: Any, *, lowest: float = -LARGEST, first_env: int = 0) -> None:
    """Refuse numbers that came from environments.

    Args:
        what: a noun for the message.
        values: an array [E, ...], or a dict of such; integers always pass.
        lowest: that may be; the largest is LARGEST.
        first_env: the number of the first environment.

    Raises:
        NotFiniteError: names the first environment and its value.
    """
    if isinstance(values, Mapping):
        for key, part in values.items():
            require_finite(f"{what}[{key!r}]", part, lowest=lowest, first_env=first_env)
        return
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating) or _all_small(array, lowest):
        return
    rows = array.reshape(len(array), -1)
    wrong = ~((rows >= lowest) & (rows <= LARGEST))
    if wrong.any():
        env, entry = np.argwhere(wrong)[0]
        place = f"entry {entry} of the {what}" if rows.shape[1] > 1 else f"the {what}"
        raise NotFiniteError(
            f"{place} of environment {first_env + env} is {rows[env, entry]:g}; it must be a "
            f"finite number between {lowest:g} and {LARGEST:g}"
        )


def _all_small(array: np.ndarray, lowest: float) -> bool:
    """Whether the sum of squares is: one pass, which a NaN fails too."""
    if lowest > -LARGEST:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.vdot(array, array) <= LARGEST**2)


def require_finite_transition(
    obs: Any, actions: np.ndarray, rewards: np.ndarray, infos: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse a step of E environments: what they answered, and the actions that the policy took.

    Raises:
        NotFiniteError: names the first environment and its value.
    """
    require_finite("action", actions)
    require_finite("reward", rewards)
    require_finite("observation", obs)
    for env, info in enumerate(infos):
        last = info.get("terminal_observation")
        if last is not None:
            require_finite("last observation", _one_row(last), first_env=env)


def _one_row(obs: Any) -> Any:
    if isinstance(obs, Mapping):
        return {key: np.asarray(part)[None] for key, part in obs.items()}
    return np.asarray(obs)[None]


def require_finite_loss(name: str, loss: Tensor, weights: Iterable[Tensor]) -> None:
    """Refuse a loss, or its gradients, before a step.

    Raises:
        NotFiniteError: names the loss.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NotFiniteError(f"the {name} loss is {value}; it must be a finite number")
    total = sum(weight.grad.sum() for weight in weights if weight.grad is not None)
    if not math.isfinite(total):
        raise NotFiniteError(f"a gradient of the {name} loss ({value:g}) is not a finite number")


def require_finite_numbers(what: str, numbers: Mapping[str, float]) -> None:
    """Refuse results of a computation.

    Raises:
        NotFiniteError: names the first of them.
    """
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise NotFiniteError(f"the {what} ended with {name} = {number}")


def require_finite_weights(weights: Mapping[str, Tensor]) -> None:
    """Refuse weights before they are saved.

    Raises:
        NotFiniteError: names the first tensor.
    """
    for name, weight in weights.items():
        if not bool(torch.isfinite(weight).all()):
            raise NotFiniteError(f"the weights {name} are not finite: this policy is not saved")
