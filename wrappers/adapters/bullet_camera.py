"""Pictures of a simulated world, by PyBullet's software renderer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.adapters.bullet_world import BulletWorld

WIDTH, HEIGHT = 480, 360
FIELD_OF_VIEW = 60.0
NEAR, FAR = 0.1, 100.0


def picture(world: BulletWorld) -> NDArray[np.uint8]:
    """The scene from the task's own camera [HEIGHT, WIDTH, 3]. Changes nothing in the physics."""
    client, camera = world.client, world.arena.camera
    target = camera.cam_base_pos
    if world.spec.family == "run":
        target = (float(world.position()[0]) + 3.0, 0.0, 2.0)
    view = client.computeViewMatrixFromYawPitchRoll(
        cameraTargetPosition=target,
        distance=camera.cam_dist,
        yaw=camera.cam_yaw,
        pitch=camera.cam_pitch,
        roll=0,
        upAxisIndex=2,
    )
    projection = client.computeProjectionMatrixFOV(
        fov=FIELD_OF_VIEW, aspect=WIDTH / HEIGHT, nearVal=NEAR, farVal=FAR
    )
    pixels = client.getCameraImage(
        WIDTH, HEIGHT, view, projection, renderer=client.ER_TINY_RENDERER
    )[2]
    return np.reshape(np.asarray(pixels, dtype=np.uint8), (HEIGHT, WIDTH, 4))[:, :, :3].copy()
