"""An attack behind its gate: each result is checked before a policy sees it.

What a policy can be shown in whole numbers alone (pixels) is rounded here, whatever the attack.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from safer_gym.attacks import NullAttack, make_attack
from safer_gym.attacks.verify import AdversaryError, verify_result
from safer_gym.balls import LpBall
from safer_gym.types import Attack, AttackResult, Victim

__all__ = ["AdversaryError", "GatedAttack", "gated"]

_ROWS = 8


@dataclass(frozen=True)
class GatedAttack:
    """The attack, and an `AdversaryError` that names it where a result breaks the contract.

    Args:
        attack: whose word counts for nothing.
        name: how messages call it.
    """

    attack: Attack
    name: str
    _told: dict[int, tuple[LpBall, LpBall]] = field(init=False, repr=False, default_factory=dict)
    """By id: each ball, and the copy of it that the attack is given and may change."""

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
        if id(ball) not in self._told:
            self._told.clear()
            self._told[id(ball)] = (ball, copy.deepcopy(ball))
        result = self.attack(victim, obs, self._told[id(ball)][1], generator)
        if not torch.equal(obs, clean):
            raise AdversaryError(
                f"attack {self.name!r} wrote to the clean observations that it was given"
            )
        found = verify_result(self.name, clean, result, ball)
        return found._replace(obs=ball.settle(clean, found.obs))


def check_row_noise(attack: Attack, victim: Victim, row: Tensor, ball: LpBall) -> None:
    """An attack whose rows are said to draw noise of their own does not move all of them alike.

    Episodes that share draws which are said to be their own are not independent.

    Args:
        attack: declares `per_row_noise`.
        victim: whom it attacks.
        row: what it is given at one observation [1, *O].
        ball: around it.

    Raises:
        AdversaryError: equal rows are moved alike, and by other streams otherwise.
    """
    rule, rows = gated(attack), row.expand(_ROWS, *row.shape[1:]).clone()
    streams = [torch.Generator(row.device).manual_seed(seed) for seed in range(_ROWS)]
    moved = [rule(victim, rows, ball, stream).obs for stream in streams]
    alike = all(bool((batch == batch[:1]).all()) for batch in moved)
    if alike and not all(torch.equal(batch, moved[0]) for batch in moved):
        raise AdversaryError(
            f"attack {rule.name!r} declares per_row_noise, and moves all rows of a batch by the "
            "same draws: episodes that share them are not independent"
        )


def gated(attack: str | Attack, name: str | None = None) -> GatedAttack:
    """The attack behind its gate; one that is there already stays as it is.

    Args:
        attack: a name of `safer_gym.attacks.ATTACKS`, or an Attack.
        name: default: the name given, the attack's attribute `name`, or its type's.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: neither a name nor callable.
    """
    if type(attack) is GatedAttack:  # a subclass may do without the check
        return attack
    if isinstance(attack, str):
        return GatedAttack(make_attack(attack), name or attack)
    if not callable(attack):
        raise TypeError(f"attack must be a name or an Attack; got {type(attack).__name__}")
    return GatedAttack(attack, name or str(getattr(attack, "name", None) or type(attack).__name__))
