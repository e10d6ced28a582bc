"""DRAC's options, in groups."""

from __future__ import annotations

from dataclasses import dataclass

from safer_gym.agents.td import AGGREGATIONS
from safer_gym.choices import choose
from safer_gym.domains import (
    AT_LEAST_ONE,
    FLAG,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    SHARE,
    require,
    require_array,
)

TARGETS = ("standard", "clamped")
OUTSIDE = ("maximise", "imitate")
CONSTRAINTS = ("network", "scalar", "augmented", "none")
MULTIPLIER_LOSSES = ("split", "ascent")


@dataclass(frozen=True)
class SafetyOptions:
    """How Q_h and the safety policy learn, and what the task policy does outside of the set.

    Args:
        safety_policy: False ties pi_h to pi: an ablation, and RAC.
        safety_discount_start, safety_discount: g_h rises from the first to the second. Unless it
            ends close to 1, the learned set is too large (docs/drac.md).
        anneal_share: share of training over which it rises.
        safety_target: "standard", (1 - g_h) h + g_h min{h, V_h(x')}, or "clamped" (MADAC's).
        safety_aggregation: how the twins of Q_h become one value in their own target: "min" errs
            towards unsafe, by a little at each step, and the learned set is smaller by the sum.
        outside: what the task policy does outside of the learned set: "imitate" the safety policy
            (step 4 of the iteration, and MADAC), or "maximise" Q_h and its entropy.
        region_margin: what counts as inside for the task policy is where V_h is at least this. It
            rides the border of where it may earn, and overshoots that by up to 0.1 in h.
    """

    safety_policy: bool = True
    safety_discount_start: float = 0.9
    safety_discount: float = 0.999
    anneal_share: float = 0.3
    safety_target: str = "standard"
    safety_aggregation: str = "mean"
    outside: str = "imitate"
    region_margin: float = 0.1

    def __post_init__(self) -> None:
        require(FLAG, safety_policy=self.safety_policy)
        require(SHARE, safety_discount_start=self.safety_discount_start)
        require(SHARE, safety_discount=self.safety_discount, anneal_share=self.anneal_share)
        require(NUMBER, region_margin=self.region_margin)
        choose("safety_target", self.safety_target, TARGETS)
        choose("safety_aggregation", self.safety_aggregation, AGGREGATIONS)
        choose("outside", self.outside, OUTSIDE)


@dataclass(frozen=True)
class MultiplierOptions:
    """How the task policy is held to Q_h >= 0.

    Args:
        constraint: a multiplier "network" lambda(x), one "scalar", MADAC's "augmented" Lagrangian
            with one multiplier, or "none": the constraint is ignored (RSAC).
        multiplier_loss: "split", L_A + L_B by our reading, where inside of the set lambda ascends
            and outside it goes to `max_lam`; or "ascent" (RCRL's), where every state counts as
            inside.
        max_lam: bound of lambda.
        multiplier_lr: its learning rate; None follows `learning_rate`.
        multiplier_delay: updates from one step of lambda to the next.
        constraint_margin: the task policy is held to Q_h >= this.
        rho, augmented_rate: weight of the square in the augmented Lagrangian; how fast its
            multiplier moves.
    """

    constraint: str = "network"
    multiplier_loss: str = "split"
    max_lam: float = 100.0
    multiplier_lr: float | None = None
    multiplier_delay: int = 2
    constraint_margin: float = 0.03
    rho: float = 10.0
    augmented_rate: float = 0.2

    def __post_init__(self) -> None:
        choose("constraint", self.constraint, CONSTRAINTS)
        choose("multiplier_loss", self.multiplier_loss, MULTIPLIER_LOSSES)
        require(POSITIVE, max_lam=self.max_lam, rho=self.rho)
        require(NOT_NEGATIVE.or_none, multiplier_lr=self.multiplier_lr)
        require(AT_LEAST_ONE, multiplier_delay=self.multiplier_delay)
        require(NUMBER, constraint_margin=self.constraint_margin)
        require(NOT_NEGATIVE, augmented_rate=self.augmented_rate)


@dataclass(frozen=True)
class CollectionOptions:
    """Who plays an episode, and where it begins; drawn anew for each.

    Args:
        adversary_shares: shares of the episodes disturbed by mu_h, by mu, and uniformly.
        safety_share: share of the episodes controlled by pi_h; pi has the others.
        wide_share: share of the episodes that begin with `reset(options={"start": "wide"})`, far
            off the policies' own distribution. Without them Q_h is never trained near the set's
            border. An environment may ignore the option.
        wide_steps: steps after which such an episode is left for another.
        exploration_noise: standard deviation of the noise on pi_h, mu and mu_h, in [-1, 1].
    """

    adversary_shares: tuple[float, float, float] = (0.4, 0.4, 0.2)
    safety_share: float = 0.3
    wide_share: float = 0.5
    wide_steps: int = 30
    exploration_noise: float = 0.1

    def __post_init__(self) -> None:
        require_array(NOT_NEGATIVE, adversary_shares=self.adversary_shares)
        shares = tuple(self.adversary_shares)
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(
                "adversary_shares must be three numbers >= 0 (mu_h, mu, uniform) that add up to 1; "
                f"got {self.adversary_shares!r}."
            )
        require(SHARE, safety_share=self.safety_share, wide_share=self.wide_share)
        require(AT_LEAST_ONE, wide_steps=self.wide_steps)
        require(NOT_NEGATIVE, exploration_noise=self.exploration_noise)


@dataclass(frozen=True)
class UpdateOptions:
    """How the networks learn.

    Args:
        policy_delay: updates from one step of pi to the next.
        average: rate at which the acting players follow the learning ones.
        ent_coef: "auto", or a fixed temperature alpha.
        target_entropy: of pi; None is minus the number of its actions.
        max_grad_norm: clip of each network's gradient norm; None does not clip.
    """

    policy_delay: int = 2
    average: float = 0.05
    ent_coef: str | float = "auto"
    target_entropy: float | None = None
    max_grad_norm: float | None = None

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE, policy_delay=self.policy_delay)
        require(SHARE, average=self.average)
        require(NUMBER.or_none, target_entropy=self.target_entropy)
        require(POSITIVE.or_none, max_grad_norm=self.max_grad_norm)
        if isinstance(self.ent_coef, str):
            choose("ent_coef", self.ent_coef, ("auto",))
        else:
            require(NOT_NEGATIVE, ent_coef=self.ent_coef)
