"""The simulated scene: arm, object and container in PyBullet, by commands of one step."""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

import numpy as np
import pybullet
import pybullet_data
from numpy.typing import NDArray
from pybullet_utils.bullet_client import BulletClient

from safer_gym.wrappers.adapters.silence import native_silence
from safer_gym.wrappers.worlds.operation.arm import (
    OPEN,
    Pose,
    joint_angles,
    urdf,
)
from safer_gym.wrappers.worlds.operation.tasks import OperationTask

SUBSTEPS = 10
GRIP_SUBSTEPS = 30
"""Of a step in which the gripper opens or closes."""
SETTLING = 60
"""Steps of the simulation in which an object that was put down comes to rest."""
WALL = 0.006
"""Thickness of the walls, in metres."""
NARROWEST = 0.05
"""Least half side of a container, in metres: the open fingers take 0.038."""
ARM_JOINTS, FINGERS = (0, 1, 2, 3, 4), (5, 6)
ARM_FORCE, FINGER_FORCE = 60.0, 15.0


class Container(NamedTuple):
    """Four walls around a square."""

    half: float
    """Half the inner side, in metres."""
    height: float


class Scene:
    """One task's bodies.

    Args:
        task: which object and container.
    """

    def __init__(self, task: OperationTask) -> None:
        with native_silence():
            client = self.client = BulletClient(pybullet.DIRECT)
        client.setAdditionalSearchPath(pybullet_data.getDataPath())
        client.setGravity(0, 0, -9.8)
        client.setTimeStep(1 / 240)
        with native_silence():
            self.plane = client.loadURDF("plane.urdf")
            self.arm = self._load_arm()
            self.object = client.loadURDF(task.object_file, [1, 1, 0.2], globalScaling=task.scale)
        low, high = (np.array(end) for end in client.getAABB(self.object))
        self.object_height = float(high[2] - low[2])
        half = max(float((high - low)[:2].max()) / 2 + task.clearance, NARROWEST)
        self.container = Container(half, task.height)
        self.walls = self._walls()
        client.changeDynamics(self.object, -1, lateralFriction=1.5, rollingFriction=1e-3)
        for finger in FINGERS:
            client.changeDynamics(self.arm, finger, lateralFriction=2.5)
        self.grip = OPEN

    def _load_arm(self) -> int:
        with tempfile.NamedTemporaryFile("w", suffix=".urdf", delete=False) as file:
            file.write(urdf())
        try:
            return int(self.client.loadURDF(file.name, [0, 0, 0], useFixedBase=True))
        finally:
            os.unlink(file.name)

    def _walls(self) -> int:
        half, height = self.container.half + WALL / 2, self.container.height
        along = [half + WALL / 2, WALL / 2, height / 2]
        across = [WALL / 2, half - WALL / 2, height / 2]
        shape = self.client.createCollisionShapeArray(
            [pybullet.GEOM_BOX] * 4,
            halfExtents=[along, along, across, across],
            collisionFramePositions=[[0, half, 0], [0, -half, 0], [half, 0, 0], [-half, 0, 0]],
        )
        return int(self.client.createMultiBody(0, shape, basePosition=[2, 2, height / 2]))

    def reset(self, pose: Pose, centre: tuple[float, float], object_pose: Pose) -> None:
        """Put everything in its place, and let the object come to rest."""
        client = self.client
        self.grip = OPEN
        for joint, angle in zip(ARM_JOINTS, joint_angles(pose), strict=True):
            client.resetJointState(self.arm, joint, angle)
        for finger in FINGERS:
            client.resetJointState(self.arm, finger, OPEN)
        client.resetBasePositionAndOrientation(
            self.walls, [*centre, self.container.height / 2], [0, 0, 0, 1]
        )
        turned = client.getQuaternionFromEuler([0, 0, object_pose.yaw])
        lifted = [object_pose.x, object_pose.y, self.object_height / 2 + 0.005]
        client.resetBasePositionAndOrientation(self.object, lifted, turned)
        client.resetBaseVelocity(self.object, [0, 0, 0], [0, 0, 0])
        self.move(pose)
        simulate = client.stepSimulation
        for _ in range(SETTLING):
            simulate()

    def move(self, pose: Pose) -> None:
        """Send the arm's motors to a pose, and the fingers to the grip."""
        self.client.setJointMotorControlArray(
            self.arm,
            ARM_JOINTS,
            pybullet.POSITION_CONTROL,
            targetPositions=list(joint_angles(pose)),
            forces=[ARM_FORCE] * 5,
            positionGains=[0.3] * 5,
        )
        self.client.setJointMotorControlArray(
            self.arm,
            FINGERS,
            pybullet.POSITION_CONTROL,
            targetPositions=[self.grip] * 2,
            forces=[FINGER_FORCE] * 2,
            positionGains=[0.2] * 2,
        )

    def step(self, pose: Pose, grip: float) -> bool:
        """Simulate one step of the agent; whether the arm touched a wall in it."""
        substeps = SUBSTEPS if grip == self.grip else GRIP_SUBSTEPS
        self.grip = grip
        self.move(pose)
        simulate, contacts = self.client.stepSimulation, self.client.getContactPoints
        touched = False
        for _ in range(substeps):
            simulate()
            touched = touched or bool(contacts(self.arm, self.walls))
        return touched

    def tip(self) -> Pose:
        """Between the finger tips."""
        states = self.client.getLinkStates(self.arm, FINGERS, computeForwardKinematics=True)
        ends = []
        for state in states:
            place, turn = np.array(state[4]), state[5]
            down = np.array(self.client.getMatrixFromQuaternion(turn)).reshape(3, 3)[:, 2]
            ends.append(place + 0.05 * down)
        x, y, z = map(float, (ends[0] + ends[1]) / 2)
        angles = [s[0] for s in self.client.getJointStates(self.arm, (0, 4))]
        return Pose(x, y, z, float(sum(angles)))

    def opening(self) -> float:
        """Distance of the fingers from the middle, between 0 and about 0.04."""
        return float(np.mean([s[0] for s in self.client.getJointStates(self.arm, FINGERS)]))

    def object_pose(self) -> Pose:
        """Of the object's centre."""
        place, turn = self.client.getBasePositionAndOrientation(self.object)
        x, y, z = place
        return Pose(x, y, z, float(self.client.getEulerFromQuaternion(turn)[2]))

    def image(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The scene from a fixed camera [H, W, 3]."""
        width, height = size
        view = self.client.computeViewMatrix([0.62, 0.28, 0.42], [0.27, 0.0, 0.03], [0, 0, 1])
        lens = self.client.computeProjectionMatrixFOV(45, width / height, 0.05, 2.0)
        pixels = self.client.getCameraImage(
            width, height, view, lens, renderer=pybullet.ER_TINY_RENDERER, shadow=0
        )[2]
        return np.asarray(pixels, np.uint8).reshape(height, width, 4)[..., :3]

    def close(self) -> None:
        """End the simulation."""
        if self.client.isConnected():
            self.client.disconnect()
