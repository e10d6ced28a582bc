"""PPO-Lagrangian and its robust forms (SAFER, appendix B.2.2: Eq. 69, 70, Algorithms 4, 5)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F  # noqa: N812
from stable_baselines3 import PPO
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import GymEnv
from torch import Tensor

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.data.choice import choose_buffer
from safer_gym.agents.means import Means
from safer_gym.agents.model_file import FilePath
from safer_gym.agents.options import BallOptions
from safer_gym.agents.ppo_lagrangian.actor_critics import (
    CostActorCritic,
    CostCnnPolicy,
    CostMlpPolicy,
    CostMultiInputPolicy,
    with_cost_value,
)
from safer_gym.agents.ppo_lagrangian.attackers_critics import AttackersCritics
from safer_gym.agents.ppo_lagrangian.losses import approximate_kl, robustness_distance
from safer_gym.agents.ppo_lagrangian.objective import Weights, clipped_values, policy_loss
from safer_gym.agents.ppo_lagrangian.on_policy import OnPolicy
from safer_gym.agents.ppo_lagrangian.options import LagrangeOptions, RegulariserOptions
from safer_gym.agents.ppo_lagrangian.policies import (
    ActorValuePolicy,
    CnnPolicy,
    MlpPolicy,
    MultiInputPolicy,
)
from safer_gym.agents.ppo_lagrangian.rollouts import (
    CostRolloutBuffer,
    CostRolloutSamples,
)
from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.flat_obs import require_attackable
from safer_gym.agents.training_attack.observations import attacked_array, attacked_batch
from safer_gym.agents.updates import descend
from safer_gym.types import Attack


class PPOLagrangian(OnPolicy, Constrained, PPO):
    """PPO on (A_r - lambda A_c) / (1 + lambda), lambda by a PID controller of the episode cost.

    The paper's baselines are options: `regulariser="mad"` is SA-PPOL, `regulariser="mc"` (or "mr")
    SA-PPOL(MC), `collection_attack="mc"` ADV-PPOL, `collection_attack="uniform"` PPOL-random.

    Box actions get a Gaussian with critics for attackers. Discrete, MultiDiscrete and MultiBinary
    actions, `use_sde=True` and a policy class of your own get Stable-Baselines3's actor-critic
    policy with a value of the cost, which no attack is run against during training.

    Args:
        policy, env, and any argument of Stable-Baselines3's PPO by position or name.
            `normalize_advantage` is of the reward and of the whole rollout; `target_kl` stops the
            policy's steps, not the values'; `max_grad_norm` is the actor's, and may be None;
            `clip_range_vf` is of the reward's value.
        cost_limit: undiscounted cost that an episode may have.
        collection_attack: what the behaviour policy sees; rollouts store it (Algorithm 5).
        regulariser: the attack whose states the policy is kept smooth at (Algorithm 4), made once
            a rollout.
        cost_key, missing_cost: where infos hold the cost; "error" or "zero" where they do not.
        lagrange, critics, smoothing, ball: groups of options, each the dataclass of its default,
            or a dict of its fields. The ball is that of both attacks.
        kwargs: a field of any group by itself: `kl_coef=0.3`.

    Raises:
        ValueError: for values out of range and for unknown options, with the valid ones.
    """

    BASE = PPO
    LAYOUT: ClassVar[int] = 4
    GROUPS: ClassVar[dict[str, Any]] = {
        "lagrange": LagrangeOptions(),
        "critics": AttackersCritics(),
        "smoothing": RegulariserOptions(),
        "ball": BallOptions(),
    }
    lagrange: LagrangeOptions
    critics: AttackersCritics
    smoothing: RegulariserOptions
    ball: BallOptions
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
        "CostMlpPolicy": CostMlpPolicy,
        "CostCnnPolicy": CostCnnPolicy,
        "CostMultiInputPolicy": CostMultiInputPolicy,
    }
    policy: Any
    rollout_buffer: CostRolloutBuffer

    def __init__(
        self,
        policy: str | type[ActorValuePolicy | ActorCriticPolicy],
        env: GymEnv | str,
        *args: Any,
        collection_attack: str | Attack | None = None,
        regulariser: str | Attack | None = None,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(policy, env, *args, _init_setup_model=False, **kwargs)
        self.collection_attack = self._training_attack("collection_attack", collection_attack)
        self.regulariser = self._training_attack("regulariser", regulariser)
        if _init_setup_model:
            self._setup_model()

    def _training_attack(self, name: str, attack: str | Attack | None) -> TrainingAttack | None:
        if attack is None:
            return None
        steps = self.smoothing.attack_steps
        return TrainingAttack.of(attack, self.ball, steps=steps, argument=name)

    # ------------------------------------------------------------------ set-up, saving

    def _setup_model(self) -> None:
        self._change_options()
        self.policy_class = with_cost_value(self.policy_class, self.action_space, self.use_sde)
        is_plain = issubclass(self.policy_class, CostActorCritic)
        if self.collection_attack is not None or self.regulariser is not None:
            self._require_attackable(is_plain)
        self.critic_learning_rate = None if is_plain else self.critics.critic_learning_rate
        self.reward_aggregation = self.critics.reward_aggregation
        self.cost_aggregation = self.critics.cost_aggregation
        super()._setup_model()
        self.replay_buffer = None if is_plain else self._transitions()

    def _require_attackable(self, is_plain: bool) -> None:
        require_attackable(self.observation_space, type(self).__name__, self.ball.eps)
        if is_plain:
            raise ValueError(
                "collection_attack and regulariser must be None with a "
                f"{self.policy_class.__name__}: an attack needs the critics and the Gaussian of "
                "'MlpPolicy', 'CnnPolicy' or 'MultiInputPolicy' with Box actions and without "
                "use_sde."
            )

    def _transitions(self) -> Any:
        """The clean transitions, from which the attackers' critics learn."""
        return choose_buffer(None, self.observation_space, 1, False)(
            self.critics.buffer_size,
            self.observation_space,
            self.action_space,
            device=self.device,
            n_envs=self.n_envs,
            gamma=self.gamma,  # type: ignore[call-arg]
            cost_key=self.cost_signal.key,
            missing_cost=self.cost_signal.missing,
        )

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *(f"policy.{name}" for name in self.policy.OPTIMIZERS)], []

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

    # ------------------------------------------------------------------ learning

    def train(self) -> None:
        """The attackers' critics, then `n_epochs` passes of actor and values over the rollout."""
        self.policy.set_training_mode(True)
        optimizer, *others = (attrgetter(name)(self.policy) for name in self.policy.OPTIMIZERS)
        self._renew_rates(optimizer, others)
        means, buffer = Means(), self.rollout_buffer
        if self.replay_buffer is not None:
            self._fit_critics(means)
        means.note(buffer.known_before())
        if self.regulariser is not None and self._radius(self.regulariser) > 0:
            attack = self.regulariser
            buffer.attacked = buffer.map_observations(lambda obs: attacked_batch(self, obs, attack))
        reward_scaling = "standardised" if self.normalize_advantage else "raw"
        buffer.scale_advantages(reward_scaling, self.lagrange.cost_advantage)
        is_moving = True
        for _ in range(self.n_epochs):
            for data in buffer.get(self.batch_size):
                loss = self._step_policy(data, means) if is_moving else None
                is_moving = loss is not None
                value_loss = self._step_values(data, means)
                means.note({"loss": value_loss if loss is None else loss + value_loss})
            self._n_updates += 1
        self._record(means)

    def _fit_critics(self, means: Means) -> None:
        for _ in range(self.critics.critic_updates):
            data = self.replay_buffer.sample(
                self.critics.critic_batch_size, env=self._vec_normalize_env
            )
            means.note(self.critics.update(self.policy, data))

    def _step_policy(self, data: CostRolloutSamples, means: Means) -> Tensor | None:
        """One step of the actor; None if the policy has moved as far as `target_kl` allows."""
        new = self.policy.evaluate(data.observations, data.actions)
        log_ratio = new.log_prob - data.old_log_prob
        kl = approximate_kl(log_ratio.detach())
        means.note({"approx_kl": kl})
        if self.target_kl is not None and float(kl) > 1.5 * self.target_kl:
            return None
        distance = None
        if data.attacked is not None:
            attacked = self.policy.actor.distribution(data.attacked)
            how = self.smoothing.regulariser_distance
            distance = robustness_distance(new.gaussian, attacked, how)
        if new.gaussian is not None:
            means.note({"std": new.gaussian.scale.mean()})
        loss, record = policy_loss(log_ratio, new.entropy, distance, data, self._weights())
        descend("actor", loss, self.policy.learners[0], self.max_grad_norm)
        means.note(record)
        return loss.detach()

    def _weights(self) -> Weights:
        return Weights(
            self.lam,
            self.clip_range(self._current_progress_remaining),  # type: ignore[operator]
            self.lagrange.cost_surrogate,
            self.ent_coef,
            self.smoothing.kl_coef,
        )

    def _step_values(self, data: CostRolloutSamples, means: Means) -> Tensor:
        reward, cost = self.policy.state_values(data.observations).unbind(-1)
        most: Any = self.clip_range_vf
        most = None if most is None else most(self._current_progress_remaining)
        fit = F.mse_loss(clipped_values(reward, data.old_values, most), data.returns)
        cost_fit = F.mse_loss(cost, data.cost_returns)
        loss = self.vf_coef * (fit + cost_fit)
        descend("value", loss, self.policy.learners[1], None)
        means.note({"value_loss": fit, "cost_value_loss": cost_fit})
        return loss.detach()

    def _record(self, means: Means) -> None:
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", self._weights().clip_range)
        self.logger.record("train/lagrange_multiplier", self.lam)
        for attack in (self.collection_attack, self.regulariser):
            if attack is not None:
                self.logger.record("train/eps", self._radius(attack))
        means.record(self.logger)
