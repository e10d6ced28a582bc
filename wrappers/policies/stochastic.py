"""A policy that draws its actions, in the very parts that a bound over every adversary reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.bounds import (
    ORDERS,
    Affine,
    Enclosure,
    GaussianEnclosure,
    Layers,
    NotCoveredError,
    OptionLayers,
    PolicyLayers,
    Steps,
    enclose_mean,
    enclose_policy,
    mean_shift,
    renyi_shift,
    tv_shift,
    with_constant_noise,
)
from safer_gym.domains import POSITIVE, require
from safer_gym.types import Victim
from safer_gym.wrappers.policies.choosing import ChoosingPolicy
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.noisy_actions import NoisyActions
from safer_gym.wrappers.policies.normaliser import Normaliser
from safer_gym.wrappers.policies.view import PolicyView

Finish = Callable[[Tensor], Tensor]
"""From a draw [B, A], in the units in which the noise is added, to an action of the environment."""


@dataclass(frozen=True)
class Clipped:
    """A draw in the environment's units, clipped to the box [A]."""

    low: Tensor
    high: Tensor

    @property
    def unit(self) -> Tensor:
        """What a unit of the draw is in the environment's."""
        return torch.ones_like(self.low)

    @property
    def middle(self) -> Tensor:
        """Where the draw's zero is."""
        return torch.zeros_like(self.low)

    def __call__(self, drawn: Tensor) -> Tensor:
        return torch.clamp(drawn, self.low.to(drawn), self.high.to(drawn))


@dataclass(frozen=True)
class Unscaled:
    """A draw in halves of the box [A], clipped and brought into the environment's units."""

    low: Tensor
    high: Tensor

    @property
    def unit(self) -> Tensor:
        """What a unit of the draw is in the environment's."""
        return 0.5 * (self.high - self.low)

    @property
    def middle(self) -> Tensor:
        """Where the draw's zero is."""
        return 0.5 * (self.high + self.low)

    def __call__(self, drawn: Tensor) -> Tensor:
        return self.low.to(drawn) + (drawn.clamp(-1.0, 1.0) + 1.0) * self.unit.to(drawn)


@dataclass(frozen=True)
class StochasticPolicy:
    """finish(mean(s) + scale(s) noise).

    Args:
        layers: the network, its mean and its scale.
        finish: what follows the draw: clipping, tanh, rescaling. It knows nothing of the
            observation, and so never raises a divergence.
        makes_noise: whether its noise is on request, and not that of the policy inside.
    """

    layers: PolicyLayers
    finish: Finish
    makes_noise: bool = False

    def on_actions(self) -> NoisyActions | None:
        """The noise as noise on the action itself; None where it goes through tanh, or where
        nobody knows what follows the draw."""
        finish = self.finish
        if not isinstance(finish, (Clipped, Unscaled)):
            return None

        def deviation(obs: Tensor) -> Tensor:
            scale = self.layers.distribution(obs).scale
            unit = finish.unit.to(scale)
            return scale * (unit.unsqueeze(-1) if scale.dim() == 3 else unit)

        def mean(obs: Tensor) -> Tensor:
            found = self.layers.mean(obs)
            return found * finish.unit.to(found) + finish.middle.to(found)

        return NoisyActions(mean, deviation)

    @property
    def orders(self) -> tuple[float, ...]:
        """Of Renyi divergences; with constant noise one column of squared shifts."""
        return (math.inf,) if self.layers.has_constant_noise else ORDERS

    def steps(self, obs: Tensor, ball: LpBall) -> Steps:
        """What an adversary can do at each of `obs` [T, *O]."""
        benign = self.layers.distribution(obs)
        if not self.layers.has_constant_noise:
            enclosure = enclose_policy(self.layers, obs, ball)
            return Steps(renyi_shift(enclosure, benign), tv_shift(enclosure, benign))
        mean, scale = enclose_mean(self.layers, obs, ball), benign.scale.double()
        shift = mean_shift(mean, benign.mean, benign.scale)
        still = GaussianEnclosure(mean, Enclosure(scale, scale))
        return Steps(shift.square().unsqueeze(-1), tv_shift(still, benign))

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


EnclosedPolicy = StochasticPolicy | ChoosingPolicy
"""Policies that draw by a network which bounds enclose."""


def stochastic_policy(
    policy: Any, *, vec_normalize: VecNormalize | Normaliser | None = None
) -> EnclosedPolicy:
    """The stochastic policy of a model of this package or of Stable-Baselines3.

    It draws what `model.predict(obs, deterministic=False)` draws.

    Args:
        policy: a model or its policy, or a policy of this kind, returned as it is.
        vec_normalize: frozen statistics that raw observations go through first.

    Raises:
        NotCoveredError: deterministic policies (see `noisy_policy`), and whatever `policy_layers`
            refuses.
    """
    if isinstance(policy, PolicyView) and isinstance(policy.inner, EnclosedPolicy):
        policy = policy.inner
    if isinstance(policy, EnclosedPolicy):
        return policy
    layers = policy_layers(policy, vec_normalize=vec_normalize)
    if isinstance(layers, OptionLayers):
        return ChoosingPolicy.drawing(layers)
    policy = policy.inner if isinstance(policy, PolicyView) else policy
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
    return StochasticPolicy(layers, _finish(model, layers))


