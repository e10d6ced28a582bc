"""The observation adversary for Gymnasium vector environments: one attack for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from typing_extensions import Unpack

from safer_gym.types import Attack, Channel
from safer_gym.wrappers.adversary import victim_of
from safer_gym.wrappers.engine import INFO_KEY, AdversaryEngine
from safer_gym.wrappers.obs_layout import pick, replace, stack
from safer_gym.wrappers.options import AdversaryOptions, complete
from safer_gym.wrappers.streams import peek_vector
from safer_gym.wrappers.vector_rows import autoreset_mode, reset_rows, row_info, seeds_of


class VectorAdversary(VectorWrapper, RecordConstructorArgs):
    """What the adversaries of vector environments share; see `VectorObservationAdversary`."""

    channel: ClassVar[Channel] = "observation"

    def __init__(
        self,
        env: VectorEnv,
        attack: str | Attack,
        *,
        policy: Any = None,
        **options: Unpack[AdversaryOptions],
    ) -> None:
        spaces = env.single_observation_space, env.single_action_space
        victim, chosen = victim_of(policy, *spaces), complete(options)
        RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, policy=victim, attack=attack, **chosen
        )
        VectorWrapper.__init__(self, env)
        self.engine = AdversaryEngine(
            self._space(), attack, victim, env.num_envs, chosen, self.channel, spaces
        )
        self.autoreset_mode = autoreset_mode(env)
        self._resets_next = np.zeros(env.num_envs, dtype=bool)
        """Rows that only reset in the next step, in the modes in which there are such."""

    def set_progress(self, progress: float) -> None:
        """Where the eps schedule stands, in [0, 1]."""
        self.engine.set_progress(progress)

    def set_policy(self, policy: Any) -> None:
        """Attack this policy from now on."""
        spaces = self.env.single_observation_space, self.env.single_action_space
        self.engine.set_victim(victim_of(policy, *spaces))

    def _start(self, row: int, seed: int | None) -> None:
        self.engine.start(row, seed, lambda: peek_vector(self.env, row))

    def _space(self) -> Any:
        """The space of what is moved in one environment."""
        return self.env.single_observation_space


class VectorObservationAdversary(VectorAdversary):
    """`ObservationAdversary` over a whole `gymnasium.vector.VectorEnv`, one batched attack a step.

    Arguments and `infos["adversary"]` are those of `ObservationAdversary`, the latter in the
    vector form with its masks. Environment i has the stream that a single environment has with
    the seed seed + i; noise never depends on the number of environments. (Gradient attacks with
    random starts draw for the whole batch at once, from the stream of its first environment.)

    All autoreset modes work. In SAME_STEP mode `infos["final_obs"]`, which a single wrapper would
    have returned from `step`, is attacked too, with its record in `infos["final_info"]`. In
    DISABLED mode rows outside `reset_mask` keep the observation that they have shown before.
    """

    _shown: Any = None

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments, or those of `options["reset_mask"]`."""
        fresh = reset_rows(options, self.num_envs)
        obs, infos = self.env.reset(seed=seed, options=options)
        seeds = seeds_of(seed, self.num_envs)
        rows = np.flatnonzero(fresh).tolist()
        for row in rows:
            self._start(row, seeds[row])
        self._resets_next &= ~fresh
        seen, infos = self._perturb(rows, pick(obs, rows), infos)
        shown = obs if self._shown is None else self._shown
        self._shown = seen if len(rows) == self.num_envs else replace(shown, rows, seen)
        return self._shown, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all environments and attack what they show."""
        self.engine.check_actions(actions)
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        self.engine.count_step()
        done = np.asarray(terminations) | np.asarray(truncations)
        begins = self._resets_next if self.autoreset_mode is AutoresetMode.NEXT_STEP else done
        if self.autoreset_mode is AutoresetMode.SAME_STEP and done.any():
            infos = self._perturb_final(np.flatnonzero(done).tolist(), infos)
        if self.autoreset_mode is not AutoresetMode.DISABLED:
            for row in np.flatnonzero(begins).tolist():
                self._start(row, None)
        self._resets_next = done
        self._shown, infos = self._perturb(range(self.num_envs), obs, infos)
        return self._shown, rewards, terminations, truncations, infos

    def _perturb(
        self, rows: Sequence[int], obs: Any, infos: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        seen, records = self.engine.perturb(rows, obs, self._infos_of(rows, infos))
        infos = dict(infos)
        for row, record in zip(rows, records, strict=True):
            infos = self._add_info(infos, {INFO_KEY: record}, row)
        return seen, infos

    def _perturb_final(self, rows: list[int], infos: dict[str, Any]) -> dict[str, Any]:
        batch = stack([infos["final_obs"][row] for row in rows])
        seen, final_info = self._perturb(rows, batch, infos.get("final_info", {}))
        final_obs = infos["final_obs"].copy()
        for k, row in enumerate(rows):
            final_obs[row] = pick(seen, k)
        return {**infos, "final_obs": final_obs, "final_info": final_info}

    def _infos_of(self, rows: Sequence[int], infos: dict[str, Any]) -> list[dict[str, Any]]:
        if self.engine.mask is None:
            return [{}] * len(rows)
        return [row_info(infos, row) for row in rows]
