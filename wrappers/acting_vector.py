"""Adversaries behind the policy for Gymnasium vector environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from safer_gym.wrappers.action_rows import moved_actions
from safer_gym.wrappers.adversary_vector import VectorAdversary
from safer_gym.wrappers.disturbances import disturbance_space
from safer_gym.wrappers.engine import INFO_KEY, Situation
from safer_gym.wrappers.obs_layout import pick, replace
from safer_gym.wrappers.vector_rows import reset_rows, row_info, seeds_of


class VectorActingAdversary(VectorAdversary):
    """What `VectorActionAdversary` and `VectorDisturbanceAdversary` share; see there."""

    _last: tuple[Any, dict[str, Any]] = (None, {})

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments, or those of `options["reset_mask"]`."""
        fresh = reset_rows(options, self.num_envs)
        self._last = self.env.reset(seed=seed, options=options)
        seeds = seeds_of(seed, self.num_envs)
        for row in np.flatnonzero(fresh).tolist():
            self._start(row, seeds[row])
        self._resets_next &= ~fresh
        return self._last

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Attack, then step all environments but those that only reset."""
        rows = np.flatnonzero(~self._resets_next).tolist()
        actions, records = self._attacked(rows, actions) if rows else (actions, [])
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        self.engine.count_step()
        done = np.asarray(terminations) | np.asarray(truncations)
        later = self.autoreset_mode is not AutoresetMode.SAME_STEP
        begins = self._resets_next if later else done
        for row in np.flatnonzero(begins).tolist():
            self._start(row, None)
        self._resets_next = done if later else np.zeros_like(done)
        for row, record in zip(rows, records, strict=True):
            if done[row] and not later:
                final = self._add_info(dict(infos.get("final_info", {})), {INFO_KEY: record}, row)
                infos = {**infos, "final_info": final}
            else:
                infos = self._add_info(dict(infos), {INFO_KEY: record}, row)
        self._last = obs, infos
        return obs, rewards, terminations, truncations, infos

    def _attacked(self, rows: list[int], actions: Any) -> tuple[Any, list[dict[str, Any]]]:
        obs, infos = self._last
        actions = np.asarray(actions)
        own = pick(actions, rows)
        clean = self.engine.untouched(own)
        asked: list[dict[str, Any]] = [{}] * len(rows)
        if self.engine.mask is not None:
            asked = [row_info(infos, row) for row in rows]
        situation = Situation(pick(obs, rows), own)
        moved, records = self.engine.perturb(rows, clean, asked, situation)
        return (actions if moved is clean else self._act(actions, rows, moved)), records

    def _act(self, actions: Any, rows: Sequence[int], moved: Any) -> Any:
        """What the attack does in `rows` before the next step, and the actions of that step."""
        raise NotImplementedError


class VectorActionAdversary(VectorActingAdversary):
    """`ActionAdversary` over a whole `gymnasium.vector.VectorEnv`, one batched attack a step.

    Streams and records are as of `VectorObservationAdversary`; the record of an episode's last step
    in SAME_STEP mode is in `infos["final_info"]`. A row that only resets is not attacked.
    """

    channel = "action"

    def _space(self) -> Any:
        return moved_actions(self.env.single_action_space)

    def _act(self, actions: Any, rows: Sequence[int], moved: Any) -> Any:
        return replace(actions, rows, moved)


class VectorDisturbanceAdversary(VectorActingAdversary):
    """`DisturbanceAdversary` over a `SyncVectorEnv`; otherwise as `VectorActionAdversary`.

    In other vector environments wrap each environment in a `DisturbanceAdversary`.
    """

    channel = "disturbance"

    def _space(self) -> Any:
        envs = getattr(self.env.unwrapped, "envs", None)
        if not envs:
            raise ValueError(
                f"{self.env.unwrapped} does not let its environments be disturbed one by one; use "
                "a SyncVectorEnv, or wrap each environment in DisturbanceAdversary"
            )
        return disturbance_space(envs[0])

    def _act(self, actions: Any, rows: Sequence[int], moved: Any) -> Any:
        inner: Any = self.env.unwrapped
        for k, row in enumerate(rows):
            inner.envs[row].unwrapped.disturb(moved[k])
        return actions
