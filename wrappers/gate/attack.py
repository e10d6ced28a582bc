"""An attack behind its gate: each result is checked before a policy sees it.

What a policy can be shown in whole numbers alone (pixels) is rounded here, whatever the attack.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from safer_gym.attacks import NullAttack, make_attack
from safer_gym.attacks.verify import AdversaryError, verify_result
from safer_gym.balls import LpBall
from safer_gym.types import Attack, AttackResult, Victim

__all__ = ["AdversaryError", "GatedAttack", "gated"]


@dataclass(frozen=True)
class GatedAttack:
    """The attack, and an `AdversaryError` that names it where a result breaks the contract.

    Args:
        attack: whose word counts for nothing.
        name: how messages call it.
    """

    attack: Attack
    name: str

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        if type(self.attack) is NullAttack:
            return self.attack(victim, obs, ball, generator)
        clean = obs.clone()
        result = self.attack(victim, obs, ball, generator)
        if not torch.equal(obs, clean):
            raise AdversaryError(
                f"attack {self.name!r} wrote to the clean observations that it was given"
            )
        found = verify_result(self.name, clean, result, ball)
        return found._replace(obs=ball.settle(clean, found.obs))


def gated(attack: str | Attack, name: str | None = None) -> GatedAttack:
    """The attack behind its gate; one that is there already stays as it is.

    Args:
        attack: a name of `safer_gym.attacks.ATTACKS`, or an Attack.
        name: default: the name given, the attack's attribute `name`, or its type's.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: neither a name nor callable.
    """
    if isinstance(attack, GatedAttack):
        return attack
    if isinstance(attack, str):
        return GatedAttack(make_attack(attack), name or attack)
    if not callable(attack):
        raise TypeError(f"attack must be a name or an Attack; got {type(attack).__name__}")
    return GatedAttack(attack, name or str(getattr(attack, "name", None) or type(attack).__name__))
