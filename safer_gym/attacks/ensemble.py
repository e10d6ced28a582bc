"""Attacks made of attacks: the best of several, and attacks with other critics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import as_rows, checked_scores, prepare, quiet_generator
from safer_gym.attacks.objectives import MaxCost, Objective
from safer_gym.attacks.traits import traits_of, union
from safer_gym.balls import LpBall
from safer_gym.types import Attack, AttackResult, QFn, Victim


@dataclass(frozen=True)
class Ensemble:
    """For each row the member's result that scores best under one objective.

    Never weaker than a member: all results, and the clean observation, are scored alike, and
    each member sees the random numbers that it would see alone.
    """

    title: ClassVar = "ensemble"
    words: ClassVar = "The strongest of several attacks at each step."

    attacks: tuple[Attack, ...]
    objective: Objective = field(default_factory=MaxCost)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the members need, and the objective that compares them."""
        return union(self.objective, *self.attacks)

    @property
    def per_row_noise(self) -> bool:
        """Whether a member's rows draw noise of their own, or might."""
        return any(traits_of(attack).per_row_noise is not False for attack in self.attacks)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attacks", tuple(self.attacks))
        if not self.attacks:
            raise ValueError("attacks must hold at least one attack; got none")

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        score = checked_scores(self.objective(victim, obs), obs)
        clean = score(obs)
        best, values = obs, clean
        generator = quiet_generator(generator)
        start = generator.get_state()
        for attack in self.attacks:
            generator.set_state(start)
            points = attack(victim, obs, ball, generator).obs
            scores = score(points)
            better = scores > values
            best = torch.where(as_rows(better, obs), points, best)
            values = torch.where(better, scores, values)
        _jump(generator, start)
        return AttackResult(best, values, clean)


@dataclass(frozen=True)
class WithCritics:
    """The same attack, led by other critics than the victim's own.

    For critics learned apart from the agent, which cannot be fooled by the agent's own errors,
    and for iterated MC: critics of the policy under attack are one step of policy iteration of
    the adversary. A critic left None stays the victim's.
    """

    attack: Attack
    q_reward: QFn | None = None
    q_cost: QFn | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """What the attack needs and is not given here."""
        needs = traits_of(self.attack).needs
        return tuple(need for need in needs if getattr(self, need, None) is None)

    @property
    def cost_directed(self) -> bool:
        """Whether the attack seeks cost, by a critic that has seen some."""
        return traits_of(self.attack).cost_directed and not getattr(self.q_cost, "is_flat", False)

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        led = victim._replace(
            q_reward=self.q_reward if self.q_reward is not None else victim.q_reward,
            q_cost=self.q_cost if self.q_cost is not None else victim.q_cost,
        )
        return self.attack(led, obs, ball, generator)


def _jump(generator: torch.Generator, start: Tensor) -> None:
    """Move on from `start` to a stream that no member has seen."""
    generator.set_state(start)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    fresh = torch.Generator(generator.device).manual_seed(int(seed))
    generator.set_state(fresh.get_state())
