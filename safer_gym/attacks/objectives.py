"""What an attacker wants: a number for each perturbed observation, to be made large.

An objective is bound to a victim and a batch of clean observations s [B, *O]. The result scores
candidates s~ [B, *O] as [B]. Critics are asked at the CLEAN observation, Q(s, mu(s~)): the world
stays where it is, only the policy is deceived (paper B.2.1, text after Eq. 68).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from safer_gym.attacks.analytic import analytic_score
from safer_gym.attacks.traits import CRITICS
from safer_gym.domains import NUMBER, require
from safer_gym.types import Gaussian, QFn, Victim

Score = Callable[[Tensor], Tensor]
"""Candidates [B, *O] to objective values [B]."""


class Objective(Protocol):
    """Binds a victim and clean observations to a score of perturbed ones.

    `needs`, `cost_directed`, `title` and `words` are traits of every attack that climbs it.
    """

    def __call__(self, victim: Victim, obs: Tensor) -> Score: ...


@dataclass(frozen=True)
class MaxCost:
    """MC: ascend the expected cost, Q_c(s, mu(s~))."""

    needs: ClassVar = ("q_cost",)
    cost_directed: ClassVar = True
    title: ClassVar = "MC, maximum cost"
    words: ClassVar = (
        "At every step the attack moves by at most ε to where the expected cost is highest, as "
        "judged by the policy's own cost critic. The policy is led out of the safe set."
    )

    def __call__(self, victim: Victim, obs: Tensor) -> Score:
        return _weighted(victim, obs, (1.0, _critic(victim.q_cost, "q_cost")))


@dataclass(frozen=True)
class MaxReward:
    """MR: ascend the expected reward, Q_r(s, mu(s~)); tempts the policy over its cost limit."""

    needs: ClassVar = ("q_reward",)
    title: ClassVar = "MR, maximum reward"
    words: ClassVar = (
        "The same, but toward the highest expected reward. It lures: the agent earns more while it "
        "breaks the limit, so a look at the reward does not give it away."
    )

    def __call__(self, victim: Victim, obs: Tensor) -> Score:
        return _weighted(victim, obs, (1.0, _critic(victim.q_reward, "q_reward")))


@dataclass(frozen=True)
class MinReward:
    """Descend the expected reward: ascend -Q_r(s, mu(s~))."""

    needs: ClassVar = ("q_reward",)
    title: ClassVar = "minimum reward"
    words: ClassVar = "Toward the lowest expected reward."

    def __call__(self, victim: Victim, obs: Tensor) -> Score:
        return _weighted(victim, obs, (-1.0, _critic(victim.q_reward, "q_reward")))


@dataclass(frozen=True)
class Mixture:
    """reward_weight Q_r + cost_weight Q_c at (s, mu(s~)).

    Weights multiply the critics as they are: choose them with the critics' scales in mind. The
    defaults are the public code's.
    """

    needs: ClassVar = CRITICS
    title: ClassVar = "mixture"
    words: ClassVar = "Cost and reward are raised together."

    reward_weight: float = 0.1
    cost_weight: float = 0.9

    def __post_init__(self) -> None:
        require(NUMBER, reward_weight=self.reward_weight, cost_weight=self.cost_weight)

    @property
    def cost_directed(self) -> bool:
        """Whether the cost counts."""
        return self.cost_weight > 0

    def __call__(self, victim: Victim, obs: Tensor) -> Score:
        q_reward = _critic(victim.q_reward, "q_reward")
        q_cost = _critic(victim.q_cost, "q_cost")
        return _weighted(victim, obs, (self.reward_weight, q_reward), (self.cost_weight, q_cost))


@dataclass(frozen=True)
class MaxActionDifference:
    """MAD: ascend KL(pi(.|s) || pi(.|s~)); needs no critic.

    A victim without a distribution counts as a Gaussian of unit variance around its action: the
    score is 0.5 ||mu(s) - mu(s~)||^2, in squared action units. Of a victim that takes the best
    option the margin loss is ascended: the lead, at s~, of an option not taken at s.
    """

    title: ClassVar = "MAD, maximum action difference"
    words: ClassVar = (
        "The attack moves to where the policy acts least like itself. Needs no critic."
    )

    def __call__(self, victim: Victim, obs: Tensor) -> Score:
        distribution = victim.distribution or _unit_gaussian(victim)
        with torch.no_grad():
            clean = distribution(obs).detach()
        return lambda points: clean.difference(distribution(points))


def _weighted(victim: Victim, obs: Tensor, *terms: tuple[float, QFn]) -> Score:
    """sum_i weight_i Q_i(s, mu(s~)); without autograd where the victim's networks allow it."""

    def score(points: Tensor) -> Tensor:
        actions = victim.judged(points)
        (weight, critic), *others = terms
        total = weight * critic(obs, actions)
        for weight, critic in others:
            total = total + weight * critic(obs, actions)
        return total

    return analytic_score(victim, obs, terms) or score


def _unit_gaussian(victim: Victim) -> Callable[[Tensor], Gaussian]:
    def distribution(points: Tensor) -> Gaussian:
        mean = victim.action(points)
        return Gaussian(mean, torch.ones_like(mean))

    return distribution


def _critic(critic: QFn | None, name: str) -> QFn:
    if critic is None:
        raise ValueError(
            f"this attack needs the victim's {name}, which is None; give the victim that critic "
            "(learn one for a fixed policy by fitted Q evaluation; on the disturbance channel "
            f"{name}_disturbed is meant) or choose an attack without critics: 'mad', 'uniform' or "
            "'gaussian'"
        )
    return critic
