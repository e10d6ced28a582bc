"""Options of the robust M-step, and of what the exploring policy sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from safer_gym.attacks import ATTACKS
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, COUNT, FLAG, NOT_NEGATIVE, POSITIVE, SHARE, require
from safer_gym.types import Attack

KL_BOUNDS = ("kl_bound_adversarial", "kl_bound_adversarial_cov")
WEIGHTS = ("adversarial_cap_mean", "adversarial_cap_cov", "adversarial_weight")
PARTS = ("vanilla_step", "adversarial_mle", "adversarial_kl")
FLAGS = (*PARTS, "attack_each_m_step", "attacked_cost_critic")
ADVERSARIAL_REFERENCES = ("old", "current")
ROBUST_WHEN = ("always", "binding")


@dataclass(frozen=True)
class RobustOptions:
    """The second line of Eq. 62: the policy at attacked states.

    Args:
        attack: a name or an Attack; attack_steps: gradient steps of a named one.
        attack_each_m_step: attack anew in each M-step (Algorithm 1) or once (Algorithm 2).
        kl_bound_adversarial, kl_bound_adversarial_cov: xi-tilde of Eq. 8, split as xi is.
        adversarial_cap_mean, adversarial_cap_cov: bounds of the multipliers of Eq. 65.
        adversarial_reference: what the attacked policy stays close to: the "old" policy at the
            clean state (Eq. 8), or the "current" one without its gradient (appendix B.1).
        adversarial_weight: weight of the second line of Eq. 62 against the first.
        attacked_cost_critic: let Q_c count the cost of the policy under attack (its next action is
            taken at an attacked next observation), so that Eq. 4 bounds the attacked cost; False is
            the paper's Eq. 59. Benign data serves both.
        robust_when: "always" (Eq. 62) or, ours, "binding": the second line only on batches whose
            E-step has a multiplier above 0. Where Q_c counts the attacked cost, a multiplier of 0
            says that the policy keeps the limit under attack; a benign Q_c does not say so.
        vanilla_step, adversarial_mle, adversarial_kl: the parts of the robust M-step; switching
            one off is an ablation of Table 8.
    """

    attack: str | Attack = "mc"
    attack_steps: int = 3
    attack_each_m_step: bool = False
    kl_bound_adversarial: float = 0.1
    kl_bound_adversarial_cov: float = 0.05
    adversarial_cap_mean: float = 5.0
    adversarial_cap_cov: float = 1.0
    adversarial_reference: str = "current"
    adversarial_weight: float = 1.0
    attacked_cost_critic: bool = True
    robust_when: str = "always"
    vanilla_step: bool = True
    adversarial_mle: bool = True
    adversarial_kl: bool = True

    def __post_init__(self) -> None:
        self._require_numbers()
        if not (self.vanilla_step or self.adversarial_mle or self.adversarial_kl):
            raise ValueError(
                "one of vanilla_step, adversarial_mle and adversarial_kl must be True: "
                "the policy would never change."
            )
        if self.attack is None:
            raise ValueError("attack must be a name or an Attack; got None. CVPO is SAFER without.")
        if not callable(self.attack):
            choose("attack", self.attack, ATTACKS)
        choose("adversarial_reference", self.adversarial_reference, ADVERSARIAL_REFERENCES)
        choose("robust_when", self.robust_when, ROBUST_WHEN)
        if self.robust_when == "binding" and not self.vanilla_step:
            raise ValueError(
                "vanilla_step must be True with robust_when='binding': where no limit binds, the "
                "policy would not change."
            )

    def _require_numbers(self) -> None:
        require(AT_LEAST_ONE, attack_steps=self.attack_steps)
        require(POSITIVE, **{name: getattr(self, name) for name in KL_BOUNDS})
        require(NOT_NEGATIVE, **{name: getattr(self, name) for name in WEIGHTS})
        require(FLAG, **{name: getattr(self, name) for name in FLAGS})

    @property
    def is_always_on(self) -> bool:
        """Whether the second line also counts on batches whose limit needs no multiplier."""
        return self.robust_when == "always"

    @property
    def bounds(self) -> tuple[float, float]:
        """xi-tilde by the mean and by the covariance."""
        return self.kl_bound_adversarial, self.kl_bound_adversarial_cov

    @property
    def caps(self) -> tuple[float, float]:
        """Of the multipliers; the same."""
        return self.adversarial_cap_mean, self.adversarial_cap_cov


@dataclass(frozen=True)
class ExplorationOptions:
    """What the behaviour policy sees; the paper's sees the truth.

    Args:
        attacked_share: share of the environments (rounded) whose behaviour policy sees attacked
            observations, at the present radius. The buffer stores the clean observation and the
            action taken, valid off-policy data of the states that an attack leads to.
        offset_steps: how long a benign offset is held (0: none). While it explores, the policy sees
            its observations moved to a random corner of the ball (l2: a point of the sphere; l1:
            the whole radius on one coordinate), which no critic and no gradient chooses. A new one
            is drawn after so many steps, and at the end of an episode. The buffer stores the clean
            observation and the action taken. Not together with `attacked_share`.
        offset_scale: the radius of that ball, in units of the present radius of the attack.
        offset_share: share of the environments (rounded) that have offsets.
    """

    attacked_share: float = 0.0
    offset_steps: int = 0
    offset_scale: float = 1.0
    offset_share: float = 1.0

    def __post_init__(self) -> None:
        require(SHARE, attacked_share=self.attacked_share, offset_share=self.offset_share)
        require(COUNT, offset_steps=self.offset_steps)
        require(POSITIVE, offset_scale=self.offset_scale)

    @property
    def share(self) -> float:
        """Share of the environments whose policy sees anything but the truth."""
        return self.offset_share if self.offset_steps else self.attacked_share

    def require_one(self, collection_attack: Any) -> None:
        """Raises ValueError where two options want to decide what the behaviour policy sees."""
        given = {
            "attacked_share": (self.attacked_share, self.attacked_share > 0),
            "offset_steps": (self.offset_steps, self.offset_steps > 0),
            "collection_attack": (collection_attack, collection_attack is not None),
        }
        on = [f"{name}={value!r}" for name, (value, is_on) in given.items() if is_on]
        if len(on) > 1:
            raise ValueError(
                "attacked_share, offset_steps and collection_attack each decide what the exploring "
                f"policy sees: give one of them; got {' and '.join(on)}."
            )
