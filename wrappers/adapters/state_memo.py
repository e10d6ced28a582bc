"""Ask the simulator once a step for what Bullet-Safety-Gym's objects ask many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.adapters.bullet_engine import Client

State = NDArray[np.float64]


class StateMemo:
    """Remembers a robot's base and joint states while the simulation stands still.

    It takes the place of the readers of a robot object. While it is off, every call reads the
    simulator; `refresh` drops what was remembered and turns it on.
    """

    def __init__(self, client: Client, robot: Any) -> None:
        self._client, self._robot = client, robot
        self._motors = [motor.index for motor in robot.motor_list]
        self._states: dict[str, Any] = {}
        self._on = False
        robot.get_state = self._remember("base", robot.get_state)
        if robot.root_link is not None:
            robot.root_link.get_state = self._remember("root", robot.root_link.get_state)
        for place, motor in enumerate(robot.motor_list):
            motor.get_state = self._motor_reader(place, motor.get_state)

    def off(self) -> None:
        """Read the simulator at every call from now on: bodies are about to be moved."""
        self._on = False

    def refresh(self) -> None:
        """Forget, and remember what is read from now on: the simulation has just moved."""
        self._states.clear()
        self._on = True

    def _remember(self, key: str, read: Callable[[], State]) -> Callable[[], State]:
        def remembered() -> State:
            if not self._on:
                return read()
            state = self._states.get(key)
            if state is None:
                state = self._states[key] = read()
            return state

        return remembered

    def _motor_reader(self, place: int, read: Callable[[], State]) -> Callable[[], State]:
        def remembered() -> State:
            return self._motor_states()[place] if self._on else read()

        return remembered

    def _motor_states(self) -> State:
        """Positions and velocities of all motors [motors, 2], by one call."""
        states = self._states.get("motors")
        if states is None:
            rows = self._client.getJointStates(self._robot.body_id, self._motors)
            states = self._states["motors"] = np.array([row[:2] for row in rows])
        return states