def noisy_policy(
    policy: Any, std: Any, *, vec_normalize: VecNormalize | Normaliser | None = None
) -> StochasticPolicy:
    """The deterministic action plus Gaussian noise of constant deviations, clipped to the box.

    It is what one deploys as `clip(model.predict(obs, deterministic=True)[0] + std * noise)`, with
    noise fresh at every step: another policy than the model's own stochastic one, and with the
    tightest bound, since equal covariances allow the Gaussian filter.

    Args:
        policy: a model of this package or of Stable-Baselines3, its policy, or a torch module of
            plain layers, whose outputs are actions.
        std: a number or one for each action, in the environment's units.
        vec_normalize: as `stochastic_policy`.

    Raises:
        ValueError: std that is not positive, not finite, or of another shape.
        NotCoveredError: whatever `policy_layers` refuses.
    """
    layers = policy_layers(policy, vec_normalize=vec_normalize)
    if isinstance(layers, OptionLayers):
        raise NotCoveredError(
            f"action noise on {layers.describe}", "Gaussian noise is added to continuous actions"
        )
    policy = policy.inner if isinstance(policy, PolicyView) else policy
    model = getattr(policy, "policy", policy)
    if not isinstance(model, BaseModel):
        if not isinstance(model, nn.Module):
            raise NotCoveredError(
                f"action noise on a policy of type {type(model).__name__}",
                "the units of its action are not known",
            )
        return StochasticPolicy(with_constant_noise(layers, std), lambda drawn: drawn, True)
    low, high = _box(model)
    if not bool(torch.isfinite(high - low).all()):
        return StochasticPolicy(with_constant_noise(layers, std), Clipped(low, high), True)
    middle, half = (high + low) / 2, (high - low) / 2
    deviations = torch.as_tensor(std, dtype=torch.float64).expand(layers.action_dim)
    layers = with_constant_noise(layers, deviations / half)
    if isinstance(model, ActorCriticPolicy):
        layers = replace(layers, layers=_in_units(layers.layers, middle, half))
    squash = "tanh" if layers.squash == "tanh" or layers.tanh_follows else "clip"
    layers = replace(layers, squash=squash, tanh_follows=False)
    return StochasticPolicy(layers, Unscaled(low, high), True)


def softmax_policy(
    policy: Any,
    temperature: float = 1.0,
    *,
    vec_normalize: VecNormalize | Normaliser | None = None,
) -> ChoosingPolicy:
    """The policy that draws options by the softmax of its scores over `temperature` (Boltzmann).

    Of a greedy policy, such as a DQN, it is another policy, for which there are bounds over every
    adversary; it has to be deployed as it was certified, with a fresh draw at every step.

    Args:
        policy: a model of Stable-Baselines3 with discrete actions, a view of a module that gives
            scores, or `OptionLayers`.
        temperature: scores are divided by it.
        vec_normalize: as `stochastic_policy`.

    Raises:
        ValueError, TypeError: a temperature that is not a positive number.
        NotCoveredError: continuous actions, and whatever `policy_layers` refuses.
    """
    require(POSITIVE, temperature=temperature)
    layers = _scores(policy, vec_normalize)
    *first, last = layers.layers
    assert isinstance(last, Affine)
    scaled = Affine(last.weight / float(temperature), last.bias / float(temperature))
    describe = f"{layers.describe}, drawn at temperature {temperature:g}"
    return ChoosingPolicy(replace(layers, layers=(*first, scaled), draws=True, describe=describe))


def greedy_policy(
    policy: Any, *, vec_normalize: VecNormalize | Normaliser | None = None
) -> ChoosingPolicy:
    """The policy that takes the option of the best score, as one with a bound over every adversary.

    Nothing is drawn, so that an adversary either changes the option of a step or does nothing. A
    certificate speaks of it as of the stochastic policy: that is the mode which has such bounds.

    Args:
        policy, vec_normalize: as `softmax_policy`.

    Raises:
        NotCoveredError: continuous actions, and whatever `policy_layers` refuses.
    """
    layers = _scores(policy, vec_normalize)
    return ChoosingPolicy(replace(layers, draws=False, describe=f"{layers.describe}, greedy"))


def _scores(policy: Any, vec_normalize: VecNormalize | Normaliser | None) -> OptionLayers:
    if isinstance(policy, ChoosingPolicy):
        return policy.layers
    layers = policy_layers(policy, vec_normalize=vec_normalize)
    if not isinstance(layers, OptionLayers):
        raise NotCoveredError(f"the options of {layers.describe}", "its actions are continuous")
    return layers


def _finish(policy: BaseModel, layers: PolicyLayers) -> Finish:
    low, high = _box(policy)
    if isinstance(policy, ActorCriticPolicy):
        return Clipped(low, high)
    finish = Unscaled(low, high)
    if layers.tanh_follows:
        return lambda drawn: finish(torch.tanh(drawn))
    return finish


def _box(policy: BaseModel) -> tuple[Tensor, Tensor]:
    box = policy.action_space
    assert isinstance(box, spaces.Box)
    low, high = (torch.as_tensor(bound).flatten().float() for bound in (box.low, box.high))
    return low, high


def _in_units(layers: Layers, middle: Tensor, half: Tensor) -> Layers:
    """The network's outputs, actions of the environment, in halves of its box."""
    *first, last = layers
    assert isinstance(last, Affine)
    weight, bias = last.weight / half.to(last.weight)[:, None], (last.bias - middle.to(last.bias))
    return (*first, Affine(weight, bias / half.to(bias)))
