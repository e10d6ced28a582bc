"""What a certificate says of its policy and of its environment."""

from __future__ import annotations

import gymnasium as gym

from safer_gym.conformance.certificate.record import EnvironmentRecord, PolicyRecord
from safer_gym.conformance.certify.noise import Noise
from safer_gym.conformance.evaluate.digests import (
    environment_digest,
    layers,
    normaliser_digest,
    policy_digest,
)
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.types import Victim
from safer_gym.wrappers.policies.view import PolicyView


def policy_record(
    view: PolicyView, victim: Victim, space: gym.spaces.Box, source: str | None, noise: Noise
) -> PolicyRecord:
    """The policy's digest, and what it was made of."""
    return PolicyRecord(
        policy_digest(view, victim, space, tuple(noise) if noise.is_any else ()),
        type(view.inner).__name__,
        source,
        noise.action,
        noise.observation,
        normaliser_digest(view),
    )


def environment_record(env: gym.Env, max_step_cost: float | None) -> EnvironmentRecord:
    """The environment's digest and limits.

    Raises:
        ValueError: a largest cost of a step that cannot be, see `Limits.declared`.
    """
    limits = Limits.declared(env, max_step_cost)
    return EnvironmentRecord(
        id=env.spec.id if env.spec is not None else layers(env)[-1],
        digest=environment_digest(env),
        **limits._asdict(),
    )
