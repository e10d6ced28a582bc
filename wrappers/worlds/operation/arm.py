"""A small arm of five joints and a gripper, made of primitives, and its inverse kinematics.

WidowX-like: waist, shoulder, elbow, wrist pitch, wrist roll, two sliding fingers. The gripper
points straight down, so that the joint angles have a closed form.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOULDER = 0.14
"""Height of the shoulder's axis, in metres, as all lengths here."""
UPPER, FOREARM = 0.24, 0.24
HAND = 0.15
"""From the wrist's pitch axis to the finger tips."""
FINGER = 0.05
"""Length of a finger."""
FINGER_WIDTH = 0.008
OPEN, CLOSED = 0.03, 0.0
"""Distance of a finger's inner face from the middle."""


class Pose(NamedTuple):
    """Where the finger tips are."""

    x: float
    y: float
    z: float
    yaw: float
    """Of the line between the fingers, in radians."""


def joint_angles(pose: Pose) -> NDArray[np.float64]:
    """Waist, shoulder, elbow, wrist pitch and wrist roll [5] that point the gripper down at a pose.

    A pose out of reach gets the stretched arm in its direction.
    """
    waist = math.atan2(pose.y, pose.x)
    out, up = math.hypot(pose.x, pose.y), pose.z + HAND - SHOULDER
    far = min(math.hypot(out, up), UPPER + FOREARM - 1e-6)
    raised = math.acos(_cut((UPPER**2 + far**2 - FOREARM**2) / (2 * UPPER * far)))
    bent = math.acos(_cut((UPPER**2 + FOREARM**2 - far**2) / (2 * UPPER * FOREARM)))
    shoulder = math.atan2(up, out) + raised
    elbow = bent - math.pi
    return np.array([waist, shoulder, elbow, -math.pi / 2 - shoulder - elbow, pose.yaw - waist])


def _cut(cosine: float) -> float:
    return min(max(cosine, -1.0), 1.0)


def urdf() -> str:
    """The arm's description; all links are boxes and cylinders."""
    palm = HAND - FINGER
    span = f"{2 * OPEN + 2 * FINGER_WIDTH} {0.02} {0.02}"
    links = [
        _link("base", _cylinder(0.05, SHOULDER - 0.02), (0, 0, (SHOULDER - 0.02) / 2), 2.0),
        _link("waist", _cylinder(0.035, 0.04), (0, 0, 0.02), 0.4),
        _link("upper", _box(UPPER, 0.03, 0.03), (UPPER / 2, 0, 0), 0.3),
        _link("forearm", _box(FOREARM, 0.025, 0.025), (FOREARM / 2, 0, 0), 0.2),
        _link("wrist", _box(palm - 0.03, 0.025, 0.025), ((palm - 0.03) / 2, 0, 0), 0.1),
        # The palm's own z points down along the hand.
        _link("palm", f'<box size="{span}"/>', (0, 0, palm - 0.01), 0.05),
        *(
            _link(name, _box(FINGER_WIDTH, 0.016, FINGER), (0, 0, FINGER / 2), 0.02)
            for name in ("left", "right")
        ),
    ]
    joints = [
        _joint("waist", "base", (0, 0, SHOULDER - 0.02), "0 0 1"),
        _joint("upper", "waist", (0, 0, 0.02), "0 -1 0"),
        _joint("forearm", "upper", (UPPER, 0, 0), "0 -1 0"),
        _joint("wrist", "forearm", (FOREARM, 0, 0), "0 -1 0"),
        # Turned so that the palm's z is the wrist's x, and its x is horizontal.
        _joint("palm", "wrist", (0, 0, 0), "0 0 -1", rpy=f"0 {math.pi / 2} 0"),
        *(
            _joint(
                name,
                "palm",
                (side * FINGER_WIDTH / 2, 0, palm),
                f"{side} 0 0",
                kind="prismatic",
                limit=(0, OPEN),
            )
            for name, side in (("left", 1), ("right", -1))
        ),
    ]
    return f'<robot name="arm">{"".join(links + joints)}</robot>'


def _box(*size: float) -> str:
    return f'<box size="{" ".join(map(str, size))}"/>'


def _cylinder(radius: float, length: float) -> str:
    return f'<cylinder radius="{radius}" length="{length}"/>'


def _link(name: str, shape: str, centre: tuple[float, float, float], mass: float) -> str:
    origin = f'<origin xyz="{" ".join(map(str, centre))}"/>'
    body = "".join(
        f"<{part}>{origin}<geometry>{shape}</geometry></{part}>" for part in ("visual", "collision")
    )
    spin = mass * 1e-3
    inertia = f'<inertia ixx="{spin}" iyy="{spin}" izz="{spin}" ixy="0" ixz="0" iyz="0"/>'
    inertial = f'<inertial>{origin}<mass value="{mass}"/>{inertia}</inertial>'
    return f'<link name="{name}">{inertial}{body}</link>'


def _joint(
    child: str,
    parent: str,
    at: tuple[float, float, float],
    axis: str,
    *,
    rpy: str = "0 0 0",
    kind: str = "revolute",
    limit: tuple[float, float] = (-7.0, 7.0),
) -> str:
    return (
        f'<joint name="{child}_joint" type="{kind}"><parent link="{parent}"/>'
        f'<child link="{child}"/><origin xyz="{" ".join(map(str, at))}" rpy="{rpy}"/>'
        f'<axis xyz="{axis}"/>'
        f'<limit lower="{limit[0]}" upper="{limit[1]}" effort="100" velocity="10"/></joint>'
    )
