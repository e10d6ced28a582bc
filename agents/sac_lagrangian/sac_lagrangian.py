"""SAC-Lagrangian: Stable-Baselines3's SAC whose actor pays for cost (Ha et al., CoRL 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs
from torch import Tensor

from safer_gym.agents.arguments import require_known
from safer_gym.agents.constrained import Constrained
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.finite import require_finite_loss
from safer_gym.agents.means import Means
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.options import CostOptions, grouped
from safer_gym.agents.sac_lagrangian.losses import (
    actor_loss,
    soft_critic_loss,
    soft_value,
    temperature_loss,
)
from safer_gym.agents.sac_lagrangian.multiplier import Multiplier, MultiplierRule
from safer_gym.agents.sac_lagrangian.policies import (
    CnnPolicy,
    LagrangianPolicy,
    MlpPolicy,
    MultiInputPolicy,
)
from safer_gym.agents.td import aggregate
from safer_gym.agents.updates import (
    cost_target,
    descend,
    fit_critic,
    reward_target,
    track_critics,
)
from safer_gym.choices import choose
from safer_gym.multipliers import PIDGains

SIGNALS = ("episodes", "critic")


class SACLagrangian(OffPolicy, Constrained, SAC):
    """Soft actor-critic under a cost limit: the actor ascends (Q_r - lam Q_c) / (1 + lam).

    Without a multiplier an update is SAC's own; the cost critic and the multiplier learn beside it.

    Args:
        policy, env, and any argument of Stable-Baselines3's SAC by position or name.
        cost_limit: undiscounted cost that an episode may have.
        multiplier: "gradient" (a projected dual step of `multiplier_lr`) or "pid" (the
            controller of SAFER's B.2.2, with `pid_gains`: proportional, integral, derivative).
        max_lam: bound of the multiplier.
        multiplier_signal: what is held against the limit: the mean cost of the "episodes" that
            ended since the last update, exploration included, or, at each gradient step, what the
            cost "critic" says of the policy on a batch, against a bound on Q_c. The critic needs
            no whole episode but may be wrong.
        cost_aggregation: how the members of Q_c become one value.
        cost: CostOptions, or a dict of its fields, each of which may be given by itself; the
            horizon and the threshold are used with the critic's signal.

    Raises:
        ValueError: for values out of range and for unknown names, with the valid ones.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }
    GROUPS: ClassVar[dict[str, Any]] = {"cost": CostOptions(cost_action="sample")}
    policy: LagrangianPolicy
    critic: QEnsemble  # type: ignore[assignment]
    critic_target: QEnsemble  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[LagrangianPolicy],
        env: GymEnv | str,
        *args: Any,
        cost_limit: float = 5.0,
        multiplier: str = "gradient",
        multiplier_lr: float = 0.01,
        pid_gains: tuple[float, float, float] = PIDGains(),
        max_lam: float = 20.0,
        multiplier_signal: str = "episodes",
        cost_aggregation: str = "max",
        cost: CostOptions | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {field.name for field in fields(CostOptions)} & kwargs.keys()
        single = {name: kwargs.pop(name) for name in own}
        groups = grouped({"cost": cost, **single}, self.GROUPS)
        require_known("argument", kwargs, SAC.__init__, SACLagrangian.__init__, CostOptions)
        self.rule = MultiplierRule.of(multiplier, multiplier_lr, pid_gains, max_lam)
        self.multiplier_signal = choose("multiplier_signal", multiplier_signal, SIGNALS)
        self.multiplier = Multiplier()
        self._episodes_counted = 0
        self.reward_aggregation = "min"  # SAC's own
        super().__init__(
            policy,
            env,
            *args,
            cost_limit=cost_limit,
            cost=groups["cost"],
            cost_aggregation=cost_aggregation,
            **kwargs,
        )

    def _setup_model(self) -> None:
        self.rule = MultiplierRule.of(*self.rule)  # both are saved as lists
        self.multiplier = Multiplier.restored(*self.multiplier)
        super()._setup_model()

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return [*states, "cost_critic.optimizer"], variables

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """`gradient_steps` updates of critics, temperature, actor and multiplier."""
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        self._count_episodes()
        means = Means()
        for step in range(gradient_steps):
            data = self._sample_batch(batch_size)
            means.note(self._update_soft(data))
            means.note({"cost_critic_loss": self._update_cost_critic(data)})
            if step % self.target_update_interval == 0:
                track_critics(self.policy, self.tau)
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/lagrange_multiplier", self.multiplier.lam)
        means.record(self.logger)

    def _set_learning_rates(self) -> None:
        optimizers = [self.actor.optimizer, self.critic.optimizer, self.cost_critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)

    def _update_soft(self, data: CostSamples) -> dict[str, Tensor]:
        """One step of SAC: temperature, reward critics, and the actor, which pays for cost."""
        if self.use_sde:
            self.actor.reset_noise()
        actions, log_prob = self.actor.action_log_prob(data.observations)
        alpha, record = self._temperature(log_prob)
        with torch.no_grad():
            next_obs = data.next_observations
            next_actions, next_log_prob = self.actor.action_log_prob(next_obs)
            following = self.critic_target.values(next_obs, next_actions)
            following = soft_value(following, alpha, next_log_prob)
            target = reward_target(data, following)
        critic_loss = soft_critic_loss(self.critic.values(data.observations, data.actions), target)
        descend("critic", critic_loss, self.critic, None)
        q_reward = self.critic.values(data.observations, actions)
        q_cost = self._cost_of(data.observations, actions)
        loss = actor_loss(log_prob, q_reward, q_cost, alpha, self.multiplier.lam)
        descend("actor", loss, self.actor, None)
        return {**record, "critic_loss": critic_loss, "actor_loss": loss}

    def _temperature(self, log_prob: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The present temperature, after which it takes a step where it is learned."""
        if self.ent_coef_optimizer is None or self.log_ent_coef is None:
            return self.ent_coef_tensor, {"ent_coef": self.ent_coef_tensor}
        alpha = self.log_ent_coef.detach().exp()
        loss = temperature_loss(self.log_ent_coef, log_prob, float(self.target_entropy))
        self.ent_coef_optimizer.zero_grad()
        loss.backward()
        require_finite_loss("temperature", loss, [self.log_ent_coef])
        self.ent_coef_optimizer.step()
        return alpha, {"ent_coef": alpha, "ent_coef_loss": loss}

    def _cost_of(self, obs: PyTorchObs, actions: Tensor) -> Tensor:
        return aggregate(self.cost_critic.values(obs, actions), self.cost_aggregation)

    def _update_cost_critic(self, data: CostSamples) -> Tensor:
        with torch.no_grad():
            following = aggregate(
                self.cost_critic_target.values(
                    data.next_observations, self._action(data.next_observations)
                ),
                self.cost_aggregation,
            )
            target = cost_target(data, following, self.cost_bootstrap)
            if self.multiplier_signal == "critic":
                here = self._cost_of(data.observations, self._action(data.observations))
                self._step_multiplier(float(here.mean()) - self.threshold)
        return fit_critic("cost critic", self.cost_critic, data, target, None)

    def _action(self, obs: PyTorchObs) -> Tensor:
        return self.actor(obs, deterministic=self.cost.cost_action == "mean")

    def _count_episodes(self) -> None:
        """One step of the multiplier on the episodes that have ended since the last one."""
        cost = self.cost_monitor.mean_since(self._episodes_counted)
        self._episodes_counted = self.cost_monitor.episodes
        if cost is not None and self.multiplier_signal == "episodes":
            self._step_multiplier(cost - self.cost_limit)

    def _step_multiplier(self, error: float) -> None:
        self.multiplier = self.rule.step(self.multiplier, error)
