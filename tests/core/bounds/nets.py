"""Random networks and samples for the tests of bounds."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import Activation, Affine, Enclosure, Layers, evaluate
from safer_gym.bounds.interval import interval_step

RELU, TANH, LEAKY = Activation("relu"), Activation("tanh"), Activation("leaky_relu", 0.2)
ACTIVATIONS = (RELU, TANH, LEAKY)


def network(
    seed: int,
    widths: tuple[int, ...],
    activation: Activation = RELU,
    gain: float = 1.5,
    dtype: torch.dtype = torch.float64,
) -> list[Affine | Activation]:
    """Affine layers with `activation` between them."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[Affine | Activation] = []
    for inputs, outputs in pairwise(widths):
        weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=generator)
        bias = torch.randn(outputs, dtype=torch.float64, generator=generator)
        layers += [Affine((gain * weight / inputs**0.5).to(dtype), bias.to(dtype) / 2), activation]
    return layers[:-1]


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).to(dtype)


def outputs_around(layers: Layers, obs: Tensor, ball: LpBall, n: int, seed: int = 0) -> Tensor:
    """Outputs [B, n, A] at uniform samples, and at the ends of every axis of the ball."""
    generator = torch.Generator().manual_seed(seed)
    many = obs.repeat_interleave(n, 0)
    far = ball.ascent_direction(torch.randn(many.shape, generator=generator).to(many))
    kinds = [ball.sample(many, generator), ball.project(many, many + far)]
    return torch.cat([evaluate(layers, x).view(len(obs), n, -1) for x in kinds], dim=1)


def holds(box: Enclosure, values: Tensor) -> bool:
    """Whether values [B, n, A] lie in the boxes [B, A]."""
    lower, upper = (end.unsqueeze(1) for end in box)
    return bool(((values >= lower) & (values <= upper)).all())


def interval_bounds(layers: Layers, box: Enclosure) -> Enclosure:
    """The network's output over a box of inputs, layer by layer (IBP)."""
    for layer in layers:
        box = interval_step(layer, box)
    return box
