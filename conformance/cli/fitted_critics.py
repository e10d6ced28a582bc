"""Critics for a policy that brings none, so that MC and MR attack any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym

from safer_gym.attacks import WithCritics, make_attack
from safer_gym.conformance.evaluate.learned_attacks import APART
from safer_gym.types import Attack
from safer_gym.wrappers.fitted_critics.critics import FittedCritics, fit_critics
from safer_gym.wrappers.policies.view import view_of

CLIMBED: Mapping[str, tuple[str, ...]] = {
    "mc": ("q_cost",),
    "mr": ("q_reward",),
    "mixture": ("q_reward", "q_cost"),
    "min_reward": ("q_reward",),
    "random_search": ("q_cost",),
    "ensemble": ("q_reward", "q_cost"),
}
"""The critics that an attack asks, by its name; the others ask none."""


class StandIns:
    """Leads attacks by critics learned of a policy, where it has none of its own.

    Args:
        policy: whatever `as_victim` takes.
        make_env: makes one environment with `info["cost"]`.
        seed: of the episodes measured; those learned from lie apart.
        say: told when learning begins.
    """

    def __init__(
        self, policy: Any, make_env: Callable[[], gym.Env], seed: int, say: Callable[[str], None]
    ) -> None:
        self._policy, self._make_env, self._seed, self._say = policy, make_env, seed, say
        self._victim = view_of(policy).victim()
        self._fitted: FittedCritics | None = None

    def attacks(self, name: str) -> Mapping[str, Attack] | Sequence[str]:
        """The attack as `evaluate` takes it; "mc fitted" is the one led by learned critics."""
        missing = self.missing(name)
        if not missing:
            return [name]
        fitted = self._learned()
        own = {critic: getattr(fitted, critic) for critic in missing}
        return {f"{name} fitted": WithCritics(make_attack(name), **own)}

    def missing(self, name: str) -> tuple[str, ...]:
        """The critics that an attack would ask in vain."""
        return tuple(c for c in CLIMBED.get(name, ()) if getattr(self._victim, c) is None)

    def _learned(self) -> FittedCritics:
        if self._fitted is None:
            self._say("the policy brings no critics of its own: learning some, in a minute or two")
            self._fitted = fit_critics(self._policy, self._make_env, seed=self._seed + APART)
        return self._fitted
