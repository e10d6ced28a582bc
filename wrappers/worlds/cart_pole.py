"""A pole on a cart, balanced by a continuous force and pushed by a smaller one.

Gymnasium's CartPole dynamics (Barto, Sutton and Anderson, 1983; 10 N, steps of 0.02 s) with the
limits of its episodes as the constraint. The disturbance of 3 N on the cart and the reward are
ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.wrappers.worlds.world import Floats, Ranges, World

DT = 0.02
GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5
FORCE = 10.0
"""Newtons at an action, or a disturbance, of 1."""
X_LIMIT, ANGLE_LIMIT = 2.4, 0.2095
GOAL = 1.8
"""Where the reward draws the cart: near the limit."""


class CartPole(World):
    """State (x, x', theta, theta'); h = min(1 - |x| / 2.4, 1 - |theta| / 0.2095)."""

    ranges = Ranges(
        action=np.array([1.0]),
        disturbance=np.array([0.3]),
        usual=np.array([0.5, 0.1, 0.05, 0.1]),
        wide=np.array([2.8, 2.0, 0.3, 2.0]),
    )
    n_observations = 4

    def advance(self, state: Floats, action: Floats, disturbance: Floats) -> Floats:
        """Semi-implicit Euler: velocities first."""
        force = FORCE * (action + disturbance)[..., 0]
        x, v, angle, spin = np.moveaxis(state, -1, 0)
        sin, cos, total = np.sin(angle), np.cos(angle), CART + POLE
        pushed = (force + POLE * HALF_LENGTH * spin**2 * sin) / total
        turned = (GRAVITY * sin - cos * pushed) / (HALF_LENGTH * (4 / 3 - POLE * cos**2 / total))
        moved = pushed - POLE * HALF_LENGTH * turned * cos / total
        v, spin = v + DT * moved, spin + DT * turned
        return np.stack([x + DT * v, v, angle + DT * spin, spin], axis=-1)

    def margin(self, state: Floats) -> Floats:
        """The nearer of the two limits."""
        far, tilted = np.abs(state[..., 0]) / X_LIMIT, np.abs(state[..., 2]) / ANGLE_LIMIT
        return np.minimum(1 - far, 1 - tilted)

    def reward(self, state: Floats, action: Floats, following: Floats) -> float:
        """Near the goal, with little force."""
        return float(np.exp(-((following[0] - GOAL) ** 2)) - 0.001 * action[0] ** 2)

    def has_crashed(self, state: Floats) -> bool:
        """The cart beyond 4 m, or the pole beyond 0.6 rad."""
        return bool(abs(state[0]) > 4.0 or abs(state[2]) > 0.6)

    def draw(self, canvas: Any) -> None:
        """From the side."""
        canvas.view(-4, 4, -1.5, 3.8)
        x, angle = float(self.state[0]), float(self.state[2])
        canvas.line([(-4, 0), (4, 0)], "#999999")
        for end in (-X_LIMIT, X_LIMIT):
            canvas.line([(end, -0.5), (end, 1.5)], "#b85450")
        canvas.line([(GOAL, 0), (GOAL, 0.3)], "#82b366", 4)
        canvas.polygon([(x - 0.3, 0), (x + 0.3, 0), (x + 0.3, 0.3), (x - 0.3, 0.3)], "#6c8ebf")
        canvas.line([(x, 0.3), (x + 2 * np.sin(angle), 0.3 + 2 * np.cos(angle))], "#d79b00", 6)
