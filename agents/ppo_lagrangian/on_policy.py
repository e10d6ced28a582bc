"""What an on-policy algorithm with a cost limit has: costs in its rollouts, and a multiplier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import Self

from safer_gym.agents.arguments import require_known
from safer_gym.agents.constrained import TOTAL_TIMESTEPS, Constrained
from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.signals import cost_signal
from safer_gym.agents.options import grouped, taken_out
from safer_gym.agents.ppo_lagrangian.actor_critics import CostActorCritic
from safer_gym.agents.ppo_lagrangian.collection import Collector, values_at_time_limits
from safer_gym.agents.ppo_lagrangian.options import MultiplierOptions
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutBuffer, choose_rollout_buffer
from safer_gym.domains import NOT_NEGATIVE, require
from safer_gym.multipliers import PIDState, pid_multiplier_step

if TYPE_CHECKING:

    class _Base(Constrained, OnPolicyAlgorithm):
        """What it is mixed in before."""
else:
    _Base = object


class OnPolicy(_Base):
    """Mixed in before `Constrained` and the algorithm `BASE`. Abstract.

    Its `train` takes (A_r - lam A_c) / (1 + lam) for the advantage; a PID controller moves lam once
    a rollout.

    Args:
        policy, env, and any argument of `BASE` by position or name.
        cost_limit: undiscounted cost that an episode may have.
        cost_key, missing_cost: where infos hold the cost; "error" or "zero" where they do not.
        kwargs: groups of options, each the dataclass of its default in `GROUPS` or a dict of its
            fields, and a field of any group by itself.

    Raises:
        ValueError: for values out of range and for unknown options, with the valid ones.
    """

    BASE: ClassVar[type]
    """Stable-Baselines3's algorithm, or sb3-contrib's."""
    lagrange: MultiplierOptions
    policy: Any
    rollout_buffer: CostRolloutBuffer

    def __init__(
        self,
        policy: Any,
        env: GymEnv | str,
        *args: Any,
        cost_limit: float = 5.0,
        cost_key: str = "cost",
        missing_cost: str = "error",
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        options, others = taken_out(kwargs, self.GROUPS)
        groups = [type(group) for group in self.GROUPS.values()]
        require_known("argument", others, self.BASE, type(self), OnPolicy, *groups)
        vars(self).update(grouped(options, self.GROUPS))
        super().__init__(policy, env, *args, _init_setup_model=False, **others)
        require(NOT_NEGATIVE, cost_limit=cost_limit)
        self.cost_limit = cost_limit
        self.cost_signal = cost_signal(cost_key, missing_cost)
        self.cost_monitor = CostMonitor(cost_limit, self._stats_window_size, cost_key)
        self.lam, self.pid = 0.0, PIDState()
        self.replay_buffer: Any = None
        self._collector: Collector | None = None
        if _init_setup_model:
            self._setup_model()

    def _require_actions(self, action_space: spaces.Space) -> None:
        if isinstance(action_space, spaces.Box):
            super()._require_actions(action_space)

    def _setup_model(self) -> None:
        self._change_options()
        self.rollout_buffer_class = choose_rollout_buffer(
            self.rollout_buffer_class, self.observation_space
        )
        super()._setup_model()
        self.pid = PIDState(*self.pid)  # saved as a list
        if isinstance(self.policy, CostActorCritic):  # attacked as Stable-Baselines3's own are
            self.victim = None  # type: ignore[assignment, method-assign]
        self._seed_draws()

    @classmethod
    def read_policy(cls, policy: Any, value: Any) -> Any:
        """As other agents, or Stable-Baselines3's policy, which has no critics."""
        return policy if isinstance(policy, CostActorCritic) else super().read_policy(policy, value)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_collector", "victim"]

    # ------------------------------------------------------------------ collection

    @property
    def is_attacked(self) -> bool:
        """Whether the behaviour policy sees anything but the truth at present."""
        return False

    def show(self, obs: Any) -> Any:
        """Observations [E, *O] as environments give them, as the behaviour policy sees them."""
        return obs

    def _begin_episodes(self) -> None:
        super()._begin_episodes()
        assert self.env is not None
        self._collector = Collector(self.env, self)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """As in Stable-Baselines3, of what `show` shows; then the GAE of the cost."""
        if self._collector is None or self._collector.venv is not env:  # set without a reset
            self._collector = Collector(env, self)
        self._last_obs = self._collector.present()  # type: ignore[assignment]
        before = self.cost_monitor.episodes
        going = super().collect_rollouts(self._collector, callback, rollout_buffer, n_rollout_steps)
        if going:
            with torch.no_grad():
                values = self.rollout_buffer.map_observations(self.policy.state_values)
                last, _ = self.policy.obs_to_tensor(self._last_obs)
                last_values = self.policy.state_values(last)
            self.rollout_buffer.compute_cost_advantages(values[:, 1], last_values[:, 1])
            self._control(self.cost_monitor.mean_since(before))
        return going

    def _update_info_buffer(self, infos: list[dict], dones: np.ndarray | None = None) -> None:
        super()._update_info_buffer(infos, dones)
        if dones is not None:
            assert self._collector is not None
            ends = values_at_time_limits(self.policy, self._last_obs, infos, dones)
            self.rollout_buffer.note(self._collector.costs, dones, ends)

    def _control(self, cost: float | None) -> None:
        """One step of the multiplier; none where no episode has ended in the rollout."""
        if cost is not None:
            error = cost - self.cost_limit
            options = self.lagrange
            self.lam, self.pid = pid_multiplier_step(
                self.pid, error, options.gains, options.max_lam
            )

    # ------------------------------------------------------------------ learning

    def learn(
        self,
        total_timesteps: int = TOTAL_TIMESTEPS,
        callback: MaybeCallback = None,
        log_interval: int | None = 1,
        *args: Any,
        **kwargs: Any,
    ) -> Self:
        """As in Stable-Baselines3; `tb_log_name` is the algorithm's name if not given."""
        return super().learn(total_timesteps, callback, log_interval, *args, **kwargs)
