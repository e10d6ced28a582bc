"""Environments in a process of their own, which gathers the next rollout during the updates."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from safer_gym.agents.overlap.collector import SEEDS, Collector, Step, order_of
from safer_gym.agents.overlap.remote import Remote


class AheadVecEnv(VecEnv):
    """Collect beside the updates: `make_vec_env(env, n_envs=20, vec_env_cls=AheadVecEnv)`.

    For CVPO, SAFER and SACLagrangian. A second process, with one thread, holds the environments and
    a copy of the agent. While the agent updates, the copy gathers the next rollout (`train_freq`
    steps in each environment, attacks during collection included) by the weights from before these
    updates: the data are one round of updates older than without. The agent then takes the recorded
    steps as if they happened now. The same seed gives the same training, however long either side
    takes.

    It is started by "spawn": a script needs `if __name__ == "__main__":`. The wrappers belong into
    `env_fns`; to step the environments from outside an agent is not possible.

    Args:
        env_fns: make the environments, in the other process; pickled by cloudpickle.

    Raises:
        RuntimeError: an error in the other process, with its traceback; or it has ended.
    """

    def __init__(self, env_fns: Sequence[Callable[[], gym.Env]]) -> None:
        self._collector = Remote(Collector)
        self._steps: deque[Step] = deque()  # gathered and not yet taken
        self._now: Step | None = None  # acted, and not yet stepped
        self._gathering = False
        self._has_copy_of: Callable[[], Any] = lambda: None
        try:
            spaces = self._ask("build", cloudpickle.dumps(list(env_fns)))
            super().__init__(len(env_fns), *spaces)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------ for the agent

    def gather(self, agent: OffPolicyAlgorithm) -> None:
        """Have the next rollout gathered, by `agent` as it is now; does not wait."""
        self._settle()
        seed = int(torch.randint(SEEDS, ()))
        anew = self._has_copy_of() is not agent
        self._collector.send("gather", order_of(agent, seed, anew=anew))
        self._gathering, self._has_copy_of = True, weakref.ref(agent)

    def act(self, agent: OffPolicyAlgorithm) -> Step:
        """What the agent did at the next step, whose result `step` then gives.

        Waits for the rollout that is being gathered; if there is none, `agent` gathers one now.
        """
        if not self._steps:
            if not self._gathering:
                self.gather(agent)
            self._settle()
        self._now = self._steps.popleft()
        return self._now

    # ------------------------------------------------------------------ as a VecEnv

    def reset(self) -> Any:
        """Begin new episodes; what was gathered and not yet taken is dropped."""
        self._settle()
        self._steps.clear()
        obs, self.reset_infos = self._ask("reset", self._seeds, self._options)
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        """Raises ValueError for any but the recorded actions."""
        if self._now is None or not np.array_equal(actions, self._now.actions):
            raise ValueError(
                "AheadVecEnv repeats the steps that CVPO, SAFER or SACLagrangian took in its other "
                "process; other actions cannot be taken. Use DummyVecEnv or SubprocVecEnv."
            )

    def step_wait(self) -> Any:
        assert self._now is not None
        result, self._now = self._now.result, None
        return result

    def close(self) -> None:
        """End the other process; a rollout that is being gathered is given up."""
        self._collector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return self._ask("call", "get_attr", attr_name, indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        self._ask("call", "set_attr", attr_name, value, indices)

    def has_attr(self, attr_name: str) -> bool:
        return self._ask("call", "has_attr", attr_name)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        return self._ask(
            "call", "env_method", method_name, *method_args, indices=indices, **method_kwargs
        )

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Any = None) -> list[bool]:
        return self._ask("call", "env_is_wrapped", wrapper_class, indices)

    def get_images(self) -> Sequence[np.ndarray | None]:
        return self._ask("call", "get_images")

    # ------------------------------------------------------------------ the other process

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self._settle()
        self._collector.send(method, *args, **kwargs)
        return self._collector.receive()

    def _settle(self) -> None:
        """Take in the rollout that is being gathered."""
        if not self._gathering:
            return
        try:
            self._steps.extend(self._collector.receive())
        except RuntimeError:
            self._gathering, self._has_copy_of = False, lambda: None  # it may be half made
            raise
        self._gathering = False


def require_fit(agent: Any) -> None:
    """Refuse what an AheadVecEnv cannot serve; any other environment passes.

    Raises:
        ValueError: names the argument.
    """
    env, every = agent.env, agent.train_freq
    if env is None or not isinstance(env.unwrapped, AheadVecEnv):
        return
    if isinstance(env, VecEnvWrapper):
        raise ValueError(
            f"env must be the AheadVecEnv itself; got one inside {type(env).__name__}, which the "
            "other process does not have (images with the channels last get one, too). Wrap each "
            "environment in env_fns."
        )
    if isinstance(every, TrainFreq) and every.unit != TrainFrequencyUnit.STEP:
        raise ValueError(
            f"train_freq must be in steps with an AheadVecEnv; got {every.frequency} episodes."
        )
    if agent.gradient_steps == 0:
        raise ValueError("gradient_steps must not be 0 with an AheadVecEnv: nothing to overlap.")
    if agent.action_noise is not None:
        raise ValueError(
            f"action_noise must be None with an AheadVecEnv; got {agent.action_noise!r}."
        )
