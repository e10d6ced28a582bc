"""A policy behind a shield: one with a memory, which every door takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.types import Victim
from safer_gym.wrappers.policies.recurrent import Step as Answer
from safer_gym.wrappers.policies.view import view_of
from safer_gym.wrappers.shield.shield import Shield, Step


class ShieldedPolicy:
    """Acts as `policy` does wherever the shield lets it.

        policy = ShieldedPolicy(model, shield)
        action, state = policy.predict(obs, state)

    Its state is the box of states that fit the model and all that was shown. Attacks see through
    it: the gradient of its action is that of the policy inside, as if the shield let it act.

    Args:
        policy: whatever `as_victim` takes, without a memory of its own.
        shield: the filter.
        action_space, observation_space: of the environment, where the policy states none.

    Raises:
        ValueError: a policy with a memory.
    """

    def __init__(
        self,
        policy: Any,
        shield: Shield,
        *,
        action_space: Any = None,
        observation_space: Any = None,
    ) -> None:
        self.view = view_of(getattr(policy, "policy_view", lambda: policy)())
        self.shield = shield
        self.observation_space = self.view.observation_space or observation_space
        self.action_space = self.view.action_space or action_space
        self.inner: Victim = self.view.victim()
        if self.inner.memory.size:
            raise ValueError("a shield takes policies without a memory of their own")

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The filtered action, and what is known of the next state.

        Args:
            observation: [*O] or [B, *O].
            state: what it returned before; None where an episode begins.
            episode_start: which rows begin an episode [B].
            deterministic: has no effect: the policy inside acts without noise.
        """
        shape = None if self.observation_space is None else self.observation_space.shape
        obs = torch.as_tensor(np.asarray(observation, dtype=np.float32))
        alone = obs.shape == shape if shape is not None else obs.dim() == 1
        obs = obs.unsqueeze(0) if alone else obs
        prior = self.shield.begin(len(obs)) if state is None else torch.as_tensor(state).double()
        if episode_start is not None:
            starts = torch.as_tensor(np.broadcast_to(episode_start, len(obs)).copy()).bool()
            prior = torch.where(starts.unsqueeze(1), self.shield.begin(len(obs)), prior)
        step = self.step(obs, prior)
        action = step.action.numpy().astype(np.float32)
        return action[0] if alone else action, step.prior.numpy()

    def step(self, obs: Tensor, prior: Tensor) -> Step:
        """The shield's step at observations [B, *O], with all that it says."""
        with torch.no_grad():
            return self.shield.step(obs, self.inner.action(obs), prior)

    def answer(self, obs: Tensor, state: Tensor | None) -> Answer:
        """What attacks read: the filtered action with the gradient of the policy inside."""
        prior = self.shield.begin(len(obs)) if state is None else torch.as_tensor(state).double()
        task = self.inner.action(obs)
        step = self.shield.step(obs, task.detach(), prior)
        # float32, as it is sent
        moved = step.action.to(torch.float32).to(task)
        return Answer(moved.detach() + (task - task.detach()), step.prior)

    @property
    def critics(self) -> tuple[Any, Any]:
        """Those of the policy inside, of observations: q_reward and q_cost."""
        return self.inner.q_reward, self.inner.q_cost
