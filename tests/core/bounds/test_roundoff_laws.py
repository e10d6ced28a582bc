"""The enclosure holds what the ball's own check lets in, and what rounding makes of each layer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import Activation, Affine
from safer_gym.bounds.crown import crown
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.region import region_of
from safer_gym.bounds.rounding import layer_error

SEEDS = st.integers(0, 10**6)


def affine(generator: torch.Generator, inputs: int, outputs: int) -> Affine:
    weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((outputs, inputs), (outputs,))
    )
    return Affine(weight, bias)


@pytest.mark.parametrize("norm", NORMS)
def test_what_the_ball_accepts_is_enclosed(norm: str) -> None:
    """`LpBall.contains` tolerates a millionth of the radius; so must the bound."""
    ball, obs = LpBall.of(norm, 0.5), torch.zeros(1, 2, dtype=torch.float64)
    point = torch.tensor([[0.5 * (1 + 9e-7), 0.0]], dtype=torch.float64)
    assert bool(ball.contains(obs, point))
    layer = Affine(torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.zeros(1).double())
    box = crown([layer], region_of(obs, ball), 0.0)
    assert bool((box.upper >= point @ layer.weight.mT).all())
    assert bool((box.lower <= -point @ layer.weight.mT).all())


@given(SEEDS)
def test_computed_tanh_lies_within_its_error(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.randn(1, 64, generator=generator)
    exact, unit = torch.tanh(x.double()), 2.0**-24
    error = layer_error(Activation("tanh"), Enclosure(x.double(), x.double()), unit)
    assert bool(((torch.tanh(x).double() - exact).abs() <= error).all())
    assert bool((error >= unit * x.double().abs()).all())


@given(SEEDS)
def test_the_policys_own_copy_of_an_observation_is_in_its_region(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    obs = 1000 * torch.randn(4, 3, generator=generator, dtype=torch.float64)
    box = region_of(obs, LpBall.of("linf", 0.0), 2.0**-24).box
    copy = obs.float().double()
    assert bool(((box.lower <= copy) & (copy <= box.upper)).all())


SHAPES: dict[str, tuple[str, ...]] = {
    "one activation": ("affine", "bend", "affine"),
    "two affine layers in a row": ("affine", "affine", "bend", "affine"),
    "two activations": ("affine", "bend", "affine", "bend", "affine"),
}


@given(SEEDS, st.sampled_from(["relu", "tanh"]), st.sampled_from([1e-3, 0.05]), st.data())
def test_whatever_each_layer_rounds_to_is_enclosed(
    seed: int, name: str, unit: float, data: st.DataObject
) -> None:
    """Each layer's error has its full size at the input, and the sign that hurts most."""
    kinds = SHAPES[data.draw(st.sampled_from(sorted(SHAPES)))]
    generator = torch.Generator().manual_seed(seed)
    layers: list[Any] = [
        Activation(name) if kind == "bend" else affine(generator, 2, 2) for kind in kinds
    ]
    obs = torch.randn(1, 2, generator=generator, dtype=torch.float64)
    region = region_of(obs, LpBall.of("linf", 0.05))
    box = crown(layers, region, unit)
    x = region.low + (region.high - region.low) * torch.rand(20, 2, generator=generator).double()
    for row, sign in itertools.product(range(2), (-1.0, 1.0)):
        made = _worst(layers, x, unit, row, sign)[:, row]
        assert bool((made >= box.lower[:, row] - 1e-9).all())
        assert bool((made <= box.upper[:, row] + 1e-9).all())


def _worst(layers: list[Any], x: Tensor, unit: float, row: int, sign: float) -> Tensor:
    """What the layers compute if every error pushes one output one way."""
    none = [torch.zeros(()).double() for _ in layers]
    y, outs, errors = _computed(layers, x, none, unit)
    slopes = torch.autograd.grad(sign * y[:, row].sum(), outs)
    pushes = [slope.sign() * error for slope, error in zip(slopes, errors, strict=True)]
    return _computed(layers, x, pushes, unit)[0].detach()


def _computed(
    layers: list[Any], x: Tensor, pushes: list[Tensor], unit: float
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    value, outs, errors = x.clone().requires_grad_(), [], []
    for layer, push in zip(layers, pushes, strict=True):
        here = value.detach()
        errors.append(layer_error(layer, Enclosure(here, here), unit))
        value = value @ layer.weight.mT + layer.bias if isinstance(layer, Affine) else layer(value)
        value = value + push
        outs.append(value)
    return value, outs, errors
