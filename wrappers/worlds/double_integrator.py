"""A mass on a line that must stay within five metres, pushed by a disturbance half as strong.

The only world whose robust invariant set has a closed form. Ours, as an oracle for DRAC.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.worlds.world import Floats, Ranges, World

DT = 0.1
HALF_WIDTH = 5.0
MOST = 0.5
"""Largest disturbance at bound 1; the control has 1."""


class DoubleIntegrator(World):
    """x1' = x2, x2' = u + d; h = 1 - |x1| / 5. The reward draws the mass to the right end."""

    ranges = Ranges(
        action=np.array([1.0]),
        disturbance=np.array([MOST]),
        usual=np.array([3.0, 0.5]),
        wide=np.array([6.0, 4.0]),
    )
    n_observations = 2

    def advance(self, state: Floats, action: Floats, disturbance: Floats) -> Floats:
        """Exact for a force that is constant during a step."""
        force = (action + disturbance)[..., 0]
        x, v = state[..., 0], state[..., 1]
        return np.stack([x + v * DT + 0.5 * force * DT**2, v + force * DT], axis=-1)

    def margin(self, state: Floats) -> Floats:
        """1 - |x1| / 5."""
        return 1 - np.abs(state[..., 0]) / HALF_WIDTH

    def reward(self, state: Floats, action: Floats, following: Floats) -> float:
        """Towards the right end, with little force."""
        return float(following[0] / HALF_WIDTH - 0.01 * action[0] ** 2)

    def has_crashed(self, state: Floats) -> bool:
        """Beyond 10 metres."""
        return bool(abs(state[0]) > 2 * HALF_WIDTH)

    def draw(self, canvas: Any) -> None:
        """The phase plane, with the robust invariant set."""
        canvas.view(-7, 7, -5, 5)
        x = np.linspace(-HALF_WIDTH, HALF_WIDTH, 101)
        most = float(self.disturbance_space.high[0])
        brake = 2 * (1 - most)
        top = np.sqrt(np.maximum(brake * (HALF_WIDTH - x), 0))
        edge = [*zip(x, top, strict=True), *zip(x[::-1], -top, strict=True)]
        canvas.polygon([(float(a), float(b)) for a, b in edge], "#d5e8d4")
        for end in (-HALF_WIDTH, HALF_WIDTH):
            canvas.line([(end, -5), (end, 5)], "#b85450")
        canvas.dot((float(self.state[0]), float(self.state[1])))


def in_robust_set(state: Floats, most: float = MOST) -> NDArray[np.bool_]:
    """The maximal robust invariant set, [..., 2] to [...]: where full braking still stops in time.

    -sqrt(2 (1 - most) (5 + x1)) <= x2 <= sqrt(2 (1 - most) (5 - x1)), for continuous time; at
    steps of 0.1 s the set is larger by less than that time's way.

    Raises:
        ValueError: a disturbance as strong as the control.
    """
    if not 0 <= most < 1:
        raise ValueError(f"most must lie in [0, 1), less than the control's 1; got {most!r}")
    x, v = np.asarray(state)[..., 0], np.asarray(state)[..., 1]
    room = 2 * (1 - most) * (HALF_WIDTH - np.sign(v) * x)
    return (np.abs(x) <= HALF_WIDTH) & (v**2 <= room)
