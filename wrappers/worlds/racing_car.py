"""A small car on a winding road: a kinematic bicycle in the road's own coordinates.

Wheelbase, limits and disturbance box as in ISAACS' race car (Hsu, Nguyen and Fisac, 2023); the road
and the reward are ours. Progress is measured along the middle of the road, so the inside of a bend
is the shorter way, and the reward draws the car to the edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.wrappers.worlds.world import Floats, Ranges, World

DT = 0.1
WHEELBASE = 0.257
SLOWEST, FASTEST = 0.4, 2.0
STEERING_LIMIT = 0.35
ACCELERATION, STEERING_RATE = 3.5, 5.0
HALF_WIDTH = 0.6
ANGLE_LIMIT = np.pi / 2
PERIOD, SHARPEST = 8.0, 0.8
"""Of the road's curvature along it: metres, and 1 / metres."""


class RacingCar(World):
    """State (s, e_y, v, psi, delta): along and across the road, speed, angle to it, steering."""

    ranges = Ranges(
        action=np.array([1.0, 1.0]),
        disturbance=np.full(5, 0.1),
        usual=np.array([PERIOD / 2, 0.2, 0.3, 0.2, 0.1]),
        wide=np.array([PERIOD / 2, 0.7, 0.8, 1.6, STEERING_LIMIT]),
    )
    n_observations = 6

    def first_state(self, start: str) -> Floats:
        """As for every world, around 1.2 m/s."""
        return self._within(super().first_state(start) + np.array([0, 0, 1.2, 0, 0]))

    def advance(self, state: Floats, action: Floats, disturbance: Floats) -> Floats:
        """The classical Runge-Kutta step; speed and steering stay within their limits."""

        def slope(at: Floats) -> Floats:
            return _slope(at, action) + disturbance

        one = slope(state)
        two = slope(state + DT / 2 * one)
        three = slope(state + DT / 2 * two)
        four = slope(state + DT * three)
        return self._within(state + DT / 6 * (one + 2 * two + 2 * three + four))

    def margin(self, state: Floats) -> Floats:
        """The nearer of the road's edge and a right angle to it."""
        across = 1 - np.abs(state[..., 1]) / HALF_WIDTH
        return np.minimum(across, 1 - np.abs(state[..., 3]) / ANGLE_LIMIT)

    def observe(self, state: Floats) -> Floats:
        """(e_y, v, psi, delta, sine and cosine of the place in the road's period)."""
        place = 2 * np.pi * state[..., :1] / PERIOD
        return np.concatenate([state[..., 1:], np.sin(place), np.cos(place)], axis=-1)

    def reward(self, state: Floats, action: Floats, following: Floats) -> float:
        """Metres of progress along the middle of the road, per second."""
        return float((following[0] - state[0]) / DT)

    def has_crashed(self, state: Floats) -> bool:
        """A metre off the middle, or turned around."""
        return bool(abs(state[1]) > 1.0 or abs(state[3]) > np.pi)

    def draw(self, canvas: Any) -> None:
        """From above, in the road's coordinates."""
        canvas.view(-1.5, 1.5, -1.0, 1.0)
        for edge in (-HALF_WIDTH, HALF_WIDTH):
            canvas.line([(-1.5, edge), (1.5, edge)], "#b85450", 3)
        canvas.line([(-1.5, 0), (1.5, 0)], "#cccccc", 1)
        across, psi = float(self.state[1]), float(self.state[3])
        ahead = np.array([np.cos(psi), np.sin(psi)])
        left, back = np.array([-ahead[1], ahead[0]]), np.array([0.0, across])
        corners = [back + f * ahead + w * left for f, w in _BODY]
        canvas.polygon([(float(x), float(y)) for x, y in corners], "#6c8ebf")

    def _within(self, state: Floats) -> Floats:
        bounded = state.copy()
        bounded[..., 2] = np.clip(state[..., 2], SLOWEST, FASTEST)
        bounded[..., 4] = np.clip(state[..., 4], -STEERING_LIMIT, STEERING_LIMIT)
        return bounded


_BODY = ((0.0, 0.08), (0.3, 0.08), (0.3, -0.08), (0.0, -0.08))


def curvature(place: Floats) -> Floats:
    """Of the road, s [...] to [...] in 1 / metres; left bends are positive."""
    return SHARPEST * np.sin(2 * np.pi * place / PERIOD)


def _slope(state: Floats, action: Floats) -> Floats:
    place, across, speed, psi, steering = np.moveaxis(state, -1, 0)
    bend = curvature(place)
    along = speed * np.cos(psi) / (1 - across * bend)
    turning = speed * np.tan(steering) / WHEELBASE - bend * along
    faster, wheel = ACCELERATION * action[..., 0], STEERING_RATE * action[..., 1]
    return np.stack([along, speed * np.sin(psi), faster, turning, wheel], axis=-1)
