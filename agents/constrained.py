"""What every algorithm with a cost limit has, on-policy or off-policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm, maybe_make_env
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from stable_baselines3.common.utils import update_learning_rate
from torch.optim import Optimizer
from typing_extensions import Self

from safer_gym.agents.arguments import require_axes, require_box, sb3_arguments
from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.buffers import CostStorage
from safer_gym.agents.finite import (
    NotFiniteError,
    require_finite,
    require_finite_transition,
    require_finite_weights,
)
from safer_gym.agents.frozen import FrozenAgent
from safer_gym.agents.marks import marked
from safer_gym.agents.model_file import LAYOUT, FilePath, read_data, replacing
from safer_gym.agents.options import grouped
from safer_gym.agents.training_attack.obs_spread import note_spread
from safer_gym.agents.victim import make_victim
from safer_gym.types import Victim

if TYPE_CHECKING:  # mixed in before an algorithm of Stable-Baselines3
    _Base = BaseAlgorithm
else:
    _Base = object

TOTAL_TIMESTEPS = 200_000
"""What `learn()` takes if nothing is said: CVPO's recipe of Ball-Circle."""


class Constrained(_Base):
    """Mixed in before an algorithm of Stable-Baselines3: episode sums, logs, a victim. Abstract.

    The algorithm makes `cost_monitor` and `replay_buffer`, and calls `_seed_draws` when it is set
    up; its policy has `actor`, `critic` and `cost_critic`.
    """

    GROUPS: ClassVar[dict[str, Any]] = {}
    """The groups of options, by the constructor's arguments, with their defaults."""
    LAYOUT: ClassVar[int] = LAYOUT
    """Of the attributes that are saved; an agent of another layout cannot go on learning."""
    algorithm: str
    """Name of the class that wrote the file; stored with the model."""
    layout: int
    """LAYOUT of the class in the version that wrote the file; stored with the model."""
    reads_normalised: bool
    """Whether it was trained behind a VecNormalize; stored with the model."""

    obs_spread: RunningMeanStd | None = None
    """Of the observations that the policy received; None where no radius counts their deviations.
    Stored with the model."""
    reward_aggregation: str
    cost_aggregation: str
    critic_learning_rate: float | None
    cost_monitor: CostMonitor
    replay_buffer: Any

    def __init__(self, policy: Any, env: GymEnv | str | None, *args: Any, **kwargs: Any) -> None:
        if env is not None:
            env = maybe_make_env(env, kwargs.get("verbose", 0))
            require_axes(env.observation_space)
            self._require_actions(env.action_space)
        given = sb3_arguments(super().__init__, policy, env, *args, **kwargs)
        super().__init__(*given.args, **given.kwargs)

    def _require_actions(self, action_space: spaces.Space) -> None:
        require_box(action_space)

    def _seed_draws(self) -> None:
        """The generator of an agent's own draws: particles, and its attackers'."""
        self._generator = torch.Generator(device=self.device)
        self._generator.manual_seed(0 if self.seed is None else self.seed)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_generator"]

    def victim(self) -> Victim:
        """This agent as an attack sees it: mean action and online critics, environment units."""
        return make_victim(self)

    @classmethod
    def read_policy(cls, policy: Any, value: Callable[[str], Any]) -> Any:
        """What a policy that was built from a saved model is to its user: it acts and is attacked.

        Args:
            policy: of this class's `policy_aliases`, with its weights.
            value: from the name of a saved attribute to its value.
        """
        return FrozenAgent(policy, value("reward_aggregation"), value("cost_aggregation"))

    # ------------------------------------------------------------------ files

    def save(
        self,
        path: FilePath,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """As in Stable-Baselines3.

        Raises:
            OSError: the file could not be written; an older one under that name is untouched.
            NotFiniteError: (a ValueError) a weight is not finite; the same.
        """
        require_finite_weights(self.policy.state_dict())
        self.algorithm, self.layout = type(self).__name__, self.LAYOUT
        normaliser = self.get_vec_normalize_env()
        self.reads_normalised = normaliser is not None and normaliser.norm_obs
        with replacing(path, "zip") as target:
            super().save(target, exclude, include)

    def save_replay_buffer(self, path: FilePath) -> None:
        """As in Stable-Baselines3. Raises OSError as `save` does."""
        with replacing(path, "pkl") as target:
            OffPolicyAlgorithm.save_replay_buffer(self, target)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: FilePath, *args: Any, **kwargs: Any) -> Self:
        """As in Stable-Baselines3, whose keyword arguments change attributes; options too.

        Raises:
            ValueError: the file is not a model, another algorithm's, or of another layout.
        """
        data = read_data(path)
        wrote = data.get("algorithm") or (marked(data) or "").rpartition(":")[2]
        own = [base.__name__ for base in cls.__mro__ if issubclass(base, Constrained)]
        if wrote and wrote not in own:
            raise ValueError(
                f"{path} holds a {wrote} model; {cls.__name__}.load reads only {cls.__name__} "
                f"models. Use {wrote}.load."
            )
        layout = data.get("layout", 1)
        if wrote and layout != cls.LAYOUT:
            raise ValueError(
                f"{path} was written by another version of safer-gym (layout {layout}; this one "
                f"reads layout {cls.LAYOUT}): its training cannot go on here. Its policy can still "
                "be used: safer_gym.conformance.loading.load_policy(path), or safer-gym evaluate."
            )
        single = {field.name for group in cls.GROUPS.values() for field in fields(group)}
        changed = {key: kwargs.pop(key) for key in {*single, *cls.GROUPS} & kwargs.keys()}
        if changed:
            kwargs["_changed"] = changed
        return super().load(path, *args, **kwargs)

    def _change_options(self) -> None:
        """Take in what `load` was asked to change; to be called before the agent is set up."""
        changed = vars(self).pop("_changed", None)
        if changed is None:
            return
        groups = grouped(changed, {name: getattr(self, name) for name in self.GROUPS})
        vars(self).update(groups)
        for group in groups.values():  # some have an attribute of their own
            values = {field.name: getattr(group, field.name) for field in fields(group)}
            vars(self).update({key: value for key, value in values.items() if key in vars(self)})

    # ------------------------------------------------------------------ collection

    def _admit(
        self,
        obs: Any,
        actions: np.ndarray,
        rewards: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Count the costs and the spread of a step, from which the agent may learn.

        Raises:
            NotFiniteError: a number in it is not finite.
        """
        if self._vec_normalize_env is not None:  # it clips, and joins all environments
            raw = self._vec_normalize_env.get_original_obs()
            require_finite("observation before it is normalised", raw)
        require_finite_transition(obs, actions, rewards, infos)
        note_spread(self, obs)
        self.cost_monitor.update(infos, dones)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        resets = reset_num_timesteps or self._last_obs is None
        ready = super()._setup_learn(
            total_timesteps, callback, reset_num_timesteps, *args, **kwargs
        )
        if resets:
            require_finite("first observation", self._last_obs)
            self._begin_episodes()
        return ready

    def _begin_episodes(self) -> None:
        """The environments have just been reset: no episode goes on."""
        self.cost_monitor.forget_running()
        if isinstance(self.replay_buffer, CostStorage):
            self.replay_buffer.cut()

    def dump_logs(self, *args: Any) -> None:
        """As in Stable-Baselines3, with the costs."""
        self.cost_monitor.record(self.logger)
        super().dump_logs(*args)

    # ------------------------------------------------------------------ learning

    def learn(
        self,
        total_timesteps: int = TOTAL_TIMESTEPS,
        callback: MaybeCallback = None,
        log_interval: int | None = 4,
        tb_log_name: str | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """As in Stable-Baselines3, where the number of environment steps has no default.

        `tb_log_name` is the algorithm's name if not given.

        Raises:
            NotFiniteError: (a ValueError) an environment gave a number that is not finite, or an
                update computed one. Nothing was learned from it: the agent keeps its last weights.
        """
        try:
            return super().learn(  # type: ignore[safe-super]
                total_timesteps,
                callback,
                log_interval,  # type: ignore[arg-type]
                tb_log_name or type(self).__name__,
                reset_num_timesteps,
                progress_bar,
            )
        except NotFiniteError as error:
            raise NotFiniteError(
                f"training stopped at timestep {self.num_timesteps}, after {self._n_updates} "
                f"updates: {error}. The agent keeps its weights from before."
            ) from error

    def _renew_rates(self, actor: Optimizer, others: Sequence[Optimizer]) -> None:
        """Every optimiser follows `learning_rate`, or the others `critic_learning_rate`."""
        self._update_learning_rate([actor, *others])
        if self.critic_learning_rate is not None:
            for optimizer in others:
                update_learning_rate(optimizer, self.critic_learning_rate)
