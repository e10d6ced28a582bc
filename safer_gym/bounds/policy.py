"""Gaussian policies as bounds see them: one network, two heads, boxes for mean and deviation.

A bound speaks about one policy. `PolicyLayers` says which: with `scale` it is the stochastic
policy N(mean(s), scale(s)) as trained; `with_constant_noise` makes the policy
N(mean(s), std^2) of it, which somebody must then deploy; without either it is deterministic.
What follows the draw (clipping, tanh, rescaling to the environment's units) is post-processing:
it never raises a divergence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.enclosure import enclose
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.heads import ScaleHead
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Affine, Layers, affine_layers, evaluate, unit_roundoff
from safer_gym.choices import choose
from safer_gym.domains import POSITIVE, require_array
from safer_gym.types import Gaussian

SQUASHES = ("identity", "tanh", "clip")
_ULPS = 16.0
"""Round-off of the heads' elementwise functions, in units of round-off of the values."""


@dataclass(frozen=True)
class PolicyLayers:
    """A policy network of a flat observation.

    Args:
        layers: from observations [B, *O] to raw outputs [B, R]: the mean's `action_dim` numbers,
            then what `scale` reads.
        action_dim: A.
        squash: what the mean goes through before noise is added: "identity", "tanh" or "clip", to
            [-1, 1].
        scale: from raw outputs [B, R - A] to standard deviations [B, A] or Cholesky factors
            [B, A, A]; every entry non-decreasing in every input. Or the constant deviations
            themselves. None: a deterministic policy.
        describe: which policy this is, in words.
        tanh_follows: whether what is drawn goes through tanh, as in SAC. It knows nothing of the
            observation, and so never raises a divergence.
    """

    layers: Layers
    action_dim: int
    squash: str = "identity"
    scale: ScaleHead | Tensor | None = None
    describe: str = "the policy"
    tanh_follows: bool = False

    def __post_init__(self) -> None:
        choose("squash", self.squash, SQUASHES)
        outputs = len(affine_layers(self.layers)[-1].bias)
        needed = self.action_dim + (0 if self.scale is None or self.has_constant_noise else 1)
        if outputs < needed:
            raise ValueError(f"layers must give at least {needed} numbers; they give {outputs}")

    @property
    def is_deterministic(self) -> bool:
        """No noise at all: every divergence between two actions is infinite."""
        return self.scale is None

    @property
    def has_constant_noise(self) -> bool:
        """The deviations do not depend on the observation: the Gaussian filter applies."""
        return isinstance(self.scale, Tensor)

    def decode(self, raw: Tensor) -> Gaussian:
        """Mean [B, A] and scale of raw outputs [B, R].

        Raises:
            NotCoveredError: the policy is deterministic.
        """
        if self.scale is None:
            raise NotCoveredError(
                "a deterministic policy",
                "it has no action noise to bound a divergence with; deploy it with "
                "`with_constant_noise` or behind observation smoothing",
            )
        mean = self.decode_mean(raw)
        if isinstance(self.scale, Tensor):
            return Gaussian(mean, self.scale.to(mean).expand(len(mean), *self.scale.shape))
        return Gaussian(mean, self.scale(raw[:, self.action_dim :]))

    def decode_mean(self, raw: Tensor) -> Tensor:
        """Mean [B, A] of raw outputs [B, R]."""
        mean = raw[:, : self.action_dim]
        if self.squash == "tanh":
            return torch.tanh(mean)
        return mean.clamp(-1.0, 1.0) if self.squash == "clip" else mean

    def distribution(self, obs: Tensor) -> Gaussian:
        """The policy's distribution at obs [B, *O], in the dtype of the layers."""
        return self.decode(self._raw(obs))

    def mean(self, obs: Tensor) -> Tensor:
        """The policy's mean action [B, A] at obs [B, *O], before any clipping."""
        return self.decode_mean(self._raw(obs))

    def _raw(self, obs: Tensor) -> Tensor:
        return evaluate(self.layers, obs.to(affine_layers(self.layers)[0].weight))


class GaussianEnclosure(NamedTuple):
    """Boxes for mean and scale of a policy over the balls around a batch of observations."""

    mean: Enclosure
    """[B, A]"""
    scale: Enclosure
    """[B, A] or, entry by entry of the Cholesky factor, [B, A, A]"""


def enclose_policy(
    policy: PolicyLayers, obs: Tensor, ball: LpBall, *, cuts: int | None = None
) -> GaussianEnclosure:
    """Boxes for mean and scale over the ball around each observation [B, *O], in one pass.

    Raises:
        NotCoveredError: the policy is deterministic; `enclose_mean` still works.
        ValueError: see `enclose`.
    """
    raw = enclose(policy.layers, obs, ball, cuts=cuts)
    scale = Enclosure(policy.decode(raw.lower).scale, policy.decode(raw.upper).scale)
    if policy.scale is not None and not isinstance(policy.scale, Tensor):
        scale = _outward(scale, unit_roundoff(policy.layers), policy.scale.size)
    return GaussianEnclosure(_mean_box(policy, raw), scale)


def enclose_mean(
    policy: PolicyLayers, obs: Tensor, ball: LpBall, *, cuts: int | None = None
) -> Enclosure:
    """A box [B, A] for the mean action over the ball around each observation [B, *O]."""
    return _mean_box(policy, enclose(_mean_layers(policy), obs, ball, cuts=cuts))


def with_constant_noise(policy: PolicyLayers, std: Any) -> PolicyLayers:
    """The policy that draws from N(mean(s), std^2) whatever s: a number or one for each action.

    Raises:
        ValueError: std not positive, not finite, or of another shape.
    """
    require_array(POSITIVE, std=std)
    deviations = torch.as_tensor(std, dtype=torch.float64).expand(policy.action_dim).clone()
    return replace(
        policy,
        layers=_mean_layers(policy),
        scale=deviations,
        describe=f"the mean of {policy.describe} with constant noise {deviations.tolist()}",
    )


def _mean_layers(policy: PolicyLayers) -> Layers:
    """The network without the rows of the scale head."""
    last = max(i for i, layer in enumerate(policy.layers) if isinstance(layer, Affine))
    head = affine_layers(policy.layers)[-1]
    kept = Affine(head.weight[: policy.action_dim], head.bias[: policy.action_dim])
    return (*policy.layers[:last], kept, *policy.layers[last + 1 :])


def _mean_box(policy: PolicyLayers, raw: Enclosure) -> Enclosure:
    box = Enclosure(policy.decode_mean(raw.lower), policy.decode_mean(raw.upper))
    return box if policy.squash == "identity" else _outward(box, unit_roundoff(policy.layers))


def _outward(box: Enclosure, unit: float, size: float = 0.0) -> Enclosure:
    lower, upper = (_ULPS * unit * (end.abs() + size) for end in box)
    return Enclosure(box.lower - lower, box.upper + upper)
