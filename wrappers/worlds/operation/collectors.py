"""Scripted policies that collect data: careful and naive grasping, with noise.

Both are of Singh et al.'s kind: move over the object, go down, close, lift. The naive one takes no
notice of the container; the careful one first rises above its walls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.worlds.operation.operation import STEP, TURN

KINDS = ("careful", "naive")
ABOVE = 0.025
"""How far above the walls the careful one travels, in metres: the tips, over the walls' height."""
ROUGHLY, CLOSELY = 0.2, 0.012
"""Distances, in metres: where going down begins for the naive and the careful one."""
EMPTY, HELD = 0.002, 0.027
"""Openings of the gripper, in metres, between which it holds something, or is about to."""
GRASP = 0.008
"""Height of the tips above the object's centre at which the gripper closes."""


class Collector(NamedTuple):
    """A scripted policy of the state observation [14] of `Operation`.

    Args:
        kind: "careful" or "naive".
        noise: standard deviation of each entry of an action.
        offset: where it believes the object to be, beside the truth (x, y).
    """

    kind: str = "careful"
    noise: float = 0.1
    offset: tuple[float, float] = (0.0, 0.0)

    def act(self, obs: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
        """An action in [-1, 1]^5."""
        tip, yaw, opening = obs[:3].astype(float), float(obs[3]), float(obs[4])
        goal = obs[5:8].astype(float) + np.array([*self.offset, 0.0])
        height = float(obs[13])
        apart = float(np.hypot(*(goal - tip)[:2]))
        above = height + ABOVE
        # Closed around nothing, it rises above the walls before it opens and tries again.
        closed = EMPTY < opening < HELD or (opening <= EMPTY and tip[2] < height + ABOVE)
        move, grip = goal - tip, 1.0
        if closed:  # lift
            move, grip = np.array([0.0, 0.0, 0.1]), -1.0
        elif self.kind == "careful" and apart > CLOSELY:
            move[2] = (
                max(above - tip[2], 0.0) if tip[2] < above else min(above + 0.03 - tip[2], 0.0)
            )
            if tip[2] < height:  # rise first
                move[:2] = 0.0
        elif self.kind == "naive" and apart > ROUGHLY:
            move[2] = 0.0
        elif apart < CLOSELY and move[2] > -GRASP:
            grip, move = -1.0, move * 0
        turn = _nearest(np.arctan2(obs[8], obs[9]) - yaw)
        wanted = np.array([*(move / STEP), 0.0 if closed else turn / TURN, 0.9 * grip])
        noisy = wanted + self.noise * rng.standard_normal(5)
        noisy[4] = wanted[4] + 0.5 * self.noise * rng.standard_normal()
        return np.clip(noisy, -0.9, 0.9).astype(np.float32)


def _nearest(angle: float) -> float:
    """The same turn of a gripper, whose fingers are alike, in [-pi / 2, pi / 2)."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)
