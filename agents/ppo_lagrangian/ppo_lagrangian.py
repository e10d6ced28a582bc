"""PPO-Lagrangian and its robust forms (SAFER, appendix B.2.2: Eq. 69, 70, Algorithms 4, 5)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import Self

from safer_gym.agents.arguments import (
    require_known,
    require_not_negative,
    require_positive,
)
from safer_gym.agents.constrained import TOTAL_TIMESTEPS, Constrained
from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.choice import choose_buffer
from safer_gym.agents.means import Means
from safer_gym.agents.model_file import FilePath
from safer_gym.agents.options import BallOptions
from safer_gym.agents.ppo_lagrangian.attackers_critics import CriticRule
from safer_gym.agents.ppo_lagrangian.collection import Collector, values_at_time_limits
from safer_gym.agents.ppo_lagrangian.losses import (
    COST_SURROGATES,
    DISTANCES,
    SCALINGS,
    approximate_kl,
)
from safer_gym.agents.ppo_lagrangian.objective import Weights, policy_loss
from safer_gym.agents.ppo_lagrangian.policies import (
    ActorValuePolicy,
    CnnPolicy,
    MlpPolicy,
    MultiInputPolicy,
)
from safer_gym.agents.ppo_lagrangian.rollouts import (
    CostRolloutBuffer,
    CostRolloutSamples,
    choose_rollout_buffer,
)
from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.flat_obs import require_attackable
from safer_gym.agents.training_attack.observations import attacked_array, attacked_batch
from safer_gym.agents.updates import descend
from safer_gym.choices import choose
from safer_gym.divergences import gaussian_log_prob
from safer_gym.multipliers import PIDGains, PIDState, pid_multiplier_step
from safer_gym.types import Attack


class PPOLagrangian(Constrained, PPO):
    """PPO on (A_r - lambda A_c) / (1 + lambda), lambda by a PID controller of the episode cost.

    The paper's baselines are options: `regulariser="mad"` is SA-PPOL, `regulariser="mc"` (or "mr")
    SA-PPOL(MC), `collection_attack="mc"` ADV-PPOL, `collection_attack="uniform"` PPOL-random.

    Args:
        policy, env, and any argument of Stable-Baselines3's PPO by position or name, but for
            `use_sde` and `clip_range_vf`. `normalize_advantage` is of the reward and of the whole
            rollout; `target_kl` stops the policy's steps, not the values'; `max_grad_norm` is the
            actor's, and may be None.
        critic_learning_rate: rate of values and critics; None follows `learning_rate`.
        cost_limit: undiscounted cost that an episode may have.
        pid_gains: proportional, integral and derivative gain (B.3.2). The controller takes one step
            a rollout, on the mean cost of the episodes that ended in it.
        max_lam: bound of the multiplier.
        cost_advantage: A_c of a rollout "raw" (the public code), "centred" or "standardised".
        cost_surrogate: "clipped" lets Eq. 69 clip the ratio of the combined advantage, "linear" of
            the reward's alone (Eq. 70 with the public code's ratio at A_c).
        buffer_size, critic_batch_size, critic_updates, tau, cost_bootstrap, reward_aggregation,
            cost_aggregation: Q_r and Q_c, which attackers ask; they learn off-policy from the clean
            transitions, `critic_updates` steps a rollout, and PPO does not use them.
        collection_attack: what the behaviour policy sees; rollouts store it (Algorithm 5).
        regulariser: the attack whose states the policy is kept smooth at (Algorithm 4), made once
            a rollout; `kl_coef` is its weight beta.
        regulariser_distance: "kl" (Algorithm 4), or "mean", the squared distance of the mean
            actions (the public code). Nothing pulls at the clean state's side.
        eps, norm: the ball of both attacks, in the units of the observations that the policy gets.
        eps_schedule, eps_start, eps_end: Eq. 67, as fractions of training; for both attacks.
        attack_steps: gradient steps of a named attack.
        cost_key, missing_cost: where infos hold the cost; "error" or "zero" where they do not.

    Raises:
        ValueError: for values out of range, with the valid ones.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }
    policy: ActorValuePolicy  # type: ignore[assignment]
    rollout_buffer: CostRolloutBuffer

    def __init__(
        self,
        policy: str | type[ActorValuePolicy],
        env: GymEnv | str,
        *args: Any,
        critic_learning_rate: float | None = 1e-3,
        cost_limit: float = 5.0,
        pid_gains: tuple[float, float, float] = (0.1, 0.003, 0.001),
        max_lam: float = math.inf,
        cost_advantage: str = "raw",
        cost_surrogate: str = "clipped",
        buffer_size: int = 100_000,
        critic_batch_size: int = 256,
        critic_updates: int = 100,
        tau: float = 0.005,
        cost_bootstrap: str = "until_terminated",
        reward_aggregation: str = "min",
        cost_aggregation: str = "max",
        collection_attack: str | Attack | None = None,
        regulariser: str | Attack | None = None,
        regulariser_distance: str = "mean",
        kl_coef: float = 0.1,
        eps: float | np.ndarray = 0.05,
        norm: str = "linf",
        eps_schedule: Any = "linear",
        eps_start: float = 0.35,
        eps_end: float = 0.7,
        attack_steps: int = 3,
        cost_key: str = "cost",
        missing_cost: str = "error",
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        require_known("argument", kwargs, PPO.__init__, PPOLagrangian.__init__)
        super().__init__(policy, env, *args, _init_setup_model=False, **kwargs)
        self._refuse_what_ppo_has_and_this_has_not()
        require_not_negative(
            cost_limit=cost_limit, kl_coef=kl_coef, critic_updates=critic_updates, max_lam=max_lam
        )
        require_positive(buffer_size=buffer_size, critic_batch_size=critic_batch_size, tau=tau)
        self.critic_learning_rate = critic_learning_rate
        self.cost_limit, self.max_lam = cost_limit, max_lam
        self.pid_gains = PIDGains(*pid_gains)
        require_not_negative(**self.pid_gains._asdict())
        self.cost_advantage = choose("cost_advantage", cost_advantage, SCALINGS)
        self.cost_surrogate = choose("cost_surrogate", cost_surrogate, COST_SURROGATES)
        self.regulariser_distance = choose("regulariser_distance", regulariser_distance, DISTANCES)
        self.kl_coef = kl_coef
        self.buffer_size, self.critic_batch_size = buffer_size, critic_batch_size
        self.critic_updates = critic_updates
        self.critic_rule = CriticRule(tau, cost_bootstrap, reward_aggregation, cost_aggregation)
        self.reward_aggregation, self.cost_aggregation = reward_aggregation, cost_aggregation
        ball = BallOptions(eps, norm, eps_schedule, eps_start, eps_end)
        self.collection_attack, self.regulariser = (
            None if attack is None else TrainingAttack.of(attack, ball, steps=attack_steps)
            for attack in (collection_attack, regulariser)
        )
        self.cost_key, self.missing_cost = cost_key, missing_cost
        self.cost_monitor = CostMonitor(cost_limit, self._stats_window_size, cost_key)
        self.lam, self.pid = 0.0, PIDState()
        self._collector: Collector | None = None
        if _init_setup_model:
            self._setup_model()

    def _refuse_what_ppo_has_and_this_has_not(self) -> None:
        if self.use_sde:
            raise ValueError("use_sde must be False: attacks need a plain Gaussian; got True.")
        if self.clip_range_vf is not None:
            raise ValueError(
                "clip_range_vf must be None: both values are fitted to their returns as they are; "
                f"got {self.clip_range_vf!r}."
            )

    # ------------------------------------------------------------------ set-up, saving

    def _setup_model(self) -> None:
        if self.collection_attack is not None or self.regulariser is not None:
            require_attackable(self.observation_space, type(self).__name__)
        self.rollout_buffer_class = choose_rollout_buffer(
            self.rollout_buffer_class, self.observation_space
        )
        super()._setup_model()
        self.replay_buffer: Any = choose_buffer(None, self.observation_space, 1, False)(
            self.buffer_size,
            self.observation_space,
            self.action_space,
            device=self.device,
            n_envs=self.n_envs,
            gamma=self.gamma,  # type: ignore[call-arg]
            cost_key=self.cost_key,
            missing_cost=self.missing_cost,
        )
        self.pid_gains, self.pid = PIDGains(*self.pid_gains), PIDState(*self.pid)  # saved as lists
        self._seed_draws()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_collector"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        nets = ("actor", "state_values", "critic", "cost_critic")
        return ["policy", *(f"policy.{net}.optimizer" for net in nets)], []

    def load_replay_buffer(self, path: FilePath) -> None:
        """The transitions that the attackers' critics learn from; see `save_replay_buffer`."""
        OffPolicyAlgorithm.load_replay_buffer(self, path)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ collection

    @property
    def is_attacked(self) -> bool:
        """Whether the behaviour policy sees anything but the truth at present."""
        return self.collection_attack is not None and self._radius(self.collection_attack) > 0

    def show(self, obs: Any) -> Any:
        """Observations [E, *O] as environments give them, as the collection attack shows them."""
        if self.collection_attack is None or not self.is_attacked:
            return obs
        return attacked_array(self, obs, self.collection_attack)

    def _radius(self, attack: TrainingAttack) -> float:
        return float(np.max(attack.radius(1.0 - self._current_progress_remaining)))

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
        """As in Stable-Baselines3, through the attacker's eyes; then the GAE of the cost."""
        assert self._collector is not None
        self._last_obs = self._collector.present()  # type: ignore[assignment]
        before = self.cost_monitor.episodes
        going = super().collect_rollouts(self._collector, callback, rollout_buffer, n_rollout_steps)
        if going:
            with torch.no_grad():
                values = self.rollout_buffer.map_observations(self.policy.state_values)
                last, _ = self.policy.obs_to_tensor(self._last_obs)  # type: ignore[arg-type]
                last_values = self.policy.state_values(last)
            self.rollout_buffer.compute_cost_advantages(values[:, 1], last_values[:, 1])
            self._control(self.cost_monitor.mean_since(before))
        return going

    def _update_info_buffer(self, infos: list[dict], dones: np.ndarray | None = None) -> None:
        super()._update_info_buffer(infos, dones)
        if dones is not None:
            stored = self.replay_buffer
            ends = values_at_time_limits(self.policy, self._last_obs, infos, dones)
            self.rollout_buffer.note(stored.costs[stored.pos - 1], dones, ends)

    def _control(self, cost: float | None) -> None:
        """One step of the multiplier; none where no episode has ended in the rollout."""
        if cost is not None:
            error = cost - self.cost_limit
            self.lam, self.pid = pid_multiplier_step(self.pid, error, self.pid_gains, self.max_lam)

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

    def train(self) -> None:
        """The attackers' critics, then `n_epochs` passes of actor and values over the rollout."""
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        means, buffer = Means(), self.rollout_buffer
        self._fit_critics(means)
        means.note(buffer.known_before())
        if self.regulariser is not None and self._radius(self.regulariser) > 0:
            attack = self.regulariser
            buffer.attacked = buffer.map_observations(lambda obs: attacked_batch(self, obs, attack))
        reward_scaling = "standardised" if self.normalize_advantage else "raw"
        buffer.scale_advantages(reward_scaling, self.cost_advantage)
        is_moving = True
        for _ in range(self.n_epochs):
            for data in buffer.get(self.batch_size):
                is_moving = is_moving and self._step_policy(data, means)
                self._step_values(data, means)
            self._n_updates += 1
        self._record(means)

    def _set_learning_rates(self) -> None:
        nets = (self.policy.state_values, self.policy.critic, self.policy.cost_critic)
        self._renew_rates(self.policy.actor.optimizer, [net.optimizer for net in nets])

    def _fit_critics(self, means: Means) -> None:
        for _ in range(self.critic_updates):
            data = self.replay_buffer.sample(self.critic_batch_size, env=self._vec_normalize_env)
            means.note(self.critic_rule.update(self.policy, data))

    def _step_policy(self, data: CostRolloutSamples, means: Means) -> bool:
        """One step of the actor, unless the policy has moved as far as `target_kl` allows."""
        actor = self.policy.actor
        new = actor.distribution(data.observations)
        log_ratio = gaussian_log_prob(new, data.actions.flatten(1)) - data.old_log_prob
        kl = approximate_kl(log_ratio.detach())
        means.note({"approx_kl": kl})
        if self.target_kl is not None and float(kl) > 1.5 * self.target_kl:
            return False
        attacked = None if data.attacked is None else actor.distribution(data.attacked)
        loss, record = policy_loss(new, attacked, log_ratio, data, self._weights())
        descend("actor", loss, actor, self.max_grad_norm)
        means.note(record)
        return True

    def _weights(self) -> Weights:
        return Weights(
            self.lam,
            self.clip_range(self._current_progress_remaining),  # type: ignore[operator]
            self.cost_surrogate,
            self.ent_coef,
            self.regulariser_distance,
            self.kl_coef,
        )

    def _step_values(self, data: CostRolloutSamples, means: Means) -> None:
        reward, cost = self.policy.state_values(data.observations).unbind(-1)
        fit, cost_fit = F.mse_loss(reward, data.returns), F.mse_loss(cost, data.cost_returns)
        descend("value", self.vf_coef * (fit + cost_fit), self.policy.state_values, None)
        means.note({"value_loss": fit, "cost_value_loss": cost_fit})

    def _record(self, means: Means) -> None:
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", self._weights().clip_range)
        self.logger.record("train/lagrange_multiplier", self.lam)
        for attack in (self.collection_attack, self.regulariser):
            if attack is not None:
                self.logger.record("train/eps", self._radius(attack))
        means.record(self.logger)
