"""What every off-policy algorithm with a cost limit keeps: costs in its buffer, episode sums."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import RolloutReturn
from stable_baselines3.common.vec_env import VecEnv

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.data.choice import WITH_COSTS, choose_buffer, with_costs
from safer_gym.agents.horizon import episode_horizon
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.options import CostOptions
from safer_gym.agents.overlap.ahead import AheadVecEnv, require_fit
from safer_gym.agents.td import AGGREGATIONS
from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, require
from safer_gym.returns import COST_THRESHOLDS

if TYPE_CHECKING:

    class _Base(Constrained, OffPolicyAlgorithm):
        """What it is mixed in before."""
else:
    _Base = object


class OffPolicy(_Base):
    """Mixed in before `Constrained` and an off-policy algorithm of Stable-Baselines3.

    Its policy has `actor`, `critic` and `cost_critic`; the options are described where they have
    their defaults, in the algorithms.

    Raises:
        ValueError: for values out of range, with the valid ones.
    """

    N_STEPS: ClassVar[int] = 1
    """Default of `n_steps`."""
    cost_critic: QEnsemble
    cost_critic_target: QEnsemble

    def __init__(
        self,
        *args: Any,
        cost_limit: float,
        cost: CostOptions,
        cost_aggregation: str,
        **kwargs: Any,
    ) -> None:
        require(NOT_NEGATIVE, cost_limit=cost_limit)
        self.cost_limit, self.cost, self.episode_length = cost_limit, cost, cost.episode_length
        self.cost_aggregation = choose("cost_aggregation", cost_aggregation, AGGREGATIONS)
        self.cost_monitor: Any = None  # made when the buffer is
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        self._change_options()
        if self.optimize_memory_usage and self.cost_bootstrap == "always":
            raise ValueError(
                "optimize_memory_usage=True keeps no observation of an episode's end, which "
                "cost_bootstrap='always' needs; pass cost_bootstrap='until_terminated'."
            )
        if self.replay_buffer_class in WITH_COSTS and self.n_steps not in (1, self.N_STEPS):
            warnings.warn(
                f"n_steps={self.n_steps} is used; beside replay_buffer_class="
                f"{self.replay_buffer_class.__name__} Stable-Baselines3 would ignore it.",
                stacklevel=2,
            )
        self.replay_buffer_class = choose_buffer(
            self.replay_buffer_class,
            self.observation_space,
            self.n_steps,
            self.optimize_memory_usage,
        )
        # SB3 warns of n_steps beside a chosen buffer; the user's own options stay as they are.
        own = {"n_steps": self.n_steps, "replay_buffer_kwargs": self.replay_buffer_kwargs}
        self.replay_buffer_kwargs = with_costs(self.replay_buffer_kwargs, self)
        self.n_steps = 1
        super()._setup_model()
        self.__dict__.update(own)
        if self.cost_monitor is None:
            cost_key = (self.replay_buffer_kwargs or {}).get("cost_key", "cost")
            self.cost_monitor = CostMonitor(self.cost_limit, self._stats_window_size, cost_key)
        if self.env is not None:
            if self.episode_length is None:
                self.episode_length = episode_horizon(self.env)
            _ = self.threshold  # refuses what it cannot be computed of
        self._seed_draws()

    def _create_aliases(self) -> None:
        for name in ("actor", "critic", "cost_critic"):
            setattr(self, name, getattr(self.policy, name))
        for name in ("critic", "cost_critic"):
            setattr(self, f"{name}_target", getattr(self.policy, f"{name}_target"))

    def _excluded_save_params(self) -> list[str]:
        aliases = ["actor", "critic", "cost_critic"]
        targets = [f"{name}_target" for name in aliases]
        return [*super()._excluded_save_params(), *aliases, *targets]

    @property
    def cost_bootstrap(self) -> str:
        """Whether the cost goes on behind a termination; see CostOptions."""
        default = "until_terminated" if self.optimize_memory_usage else "always"
        return self.cost.cost_bootstrap or default

    @property
    def threshold(self) -> float:
        """The cost limit as a bound on Q_c, for discounted per-step cost."""
        assert self.episode_length is not None
        transform = COST_THRESHOLDS[self.cost.threshold_horizon]
        return transform(self.cost_limit, self.episode_length, self.gamma)

    # ------------------------------------------------------------------ collection

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        require_fit(self)
        return super()._setup_learn(*args, **kwargs)

    def collect_rollouts(self, env: VecEnv, *args: Any, **kwargs: Any) -> RolloutReturn:
        """As in Stable-Baselines3; an AheadVecEnv then gathers the next rollout, if one follows."""
        rollout = super().collect_rollouts(env, *args, **kwargs)
        follows = rollout.continue_training and self.num_timesteps < self._total_timesteps
        if isinstance(env, AheadVecEnv) and follows:
            env.gather(self)
        return rollout

    def _sample_action(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        """An action, or what the copy in an AheadVecEnv did; subclasses extend `_act`."""
        if not isinstance(self.env, AheadVecEnv):
            return self._act(*args, **kwargs)
        step = self.env.act(self)
        self._last_obs = step.obs
        return step.actions, step.buffer_actions

    def _act(self, *args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Actions at `_last_obs`, for the environments and for the replay buffer, each [E, A]."""
        return super()._sample_action(*args, **kwargs)

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: np.ndarray,
        new_obs: Any,
        reward: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        if replay_buffer is self.replay_buffer:  # the copy in an AheadVecEnv stores nothing
            self._admit(new_obs, buffer_action, reward, dones, infos)
        super()._store_transition(replay_buffer, buffer_action, new_obs, reward, dones, infos)

    # ------------------------------------------------------------------ learning

    def _sample_batch(self, batch_size: int) -> CostSamples:
        assert self.replay_buffer is not None
        data: Any = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
        return data
