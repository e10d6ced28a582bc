"""What an off-policy algorithm needs to pay for cost: a multiplier, and a cost critic's step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from stable_baselines3.common.type_aliases import GymEnv, PyTorchObs
from torch import Tensor
from torch.optim import Optimizer

from safer_gym.agents.arguments import require_known
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.lagrangian.multiplier import Multiplier, MultiplierRule
from safer_gym.agents.means import Means
from safer_gym.agents.options import CostOptions, grouped, taken_out
from safer_gym.agents.td import aggregate
from safer_gym.agents.updates import cost_target, fit_critic
from safer_gym.choices import choose
from safer_gym.multipliers import PIDGains

if TYPE_CHECKING:
    from safer_gym.agents.off_policy import OffPolicy as _Base
else:
    _Base = object

SIGNALS = ("episodes", "critic")


class Lagrangian(_Base):
    """Mixed in before `OffPolicy`, `Constrained` and the algorithm `BASE`. Abstract.

    Its actor ascends (Q_r - lam Q_c) / (1 + lam); how, and what `train` does beside, is the
    algorithm's own.

    Args:
        policy, env, and any argument of `BASE` by position or name.
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

    BASE: ClassVar[type]
    """Stable-Baselines3's algorithm."""
    GROUPS: ClassVar[dict[str, Any]]

    def __init__(
        self,
        policy: Any,
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
        single, kwargs = taken_out(kwargs, self.GROUPS)
        groups = grouped({"cost": cost, **single}, self.GROUPS)
        makers: tuple[Any, ...] = (self.BASE, type(self), Lagrangian, CostOptions)
        require_known("argument", kwargs, *makers)
        self.rule = MultiplierRule.of(multiplier, multiplier_lr, pid_gains, max_lam)
        self.multiplier_signal = choose("multiplier_signal", multiplier_signal, SIGNALS)
        self.multiplier = Multiplier()
        self._episodes_counted = 0
        self.reward_aggregation = "min"  # Stable-Baselines3's own
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

    def _begin_update(self, *others: Optimizer) -> None:
        """Learning rates of all networks, and the multiplier's step on the latest episodes."""
        self.policy.set_training_mode(True)
        nets: Any = (self.actor, self.policy.critic, self.cost_critic)
        self._update_learning_rate([*(net.optimizer for net in nets), *others])
        self._count_episodes()

    def _record(self, means: Means) -> None:
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/lagrange_multiplier", self.multiplier.lam)
        means.record(self.logger)

    # ------------------------------------------------------------------ the cost

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
        """What the cost critic lets the policy do next, in [-1, 1]."""
        actor: Any = self.actor
        action: Tensor = actor(obs, deterministic=self.cost.cost_action == "mean")
        return action

    # ------------------------------------------------------------------ the multiplier

    def _count_episodes(self) -> None:
        """One step of the multiplier on the episodes that have ended since the last one."""
        cost = self.cost_monitor.mean_since(self._episodes_counted)
        self._episodes_counted = self.cost_monitor.episodes
        if cost is not None and self.multiplier_signal == "episodes":
            self._step_multiplier(cost - self.cost_limit)

    def _step_multiplier(self, error: float) -> None:
        self.multiplier = self.rule.step(self.multiplier, error)
