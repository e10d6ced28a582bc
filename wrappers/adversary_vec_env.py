"""The observation adversary for Stable-Baselines3 vector environments."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, unwrap_vec_normalize
from typing_extensions import Unpack

from safer_gym.types import Attack, Channel
from safer_gym.wrappers.adversary import victim_of
from safer_gym.wrappers.engine import INFO_KEY, AdversaryEngine
from safer_gym.wrappers.obs_layout import pick, stack
from safer_gym.wrappers.options import AdversaryOptions, complete
from safer_gym.wrappers.streams import peek_vec_env


class VecAdversary(VecEnvWrapper):
    """What the adversaries of a VecEnv share; see `VecObservationAdversary`."""

    channel: ClassVar[Channel] = "observation"

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
        self.engine = AdversaryEngine(
            self._space(),
            attack,
            self._victim_of(policy),
            venv.num_envs,
            chosen,
            self.channel,
            (venv.observation_space, venv.action_space),
        )

    def set_progress(self, progress: float) -> None:
        """Where the eps schedule stands, in [0, 1]."""
        self.engine.set_progress(progress)

    def set_policy(self, policy: Any) -> None:
        """Attack this policy from now on, e.g. a model that was made with this very venv."""
        self.engine.set_victim(self._victim_of(policy))

    def _victim_of(self, policy: Any) -> Any:
        raw = unwrap_vec_normalize(self.venv) is None
        return victim_of(policy, self.venv.observation_space, self.action_space, raw=raw)

    def _start(self, row: int, seed: int | None) -> None:
        self.engine.start(row, seed, lambda: peek_vec_env(self.venv, row))

    def _space(self) -> Any:
        """The space of what is moved in one environment."""
        return self.venv.observation_space


class VecObservationAdversary(VecAdversary):
    """`ObservationAdversary` over a whole SB3 `VecEnv`, one batched attack a step.

    Arguments and records are those of `ObservationAdversary`. `infos[i]["terminal_observation"]`
    is attacked as any other, and the record in `infos[i]` belongs to it; the record of the
    observation after the reset is in `reset_infos[i]`.

    Outside a VecNormalize it perturbs normalised observations, so raw units are then standard
    deviations; inside one it perturbs raw observations, and an SB3 model is seen through the
    VecNormalize that it was trained with.

    Environment i begins its random stream as a single `ObservationAdversary` would with the seed
    that `VecEnv.seed` gave to it.
    """

    def reset(self) -> Any:
        """Reset all environments; the first observations are attacked too."""
        seeds = list(getattr(self.unwrapped, "_seeds", [None] * self.num_envs))
        obs = self.venv.reset()
        self.reset_infos = [dict(info) for info in self.unwrapped.reset_infos]
        for row in range(self.num_envs):
            self._start(row, seeds[row])
        seen, records = self.engine.perturb(range(self.num_envs), obs, self.reset_infos)
        for row, record in enumerate(records):
            self.reset_infos[row] = {**self.reset_infos[row], INFO_KEY: record}
        return seen

    def step_async(self, actions: np.ndarray) -> None:
        """Hand the actions on; those that are not finite are refused."""
        self.engine.check_actions(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Attack what the environments show, the last observations of episodes included."""
        obs, rewards, dones, infos = self.venv.step_wait()
        self.engine.count_step()
        infos = [dict(info) for info in infos]
        final = np.flatnonzero(dones).tolist()
        if final:
            for row in final:
                self.reset_infos[row] = dict(self.unwrapped.reset_infos[row])
            self._perturb_final(final, infos)
        asked = [self.reset_infos[row] if dones[row] else infos[row] for row in range(len(infos))]
        seen, records = self.engine.perturb(range(self.num_envs), obs, asked)
        for row, record in enumerate(records):
            home = self.reset_infos if dones[row] else infos
            home[row] = {**home[row], INFO_KEY: record}
        return seen, rewards, dones, infos

    def _perturb_final(self, rows: list[int], infos: list[dict[str, Any]]) -> None:
        batch = stack([infos[row]["terminal_observation"] for row in rows])
        seen, records = self.engine.perturb(rows, batch, [infos[row] for row in rows])
        for k, row in enumerate(rows):
            infos[row]["terminal_observation"] = pick(seen, k)
            infos[row][INFO_KEY] = records[k]
            self._start(row, None)
