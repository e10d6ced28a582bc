"""Enclosures that learning differentiates: sound, and what the certificate will count."""

from __future__ import annotations

import pytest
import torch
from core.bounds.nets import ACTIVATIONS, RELU, TANH, holds, network, normal, outputs_around
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import Activation, Affine, Enclosure, PolicyLayers, enclose_mean, mean_shift
from safer_gym.bounds.live import live_mean_box, squared_shift
from safer_gym.bounds.modules import live_layers, sequential_layers

SQUASHES = ("identity", "tanh", "clip")
SCALE = torch.tensor([0.3, 0.5])


def policy(seed: int, activation: Activation = RELU, squash: str = "tanh") -> PolicyLayers:
    return PolicyLayers(network(seed, (4, 16, 16, 2), activation), 2, squash=squash)


def shift(found: PolicyLayers, obs: Tensor, eps: float, norm: str = "linf") -> Tensor:
    """m [B] as learning counts it."""
    box = live_mean_box(found, obs, LpBall.of(norm, eps))
    return squared_shift(box, found.mean(obs), SCALE).sqrt()


def certified(found: PolicyLayers, obs: Tensor, eps: float, norm: str = "linf") -> Tensor:
    """m [B] as a certificate counts it, without cuts of the ball."""
    box = enclose_mean(found, obs, LpBall.of(norm, eps), cuts=0)
    return mean_shift(box, found.mean(obs), SCALE)


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(NORMS),
    st.sampled_from([1e-4, 0.05, 0.5, 3.0]),
    st.booleans(),
)
def test_every_mean_in_the_ball_is_inside(
    seed: int, activation: Activation, norm: str, eps: float, cut: bool
) -> None:
    found, obs = policy(seed, activation, "identity"), normal(seed, 3, 4)
    ball = LpBall.of(norm, eps, **({"low": -0.4, "high": 0.7} if cut else {}))
    lower, upper = live_mean_box(found, obs, ball)
    reached = outputs_around(found.layers, obs, ball, 300, seed)
    assert holds(Enclosure(lower - 1e-12, upper + 1e-12), reached)


def test_a_box_that_is_too_small_is_noticed() -> None:
    found, obs, ball = policy(0, squash="identity"), normal(0, 20, 4), LpBall.of("linf", 0.05)
    lower, upper = live_mean_box(found, obs, ball)
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    reached = outputs_around(found.layers, obs, ball, 500)
    assert not holds(Enclosure(middle - 0.7 * half, middle + 0.7 * half), reached)


@given(st.integers(0, 10_000), st.sampled_from(ACTIVATIONS), st.sampled_from(SQUASHES))
def test_no_radius_is_no_shift(seed: int, activation: Activation, squash: str) -> None:
    found, obs = policy(seed, activation, squash), normal(seed, 5, 4)
    assert float(shift(found, obs, 0.0).max()) < 1e-6


@given(st.integers(0, 10_000), st.floats(1e-3, 2.0), st.floats(1.0, 4.0), st.sampled_from(NORMS))
def test_a_larger_radius_is_no_smaller_shift(seed: int, eps: float, more: float, norm: str) -> None:
    found = PolicyLayers(network(seed, (4, 16, 2)), 2, squash="tanh")
    obs = normal(seed, 5, 4)
    assert bool((shift(found, obs, more * eps, norm) >= shift(found, obs, eps, norm) - 1e-9).all())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 0.05, 0.5]), st.sampled_from(NORMS))
def test_it_is_the_shift_of_the_certificate(seed: int, eps: float, norm: str) -> None:
    """Of tanh, whose lines a certificate does not choose anew for each output."""
    found, obs = policy(seed, TANH), normal(seed, 8, 4)
    torch.testing.assert_close(
        shift(found, obs, eps, norm), certified(found, obs, eps, norm), rtol=1e-4, atol=1e-9
    )


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 0.01, 0.05]))
def test_of_other_networks_the_certificate_counts_no_more(seed: int, eps: float) -> None:
    found, obs = policy(seed), normal(seed, 8, 4)
    proved, learned = certified(found, obs, eps), shift(found, obs, eps)
    assert bool((proved <= (1 + 1e-4) * learned + 1e-9).all())
    assert float(learned.mean()) < 1.2 * float(proved.mean())


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.SiLU])
def test_gradients_reach_every_weight(activation: type[nn.Module]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), activation(), nn.Linear(16, 16), activation())
    net.append(nn.Linear(16, 2))
    found = PolicyLayers(live_layers(net), 2, squash="tanh")
    shift(found, normal(0, 32, 4, dtype=torch.float32), 0.1).sum().backward()
    for weight in (part.weight for part in net if isinstance(part, nn.Linear)):
        assert weight.grad is not None
        assert bool(torch.isfinite(weight.grad).all())
        assert bool(weight.grad.any())


def test_the_gradient_is_that_of_the_shift() -> None:
    obs, ball = normal(1, 3, 4), LpBall.of("linf", 0.05)
    layers = network(1, (4, 6, 2))
    first, last = (layer for layer in layers if isinstance(layer, Affine))

    def counted(weight: Tensor, bias: Tensor, scale: Tensor) -> Tensor:
        found = PolicyLayers([Affine(weight, bias), RELU, last], 2, squash="tanh")
        return squared_shift(live_mean_box(found, obs, ball), found.mean(obs), scale)

    learned = (first.weight, first.bias, SCALE.double())
    inputs = [part.clone().requires_grad_() for part in learned]
    assert torch.autograd.gradcheck(counted, inputs, atol=1e-4)


def test_no_radius_gives_finite_gradients() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    found = PolicyLayers(live_layers(net), 2, squash="tanh")
    obs = normal(0, 4, 4, dtype=torch.float32)
    box = live_mean_box(found, obs, LpBall.of("linf", 0.0))
    squared_shift(box, found.mean(obs), SCALE).sum().backward()
    assert all(bool(torch.isfinite(weight.grad).all()) for weight in net.parameters())


def test_a_network_that_also_gives_deviations_is_refused() -> None:
    found = PolicyLayers(network(0, (4, 8, 3)), 2, squash="tanh")
    with pytest.raises(ValueError, match="the 2 numbers of the mean alone; it gives 3"):
        live_mean_box(found, normal(0, 1, 4), LpBall.of("linf", 0.1))


def test_the_layers_of_a_certificate_carry_no_gradient() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    live, still = live_layers(net), sequential_layers(net)
    for moving, frozen in zip(live, still, strict=True):
        if isinstance(moving, Affine) and isinstance(frozen, Affine):
            assert moving.weight.requires_grad
            assert not frozen.weight.requires_grad
            torch.testing.assert_close(moving.weight, frozen.weight)
