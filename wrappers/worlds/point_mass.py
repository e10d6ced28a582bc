"""A mass on a plane, drawn to a goal that lies behind a wall. Ours; a training takes minutes.

A wall that is far away is no constraint: what a safe algorithm then gives up is the price of the
algorithm alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.domains import POSITIVE, require
from safer_gym.wrappers.worlds.world import Floats, Ranges, World

DT = 0.1
DRAG = 0.5
"""Share of the speed that is lost in a second."""
GOAL = np.array([2.0, 0.0])
WALL = 1.5


class PointMass(World):
    """State (x, y, x', y'); h = 1 - x / wall. The reward is 1 at the goal and 0 at the origin.

    Args:
        wall: where it stands, on the x axis; the goal is at x = 2.
        bound, render_mode: as of `World`.

    Raises:
        ValueError: a wall that is not above 0 or not finite, and as `World`.
    """

    ranges = Ranges(
        action=np.ones(2),
        disturbance=np.full(2, 0.2),
        usual=np.array([0.5, 0.5, 0.1, 0.1]),
        wide=np.array([3.0, 3.0, 2.0, 2.0]),
    )
    n_observations = 4

    def __init__(
        self, wall: float = WALL, bound: float = 1.0, render_mode: str | None = None
    ) -> None:
        require(POSITIVE, wall=wall)
        self.wall = float(wall)
        super().__init__(bound, render_mode)

    def advance(self, state: Floats, action: Floats, disturbance: Floats) -> Floats:
        """Semi-implicit Euler: the velocity first."""
        place, velocity = state[..., :2], state[..., 2:]
        velocity = velocity + DT * (action + disturbance - DRAG * velocity)
        return np.concatenate([place + DT * velocity, velocity], axis=-1)

    def margin(self, state: Floats) -> Floats:
        """1 - x / wall."""
        return 1 - state[..., 0] / self.wall

    def reward(self, state: Floats, action: Floats, following: Floats) -> float:
        """By the distance to the goal, with little force."""
        distance = float(np.linalg.norm(following[:2] - GOAL) / np.linalg.norm(GOAL))
        return 1 - distance - 0.01 * float(action @ action)

    def draw(self, canvas: Any) -> None:
        """From above."""
        canvas.view(-3, 3, -2, 2)
        canvas.line([(self.wall, -2), (self.wall, 2)], "#b85450")
        canvas.dot((float(GOAL[0]), float(GOAL[1])), "#82b366", 8)
        canvas.dot((float(self.state[0]), float(self.state[1])))
