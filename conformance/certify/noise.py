"""Noise that a policy gets on request, and is certified with: it has to be deployed with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.domains import NOT_NEGATIVE, POSITIVE, require_array

ONE_MODE = "deployed with noise, it has no deterministic mode"


class Noise(NamedTuple):
    """Standard deviations, one number or one for each entry; None: no such noise."""

    action: tuple[float, ...] | None = None
    """Of what is added to the deterministic action, in the environment's units."""
    observation: tuple[float, ...] | None = None
    """Of what is added to every observation, tampered with or not, before the policy reads it."""

    @property
    def is_any(self) -> bool:
        """Whether there is noise at all."""
        return self != Noise()


NONE = Noise()


def noise_of(action: Any = None, observation: Any = None) -> Noise:
    """The noise that was asked for.

    Raises:
        ValueError: both kinds; action noise that is not positive; observation noise that is
            negative, or zero everywhere; numbers that are not finite.
    """
    if action is not None and observation is not None:
        raise ValueError(
            "action_noise or observation_noise, not both: each has a bound of its own, and no "
            f"bound covers both; got {action!r} and {observation!r}"
        )
    require_array(POSITIVE.or_none, action_noise=action)
    require_array(NOT_NEGATIVE.or_none, observation_noise=observation)
    noise = Noise(_deviations(action), _deviations(observation))
    if noise.observation is not None and not any(noise.observation):
        raise ValueError(f"observation_noise must not be zero everywhere; got {observation!r}")
    return noise


def check_modes(requirements: tuple[Requirement, ...], modes: Any) -> None:
    """A policy with noise on request is not deterministic.

    Raises:
        ValueError: that mode is asked for; says by what.
    """
    asked: list[tuple[str, Any]] = [(f"the requirement {r}", r.mode) for r in requirements]
    asked += [("modes", mode) for mode in modes or ()]
    for name, mode in asked:
        if mode == "deterministic":
            raise ValueError(
                f"{name} is about the deterministic policy, but {ONE_MODE}; say 'by the "
                "stochastic policy', or leave out the noise"
            )


def fitted(name: str, deviations: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    """One deviation for each entry of the space, of this shape.

    Raises:
        ValueError: neither one number nor as many as there are entries.
    """
    size = int(np.prod(shape))
    if len(deviations) not in (1, size):
        raise ValueError(f"{name} must be one number or {size}, got {len(deviations)}")
    return np.resize(np.asarray(deviations), shape)


def _deviations(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    array = np.asarray(value, dtype=float).reshape(-1)
    return tuple(float(std) for std in array)
