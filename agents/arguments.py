"""What the algorithms' constructors refuse, each with its reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.type_aliases import TrainFreq

from safer_gym.choices import choose
from safer_gym.domains import (
    AT_LEAST_ONE,
    COUNT,
    FLAG,
    NOT_NEGATIVE,
    SEED,
    SHARE,
    Domain,
    require,
)


class UnsupportedSpaceError(ValueError, AssertionError):
    """Spaces that an algorithm cannot take; Stable-Baselines3 raises an AssertionError there."""


def require_box(action_space: spaces.Space) -> None:
    """Refuse actions that no Gaussian draws, or that cannot be scaled to [-1, 1].

    Raises:
        UnsupportedSpaceError: no Box, or a bound that is not finite, or not above the lower one.
    """
    if not isinstance(action_space, spaces.Box):
        raise UnsupportedSpaceError(
            "the environment's action_space must be a Box of finite bounds: the policy samples "
            f"continuous actions; got {action_space}."
        )
    low, high = np.ravel(action_space.low), np.ravel(action_space.high)
    wrong = ~(np.isfinite(low) & np.isfinite(high) & (low < high))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise UnsupportedSpaceError(
            "the environment's action_space must be a Box of finite bounds with low < high; entry "
            f"{first} lies between {low[first]} and {high[first]}. A rescaling wrapper such as "
            "gymnasium.wrappers.RescaleAction changes bounds."
        )


def require_axes(observation_space: spaces.Space) -> None:
    """Refuse observations without an axis, which Stable-Baselines3's networks cannot flatten.

    Raises:
        UnsupportedSpaceError: a Box of shape (), also as an entry of a Dict.
    """
    parts = {"": observation_space}
    if isinstance(observation_space, spaces.Dict):
        parts = dict(observation_space.items())
    for key, space in parts.items():
        if isinstance(space, spaces.Box) and space.shape == ():
            where = f" (key {key!r})" if key else ""
            raise UnsupportedSpaceError(
                "the environment's observation_space must have at least one axis, as shape (1,) "
                f"has; got {space}{where}. gymnasium.wrappers.ReshapeObservation changes shapes."
            )


def require_known(argument: str, names: Iterable[str], *makers: Callable[..., Any]) -> None:
    """Raises ValueError for a name that is no parameter of any of `makers`; has the nearest one."""
    known = {name for maker in makers for name in inspect.signature(maker).parameters}
    for name in names:
        choose(argument, name, sorted(known - {"self", "args", "kwargs"}))


SB3_ARGUMENTS: dict[str, Domain] = {
    **dict.fromkeys(("buffer_size", "batch_size", "n_steps", "n_epochs"), AT_LEAST_ONE),
    **dict.fromkeys(("stats_window_size", "target_update_interval"), AT_LEAST_ONE),
    **dict.fromkeys(("learning_starts", "verbose"), COUNT),
    **dict.fromkeys(("gamma", "gae_lambda"), SHARE),
    **dict.fromkeys(("target_kl", "max_grad_norm"), NOT_NEGATIVE.or_none),
    "vf_coef": NOT_NEGATIVE,
    **dict.fromkeys(("optimize_memory_usage", "normalize_advantage", "use_sde"), FLAG),
    "tau": SHARE,
    "seed": SEED.or_none,
}
"""Of Stable-Baselines3's constructors, which take most of them as they come."""


def sb3_arguments(maker: Callable[..., Any], *args: Any, **kwargs: Any) -> inspect.BoundArguments:
    """What an algorithm of Stable-Baselines3 is called with: Python's numbers in numpy's places.

    Refuses what it would take and fail at later, or never.

    Args:
        maker: its constructor; `args` and `kwargs` are what it is to be called with.

    Raises:
        ValueError, TypeError: names the first argument, what was expected and what came.
    """
    bound = inspect.signature(maker).bind_partial(*args, **kwargs)
    given = bound.arguments
    for name, value in given.items():
        if name in SB3_ARGUMENTS:
            require(SB3_ARGUMENTS[name], **{name: value})
        if isinstance(value, np.generic):
            given[name] = value.item()
        if type(value) is dict:  # Stable-Baselines3 writes into policy_kwargs
            given[name] = dict(value)
    weight = given.get("ent_coef")
    if not (isinstance(weight, str) and weight.startswith("auto")):
        require(NOT_NEGATIVE.or_none, ent_coef=weight)
    rate, every = given.get("learning_rate", 0.0), given.get("train_freq", 1)
    if not callable(rate):
        require(NOT_NEGATIVE, learning_rate=rate)
    if not isinstance(every, (tuple, list, str, TrainFreq)):
        require(AT_LEAST_ONE, train_freq=every)
    return bound
