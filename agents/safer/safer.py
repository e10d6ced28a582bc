"""SAFER: CVPO with a robust M-step (Liu et al., ICML 2023, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs
from torch import Tensor

from safer_gym.agents.certified.penalty import certified_loss
from safer_gym.agents.constrained import Constrained
from safer_gym.agents.cvpo.mstep import (
    KLPair,
    Posterior,
    likelihood,
    multiplier_steps,
    penalty,
    trust_region_kl,
)
from safer_gym.agents.cvpo.variational import Variational, as_pair
from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.networks.plain import reads_flat
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.safer.options import ExplorationOptions, RobustOptions
from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.benign_offsets import BenignOffsets
from safer_gym.agents.training_attack.flat_obs import is_attackable, require_attackable
from safer_gym.agents.training_attack.observations import attacked_first
from safer_gym.agents.updates import descend
from safer_gym.types import Gaussian

Group = Mapping[str, Any] | None


class SAFER(Variational, OffPolicy, Constrained, OffPolicyAlgorithm):
    """CVPO whose M-step also fits, and stays close, at maximum-cost attacked states (Eq. 8, 62).

    The agent collects benign data and is never attacked itself, unless `attacked_share` says so.
    Only Box observations, and the Box entries of a Dict, are attacked: a radius below 1 leaves
    discrete ones as they are, and SAFER is then CVPO whose M-step sees each state twice.

    Args:
        policy, env, and any argument of CVPO by position or name; the ball is the attack's.
        robust: the attack and the second line of Eq. 62, RobustOptions or a dict of its fields.
        exploration: what the behaviour policy sees, ExplorationOptions or a dict of its fields.
        options: a field of any group by itself: `attacked_share=0.5`.
    """

    GROUPS: ClassVar[dict[str, Any]] = {
        **Variational.GROUPS,
        "robust": RobustOptions(),
        "exploration": ExplorationOptions(),
    }
    robust: RobustOptions
    exploration: ExplorationOptions

    def __init__(
        self,
        policy: str | type[ConstrainedPolicy],
        env: GymEnv | str,
        *args: Any,
        robust: RobustOptions | Group = None,
        exploration: ExplorationOptions | Group = None,
        **options: Any,
    ) -> None:
        self.adversarial_betas = (0.0, 0.0)
        super().__init__(policy, env, *args, robust=robust, exploration=exploration, **options)

    def _setup_model(self) -> None:
        self._change_options()
        if np.max(self.ball.eps) >= 1 or is_attackable(self.observation_space):
            require_attackable(self.observation_space, type(self).__name__, self.ball.eps)
        self.exploration.require_one(self.collection_attack)
        self.adversarial_betas = as_pair(self.adversarial_betas)  # saved as a list
        robust = self.robust
        self.adversary = TrainingAttack.of(robust.attack, self.ball, steps=robust.attack_steps)
        scaled = replace(self.adversary, eps=self.ball.eps * self.exploration.offset_scale)
        self._offsets = BenignOffsets(self.exploration.offset_steps, scaled)
        super()._setup_model()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_offsets"]  # a loaded agent begins new episodes

    # ------------------------------------------------------------------ collection

    def _act(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        clean: Any = self._last_obs
        count = self._n_disturbed()
        if count == 0:
            return super()._act(*args, **kwargs)
        disturbance = self._offsets if self.exploration.offset_steps else self.adversary
        self._last_obs = attacked_first(self, clean, disturbance, count)
        try:
            return super()._act(*args, **kwargs)
        finally:
            self._last_obs = clean

    def _n_disturbed(self) -> int:
        """How many environments act at other observations; none before the policy acts."""
        radius = self.adversary.radius(1.0 - self._current_progress_remaining)
        acts = self.num_timesteps >= self.learning_starts and np.max(radius) > 0
        return round(self.exploration.share * self.n_envs) if acts else 0

    def _update_info_buffer(self, infos: list[dict], dones: np.ndarray | None = None) -> None:
        super()._update_info_buffer(infos, dones)
        if dones is not None:
            self._offsets.restart(dones)

    def _begin_episodes(self) -> None:
        super()._begin_episodes()
        self._offsets.restart()

    # ------------------------------------------------------------------ learning

    def _shown_next(self, next_obs: PyTorchObs) -> PyTorchObs:
        return (
            self._attacked(next_obs, self.adversary)
            if self.robust.attacked_cost_critic
            else next_obs
        )

    def _maximisation(self, obs: PyTorchObs, posterior: Posterior) -> dict[str, Tensor | float]:
        is_on = posterior.binds or self.robust.is_always_on
        attacked_obs = self._attacked(obs, self.adversary) if is_on else obs
        for m_step in range(self.mstep.m_steps):
            if m_step > 0 and is_on and self.robust.attack_each_m_step:
                attacked_obs = self._attacked(obs, self.adversary)
            benign, attacked = self._both(obs, attacked_obs)
            loss, kl = self._vanilla_loss(benign, posterior)
            robust, record = self._robust_part(attacked, benign, posterior) if is_on else (0.0, {})
            certified, more = certified_loss(self, obs, benign)
            vanilla = loss if self.robust.vanilla_step else torch.zeros_like(loss)
            total, record = vanilla + (robust + certified), record | more
            descend("actor", total, self.actor, self.critics.max_grad_norm)
        progress = 1.0 - self._current_progress_remaining
        eps = 0.0 if attacked_obs is obs else float(np.max(self.adversary.radius(progress)))
        return {
            **self._step_record(total, kl),
            **record,
            "beta_adversarial_mean": self.adversarial_betas[0],
            "beta_adversarial_cov": self.adversarial_betas[1],
            "robust_step": float(is_on),
            "eps": eps,
        }

    def _robust_part(
        self, attacked: Gaussian, benign: Gaussian, posterior: Posterior
    ) -> tuple[Tensor, dict[str, Tensor | float]]:
        loss, kl = self._robust_loss(attacked, benign, posterior)
        record: dict[str, Tensor | float] = {
            "kl_adversarial_mean": kl.mean,
            "kl_adversarial_cov": kl.covariance,
        }
        return self.robust.adversarial_weight * loss, record

    def _both(self, obs: PyTorchObs, attacked_obs: PyTorchObs) -> tuple[Gaussian, Gaussian]:
        """The policy at clean and at attacked states, in one pass where no row sees another."""
        if attacked_obs is obs:
            benign = self.actor.distribution(obs)
            return benign, benign
        if not reads_flat(self.actor):
            return self.actor.distribution(obs), self.actor.distribution(attacked_obs)
        joined = self.actor.distribution(torch.cat([obs, attacked_obs]))  # type: ignore[list-item]
        means, scales = (part.chunk(2) for part in joined)
        return Gaussian(means[0], scales[0]), Gaussian(means[1], scales[1])

    def _robust_loss(
        self, attacked: Gaussian, benign: Gaussian, posterior: Posterior
    ) -> tuple[Tensor, KLPair]:
        """The second line of Eq. 62, as a loss, after the multiplier step of Eq. 65."""
        decoupled = self.mstep.is_decoupled
        is_old = self.robust.adversarial_reference == "old"
        reference = posterior.old if is_old else Gaussian(*(part.detach() for part in benign))
        kl = trust_region_kl(reference, attacked, decoupled)
        loss = torch.zeros((), device=self.device)
        if self.robust.adversarial_kl:
            self.adversarial_betas = multiplier_steps(
                self.adversarial_betas,
                kl,
                self.robust.bounds,
                self.mstep.multiplier_lrs,
                self.robust.caps,
            )
            loss = loss + penalty(kl, self.adversarial_betas, self.robust.bounds)
        if self.robust.adversarial_mle:
            fit = likelihood(posterior.moments, attacked, posterior.old, decoupled).mean()
            loss = loss - posterior.mle_scale * fit
        return loss, kl
