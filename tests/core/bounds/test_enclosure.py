"""Enclosures hold every sample, whatever the network, the norm and the box."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import Activation, Affine, enclose, evaluate

ACTIVATIONS = (Activation("relu"), Activation("tanh"), Activation("leaky_relu", 0.2))


def network(seed: int, widths: tuple[int, ...], activation: Activation, gain: float = 1.5) -> list:
    generator = torch.Generator().manual_seed(seed)
    layers: list = []
    for inputs, outputs in pairwise(widths):
        weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=generator)
        bias = torch.randn(outputs, dtype=torch.float64, generator=generator)
        layers += [Affine(gain * weight / inputs**0.5, 0.5 * bias), activation]
    return layers[:-1]


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(NORMS),
    st.sampled_from([0.0, 1e-4, 0.05, 0.5, 3.0]),
    st.sampled_from([(3, 2), (3, 8, 2), (4, 16, 16, 2), (2, 6, 6, 6, 3)]),
    st.booleans(),
)
def test_every_sample_is_inside(
    seed: int, activation: Activation, norm: str, eps: float, widths: tuple[int, ...], cut: bool
) -> None:
    layers = network(seed, widths, activation)
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(3, widths[0], dtype=torch.float64, generator=generator)
    box = {"low": -0.4, "high": 0.7} if cut else {}
    ball = LpBall.of(norm, eps, **box)
    lower, upper = enclose(layers, obs, ball)
    points = ball.sample(obs.repeat_interleave(2000, 0), generator)
    values = evaluate(layers, points).view(3, 2000, -1)
    assert (values >= lower.unsqueeze(1)).all()
    assert (values <= upper.unsqueeze(1)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_affine_maps_are_exact(norm: str) -> None:
    layers = network(0, (5, 3), ACTIVATIONS[0])
    obs = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dual = {"l1": torch.inf, "l2": 2, "linf": 1}[norm]
    reach = 0.3 * torch.linalg.vector_norm(layers[0].weight, ord=dual, dim=1)
    lower, upper = enclose(layers, obs, LpBall.of(norm, 0.3))
    exact = evaluate(layers, obs)
    torch.testing.assert_close(upper, exact + reach, rtol=0, atol=5e-6)
    torch.testing.assert_close(lower, exact - reach, rtol=0, atol=5e-6)
