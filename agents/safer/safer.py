"""SAFER: CVPO with a robust M-step (Liu et al., ICML 2023, Algorithm 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs
from torch import Tensor

from safer_gym.agents.arguments import (
    require_count,
    require_known,
    require_positive,
    require_share,
)
from safer_gym.agents.cvpo.mstep import (
    KLPair,
    Posterior,
    likelihood,
    multiplier_steps,
    penalty,
    trust_region_kl,
)
from safer_gym.agents.cvpo.variational import VariationalPolicyOptimization, as_pair
from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.networks.plain import reads_flat
from safer_gym.agents.training_attack.attack import Corruption
from safer_gym.agents.training_attack.benign_offsets import BenignOffsets
from safer_gym.agents.training_attack.flat_obs import require_attackable
from safer_gym.agents.training_attack.observations import attacked_first
from safer_gym.agents.updates import descend
from safer_gym.choices import choose
from safer_gym.types import Attack, Gaussian

ADVERSARIAL_REFERENCES = ("old", "current")


class SAFER(VariationalPolicyOptimization):
    """CVPO whose M-step also fits, and stays close, at maximum-cost attacked states (Eq. 8, 62).

    The agent collects benign data and is never attacked itself, unless `attacked_share` says so.

    Args:
        policy, env, and any argument of CVPO by position or name.
        eps, norm, eps_schedule, eps_start, eps_end: the training attack's ball and Eq. 67.
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
        attacked_share: share of the environments (rounded) whose behaviour policy sees attacked
            observations, at the present radius. The buffer stores the clean observation and the
            action taken, valid off-policy data of the states that an attack leads to; the paper
            has 0.
        offset_steps: how long a benign offset is held (0: none). While it explores, the policy sees
            its observations moved to a random corner of the ball (l2: a point of the sphere; l1:
            the whole radius on one coordinate), which no critic and no gradient chooses. A new one
            is drawn after so many steps, and at the end of an episode. The buffer stores the clean
            observation and the action taken. Not together with `attacked_share`.
        offset_scale: the radius of that ball, in units of the present radius of the attack.
        offset_share: share of the environments (rounded) that have offsets.
        vanilla_step, adversarial_mle, adversarial_kl: the parts of the robust M-step; switching
            one off is an ablation of Table 8.
    """

    def __init__(
        self,
        policy: str | type[ConstrainedPolicy],
        env: GymEnv | str,
        *args: Any,
        eps: float | np.ndarray = 0.05,
        norm: str = "linf",
        eps_schedule: Any = "linear",
        eps_start: float = 0.35,
        eps_end: float = 0.7,
        attack: str | Attack = "mc",
        attack_steps: int = 3,
        attack_each_m_step: bool = False,
        kl_bound_adversarial: float = 0.1,
        kl_bound_adversarial_cov: float = 0.05,
        adversarial_cap_mean: float = 5.0,
        adversarial_cap_cov: float = 1.0,
        adversarial_reference: str = "current",
        adversarial_weight: float = 1.0,
        attacked_cost_critic: bool = True,
        attacked_share: float = 0.0,
        offset_steps: int = 0,
        offset_scale: float = 1.0,
        offset_share: float = 1.0,
        vanilla_step: bool = True,
        adversarial_mle: bool = True,
        adversarial_kl: bool = True,
        **kwargs: Any,
    ) -> None:
        own = (VariationalPolicyOptimization.__init__, SAFER.__init__)
        require_known("argument", kwargs, *own)
        if not (vanilla_step or adversarial_mle or adversarial_kl):
            raise ValueError(
                "one of vanilla_step, adversarial_mle and adversarial_kl must be True: "
                "the policy would never change."
            )
        require_share(attacked_share=attacked_share, offset_share=offset_share)
        require_count(offset_steps=offset_steps)
        require_positive(offset_scale=offset_scale)
        _require_one(attacked_share, offset_steps, kwargs.get("collection_attack"))
        schedule = (eps_schedule, eps_start, eps_end)
        adversary = Corruption.stepped(attack, attack_steps, eps, norm, schedule)
        if adversary is None:
            raise ValueError("attack must be a name or an Attack; got None. CVPO is SAFER without.")
        self.adversary = adversary
        self.attack_each_m_step = attack_each_m_step
        self.adversarial_bounds = (kl_bound_adversarial, kl_bound_adversarial_cov)
        self.adversarial_caps = (adversarial_cap_mean, adversarial_cap_cov)
        self.adversarial_reference = choose(
            "adversarial_reference", adversarial_reference, ADVERSARIAL_REFERENCES
        )
        self.adversarial_weight = adversarial_weight
        self.attacked_cost_critic, self.attacked_share = attacked_cost_critic, attacked_share
        self.offset_steps, self.offset_scale = offset_steps, offset_scale
        self.offset_share = offset_share
        self.vanilla_step = vanilla_step
        self.adversarial_mle, self.adversarial_kl = adversarial_mle, adversarial_kl
        self.adversarial_betas = (0.0, 0.0)
        kwargs |= {"eps_schedule": eps_schedule, "eps_start": eps_start, "eps_end": eps_end}
        super().__init__(policy, env, *args, eps=eps, norm=norm, **kwargs)  # type: ignore[misc]

    def _setup_model(self) -> None:
        require_attackable(self.observation_space, type(self).__name__)
        self.adversarial_betas = as_pair(self.adversarial_betas)  # saved as a list
        scaled = replace(self.adversary, eps=self.adversary.eps * self.offset_scale)
        self._offsets = BenignOffsets(self.offset_steps, scaled)
        super()._setup_model()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_offsets"]  # a loaded agent begins new episodes

    # ------------------------------------------------------------------ collection

    def _act(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        clean: Any = self._last_obs
        count = self._n_disturbed()
        if count == 0:
            return super()._act(*args, **kwargs)
        disturbance = self._offsets if self.offset_steps else self.adversary
        self._last_obs = attacked_first(self, clean, disturbance, count)
        try:
            return super()._act(*args, **kwargs)
        finally:
            self._last_obs = clean

    def _n_disturbed(self) -> int:
        """How many environments act at other observations; none before the policy acts."""
        radius = self.adversary.radius(1.0 - self._current_progress_remaining)
        acts = self.num_timesteps >= self.learning_starts and np.max(radius) > 0
        share = self.offset_share if self.offset_steps else self.attacked_share
        return round(share * self.n_envs) if acts else 0

    def _update_info_buffer(self, infos: list[dict], dones: np.ndarray | None = None) -> None:
        super()._update_info_buffer(infos, dones)
        if dones is not None:
            self._offsets.restart(dones)

    def _begin_episodes(self) -> None:
        super()._begin_episodes()
        self._offsets.restart()

    # ------------------------------------------------------------------ learning

    def _shown_next(self, next_obs: PyTorchObs) -> PyTorchObs:
        return self._corrupt(next_obs, self.adversary) if self.attacked_cost_critic else next_obs

    def _maximisation(self, obs: PyTorchObs, posterior: Posterior) -> dict[str, Tensor | float]:
        corrupted = self._corrupt(obs, self.adversary)
        for m_step in range(self.m_steps):
            if m_step > 0 and self.attack_each_m_step:
                corrupted = self._corrupt(obs, self.adversary)
            benign, attacked = self._both(obs, corrupted)
            loss, kl = self._vanilla_loss(benign, posterior)
            robust, robust_kl = self._robust_loss(attacked, benign, posterior)
            total = self.adversarial_weight * robust + (loss if self.vanilla_step else 0.0)
            descend("actor", total, self.actor, self.max_grad_norm)
        progress = 1.0 - self._current_progress_remaining
        return {
            **self._step_record(total, kl),
            "kl_adversarial_mean": robust_kl.mean,
            "kl_adversarial_cov": robust_kl.covariance,
            "beta_adversarial_mean": self.adversarial_betas[0],
            "beta_adversarial_cov": self.adversarial_betas[1],
            "eps": float(np.max(self.adversary.radius(progress))),
        }

    def _both(self, obs: PyTorchObs, corrupted: PyTorchObs) -> tuple[Gaussian, Gaussian]:
        """The policy at clean and at attacked states, in one pass where no row sees another."""
        if corrupted is obs:
            benign = self.actor.distribution(obs)
            return benign, benign
        if not reads_flat(self.actor):
            return self.actor.distribution(obs), self.actor.distribution(corrupted)
        joined = self.actor.distribution(torch.cat([obs, corrupted]))  # type: ignore[list-item]
        means, scales = (part.chunk(2) for part in joined)
        return Gaussian(means[0], scales[0]), Gaussian(means[1], scales[1])

    def _robust_loss(
        self, attacked: Gaussian, benign: Gaussian, posterior: Posterior
    ) -> tuple[Tensor, KLPair]:
        """The second line of Eq. 62, as a loss, after the multiplier step of Eq. 65."""
        decoupled = self.kl_mode == "decoupled"
        is_old = self.adversarial_reference == "old"
        reference = posterior.old if is_old else Gaussian(*(part.detach() for part in benign))
        kl = trust_region_kl(reference, attacked, decoupled)
        loss = torch.zeros((), device=self.device)
        if self.adversarial_kl:
            self.adversarial_betas = multiplier_steps(
                self.adversarial_betas,
                kl,
                self.adversarial_bounds,
                self.multiplier_lrs,
                self.adversarial_caps,
            )
            loss = loss + penalty(kl, self.adversarial_betas, self.adversarial_bounds)
        if self.adversarial_mle:
            fit = likelihood(posterior.moments, attacked, posterior.old, decoupled).mean()
            loss = loss - posterior.mle_scale * fit
        return loss, kl


def _require_one(attacked_share: float, offset_steps: int, collection_attack: Any) -> None:
    """Raises ValueError where two options want to decide what the behaviour policy sees."""
    given = {
        "attacked_share": (attacked_share, attacked_share > 0),
        "offset_steps": (offset_steps, offset_steps > 0),
        "collection_attack": (collection_attack, collection_attack is not None),
    }
    on = [f"{name}={value!r}" for name, (value, is_on) in given.items() if is_on]
    if len(on) > 1:
        raise ValueError(
            "attacked_share, offset_steps and collection_attack each decide what the exploring "
            f"policy sees: give one of them; got {' and '.join(on)}."
        )
