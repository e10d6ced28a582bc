"""Attacks that learn something of the policy before they meet it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from numpy.typing import ArrayLike

from safer_gym.attacks import Traits
from safer_gym.attacks.traits import GRADIENT
from safer_gym.choices import choose
from safer_gym.types import Attack
from safer_gym.wrappers.fitted_critics.critics import iterate_mc

LEARNED = {"iterated_mc": Traits(needs=(GRADIENT,), cost_directed=True)}
"""Traits by name, beside the names that `make_attack` knows."""

APART = 1_000_000
"""Distance between the seeds of the episodes learned from and of those measured."""


def learn_attack(
    name: str,
    policy: Any,
    make_env: Callable[[], gym.Env],
    *,
    eps: ArrayLike,
    norm: str,
    seed: int,
    **options: Any,
) -> Attack:
    """Learn an attack on `policy` in the environments of `make_env`.

    "iterated_mc" fits critics to rollouts of the policy, then to rollouts under the MC attack that
    those lead. It needs no critic of the policy's own, and foresees its own next steps.

    Args:
        options: for `iterate_mc` and, through it, `fit_critics`.

    Raises:
        ValueError: an unknown name, or actions or observations that critics cannot be learned of.
    """
    choose("learned attack", name, LEARNED)
    return iterate_mc(policy, make_env, eps=eps, norm=norm, seed=seed + APART, **options)
