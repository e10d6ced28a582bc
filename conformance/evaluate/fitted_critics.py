"""Critics for a policy that brings none, so that MC and MR attack any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym

from safer_gym.attacks import WithCritics, lacking
from safer_gym.attacks.channels import ChannelRows
from safer_gym.conformance.evaluate.learned_attacks import APART
from safer_gym.conformance.evaluate.seat import OBSERVATION
from safer_gym.types import Attack
from safer_gym.wrappers.fitted_critics.critics import FittedCritics, fit_critics
from safer_gym.wrappers.policies.view import view_of

FITTED = " fitted"
"""Ends the label of an attack led by critics that were learned, for want of the policy's own."""


class CriticFitter:
    """Leads attacks by critics learned of a policy, where it has none of its own.

    Args:
        policy: whatever `as_victim` takes.
        make_env: makes one environment with `info["cost"]`.
        seed: of the episodes measured; those learned from lie apart.
        say: told when learning begins.
        rows: of the channel that the attacks move. No critics of disturbances are learned.
    """

    def __init__(
        self,
        policy: Any,
        make_env: Callable[[], gym.Env],
        seed: int,
        say: Callable[[str], None],
        rows: ChannelRows = OBSERVATION.rows,
    ) -> None:
        self._policy, self._make_env, self._seed, self._say = policy, make_env, int(seed), say
        self._rows, self._victim = rows, rows.view(view_of(policy).victim())
        self._fitted: FittedCritics | None = None

    def led(self, named: Mapping[str, Attack | str]) -> dict[str, Attack | str]:
        """Attacks that can run, by label; "mc fitted" is the one led by learned critics.

        Args:
            named: by name; those still to be learned are names, and bring critics of their own.
        """
        ready: dict[str, Attack | str] = {}
        for name, attack in named.items():
            if isinstance(attack, str) or not (missing := lacking(attack, self._victim)):
                ready[name] = attack
            elif self._rows.channel == "disturbance":
                needed = " and ".join(f"{critic}_disturbed" for critic in missing)
                raise ValueError(
                    f"attack {name!r} needs the policy's {needed}; critics of disturbances are not "
                    "learned"
                )
            else:
                own = {c: self._rows.judge(getattr(self._learned(), c)) for c in missing}
                ready[name + FITTED] = WithCritics(attack, **own)
        return ready

    def _learned(self) -> FittedCritics:
        if self._fitted is None:
            self._say("the policy brings no critics of its own: learning some, in a minute or two")
            self._fitted = fit_critics(self._policy, self._make_env, seed=self._seed + APART)
        return self._fitted
