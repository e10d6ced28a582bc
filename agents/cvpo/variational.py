"""The shell that CVPO and SAFER share: critics, E-step, one M-step hook (SAFER, Algorithm 2).

This class is abstract. It owns no mathematics: the losses are pure functions in estep.py, mstep.py
and updates.py; the attacked observations are made in training_attack/observations.py, and the cost
bookkeeping is off_policy.py.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs, Schedule
from torch import Tensor

from safer_gym.agents.certified.options import CertifiedOptions
from safer_gym.agents.certified.penalty import require_enclosable
from safer_gym.agents.constrained import Constrained
from safer_gym.agents.cvpo.estep import Dual, DualBounds, EStep, blend, rising, solve_estep
from safer_gym.agents.cvpo.mstep import (
    KLPair,
    Posterior,
    likelihood,
    multiplier_steps,
    penalty,
    trust_region_kl,
)
from safer_gym.agents.cvpo.options import EStepOptions, MStepOptions
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
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.options import BallOptions, CostOptions, CriticOptions, grouped
from safer_gym.agents.td import track
from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.flat_obs import require_attackable
from safer_gym.agents.training_attack.observations import attacked_array, attacked_batch
from safer_gym.agents.updates import fit_critics, track_critics
from safer_gym.divergences import gaussian_entropy
from safer_gym.types import Gaussian

if TYPE_CHECKING:

    class _Base(OffPolicy, Constrained, OffPolicyAlgorithm):
        """What it is mixed in before."""
else:
    _Base = ABC


class Variational(_Base):
    """Constrained policy optimisation by expectation maximisation.

    Mixed in before `OffPolicy`, `Constrained` and Stable-Baselines3's OffPolicyAlgorithm, whose
    arguments are those up to `n_steps`, and from `stats_window_size` on.

    Args:
        cost_limit: undiscounted cost that an episode may have. With 0 hardly any batch is feasible,
            and the multiplier rests at `max_lam`, which should then be low (5).
        collection_attack, batch_attack: perturb what the behaviour policy sees and stores
            (CVPO-random: "gaussian"; ADV-CVPO: "mc"), or each sampled batch (ADV-EM-CVPO: "mc").
            A name, an Attack, or None. The schedule scales the batch attack (and SAFER's own), not
            the collection attack, as in the public code.
        cost, critics, estep, mstep, ball, certified: groups of options, each the dataclass of its
            default, or a dict of its fields.
        options: a field of any group by itself: `n_particles=32` is `estep={"n_particles": 32}`.

    Raises:
        ValueError: for values out of range and for unknown options, with the valid ones.
    """

    N_STEPS = 2
    GROUPS: ClassVar[dict[str, Any]] = {
        "cost": CostOptions(),
        "critics": CriticOptions(),
        "estep": EStepOptions(),
        "mstep": MStepOptions(),
        "ball": BallOptions(),
        "certified": CertifiedOptions(),
    }
    cost: CostOptions
    critics: CriticOptions
    estep: EStepOptions
    mstep: MStepOptions
    ball: BallOptions
    certified: CertifiedOptions
    collection_attack: TrainingAttack | None
    batch_attack: TrainingAttack | None
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
        n_steps: int = N_STEPS,
        cost_limit: float = 5.0,
        collection_attack: Any = None,
        batch_attack: Any = None,
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
        **options: Any,
    ) -> None:
        arguments = inspect.signature(Variational.__init__).parameters
        groups = grouped(options, self.GROUPS, [*arguments][1:-1])
        vars(self).update(groups)
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
            policy_kwargs=dict(policy_kwargs or {}),  # use_sde goes into it
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            seed=seed,
            use_sde=use_sde,
            sde_sample_freq=sde_sample_freq,
            use_sde_at_warmup=use_sde_at_warmup,
            sde_support=True,
            support_multi_env=True,
            cost_limit=cost_limit,
            cost=self.cost,
            cost_aggregation=self.critics.cost_aggregation,
        )
        self.reward_aggregation = self.critics.reward_aggregation
        self.critic_learning_rate = self.critics.critic_learning_rate
        self.collection_attack = self.batch_attack = None
        if collection_attack is not None:
            self.collection_attack = TrainingAttack.of(
                collection_attack, self.ball, scheduled=False, argument="collection_attack"
            )
        if batch_attack is not None:
            self.batch_attack = TrainingAttack.of(batch_attack, self.ball, argument="batch_attack")
        self.dual = Dual(eta=1.0, lam=0.0)
        self.betas = (0.0, 0.0)
        if _init_setup_model:
            self._setup_model()

    # ------------------------------------------------------------------ set-up, saving

    def _setup_model(self) -> None:
        if self.collection_attack is not None or self.batch_attack is not None:
            require_attackable(self.observation_space, type(self).__name__, self.ball.eps)
        self.dual, self.betas = Dual(*self.dual), as_pair(self.betas)  # saved as lists
        super()._setup_model()
        self._create_aliases()
        require_enclosable(self.actor, self.certified)

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

    def train(self, gradient_steps: int, batch_size: int | None = None) -> None:
        """`gradient_steps` rounds of critics, E-step, M-steps and target averaging."""
        batch_size = self.batch_size if batch_size is None else batch_size
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        if self.mstep.reference == "rollout":
            self.actor_target.load_state_dict(self.actor.state_dict())
        means = Means()
        for _ in range(gradient_steps):
            data = self._sample_batch(batch_size)
            self.actor.reset_noise()
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
            data = data._replace(observations=self._attacked(data.observations, self.batch_attack))
        return data

    def _attacked(self, obs: PyTorchObs, attack: TrainingAttack) -> PyTorchObs:
        return attacked_batch(self, obs, attack)

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
            self.critics.max_grad_norm,
        )

    def _cost_action(self, next_obs: PyTorchObs, action: Tensor) -> Tensor:
        """The next action whose cost Eq. 59 counts; the reward critic's own where it may be."""
        shown = self._shown_next(next_obs)
        if shown is next_obs and self.cost.cost_action == "sample":
            return action
        return self.actor._predict(shown, deterministic=self.cost.cost_action == "mean")

    def _shown_next(self, next_obs: PyTorchObs) -> PyTorchObs:
        """What the policy sees when the cost critic lets it act: the truth, unless overridden."""
        return next_obs

    def _expectation(self, obs: PyTorchObs) -> tuple[EStep, Posterior]:
        """Sample N actions of the old policy for each state and reweight them (Eq. 5, 6)."""
        particles = draw_particles(
            self.policy,
            obs,
            self.estep.n_particles,
            (self.reward_aggregation, self.cost_aggregation),
            DTYPES[self.estep.estep_dtype],
            self._generator,
        )
        progress = 1.0 - self._current_progress_remaining
        estep = solve_estep(
            particles.q_reward,
            particles.q_cost,
            self.estep.kl_bound_estep,
            self.threshold,
            start=self.dual,
            bounds=DualBounds(max_lam=rising(self.estep.max_lam, progress, self.estep.lam_warmup)),
            max_iterations=self.estep.estep_iterations,
            tolerance=self.estep.estep_tolerance,
        )
        require_finite_numbers("E-step", estep.record())
        self.dual = blend(self.dual, estep.dual, self.estep.dual_rate)
        posterior = posterior_of(particles, self.dual, self.mstep.mle_scale)
        return estep, posterior._replace(binds=estep.dual.lam > 0)

    @abstractmethod
    def _maximisation(self, obs: PyTorchObs, posterior: Posterior) -> dict[str, Tensor | float]:
        """`m_steps` policy steps on a batch; returns values to log."""

    def _vanilla_loss(self, new: Gaussian, posterior: Posterior) -> tuple[Tensor, KLPair]:
        """The first line of Eq. 62, as a loss, after the multiplier step of Eq. 64."""
        decoupled = self.mstep.is_decoupled
        kl = trust_region_kl(posterior.old, new, decoupled)
        self.betas = multiplier_steps(
            self.betas,
            kl,
            self.mstep.kl_bounds,
            self.mstep.multiplier_lrs,
            self.mstep.multiplier_caps,
        )
        fit = likelihood(posterior.moments, new, posterior.old, decoupled).mean()
        loss = penalty(kl, self.betas, self.mstep.kl_bounds) - posterior.mle_scale * fit
        if self.mstep.ent_coef > 0:
            loss = loss - self.mstep.ent_coef * gaussian_entropy(new).mean()
        return loss, kl

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
        if self.mstep.reference == "polyak":
            track(self.actor, self.actor_target, self.tau)
        if self.mstep.reference == "update":
            self.actor_target.load_state_dict(self.actor.state_dict())


def as_pair(values: Iterable[float]) -> tuple[float, float]:
    """JSON gives tuples back as lists."""
    first, second = values
    return first, second
