"""Options of the E-step and of the M-step."""

from __future__ import annotations

from dataclasses import dataclass

from safer_gym.agents.cvpo.particles import DTYPES, MLE_SCALES
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, SHARE, SHARE_ABOVE_ZERO, require

KL_MODES = ("decoupled", "joint")
MULTIPLIERS = tuple(f"multiplier_{kind}_{of}" for kind in ("lr", "cap") for of in ("mean", "cov"))
REFERENCES = ("rollout", "polyak", "update")


@dataclass(frozen=True)
class EStepOptions:
    """How the non-parametric policy of Eq. 4 to 6 is found.

    Args:
        n_particles: N, actions sampled for each state.
        kl_bound_estep: delta of Eq. 4.
        estep_iterations, estep_tolerance, max_lam: when the dual counts as solved, and the
            multiplier's bound, which an infeasible batch reaches.
        estep_dtype: "float32", or "bfloat16" for the products between hidden layers of the target
            critics where they score the E-step's actions (on a CPU): two thirds of the time there
            at 256 units, where the processor multiplies bfloat16 in hardware, and nothing at 128.
            Learning curves of two seeds show no harm (docs/benchmarks.md).
        lam_warmup: share of training over which that bound grows linearly from 0 (0: no warm-up);
            for tasks where an early multiplier stops the exploration. While it grows, a batch
            whose limit would need a larger multiplier is logged as infeasible.
        dual_rate: share of a batch's own dual solution in the running one that weighs its actions;
            1 uses each batch's solution alone (Eq. 6). Less is steadier, and more cautious: where
            batches alternate between no multiplier and its bound, their mean is too large.
    """

    n_particles: int = 16
    kl_bound_estep: float = 0.3
    estep_iterations: int = 20
    estep_tolerance: float = 0.01
    estep_dtype: str = "float32"
    max_lam: float = 20.0
    lam_warmup: float = 0.0
    dual_rate: float = 1.0

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE, n_particles=self.n_particles, estep_iterations=self.estep_iterations)
        require(POSITIVE, kl_bound_estep=self.kl_bound_estep, max_lam=self.max_lam)
        require(POSITIVE, estep_tolerance=self.estep_tolerance)
        require(SHARE_ABOVE_ZERO, dual_rate=self.dual_rate)
        require(SHARE, lam_warmup=self.lam_warmup)
        choose("estep_dtype", self.estep_dtype, DTYPES)


@dataclass(frozen=True)
class MStepOptions:
    """How the policy is fitted to the weighted actions (Eq. 7, 62 to 64).

    Args:
        m_steps: M, policy steps for each E-step.
        kl_bound_mean, kl_bound_cov: xi of Eq. 7, split by the mean and the covariance; in joint
            mode `kl_bound_mean` bounds the whole KL.
        kl_mode: "decoupled" (MPO and the public CVPO) or "joint" (Eq. 7 as printed).
        mle_scale: "sum" (Eq. 7: weights sum to one) or "mean" (the public code divides by N again).
        multiplier_lr_mean, multiplier_lr_cov, multiplier_cap_mean, multiplier_cap_cov: beta of
            Eq. 64 and its bound.
        ent_coef: weight of the policy's entropy in the loss; the paper has none.
        reference: when the old policy pi_i is renewed: "rollout" (copied before each round of
            updates), "polyak" (averaged with `tau`), or "update" (copied at every update).
    """

    m_steps: int = 1
    kl_bound_mean: float = 0.1
    kl_bound_cov: float = 0.01
    kl_mode: str = "decoupled"
    mle_scale: str = "sum"
    multiplier_lr_mean: float = 1.0
    multiplier_lr_cov: float = 100.0
    multiplier_cap_mean: float = 10.0
    multiplier_cap_cov: float = 100.0
    ent_coef: float = 0.0
    reference: str = "rollout"

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE, m_steps=self.m_steps)
        require(POSITIVE, kl_bound_mean=self.kl_bound_mean, kl_bound_cov=self.kl_bound_cov)
        pairs = {name: getattr(self, name) for name in MULTIPLIERS}
        require(NOT_NEGATIVE, ent_coef=self.ent_coef, **pairs)
        choose("kl_mode", self.kl_mode, KL_MODES)
        choose("mle_scale", self.mle_scale, MLE_SCALES)
        choose("reference", self.reference, REFERENCES)

    @property
    def is_decoupled(self) -> bool:
        """Whether mean and covariance have a bound of their own."""
        return self.kl_mode == "decoupled"

    @property
    def kl_bounds(self) -> tuple[float, float]:
        """By the mean and by the covariance."""
        return self.kl_bound_mean, self.kl_bound_cov

    @property
    def multiplier_lrs(self) -> tuple[float, float]:
        """The same."""
        return self.multiplier_lr_mean, self.multiplier_lr_cov

    @property
    def multiplier_caps(self) -> tuple[float, float]:
        """The same."""
        return self.multiplier_cap_mean, self.multiplier_cap_cov
