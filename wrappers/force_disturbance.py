"""Forces on a body of a simulated robot, in MuJoCo or PyBullet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import ArrayLike, NDArray

from safer_gym.choices import choose
from safer_gym.wrappers.disturbances import Disturbance, box_of


class ForceDisturbance(Disturbance):
    """Pushes a body with a force, held during the whole next step.

    Args:
        env: a MuJoCo environment (Gymnasium's, with `unwrapped.model` and `unwrapped.data`), or a
            Bullet task (of this package, or with `unwrapped.bc` and `unwrapped.agent`).
        body: name of the body; in PyBullet of one of the robot's links.
        bound: largest force along each axis of the world, in newtons: a number, or one for each of
            x, y and z. Zero leaves an axis out.
    """

    def __init__(self, env: gym.Env, body: str, bound: ArrayLike) -> None:
        RecordConstructorArgs.__init__(self, body=body, bound=bound)
        self._body = body_of(env.unwrapped, body)
        super().__init__(env, box_of(bound, (3,)))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step while the force acts."""
        force = self._take()
        if force is None:
            return self.env.step(action)
        with self._body.pushed(force):
            return self.env.step(action)


class Body(Protocol):
    """A body that can be pushed."""

    def pushed(self, force: NDArray) -> Any:
        """A context in which the force acts."""
        ...


class _MujocoBody:
    def __init__(self, env: Any, name: str) -> None:
        bodies = [env.model.body(i).name for i in range(env.model.nbody)]
        self._env, self._index = env, bodies.index(choose("body", name, bodies))

    @contextmanager
    def pushed(self, force: NDArray) -> Iterator[None]:
        applied = self._env.data.xfrc_applied
        applied[self._index, :3] += force
        try:
            yield
        finally:
            applied[self._index, :3] -= force


class _BulletBody:
    """Bullet forgets a force after each of its own steps, of which an action may take several."""

    def __init__(self, env: Any, name: str) -> None:
        self._env = env
        client, robot = _bullet(env)
        joints = range(client.getNumJoints(robot))
        links = [client.getBodyInfo(robot)[0], *(client.getJointInfo(robot, i)[12] for i in joints)]
        names = [link.decode() for link in links]
        self._link = names.index(choose("body", name, names)) - 1

    @contextmanager
    def pushed(self, force: NDArray) -> Iterator[None]:
        (client, robot), link = _bullet(self._env), self._link
        step = client.stepSimulation
        push = [float(value) for value in force]

        def pushed_step(*args: Any, **kwargs: Any) -> Any:
            place = client.getBasePositionAndOrientation(robot)[0]
            if link >= 0:
                place = client.getLinkState(robot, link)[0]
            client.applyExternalForce(robot, link, push, place, client.WORLD_FRAME)
            return step(*args, **kwargs)

        client.stepSimulation = pushed_step
        try:
            yield
        finally:
            client.stepSimulation = step


def body_of(env: Any, name: str) -> Body:
    """The body of that name.

    Raises:
        ValueError: no such body, or an environment of another kind.
    """
    if hasattr(env, "model") and hasattr(getattr(env, "data", None), "xfrc_applied"):
        return _MujocoBody(env, name)
    if _bullet(env) is not None:
        return _BulletBody(env, name)
    raise ValueError(
        f"ForceDisturbance needs a MuJoCo environment or a Bullet task; got {env}. "
        "ActionDisturbance disturbs the actions of any other"
    )


def _bullet(env: Any) -> Any:
    """The physics client and the robot's number; None where there are none."""
    world = getattr(env, "world", None)
    if world is not None and hasattr(world, "client") and hasattr(world, "robot"):
        return world.client, world.robot.body_id
    if hasattr(env, "bc") and hasattr(env, "agent"):
        return env.bc, env.agent.body_id
    return None
