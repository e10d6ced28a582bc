"""Where the certificate comes from, and how to make it again."""

from __future__ import annotations

from typing import Any

from safer_gym.conformance.certificate.view import Data
from safer_gym.conformance.formatting import deviations


def facts(data: Data) -> list[tuple[str, str, bool]]:
    """Name, value, and whether the value is code."""
    policy, environment = data["policy"], data["environment"]
    found: list[tuple[str, Any, bool]] = [
        ("command", data["command"], True),
        ("made", data["created"], False),
        ("policy", f"{policy['kind']}, {policy['source'] or 'from Python'}", False),
        *_noise(policy),
        ("digest of the policy", policy["digest"], True),
        ("environment", environment["id"], False),
        ("digest of the environment", environment["digest"], True),
        ("longest episode", _steps(environment["horizon"]), False),
        ("largest cost of a step", environment["max_step_cost"], False),
        ("ball", _ball(data), False),
        ("battery", data["battery"], False),
        ("seed", data["seed"], False),
        ("episodes", _pairs(data["episodes"]), False),
        ("computing time", f"{data['seconds']:.0f} s", False),
        ("versions", _pairs(data["versions"]), False),
    ]
    return [(name, str(value), code) for name, value, code in found if value is not None]


def _noise(policy: Data) -> list[tuple[str, Any, bool]]:
    """What is added on request."""
    kinds = (("action", "action_noise"), ("observation", "observation_noise"))
    return [
        (f"{what} noise", f"Gaussian, standard deviation {deviations(policy[key])}", False)
        for what, key in kinds
        if policy.get(key)
    ]


def _steps(horizon: int | None) -> str | None:
    return None if horizon is None else f"{horizon} steps"


def _ball(data: Data) -> str:
    each = "" if data["scale"] is None else f", per dimension {data['scale']}"
    channel = data.get("channel", "observation")
    around = "no disturbance" if channel == "disturbance" else f"each {channel}"
    return f"{data['norm']}, around {around}{each}"


def _pairs(values: Data) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
