"""DRAC: dually robust actor-critic, on Stable-Baselines3's off-policy algorithm."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import update_learning_rate
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.choice import choose_buffer
from safer_gym.agents.data.signals import Signal
from safer_gym.agents.drac.collection import (
    NEXT_H,
    Draw,
    H,
    begin,
    disturb,
    draw,
    first_h,
    play,
)
from safer_gym.agents.drac.dual_iteration import DualIteration
from safer_gym.agents.drac.losses import annealed
from safer_gym.agents.drac.options import (
    CollectionOptions,
    MultiplierOptions,
    SafetyOptions,
    UpdateOptions,
)
from safer_gym.agents.drac.policies import DRACPolicy
from safer_gym.agents.means import Means
from safer_gym.agents.options import grouped
from safer_gym.agents.overlap.ahead import AheadVecEnv
from safer_gym.domains import FLAG, NOT_NEGATIVE, require


class DRAC(Constrained, OffPolicyAlgorithm):
    """A task policy and a safety policy, each against an adversary (Li et al., 2024).

    The environment has `disturbance_space` and `disturb(d)`, and reports `info["h"]` (safe where
    >= 0) from `reset` and `step`. What is the paper's and what is ours: docs/drac.md.

    Args:
        policy, env, and the arguments of Stable-Baselines3's SAC that are named below.
        adversary: False trains without disturbances: an ablation, and RAC.
        shield: `predict` switches to the safety policy where the task policy's action is not safe
            (ISDAC's); `model.shield` changes it at any time.
        shield_margin: it counts as safe where Q_h is at least this.
        safety, multiplier, collection, update: SafetyOptions, MultiplierOptions, CollectionOptions
            and UpdateOptions, or dicts of their fields, each of which may be given by itself.

    Raises:
        ValueError: for values out of range and unknown names, with the valid ones; and for an
            environment without a disturbance.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": DRACPolicy,
        "CnnPolicy": DRACPolicy,
        "MultiInputPolicy": DRACPolicy,
    }
    GROUPS: ClassVar[dict[str, Any]] = {
        "safety": SafetyOptions(),
        "multiplier": MultiplierOptions(),
        "collection": CollectionOptions(),
        "update": UpdateOptions(),
    }
    policy: DRACPolicy
    safety: SafetyOptions
    multiplier: MultiplierOptions
    collection: CollectionOptions
    update: UpdateOptions

    def __init__(
        self,
        policy: str | type[DRACPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        buffer_size: int = 200_000,
        learning_starts: int = 1_000,
        batch_size: int = 256,
        tau: float = 0.02,
        gamma: float = 0.99,
        train_freq: int | tuple[int, str] = 1,
        gradient_steps: int = 1,
        adversary: bool = True,
        shield: bool = False,
        shield_margin: float = 0.02,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
        **options: Any,
    ) -> None:
        require(FLAG, adversary=adversary, shield=shield)
        require(NOT_NEGATIVE, shield_margin=shield_margin)
        arguments = inspect.signature(DRAC.__init__).parameters
        vars(self).update(grouped(options, self.GROUPS, [*arguments][1:-1]))
        self.adversary = adversary
        self.critic_learning_rate = None
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
            replay_buffer_class=replay_buffer_class,
            replay_buffer_kwargs=replay_buffer_kwargs,
            policy_kwargs=policy_kwargs,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            seed=seed,
            sde_support=False,
            support_multi_env=True,
        )
        self.policy_kwargs = {
            **self.policy_kwargs,
            "constraint": self.multiplier.constraint,
            "safety_policy": self.safety.safety_policy,
            "shield": shield,
            "shield_margin": shield_margin,
            "disturbance": None,
        }
        if adversary and self.env is not None:
            self.policy_kwargs["disturbance"] = disturbance_ends(self.env)
        if _init_setup_model:
            self._setup_model()

    # ------------------------------------------------------------------ set-up, saving

    def _setup_model(self) -> None:
        self._change_options()
        given = self.replay_buffer_kwargs
        self.replay_buffer_class = choose_buffer(
            self.replay_buffer_class, self.observation_space, 1, False
        )
        if issubclass(self.replay_buffer_class, HerReplayBuffer):
            raise TypeError(
                "replay_buffer_class must keep signals as they were: hindsight has no h and no "
                f"disturbance under another goal; got {self.replay_buffer_class.__name__}."
            )
        self.replay_buffer_kwargs = {"gamma": self.gamma, "signals": self._signals(), **given}
        super()._setup_model()
        self.replay_buffer_kwargs = given
        if getattr(self, "cost_monitor", None) is None:
            self.cost_monitor = CostMonitor(0.0, self._stats_window_size)
        self._iteration = DualIteration(
            self.policy, self.safety, self.multiplier, self.update, self.tau
        )
        self._draws: list[Draw] = []
        self._h, self._steps = np.zeros(self.n_envs, np.float32), np.zeros(self.n_envs, int)
        self._disturbances: np.ndarray | None = None
        self._seed_draws()

    def _signals(self) -> dict[str, Signal]:
        signals = {"h": H, "next_h": NEXT_H} if self.multiplier.constraint != "none" else {}
        ends = self.policy_kwargs["disturbance"]
        if ends is not None:
            signals["disturbance"] = Signal("disturbance", (len(ends[0]),), "first")
        return signals

    def _excluded_save_params(self) -> list[str]:
        own = ["_iteration", "_draws", "_h", "_steps", "_disturbances"]
        return [*super()._excluded_save_params(), *own]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *(f"policy.{name}.optimizer" for name in self.policy.learning)], []

    @classmethod
    def read_policy(cls, policy: Any, value: Callable[[str], Any]) -> Any:
        """A policy built from a file is complete: it acts, is attacked, and knows its set."""
        return policy

    # ------------------------------------------------------------------ use

    @property
    def shield(self) -> bool:
        """Whether `predict` switches to the safety policy where the task policy is not safe."""
        return self.policy.shield

    @shield.setter
    def shield(self, on: bool) -> None:
        self.policy.shield = on
        self.policy_kwargs["shield"] = bool(on)

    def q_safety(self, observation: Any) -> np.ndarray:
        """V_h of observations [B]: the learned robust invariant set is where it is >= 0."""
        return self.policy.q_safety(observation)

    def disturbance(self, observation: Any, adversary: str = "safety") -> np.ndarray:
        """What the "safety" or the "task" adversary answers to observations, [B, D]."""
        return self.policy.disturbance(observation, adversary)

    def victim(self) -> Any:
        """The acting policy and its critics, as an attack sees them."""
        return self.policy.victim()

    # ------------------------------------------------------------------ collection

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        env: Any = self.env
        if isinstance(env, AheadVecEnv):
            raise ValueError("DRAC disturbs its environments step by step: it cannot overlap.")
        ends = self.policy_kwargs["disturbance"]
        if ends is not None and disturbance_ends(env) != ends:
            raise ValueError(
                f"the environment's disturbance_space {disturbance_ends(env)} must be the one "
                f"this agent learned with, {ends} (lower and upper ends)"
            )
        return super()._setup_learn(*args, **kwargs)

    def _begin_episodes(self) -> None:
        super()._begin_episodes()
        n_envs = self.n_envs
        self._draws = [draw(self.collection, self._generator) for _ in range(n_envs)]
        self._h, self._steps = np.zeros(n_envs, np.float32), np.zeros(n_envs, int)
        self._begin(list(range(n_envs)))

    def _begin(self, indices: list[int]) -> None:
        """h of the states in which environments have just begun, and wide starts that are drawn."""
        assert self.env is not None
        if indices and self._has_h:
            self._h[indices] = first_h(self.env, indices)
        self._steps[indices] = 0
        for index in indices:
            if self._draws[index].is_wide:
                self._restart(index)

    def _restart(self, index: int) -> None:
        """Reset one environment as its draw says."""
        assert self.env is not None
        obs, info = begin(self.env, index, is_wide=self._draws[index].is_wide)
        self._steps[index] = 0
        self._place(index, obs)
        if self._has_h:
            self._h[index] = info["h"]

    @property
    def _has_h(self) -> bool:
        return self.multiplier.constraint != "none"

    def _place(self, index: int, obs: Any) -> None:
        """Let environment `index` be at an observation."""
        seen = obs
        if self._vec_normalize_env is not None:
            seen = self._vec_normalize_env.normalize_obs(obs)
            _put(self._last_original_obs, index, obs)
        _put(self._last_obs, index, seen)

    @torch.no_grad()
    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Actions, for the environments and for the buffer; disturbs the step that follows."""
        assert self._last_obs is not None
        obs, _ = self.policy.obs_to_tensor(self._last_obs)
        control, move = play(
            self.policy,
            obs,
            self._draws,
            self.collection.exploration_noise,
            self._generator,
            is_warming_up=self.num_timesteps < learning_starts,
        )
        if move is not None:
            assert self.env is not None
            self._disturbances = move.cpu().numpy()
            disturb(self.env, self.policy.unscale_disturbance(self._disturbances))
        unit = control.cpu().numpy().reshape(n_envs, *(self.action_space.shape or ()))
        return self.policy.unscale_action(unit), unit

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: np.ndarray,
        new_obs: Any,
        reward: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        for index, info in enumerate(infos):
            if self._has_h:
                info[H.key] = self._h[index]
                info.setdefault("cost", float(info.get("h", 0.0) < 0))
            else:
                info.setdefault("cost", 0.0)
            if self._disturbances is not None:
                info["disturbance"] = self._disturbances[index]
        self._admit(new_obs, buffer_action, reward, dones, infos)
        super()._store_transition(replay_buffer, buffer_action, new_obs, reward, dones, infos)
        if self._has_h:
            self._h = np.array([info["h"] for info in infos], np.float32)
        self._steps += 1
        is_left = [
            drawn.is_wide and steps >= self.collection.wide_steps
            for drawn, steps in zip(self._draws, self._steps.tolist(), strict=True)
        ]
        for index in np.flatnonzero(dones | np.array(is_left)).tolist():
            self._draws[index] = draw(self.collection, self._generator)
        self._begin(np.flatnonzero(dones).tolist())
        for index in np.flatnonzero(np.array(is_left) & ~dones).tolist():
            self.cost_monitor.running[index] = 0.0
            self._restart(index)

    # ------------------------------------------------------------------ learning

    def train(self, gradient_steps: int, batch_size: int) -> None:
        """`gradient_steps` updates of all networks."""
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        discount = self.safety_discount
        means = Means()
        assert self.replay_buffer is not None
        for _ in range(gradient_steps):
            data = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            means.note(self._iteration.step(data, self._n_updates, discount))
            self._n_updates += 1
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/safety_discount", discount)
        means.record(self.logger)

    @property
    def safety_discount(self) -> float:
        """The present g_h."""
        safety = self.safety
        ends = (safety.safety_discount_start, safety.safety_discount)
        return annealed(*ends, 1.0 - self._current_progress_remaining, safety.anneal_share)

    def _set_learning_rates(self) -> None:
        self._update_learning_rate(
            [getattr(self.policy, name).optimizer for name in self.policy.learning]
        )
        if self.multiplier.multiplier_lr is not None and hasattr(self.policy, "multiplier"):
            update_learning_rate(self.policy.multiplier.optimizer, self.multiplier.multiplier_lr)


def disturbance_ends(env: VecEnv) -> list[list[float]]:
    """Lower and upper ends of what the environments can be disturbed with.

    Raises:
        ValueError: they cannot be disturbed.
    """
    try:
        space = env.get_attr("disturbance_space", indices=0)[0]
        env.get_attr("disturb", indices=0)
    except AttributeError:
        space = None
    if not isinstance(space, spaces.Box):
        raise ValueError(
            "the environment cannot be disturbed: it must have disturbance_space (a Box) and a "
            "method disturb(d). Wrap it in safer_gym.wrappers.ActionDisturbance or "
            "ForceDisturbance, or pass adversary=False."
        )
    return [space.low.ravel().tolist(), space.high.ravel().tolist()]


def _put(rows: Any, index: int, obs: Any) -> None:
    if isinstance(rows, dict):
        for key, part in rows.items():
            part[index] = obs[key]
    else:
        rows[index] = obs
