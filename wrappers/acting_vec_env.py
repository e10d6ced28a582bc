"""Adversaries behind the policy for Stable-Baselines3 vector environments."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, unwrap_vec_normalize
from typing_extensions import Unpack

from safer_gym.types import Attack, Channel
from safer_gym.wrappers.action_rows import moved_actions
from safer_gym.wrappers.adversary import victim_of
from safer_gym.wrappers.engine import INFO_KEY, AdversaryEngine, Situation
from safer_gym.wrappers.options import AdversaryOptions, complete
from safer_gym.wrappers.streams import peek_vec_env


class VecActingAdversary(VecEnvWrapper):
    """What `VecActionAdversary` and `VecDisturbanceAdversary` share; see there."""

    channel: ClassVar[Channel]

    def __init__(
        self,
        venv: VecEnv,
        attack: str | Attack,
        *,
        policy: Any = None,
        **options: Unpack[AdversaryOptions],
    ) -> None:
        chosen = complete(options)
        super().__init__(venv)
        spaces = venv.observation_space, venv.action_space
        self.engine = AdversaryEngine(
            self._space(), attack, self._victim_of(policy), venv.num_envs, chosen, self.channel,
            spaces,
        )  # fmt: skip
        self._last: tuple[Any, list[dict[str, Any]]] = (None, [{}] * venv.num_envs)
        self._records: list[dict[str, Any]] = []

    def reset(self) -> Any:
        """Reset all environments; nothing is attacked yet."""
        seeds = list(getattr(self.unwrapped, "_seeds", [None] * self.num_envs))
        obs = self.venv.reset()
        self.reset_infos = self.venv.reset_infos
        for row in range(self.num_envs):
            self._start(row, seeds[row])
        self._last = obs, list(self.reset_infos)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        """Attack, then begin the step."""
        obs, infos = self._last
        clean = self.engine.untouched(actions)
        situation = Situation(obs, np.asarray(actions))
        moved, self._records = self.engine.perturb(range(self.num_envs), clean, infos, situation)
        self.venv.step_async(actions if moved is clean else self._act(actions, moved))

    def step_wait(self) -> Any:
        """Finish the step; each record is in the info of its step."""
        obs, rewards, dones, infos = self.venv.step_wait()
        self.engine.count_step()
        infos = [
            {**info, INFO_KEY: record} for info, record in zip(infos, self._records, strict=True)
        ]
        for row in np.flatnonzero(dones).tolist():
            self._start(row, None)
        self.reset_infos = self.venv.reset_infos
        asked = [self.reset_infos[row] if dones[row] else info for row, info in enumerate(infos)]
        self._last = obs, asked
        return obs, rewards, dones, infos

    def set_progress(self, progress: float) -> None:
        """Where the eps schedule stands, in [0, 1]."""
        self.engine.set_progress(progress)

    def set_policy(self, policy: Any) -> None:
        """Attack this policy from now on."""
        self.engine.set_victim(self._victim_of(policy))

    def _victim_of(self, policy: Any) -> Any:
        raw = unwrap_vec_normalize(self.venv) is None
        return victim_of(policy, self.observation_space, self.action_space, raw=raw)

    def _start(self, row: int, seed: int | None) -> None:
        self.engine.start(row, seed, lambda: peek_vec_env(self.venv, row))

    def _space(self) -> Any:
        """The space of what is moved in one environment."""
        raise NotImplementedError

    def _act(self, actions: Any, moved: Any) -> Any:
        """What the attack does before the next step, and the actions of that step."""
        raise NotImplementedError


class VecActionAdversary(VecActingAdversary):
    """`ActionAdversary` over a whole SB3 `VecEnv`, one batched attack a step.

    `infos[i]["adversary"]` belongs to the step that returned it. Outside a VecNormalize the
    attack sees normalised observations, as `VecObservationAdversary` does.
    """

    channel = "action"

    def _space(self) -> Any:
        return moved_actions(self.action_space)

    def _act(self, actions: Any, moved: Any) -> Any:
        return moved


class VecDisturbanceAdversary(VecActingAdversary):
    """`DisturbanceAdversary` over a whole SB3 `VecEnv`; otherwise as `VecActionAdversary`."""

    channel = "disturbance"

    def _space(self) -> Any:
        try:
            return self.venv.get_attr("disturbance_space", 0)[0]
        except AttributeError:
            raise ValueError(
                "the environments cannot be disturbed: wrap each in ActionDisturbance or "
                "ForceDisturbance, or give their class a disturbance_space and a method disturb(d)"
            ) from None

    def _act(self, actions: Any, moved: Any) -> Any:
        for row, disturbance in enumerate(moved):
            self.venv.env_method("disturb", disturbance, indices=row)
        return actions
