"""A policy behind observation noise: what makes a deterministic policy certifiable.

Every observation, tampered with or not, gets fresh Gaussian noise before the policy reads it.
`safer_gym.bounds.smoothing` says what no adversary can do to it. It is another policy than the
one inside: its benign episodes have to be run with the noise, and it has to be deployed with it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.smoothing import smoothing_bound, smoothing_shift
from safer_gym.bounds.steps import Steps, shifted
from safer_gym.domains import NOT_NEGATIVE, SEED, require, require_array
from safer_gym.types import Victim
from safer_gym.wrappers.policies.view import PolicyView, view_of


class SmoothedPolicy:
    """action(obs + noise_std * noise), with noise ~ N(0, I) fresh at every step.

    Args:
        policy: whatever `as_victim` takes. Its action must depend on the present observation
            alone.
        noise_std: deviation of the noise in units of the observation, a number or one for each
            dimension.
        seed: of the noise that `predict` draws; None takes a fresh one.

    Raises:
        ValueError: noise_std negative or zero everywhere.
        ValueError: a recurrent policy.
    """

    def __init__(self, policy: Any, noise_std: ArrayLike, *, seed: int | None = None) -> None:
        require_array(NOT_NEGATIVE, noise_std=noise_std)
        require(SEED.or_none, seed=seed)
        self.noise_std = torch.as_tensor(np.asarray(noise_std, dtype=np.float64))
        if not bool(self.noise_std.any()):
            raise ValueError(f"noise_std must not be zero everywhere; got {noise_std!r}")
        self.inside = view_of(policy)
        """The policy inside, with its normaliser."""
        self.base: Victim = self.inside.victim()
        """Without noise: what an adversary may know and differentiate."""
        self._generator = torch.Generator()
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def policy_view(self) -> PolicyView:
        """The policy inside, which acts with noise."""
        return replace(self.inside, draw=self.draw)

    def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions [B, A] at observations [B, *O]; each row has noise of its own."""
        noise = torch.randn(obs.shape, generator=generator, dtype=torch.float64)
        noisy = obs.double() + self.noise_std * noise.to(obs.device)
        return self.base.action(noisy.to(obs.dtype))

    def predict(
        self,
        observation: NDArray,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray, Any]:
        """As Stable-Baselines3's, for a batch [B, *O]. Always with noise."""
        with torch.no_grad():
            actions = self.draw(torch.as_tensor(np.asarray(observation)), self._generator)
        return actions.cpu().numpy(), state

    @property
    def orders(self) -> tuple[float, ...]:
        """Constant noise: budgets of squared shifts."""
        return (math.inf,)

    def steps(self, obs: Tensor, ball: LpBall) -> Steps:
        """What an adversary can do at each of `obs` [T, *O]."""
        size = self.shift(ball, tuple(obs.shape[1:]))
        return shifted(torch.full((len(obs),), size).double())

    def shift(self, ball: LpBall, shape: tuple[int, ...]) -> float:
        """The size of one step of the attack on observations of this shape."""
        return smoothing_shift(ball, self.noise_std, shape)

    def bound(self, p: float, ball: LpBall, shape: tuple[int, ...], steps: int) -> float:
        """P(E) of an episode of at most `steps` steps under every adversary, from its benign p."""
        return smoothing_bound(p, ball, self.noise_std, shape, steps)
