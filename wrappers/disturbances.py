"""Environments that can be disturbed.

Such an environment has `unwrapped.disturbance_space` (a Box) and `unwrapped.disturb(d)`, which
counts for the next `step` alone. The wrappers here give both to any environment.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import ArrayLike, NDArray

from safer_gym.domains import NOT_NEGATIVE, require_array

HINT = (
    "wrap it in safer_gym.wrappers.ActionDisturbance or ForceDisturbance, or give its class a Box "
    "disturbance_space and a method disturb(d)"
)


def disturbance_space(env: Any) -> gym.spaces.Box:
    """What `env` can be disturbed with.

    Raises:
        ValueError: it cannot; says how it could.
    """
    inner = env.unwrapped
    space = getattr(inner, "disturbance_space", None)
    if not isinstance(space, gym.spaces.Box) or not callable(getattr(inner, "disturb", None)):
        raise ValueError(
            f"{inner} cannot be disturbed: unwrapped.disturbance_space must be a Box and "
            f"unwrapped.disturb a method; {HINT}"
        )
    return space


class Disturbance(gym.Wrapper, RecordConstructorArgs):
    """Gives an environment `disturbance_space` and `disturb`; subclasses say what they do.

    Args:
        env: an environment that has neither.
        space: of the disturbances.
    """

    def __init__(self, env: gym.Env, space: gym.spaces.Box) -> None:
        gym.Wrapper.__init__(self, env)
        inner: Any = env.unwrapped
        if hasattr(inner, "disturb"):
            raise ValueError(f"{inner} can be disturbed already; wrap it once")
        self.disturbance_space = inner.disturbance_space = space
        # Wrappers above reach it through `unwrapped`, as they do where a class has it itself.
        inner.disturb = self.disturb
        self._next: NDArray | None = None

    def disturb(self, disturbance: ArrayLike) -> None:
        """Disturb the next step.

        Raises:
            ValueError: not in the space.
        """
        space = self.disturbance_space
        given = np.asarray(disturbance, dtype=space.dtype)
        if not space.contains(given):
            raise ValueError(f"disturbance must lie in {space}; got {disturbance!r}")
        self._next = given

    def reset(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; a disturbance that no step has used is dropped."""
        self._next = None
        return self.env.reset(**given)

    def _take(self) -> NDArray | None:
        """The disturbance of this step; None where there is none."""
        taken, self._next = self._next, None
        return taken


class ActionDisturbance(Disturbance):
    """Adds the disturbance to the action; the sum may leave the action's bounds.

    Args:
        env: an environment with a Box action space.
        bound: largest disturbance of an action, a number or one for each entry, >= 0.
    """

    def __init__(self, env: gym.Env, bound: ArrayLike) -> None:
        RecordConstructorArgs.__init__(self, bound=bound)
        space = env.action_space
        if not isinstance(space, gym.spaces.Box):
            raise ValueError(f"ActionDisturbance needs a Box action space; got {space}")
        super().__init__(env, box_of(bound, space.shape))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step with the disturbed action."""
        disturbance = self._take()
        if disturbance is not None:
            action = (np.asarray(action) + disturbance).astype(self.env.action_space.dtype)
        return self.env.step(action)


def box_of(bound: ArrayLike, shape: tuple[int, ...]) -> gym.spaces.Box:
    """The disturbances of at most `bound` in each entry.

    Raises:
        ValueError: a bound that is negative, not finite or of another shape.
    """
    require_array(NOT_NEGATIVE, bound=bound)
    array = np.asarray(bound, dtype=np.float32)
    try:
        high = np.broadcast_to(array, shape).astype(np.float32)
    except ValueError:
        raise ValueError(
            f"bound must be a number or have the shape {shape}; got shape {array.shape}"
        ) from None
    require_array(NOT_NEGATIVE, bound=high)  # it may be too large for float32
    return gym.spaces.Box(-high, high, dtype=np.float32)
