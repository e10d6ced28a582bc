"""Safety-Gymnasium's six-value step, brought to Gymnasium's five.

The package itself is not imported: its releases pin an old Gymnasium. Any object with its
interface will do.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
from gymnasium import Space, spaces

FiveValues = tuple[Any, float, bool, bool, dict[str, Any]]


def five_values(step: tuple[Any, ...]) -> FiveValues:
    """A step of five values as it is; of six, (obs, reward, cost, terminated, truncated, info),
    with the cost moved to `info["cost"]`.

    Raises:
        ValueError: another number of values, or `info["cost"]` contradicts the cost.
    """
    if len(step) == 5:
        return step
    if len(step) != 6:
        raise ValueError(
            "step must give (obs, reward, terminated, truncated, info), or six values with the "
            f"cost after the reward; got {len(step)} values."
        )
    obs, reward, cost, terminated, truncated, info = step
    cost = float(cost)
    if "cost" in info and not _same(float(info["cost"]), cost):
        raise ValueError(
            f"step gave the cost {cost}, but info['cost'] is {info['cost']}: they contradict."
        )
    return obs, float(reward), bool(terminated), bool(truncated), {**info, "cost": cost}


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))


class SafetyGymnasiumAdapter(gymnasium.Env):
    """An environment with a six-value step as a Gymnasium environment, cost in `info["cost"]`.

        env = SafetyGymnasiumAdapter(safety_gymnasium.make("SafetyPointGoal1-v0"))

    It must be the innermost layer: Gymnasium's own wrappers unpack five values. The parts
    `info["cost_*"]` stay as they are and are not added up (`cost_sum` is among them). The time
    limit is the inner environment's own.

    Args:
        env: anything with `reset(seed=..., options=...)`, `step`, `observation_space` and
            `action_space`. Spaces of another installation of Gymnasium are rebuilt if they are
            boxes or discrete.

    Raises:
        TypeError: something of that is missing, or a space is of another kind.
    """

    def __init__(self, env: Any) -> None:
        for name in ("reset", "step", "observation_space", "action_space"):
            if not hasattr(env, name):
                raise TypeError(f"env must have {name!r}; got {type(env).__name__}, without it.")
        self.env = env
        self.observation_space = _own_space(env.observation_space)
        self.action_space = _own_space(env.action_space)
        self.render_mode = getattr(env, "render_mode", None)
        self.metadata = dict(getattr(env, "metadata", {}))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> FiveValues:
        """Act; the cost comes back as `info["cost"]`."""
        return five_values(self.env.step(action))

    def render(self) -> Any:
        """Whatever the inner environment renders."""
        return self.env.render()

    def close(self) -> None:
        """Close the inner environment."""
        self.env.close()


def _own_space(space: Any) -> Space:
    if isinstance(space, Space):
        return space
    if hasattr(space, "low") and hasattr(space, "high"):
        return spaces.Box(space.low, space.high, dtype=space.dtype.type)
    if hasattr(space, "n"):
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    raise TypeError(f"cannot take over a space of type {type(space).__name__}: {space!r}.")
