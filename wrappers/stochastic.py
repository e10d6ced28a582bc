"""A policy that draws its actions, in the very parts that a bound over every adversary reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from safer_gym.bounds import NotCoveredError, PolicyLayers, with_constant_noise
from safer_gym.types import Victim
from safer_gym.wrappers.policy_layers import policy_layers

Finish = Callable[[Tensor], Tensor]
"""From a draw [B, A], in the units in which the noise is added, to an action of the environment."""


@dataclass(frozen=True)
class StochasticPolicy:
    """finish(mean(s) + scale(s) noise).

    Args:
        layers: the network, its mean and its scale.
        finish: what follows the draw: clipping, tanh, rescaling. It knows nothing of the
            observation, and so never raises a divergence.
    """

    layers: PolicyLayers
    finish: Finish

    def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions [B, A] in the environment's units at `obs` [B, *O]."""
        mean, scale = self.layers.distribution(obs)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        if scale.dim() == mean.dim() + 1:
            moved = (scale @ noise.unsqueeze(-1)).squeeze(-1)
        else:
            moved = scale * noise
        return self.finish(mean + moved)

    def victim(self) -> Victim:
        """What attacks need: the action without noise, and the distribution; no critics."""
        return Victim(
            lambda obs: self.finish(self.layers.mean(obs)).to(obs),
            distribution=self.layers.distribution,
        )


def stochastic_policy(
    policy: Any, *, noise: Any = None, vec_normalize: VecNormalize | None = None
) -> StochasticPolicy:
    """The stochastic policy of a model of this package or of Stable-Baselines3.

    It draws what `model.predict(obs, deterministic=False)` draws.

    Args:
        policy: a model or its policy, or a `StochasticPolicy`, returned as it is.
        noise: deviations of a constant Gaussian noise to use instead of the policy's own, a number
            or one for each action, in the units in which the policy adds noise. It makes another
            policy, which somebody must then deploy; a deterministic one gets a bound in this way.
        vec_normalize: frozen statistics that raw observations go through first.

    Raises:
        NotCoveredError: deterministic policies without `noise`, and whatever `policy_layers`
            refuses.
    """
    if isinstance(policy, StochasticPolicy):
        return policy
    layers = policy_layers(policy, vec_normalize=vec_normalize)
    if noise is not None:
        layers = with_constant_noise(layers, noise)
    if layers.is_deterministic:
        raise NotCoveredError(
            "a deterministic policy",
            "an observation moved a little moves its action surely, so that every divergence is "
            "infinite; give it action noise, or smooth its observations",
        )
    model = getattr(policy, "policy", policy)
    if not isinstance(model, BaseModel):
        raise NotCoveredError(
            f"a policy of type {type(model).__name__}",
            "what follows its draw is not known; pass a StochasticPolicy",
        )
    return StochasticPolicy(layers, _finish(model))


def _finish(policy: BaseModel) -> Finish:
    box = policy.action_space
    assert isinstance(box, spaces.Box)
    low, high = (torch.as_tensor(bound).flatten().float() for bound in (box.low, box.high))

    def unscaled(unit: Tensor) -> Tensor:
        return low.to(unit) + (unit + 1.0) * (0.5 * (high - low)).to(unit)

    if isinstance(policy, ActorCriticPolicy):
        return lambda drawn: torch.clamp(drawn, low.to(drawn), high.to(drawn))
    if hasattr(getattr(policy, "actor", policy), "latent_pi"):
        return lambda drawn: unscaled(torch.tanh(drawn))
    return lambda drawn: unscaled(drawn.clamp(-1.0, 1.0))
