"""One simulated world: a robot, a task and its obstacles, with resets that leak nothing."""

from __future__ import annotations

import math
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.adapters.bullet_engine import Client, Engine
from safer_gym.wrappers.adapters.bullet_tasks import BulletSpec
from safer_gym.wrappers.adapters.global_seeds import global_seeds
from safer_gym.wrappers.adapters.silence import native_silence
from safer_gym.wrappers.adapters.state_memo import StateMemo

GRAVITY = -9.81
SOLVER_ITERATIONS = 5
CONTACT_ERP = 0.9
GOAL_REWARD = 30.0
FAR_AWAY = 1000.0
NO_TURN = (0.0, 0.0, 0.0, 1.0)


class BulletWorld:
    """Bullet-Safety-Gym's robot and task objects in a physics server of their own.

    Args:
        engine: the loaded modules.
        spec: what to build.

    The world is built once. A reset brings back the state right after building, with every motor
    as it was then: PyBullet's saved state lacks the motor commands, so that the last command of
    an episode would otherwise act in the settling step of the next.
    """

    def __init__(self, engine: Engine, spec: BulletSpec) -> None:
        self.engine, self.spec = engine, spec
        self.client = Client(engine.pybullet)
        # Building draws random numbers (how obstacles stand); a fixed seed makes worlds alike.
        with native_silence(), global_seeds(0):
            self._set_physics()
            self._build()
        self.time = 0.0
        self._memo = StateMemo(self.client, self.robot)
        self._home = np.array(self.robot.init_xyz)
        self._start = self.client.saveState()

    def _set_physics(self) -> None:
        client, spec = self.client, self.spec
        client.setAdditionalSearchPath(self.engine.data_path)
        client.setPhysicsEngineParameter(
            fixedTimeStep=spec.dt,
            numSolverIterations=SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            numSubSteps=spec.substeps,
        )
        client.setGravity(0, 0, GRAVITY)
        client.setDefaultContactERP(CONTACT_ERP)

    def _build(self) -> None:
        engine, spec, client = self.engine, self.spec, self.client
        self.arena = getattr(engine.worlds, spec.world)(client, global_scaling=spec.world_factor)
        self.robot = getattr(engine.agents, spec.robot)(client, debug=False)
        self.obstacles: list[Any] = []
        obstacles = {kind: dict(properties) for kind, properties in spec.obstacles.items()}
        if obstacles:
            self.obstacles = engine.obstacles.create_obstacles(
                client, obstacles, env_dim=self.arena.env_dim
            )
        task = {"reach": "ReachGoalTask"}.get(spec.family, f"{spec.family.capitalize()}Task")
        self.task = getattr(engine.tasks, task)(
            bc=client,
            world=self.arena,
            agent=self.robot,
            obstacles=self.obstacles,
            use_graphics=False,
        )
        # A red ball that upstream fades in around an unsafe robot; our renderer knows no fading.
        client.resetBasePositionAndOrientation(
            self.robot.violation_body_id, (0.0, 0.0, -FAR_AWAY), NO_TURN
        )
        for obstacle in self.obstacles:
            obstacle.set_collision_filter(self.robot)
        loose = [self.robot, getattr(self.task, "puck", None), *self.obstacles]
        self._loose = [body.body_id for body in loose if body and not body.fixed_base]
        self._movers = [ob for ob in self.obstacles if ob.movement != "static"]
        for mover in self._movers:
            # Upstream moves obstacles by the wall clock: no two runs would be alike.
            mover.apply_movement = MethodType(self._move, mover)

    def _move(self, mover: Any) -> None:
        phase = self.time + mover.movement_offset
        circle = np.array([math.sin(phase), math.cos(phase), 0.0])
        self.client.changeConstraint(mover.constraint, np.array(mover.init_xyz) + 0.7 * circle)

    def reset(self, seed: int) -> None:
        """Begin an episode that depends on `seed` (0 to 2**32 - 1) and on nothing else."""
        self._memo.off()
        self._forget_contacts()
        self.client.restoreState(self._start)
        self._release_motors()
        self.time = 0.0
        # Some tasks write the last start into the robot and let goals take turns: undo both.
        self.robot.init_xyz = self._home.copy()
        if hasattr(self.task, "switch_flag"):
            self.task.switch_flag = False
        with global_seeds(seed):
            for mover in self._movers:
                mover.movement_offset = np.random.uniform(0, 2 * np.pi)  # noqa: NPY002
            self.task.specific_reset()
        self.client.stepSimulation()
        self._memo.refresh()

    def _forget_contacts(self) -> None:
        """Part all loose bodies, so that no pair in contact outlives the episode."""
        client = self.client
        for place, body in enumerate(self._loose, start=1):
            client.resetBasePositionAndOrientation(body, (0.0, 0.0, FAR_AWAY * place), NO_TURN)
        client.performCollisionDetection()

    def _release_motors(self) -> None:
        """Put every joint's motor back to what building left: no force."""
        client, robot = self.client, self.robot
        if self.spec.robot == "RaceCar":
            for joint in range(client.getNumJoints(robot.body_id)):
                client.setJointMotorControl2(
                    robot.body_id, joint, client.VELOCITY_CONTROL, targetVelocity=0, force=0
                )
        elif self.spec.robot == "Drone":
            for joint in robot.joint_list:
                joint.init_motor()

    def step(self, action: NDArray[np.floating]) -> None:
        """Apply `action` [A], inside [-1, 1], for one control step."""
        self.time += self.spec.dt
        self.robot.apply_action(action)
        for mover in self._movers:
            mover.apply_movement()
        self.client.stepSimulation()
        self._memo.refresh()
        self.robot.collect_information_after_step()

    def outcome(self, goal_seed: int) -> tuple[float, dict[str, float], bool]:
        """Reward, costs and whether the episode is over; call once after each step.

        Args:
            goal_seed: decides where a new goal appears, should this step have met the old one.
        """
        reward = float(self.task.calculate_reward())
        costs = dict.fromkeys(self.spec.cost_keys, 0.0)
        costs.update({key: float(value) for key, value in self.task.calculate_cost().items()})
        terminated = not self.robot.alive
        if self.task.goal_achieved:
            if self.task.continue_after_goal_achievement:
                reward += GOAL_REWARD
                with global_seeds(goal_seed):
                    self.task.update_goal()
            else:
                terminated = True
        return reward, costs, bool(terminated)

    def observation(self) -> NDArray[np.float32]:
        """What the robot senses, then what the task adds [O]."""
        parts = (self.robot.get_observation(), self.task.get_observation())
        return np.concatenate(parts).astype(np.float32)

    def position(self) -> NDArray[np.float64]:
        """The robot's true place in the plane [2], metres."""
        return np.array(self.robot.get_position()[:2], dtype=np.float64)

    def close(self) -> None:
        """Shut the physics server down. Safe to call again."""
        self.client.close()
