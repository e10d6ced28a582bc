"""What the worlds share: a state, a disturbance for the next step, h, cost, and a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, require

Floats = NDArray[np.float64]

STARTS = ("usual", "wide")

FARTHEST = 1000.0
"""No entry of an observation comes near this."""


class Ranges(NamedTuple):
    """Boxes, as half-widths around zero or as pairs of ends."""

    action: Floats
    """Half-width of each action; actions are cut to it."""
    disturbance: Floats
    """Half-width of each disturbance."""
    usual: Floats
    """Half-width of each entry of a usual first state."""
    wide: Floats
    """The same for `reset(options={"start": "wide"})`: far beyond the safe set, for learning."""


class Disturbed:
    """A box of disturbances, and the one of the next step.

    Args:
        bound: the box in units of the world's own; 0 is no disturbance.
        half: half-width of the world's own box.

    Raises:
        ValueError: a negative or infinite bound.
    """

    def __init__(self, bound: float, half: Floats) -> None:
        require(NOT_NEGATIVE, bound=bound)
        most = (bound * half).astype(np.float32)
        self.disturbance_space = gym.spaces.Box(-most, most, dtype=np.float32)
        self._disturbance = np.zeros(len(most))

    def disturb(self, disturbance: ArrayLike) -> None:
        """What the world adds to the next step, and to that one alone.

        Raises:
            ValueError: another shape, or outside of `disturbance_space`.
        """
        given = np.asarray(disturbance, dtype=np.float32)
        if not self.disturbance_space.contains(given):
            raise ValueError(f"disturbance must lie in {self.disturbance_space}; got {given}")
        self._disturbance = given.astype(np.float64)

    def taken(self) -> Floats:
        """The disturbance of this step; the next one has none."""
        taken, self._disturbance = self._disturbance, np.zeros_like(self._disturbance)
        return taken


def start_of(options: dict[str, Any] | None) -> str:
    """The start that a reset's options ask for.

    Raises:
        ValueError: an option other than start, or another value of it.
    """
    given = dict(options or {})
    start = choose("start", given.pop("start", "usual"), STARTS)
    for name in given:
        choose("option", name, ("start",))
    return start


class World(Disturbed, gym.Env, ABC):
    """A disturbed system. Subclasses are complete; they give the dynamics and the constraint.

    Args:
        bound: the disturbance box in units of the world's own; 0 is no disturbance.
        render_mode: None or "rgb_array" (needs Pillow).

    Raises:
        ValueError: a negative or infinite bound, or another render mode.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 30}
    forgets_on_reset = True
    max_step_cost = 1.0
    ranges: ClassVar[Ranges]
    n_observations: ClassVar[int]

    def __init__(self, bound: float = 1.0, render_mode: str | None = None) -> None:
        Disturbed.__init__(self, bound, self.ranges.disturbance)
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.observation_space = gym.spaces.Box(
            -FARTHEST, FARTHEST, (self.n_observations,), np.float32
        )
        half = self.ranges.action.astype(np.float32)
        self.action_space = gym.spaces.Box(-half, half, dtype=np.float32)
        self.state: Floats = np.zeros(len(self.ranges.usual))

    @abstractmethod
    def advance(self, state: Floats, action: Floats, disturbance: Floats) -> Floats:
        """The next state. A pure function, of arrays [..., S], [..., A] and [..., D]."""

    @abstractmethod
    def margin(self, state: Floats) -> Floats:
        """h of a state, about 1 far inside of the safe set and < 0 outside, [..., S] to [...]."""

    @abstractmethod
    def reward(self, state: Floats, action: Floats, following: Floats) -> float:
        """Of one step."""

    def observe(self, state: Floats) -> Floats:
        """What a policy sees of a state."""
        return state

    def has_crashed(self, state: Floats) -> bool:
        """Whether the episode ends here: so far outside that nothing leads back."""
        return False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A first state, drawn from the usual or the wide box.

        Raises:
            ValueError: an option other than start, or another value of it.
        """
        super().reset(seed=seed)
        self.state = self.first_state(start_of(options))
        self.taken()
        return self._seen(), self._info()

    def first_state(self, start: str) -> Floats:
        """Drawn from the box of the start's name."""
        half = getattr(self.ranges, start)
        return self.np_random.uniform(-half, half)

    def step(
        self, action: ArrayLike
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Gymnasium's step, under the disturbance of the last call of `disturb`."""
        half = self.ranges.action
        used = np.clip(np.asarray(action, dtype=np.float64).reshape(half.shape), -half, half)
        before, self.state = self.state, self.advance(self.state, used, self.taken())
        reward = float(self.reward(before, used, self.state))
        return self._seen(), reward, self.has_crashed(self.state), False, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """The present state as a picture [H, W, 3]; None without a render mode."""
        if self.render_mode is None:
            return None
        from safer_gym.wrappers.worlds.canvas import Canvas

        canvas = Canvas()
        self.draw(canvas)
        return canvas.array()

    @abstractmethod
    def draw(self, canvas: Any) -> None:
        """Draw the present state; see `Canvas`."""

    def _seen(self) -> NDArray[np.float32]:
        return self.observe(self.state).astype(np.float32)

    def _info(self) -> dict[str, Any]:
        h = float(self.margin(self.state))
        return {"h": h, "cost": float(h < 0)}
