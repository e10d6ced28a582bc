"""The environments as an on-policy learner sees them: attacked, and remembered for the critics."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from safer_gym.agents.data.signals import read
from safer_gym.agents.finite import NotFiniteError
from safer_gym.agents.ppo_lagrangian.policies import ActorValuePolicy


class Collector(VecEnvWrapper):
    """Shows the agent what its attacker makes of each observation, and stores what is true.

    Rollouts hold what the policy saw (Algorithm 5); the agent's replay buffer holds the clean
    transitions, from which the attackers' critics learn.

    Args:
        venv: the agent's environments, just reset.
        agent: has `show`, `replay_buffer`, and Stable-Baselines3's `_last_obs`.
    """

    def __init__(self, venv: VecEnv, agent: Any) -> None:
        super().__init__(venv)
        self.agent = agent
        self._last_obs, self._last_original_obs = _apart(agent._last_obs), agent._last_original_obs
        self._vec_normalize_env = agent._vec_normalize_env
        self._warned: set[str] = set()
        self.costs = np.zeros(self.num_envs, np.float32)
        """Of the newest step, [E]."""

    def present(self) -> VecEnvObs:
        """The present observations, as the attacker shows them to the present policy."""
        return self.agent.show(self._last_obs)

    def reset(self) -> VecEnvObs:
        """As the environments do."""
        return self.venv.reset()

    def step_async(self, actions: np.ndarray) -> None:
        """Actions are in the environment's units."""
        keeps = self.agent.replay_buffer is not None
        self._actions = self.agent.policy.scale_action(actions) if keeps else actions
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """One step; also the last observations of ended episodes are attacked."""
        obs, rewards, dones, infos = self.venv.step_wait()
        try:
            self.agent._admit(obs, self._actions, rewards, dones, infos)
        except NotFiniteError:
            self.agent.num_timesteps += self.num_envs  # the refused step, for the message
            raise
        self.costs = read(self.agent.cost_signal, infos, self._warned)
        if self.agent.replay_buffer is not None:
            OffPolicyAlgorithm._store_transition(
                self,  # type: ignore[arg-type]  # has the three attributes that it reads
                self.agent.replay_buffer,
                self._actions,
                obs,  # type: ignore[arg-type]
                rewards,
                dones,
                infos,
            )
        self._last_obs = _apart(obs)
        return self.agent.show(obs), rewards, dones, self._shown_ends(obs, dones, infos)

    def _shown_ends(self, obs: Any, dones: np.ndarray, infos: Any) -> list[dict[str, Any]]:
        key = "terminal_observation"
        ended = [int(row) for row in np.flatnonzero(dones) if infos[row].get(key) is not None]
        if not ended or not self.agent.is_attacked:
            return infos
        shown = self.agent.show(replaced(obs, {row: infos[row][key] for row in ended}))
        return [
            {**info, key: row_of(shown, row)} if row in ended else info
            for row, info in enumerate(infos)
        ]


def _apart(obs: Any) -> Any:
    """A dict of its own: Stable-Baselines3's buffers reshape entries of the one they are given."""
    return dict(obs) if isinstance(obs, dict) else obs


def values_at_time_limits(
    policy: ActorValuePolicy, last_obs: Any, infos: list[dict[str, Any]], dones: np.ndarray
) -> np.ndarray:
    """V_c of the last states of the episodes that only the clock ended, [E]; else zero."""
    cut = {
        int(row): infos[row]["terminal_observation"]
        for row in np.flatnonzero(dones)
        if infos[row].get("TimeLimit.truncated") and "terminal_observation" in infos[row]
    }
    values = np.zeros(len(infos), dtype=np.float32)
    if cut:
        obs, _ = policy.obs_to_tensor(replaced(last_obs, cut))
        with torch.no_grad():
            found = policy.state_values(obs)[:, 1].cpu().numpy()
        values[list(cut)] = found[list(cut)]
    return values


def replaced(obs: Any, rows: dict[int, Any]) -> Any:
    """A copy of a batch of observations (or of a dict of them) with some rows replaced."""
    if isinstance(obs, dict):
        return {
            key: replaced(part, {row: new[key] for row, new in rows.items()})
            for key, part in obs.items()
        }
    copy = obs.copy()
    for row, new in rows.items():
        copy[row] = new
    return copy


def row_of(obs: Any, row: int) -> Any:
    """One observation of a batch."""
    return {key: part[row] for key, part in obs.items()} if isinstance(obs, dict) else obs[row]
