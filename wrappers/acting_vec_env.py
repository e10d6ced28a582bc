"""Adversaries behind the policy for Stable-Baselines3 vector environments."""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.wrappers.action_rows import moved_actions
from safer_gym.wrappers.adversary_vec_env import VecAdversary
from safer_gym.wrappers.engine import INFO_KEY, Situation


class VecActingAdversary(VecAdversary):
    """What `VecActionAdversary` and `VecDisturbanceAdversary` share; see there."""

    _last: tuple[Any, list[dict[str, Any]]]
    _records: list[dict[str, Any]]

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
