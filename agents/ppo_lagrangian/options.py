"""Options of PPO-Lagrangian in groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

from safer_gym.agents.ppo_lagrangian.losses import COST_SURROGATES, DISTANCES, SCALINGS
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, CAP, NOT_NEGATIVE, require
from safer_gym.multipliers import PIDGains, gains_of


@dataclass(frozen=True)
class MultiplierOptions:
    """The multiplier, and what the advantage of the cost is.

    Args:
        pid_gains: proportional, integral and derivative gain (B.3.2). The controller takes one step
            a rollout, on the mean cost of the episodes that ended in it.
        max_lam: bound of the multiplier.
        cost_advantage: A_c of a rollout "raw" (the public code), "centred" or "standardised".
    """

    pid_gains: tuple[float, float, float] = PIDGains()
    max_lam: float = math.inf
    cost_advantage: str = "raw"

    def __post_init__(self) -> None:
        require(CAP, max_lam=self.max_lam)
        gains_of(self.pid_gains)
        choose("cost_advantage", self.cost_advantage, SCALINGS)

    @property
    def gains(self) -> PIDGains:
        """The controller's."""
        return PIDGains(*self.pid_gains)


@dataclass(frozen=True)
class LagrangeOptions(MultiplierOptions):
    """The multiplier, and how the cost enters the policy's loss.

    Args:
        pid_gains, max_lam, cost_advantage: see `MultiplierOptions`.
        cost_surrogate: "clipped" lets Eq. 69 clip the ratio of the combined advantage, "linear" of
            the reward's alone (Eq. 70 with the public code's ratio at A_c).
    """

    cost_surrogate: str = "clipped"

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("cost_surrogate", self.cost_surrogate, COST_SURROGATES)


@dataclass(frozen=True)
class RegulariserOptions:
    """How the policy is kept smooth at the regulariser's states (Algorithm 4).

    Args:
        regulariser_distance: "kl" (Algorithm 4), or "mean", the squared distance of the mean
            actions (the public code). Nothing pulls at the clean state's side.
        kl_coef: its weight beta.
        attack_steps: gradient steps of a named attack, the collection attack included.
    """

    regulariser_distance: str = "mean"
    kl_coef: float = 0.1
    attack_steps: int = 3

    def __post_init__(self) -> None:
        require(NOT_NEGATIVE, kl_coef=self.kl_coef)
        require(AT_LEAST_ONE, attack_steps=self.attack_steps)
        choose("regulariser_distance", self.regulariser_distance, DISTANCES)
