"""The shell that CVPO and SAFER share: critics, E-step, one M-step hook (SAFER, Algorithm 2).

This class is abstract. It owns no mathematics: the losses are pure functions in estep.py, mstep.py
and updates.py; the attacked observations are made in training_attack/observations.py, and the cost
bookkeeping is off_policy.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs, Schedule
from torch import Tensor

from safer_gym.agents.arguments import require_positive, require_share
from safer_gym.agents.cvpo.estep import Dual, DualBounds, EStep, blend, rising, solve_estep
from safer_gym.agents.cvpo.mstep import (
    KLPair,
    Posterior,
    likelihood,
    multiplier_steps,
    penalty,
    trust_region_kl,
)
from safer_gym.agents.cvpo.particles import DTYPES, draw_particles, posterior_of
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.finite import require_finite_numbers
from safer_gym.agents.means import Means
from safer_gym.agents.networks.actor_critics import (
    CnnPolicy,
    ConstrainedPolicy,
    MlpPolicy,
    MultiInputPolicy,
)
from safer_gym.agents.networks.actors import GaussianActor
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.off_policy import CostLearner
from safer_gym.agents.td import AGGREGATIONS, track
from safer_gym.agents.training_attack.attack import Corruption
from safer_gym.agents.training_attack.flat_obs import require_attackable
from safer_gym.agents.training_attack.observations import attacked_array, attacked_batch
from safer_gym.agents.updates import fit_critics, track_critics
from safer_gym.choices import choose
from safer_gym.types import Gaussian

KL_MODES = ("decoupled", "joint")
REFERENCES = ("rollout", "polyak", "update")
MLE_SCALES = ("sum", "mean")


class VariationalPolicyOptimization(CostLearner, ABC):
    """Constrained policy optimisation by expectation maximisation.

    Arguments up to `policy_kwargs`, and from `stats_window_size` on, are Stable-Baselines3's.

    Args:
        critic_learning_rate: rate of both critics; None follows `learning_rate`.
        cost_limit: undiscounted cost that an episode may have. With 0 hardly any batch is feasible,
            and the multiplier rests at `max_lam`: a fixed price, which should then be low (5).
        episode_length: horizon H of the threshold transform; None takes the environment's limit.
        n_particles: N, actions sampled for each state in the E-step.
        kl_bound_estep: delta of Eq. 4.
        estep_iterations, estep_tolerance, max_lam: when the dual counts as solved, and the
            multiplier's bound, which an infeasible batch reaches.
        estep_dtype: "float32", or "bfloat16" for the products between hidden layers of the target
            critics where they score the E-step's actions (on a CPU): two thirds of the time there
            at 256 units, where the processor multiplies bfloat16 in hardware, and nothing at 128.
            Learning curves of two seeds show no harm (docs/benchmarks.md).
        lam_warmup: share of training over which that bound grows linearly from 0 (0: no warm-up);
            for tasks where an early price of cost stops the exploration. While it grows, a batch
            whose limit would need a higher price is logged as infeasible.
        dual_rate: share of a batch's own dual solution in the running one that weighs its actions;
            1 uses each batch's solution alone (Eq. 6). Less is steadier, and more cautious: where
            batches alternate between no multiplier and its bound, their mean is too large.
        m_steps: M, policy steps for each E-step.
        kl_bound_mean, kl_bound_cov: xi of Eq. 7, split by the mean and the covariance; in joint
            mode `kl_bound_mean` bounds the whole KL.
        kl_mode: "decoupled" (MPO and the public CVPO) or "joint" (Eq. 7 as printed).
        mle_scale: "sum" (Eq. 7: weights sum to one) or "mean" (the public code divides by N again).
        multiplier_lr_mean, multiplier_lr_cov, multiplier_cap_mean, multiplier_cap_cov: beta of
            Eq. 64 and its bound.
        reference: when the old policy pi_i is renewed: "rollout" (copied before each round of
            updates), "polyak" (averaged with `tau`), or "update" (copied at every update).
        cost_bootstrap: "always" (public CVPO: the cost critic ignores termination) or
            "until_terminated".
        threshold_horizon: which bound on Q_c stands for `cost_limit`: that of a cost spent evenly
            over one "episode" (appendix B.1), or of one that goes on forever at that rate
            ("endless"), as Q_c, which bootstraps at time limits, counts it. They differ by the
            factor 1 - gamma^H: where an episode is short against 1 / (1 - gamma), the paper's
            bound is too strict by that much.
        cost_action: what the cost critic lets the policy do next: its "mean" action, the one that
            `predict(deterministic=True)` deploys, or a "sample" (Eq. 59), whose noise then pays for
            costs that the deployed policy never has.
        reward_aggregation, cost_aggregation: how K critics become one value.
        max_grad_norm: clip of the actor's and each critic's gradient norm; None does not clip.
        collection_attack, batch_attack: perturb what the behaviour policy sees and stores
            (CVPO-random: "gaussian"; ADV-CVPO: "mc"), or each sampled batch (ADV-EM-CVPO: "mc").
            A name, an Attack, or None.
        eps, norm: the ball of every attack that this agent runs while it learns, in the units of
            the observations that the policy receives.
        eps_schedule, eps_start, eps_end: Eq. 67, as fractions of training; it scales the batch
            attack (and SAFER's own), not the collection attack, as in the public code.
        missing_cost: "error" or "zero", for transitions without info["cost"].

    Raises:
        ValueError: for values out of range, with the valid ones.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }
    policy: ConstrainedPolicy
    actor: GaussianActor
    actor_target: GaussianActor
    critic: QEnsemble
    critic_target: QEnsemble
    cost_critic: QEnsemble
    cost_critic_target: QEnsemble

    def __init__(
        self,
        policy: str | type[ConstrainedPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        buffer_size: int = 200_000,
        learning_starts: int = 1_000,
        batch_size: int = 256,
        tau: float = 0.05,
        gamma: float = 0.98,
        train_freq: int | tuple[int, str] = 200,
        gradient_steps: int = 30,
        action_noise: Any = None,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 2,
        critic_learning_rate: float | None = 1e-3,
        cost_limit: float = 5.0,
        episode_length: int | None = None,
        n_particles: int = 16,
        kl_bound_estep: float = 0.3,
        estep_iterations: int = 20,
        estep_tolerance: float = 0.01,
        estep_dtype: str = "float32",
        max_lam: float = 20.0,
        lam_warmup: float = 0.0,
        dual_rate: float = 1.0,
        m_steps: int = 1,
        kl_bound_mean: float = 0.1,
        kl_bound_cov: float = 0.01,
        kl_mode: str = "decoupled",
        mle_scale: str = "sum",
        multiplier_lr_mean: float = 1.0,
        multiplier_lr_cov: float = 100.0,
        multiplier_cap_mean: float = 10.0,
        multiplier_cap_cov: float = 100.0,
        reference: str = "rollout",
        cost_bootstrap: str = "always",
        threshold_horizon: str = "episode",
        cost_action: str = "mean",
        reward_aggregation: str = "min",
        cost_aggregation: str = "max",
        max_grad_norm: float | None = None,
        collection_attack: Any = None,
        batch_attack: Any = None,
        eps: float | np.ndarray = 0.05,
        norm: str = "linf",
        eps_schedule: Any = "linear",
        eps_start: float = 0.35,
        eps_end: float = 0.7,
        missing_cost: str = "error",
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        use_sde_at_warmup: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            train_freq,
            gradient_steps,
            action_noise,
            replay_buffer_class=replay_buffer_class,
            replay_buffer_kwargs=replay_buffer_kwargs,
            optimize_memory_usage=optimize_memory_usage,
            n_steps=n_steps,
            policy_kwargs=policy_kwargs,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            seed=seed,
            use_sde=use_sde,
            sde_sample_freq=sde_sample_freq,
            use_sde_at_warmup=use_sde_at_warmup,
            sde_support=False,
            support_multi_env=True,
            cost_limit=cost_limit,
            episode_length=episode_length,
            cost_bootstrap=cost_bootstrap,
            threshold_horizon=threshold_horizon,
            cost_action=cost_action,
            cost_aggregation=cost_aggregation,
            missing_cost=missing_cost,
        )
        if use_sde:
            raise ValueError("use_sde must be False: the E-step needs a plain Gaussian; got True.")
        require_positive(
            kl_bound_estep=kl_bound_estep,
            kl_bound_mean=kl_bound_mean,
            kl_bound_cov=kl_bound_cov,
            n_particles=n_particles,
            m_steps=m_steps,
            max_lam=max_lam,
            dual_rate=dual_rate,
        )
        require_share(dual_rate=dual_rate, lam_warmup=lam_warmup)
        self.critic_learning_rate = critic_learning_rate
        self.n_particles, self.m_steps = n_particles, m_steps
        self.kl_bound_estep = kl_bound_estep
        self.estep_iterations, self.estep_tolerance = estep_iterations, estep_tolerance
        self.estep_dtype = choose("estep_dtype", estep_dtype, DTYPES)
        self.max_lam, self.lam_warmup, self.dual_rate = max_lam, lam_warmup, dual_rate
        self.kl_bounds = (kl_bound_mean, kl_bound_cov)
        self.multiplier_lrs = (multiplier_lr_mean, multiplier_lr_cov)
        self.multiplier_caps = (multiplier_cap_mean, multiplier_cap_cov)
        self.kl_mode = choose("kl_mode", kl_mode, KL_MODES)
        self.mle_scale = choose("mle_scale", mle_scale, MLE_SCALES)
        self.reference = choose("reference", reference, REFERENCES)
        self.reward_aggregation = choose("reward_aggregation", reward_aggregation, AGGREGATIONS)
        self.max_grad_norm = max_grad_norm
        schedule = (eps_schedule, eps_start, eps_end)
        self.collection_attack = Corruption.of(collection_attack, eps, norm, None)
        self.batch_attack = Corruption.of(batch_attack, eps, norm, schedule)
        self.dual = Dual(eta=1.0, lam=0.0)
        self.betas = (0.0, 0.0)
        if _init_setup_model:
            self._setup_model()

    # ------------------------------------------------------------------ set-up, saving

    def _setup_model(self) -> None:
        if self.collection_attack is not None or self.batch_attack is not None:
            require_attackable(self.observation_space, type(self).__name__)
        self.dual, self.betas = Dual(*self.dual), as_pair(self.betas)  # saved as lists
        super()._setup_model()
        self._create_aliases()

    def _create_aliases(self) -> None:
        super()._create_aliases()
        self.actor_target = self.policy.actor_target

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        nets = ("actor", "critic", "cost_critic")
        return ["policy", *(f"{net}.optimizer" for net in nets)], []

    def _act(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        if self.collection_attack is not None and self._last_obs is not None:
            # The behaviour policy acts on, and the buffer stores, what the attacker shows.
            self._last_obs = attacked_array(self, self._last_obs, self.collection_attack)
            if self._vec_normalize_env is not None:
                self._last_original_obs = self._vec_normalize_env.unnormalize_obs(self._last_obs)
        return super()._act(*args, **kwargs)

    # ------------------------------------------------------------------ learning

    def train(self, gradient_steps: int, batch_size: int) -> None:
        """`gradient_steps` rounds of critics, E-step, M-steps and target averaging."""
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        if self.reference == "rollout":
            self.actor_target.load_state_dict(self.actor.state_dict())
        means = Means()
        for _ in range(gradient_steps):
            data = self._sample_batch(batch_size)
            means.note(self._update_critics(data))
            estep, posterior = self._expectation(data.observations)
            means.note(self._maximisation(data.observations, posterior))
            self._update_targets()
            means.note(estep.record())
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        means.record(self.logger)

    def _set_learning_rates(self) -> None:
        self._renew_rates(self.actor.optimizer, (self.critic.optimizer, self.cost_critic.optimizer))

    def _sample_batch(self, batch_size: int) -> CostSamples:
        data = super()._sample_batch(batch_size)
        if self.batch_attack is not None:
            data = data._replace(observations=self._corrupt(data.observations, self.batch_attack))
        return data

    def _corrupt(self, obs: PyTorchObs, corruption: Corruption) -> PyTorchObs:
        return attacked_batch(self, obs, corruption)

    def _update_critics(self, data: CostSamples) -> dict[str, Tensor]:
        """Eq. 58 to 60, with one action of the current policy at the next state."""
        with torch.no_grad():
            action = self.actor._predict(data.next_observations)
            actions = (action, self._cost_action(data.next_observations, action))
        return fit_critics(
            self.policy,
            data,
            actions,
            (self.reward_aggregation, self.cost_aggregation),
            self.cost_bootstrap,
            self.max_grad_norm,
        )

    def _cost_action(self, next_obs: PyTorchObs, action: Tensor) -> Tensor:
        """The next action whose cost Eq. 59 counts; the reward critic's own where it may be."""
        shown = self._shown_next(next_obs)
        if shown is next_obs and self.cost_action == "sample":
            return action
        return self.actor._predict(shown, deterministic=self.cost_action == "mean")

    def _shown_next(self, next_obs: PyTorchObs) -> PyTorchObs:
        """What the policy sees when the cost critic lets it act: the truth, unless overridden."""
        return next_obs

    def _expectation(self, obs: PyTorchObs) -> tuple[EStep, Posterior]:
        """Sample N actions of the old policy for each state and reweight them (Eq. 5, 6)."""
        particles = draw_particles(
            self.policy,
            obs,
            self.n_particles,
            (self.reward_aggregation, self.cost_aggregation),
            DTYPES[self.estep_dtype],
            self._generator,
        )
        progress = 1.0 - self._current_progress_remaining
        estep = solve_estep(
            particles.q_reward,
            particles.q_cost,
            self.kl_bound_estep,
            self.threshold,
            start=self.dual,
            bounds=DualBounds(max_lam=rising(self.max_lam, progress, self.lam_warmup)),
            max_iterations=self.estep_iterations,
            tolerance=self.estep_tolerance,
        )
        require_finite_numbers("E-step", estep.record())
        self.dual = blend(self.dual, estep.dual, self.dual_rate)
        return estep, posterior_of(particles, self.dual, self.mle_scale)

    @abstractmethod
    def _maximisation(self, obs: PyTorchObs, posterior: Posterior) -> dict[str, Tensor | float]:
        """`m_steps` policy steps on a batch; returns values to log."""

    def _vanilla_loss(self, new: Gaussian, posterior: Posterior) -> tuple[Tensor, KLPair]:
        """The first line of Eq. 62, as a loss, after the multiplier step of Eq. 64."""
        decoupled = self.kl_mode == "decoupled"
        kl = trust_region_kl(posterior.old, new, decoupled)
        self.betas = multiplier_steps(
            self.betas, kl, self.kl_bounds, self.multiplier_lrs, self.multiplier_caps
        )
        fit = likelihood(posterior.moments, new, posterior.old, decoupled).mean()
        return penalty(kl, self.betas, self.kl_bounds) - posterior.mle_scale * fit, kl

    def _step_record(self, loss: Tensor, kl: KLPair) -> dict[str, Tensor | float]:
        """What an M-step logs."""
        return {
            "actor_loss": loss,
            "kl_mean": kl.mean,
            "kl_cov": kl.covariance,
            "beta_mean": self.betas[0],
            "beta_cov": self.betas[1],
        }

    def _update_targets(self) -> None:
        track_critics(self.policy, self.tau)
        if self.reference == "polyak":
            track(self.actor, self.actor_target, self.tau)
        if self.reference == "update":
            self.actor_target.load_state_dict(self.actor.state_dict())


def as_pair(values: Iterable[float]) -> tuple[float, float]:
    """JSON gives tuples back as lists."""
    first, second = values
    return first, second
