"""Enclosures hold every value that the network computes, and no more than they must."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from core.bounds.nets import (
    ACTIVATIONS,
    LEAKY,
    RELU,
    TANH,
    holds,
    interval_bounds,
    network,
    normal,
    outputs_around,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import Activation, Affine, Enclosure, Layers, crown, enclose, evaluate
from safer_gym.bounds import cuts as cuts_module
from safer_gym.bounds.cuts import bend
from safer_gym.bounds.network import in_float64
from safer_gym.bounds.region import region_of
from safer_gym.bounds.relaxations import Relaxation

WIDTHS = [(3, 2), (3, 8, 2), (4, 16, 16, 2), (2, 6, 6, 6, 3), (12, 5, 20, 1)]


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(NORMS),
    st.sampled_from([0.0, 1e-4, 0.05, 0.5, 3.0]),
    st.sampled_from(WIDTHS),
    st.booleans(),
    st.booleans(),
)
def test_every_sample_is_inside(
    seed: int,
    activation: Activation,
    norm: str,
    eps: float,
    widths: tuple[int, ...],
    cut: bool,
    uneven: bool,
) -> None:
    layers, obs = network(seed, widths, activation), normal(seed, 3, widths[0])
    radius = eps * torch.linspace(0, 2, widths[0]) if uneven else eps
    ball = LpBall.of(norm, radius, **({"low": -0.4, "high": 0.7} if cut else {}))
    assert holds(enclose(layers, obs, ball), outputs_around(layers, obs, ball, 500, seed))


def _mixed(seed: int) -> list[Affine | Activation]:
    """Neighbouring affine layers, neighbouring activations, one at each end."""
    first, second, third = (network(seed + i, w)[0] for i, w in enumerate([(3, 6), (6, 4), (4, 2)]))
    return [TANH, first, second, LEAKY, TANH, third, RELU]


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_layers_may_come_in_any_order(seed: int) -> None:
    layers, obs, ball = _mixed(seed), normal(seed, 4, 3), LpBall.of("l2", 0.5)
    assert holds(enclose(layers, obs, ball), outputs_around(layers, obs, ball, 300, seed))


@pytest.mark.parametrize("norm", NORMS)
def test_affine_maps_are_exact(norm: str) -> None:
    layers, obs = network(0, (5, 4, 3)), normal(1, 4, 5)
    layers = [layers[0], layers[2]]  # two affine layers in a row are one
    matrix = layers[1].weight @ layers[0].weight
    eps = torch.tensor([0.1, 0.0, 0.3, 0.2, 0.5], dtype=torch.float64)
    dual = {"l1": torch.inf, "l2": 2, "linf": 1}[norm]
    reach = torch.linalg.vector_norm(matrix * eps, ord=dual, dim=1)
    lower, upper = enclose(layers, obs, LpBall.of(norm, eps))
    exact = evaluate(layers, obs)
    torch.testing.assert_close(upper, exact + reach, rtol=0, atol=5e-6)
    torch.testing.assert_close(lower, exact - reach, rtol=0, atol=5e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", NORMS)
def test_boxes_grow_with_the_ball_and_shrink_to_a_point(activation: Activation, norm: str) -> None:
    layers, obs = network(3, (4, 16, 16, 2), activation), normal(4, 5, 4)
    widths = []
    for eps in (0.0, 1e-6, 1e-3, 0.01, 0.1, 1.0):
        lower, upper = enclose(layers, obs, LpBall.of(norm, eps))
        widths.append((upper - lower).mean())
    assert all(a < b for a, b in pairwise(widths))
    assert 0 < widths[0] < 1e-11


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_ball_inside_another_has_the_smaller_box(activation: Activation) -> None:
    layers, obs = network(5, (4, 16, 16, 2), activation), normal(6, 8, 4)
    by_norm = {norm: enclose(layers, obs, LpBall.of(norm, 0.2)) for norm in NORMS}
    cut = enclose(layers, obs, LpBall.of("l2", 0.2, low=-0.5, high=0.5))
    for inner, outer in (
        (by_norm["l1"], by_norm["l2"]),
        (by_norm["l2"], by_norm["linf"]),
        (cut, by_norm["l2"]),
    ):
        narrow, wide = inner.upper - inner.lower, outer.upper - outer.lower
        assert narrow.mean() < wide.mean()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_never_wider_than_intervals(activation: Activation) -> None:
    layers, obs = network(7, (4, 16, 16, 2), activation), normal(8, 8, 4)
    region = region_of(obs, LpBall.of("linf", 0.3))
    plain = interval_bounds(in_float64(layers), region.box)
    lower, upper = enclose(layers, obs, LpBall.of("linf", 0.3))
    assert (lower >= plain.lower - 1e-9).all()
    assert (upper <= plain.upper + 1e-9).all()
    assert ((upper - lower).mean() < 0.6 * (plain.upper - plain.lower).mean()).all()


def test_rows_do_not_depend_on_their_company() -> None:
    layers, obs, ball = network(9, (4, 16, 16, 2)), normal(10, 150, 4), LpBall.of("l2", 0.2)
    together = enclose(layers, obs, ball)
    for row in (0, 63, 64, 149):
        alone = enclose(layers, obs[row : row + 1], ball)
        torch.testing.assert_close(alone.lower[0], together.lower[row], rtol=0, atol=1e-12)
        torch.testing.assert_close(alone.upper[0], together.upper[row], rtol=0, atol=1e-12)
    empty = enclose(layers, obs[:0], ball)
    assert empty.lower.shape == empty.upper.shape == (0, 2)


def test_observations_of_any_shape_are_flattened() -> None:
    layers, obs = network(11, (6, 8, 2)), normal(12, 5, 6)
    eps = torch.linspace(0.1, 0.3, 6)
    flat = enclose(layers, obs, LpBall.of("linf", eps))
    square = enclose(layers, obs.view(5, 2, 3), LpBall.of("linf", eps.view(2, 3)))
    assert torch.equal(flat.lower, square.lower)


# --- cuts ---


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", NORMS)
def test_cut_regions_hold_every_sample_in_narrower_boxes(activation: Activation, norm: str) -> None:
    layers, obs = network(13, (4, 16, 16, 2), activation), normal(14, 8, 4)
    ball = LpBall.of(norm, torch.tensor([0.8, 0.0, 0.4, 0.6]))
    values = outputs_around(layers, obs, ball, 2000)
    widths = []
    for cuts in (0, 1, 3, 6):  # more than there are inputs
        box = enclose(layers, obs, ball, cuts=cuts)
        assert holds(box, values)
        widths.append((box.upper - box.lower).mean())
    assert widths[0] > widths[1] > widths[2] >= widths[3]
    automatic = enclose(layers, obs, ball)
    assert widths[2] <= (automatic.upper - automatic.lower).mean() <= widths[0]


def test_small_balls_are_not_cut() -> None:
    layers, obs, ball = network(15, (4, 16, 16, 2)), normal(16, 8, 4), LpBall.of("linf", 1e-4)
    assert torch.equal(enclose(layers, obs, ball).lower, enclose(layers, obs, ball, cuts=0).lower)
    straight = network(15, (4, 2))
    assert (bend(straight, region_of(obs, ball)) == 0).all()


def test_a_lost_half_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true_halves = cuts_module._halves
    monkeypatch.setattr(cuts_module, "_halves", lambda *a: true_halves(*a)[:1] * 2)
    layers, obs, ball = network(17, (4, 16, 2)), normal(18, 8, 4), LpBall.of("linf", 0.5)
    values = outputs_around(layers, obs, ball, 500)
    assert not holds(enclose(layers, obs, ball, cuts=1), values)


def test_the_number_of_cuts_is_checked() -> None:
    with pytest.raises(ValueError, match="cuts"):
        enclose(network(0, (3, 2)), torch.zeros(1, 3), LpBall.of("linf", 0.1), cuts=-1)


# --- float32 ---


def _bad_float32(seed: int) -> tuple[list[Affine | Activation], Tensor]:
    """A network whose sums cancel, so that its float32 results are far off."""
    layers = network(seed, (8, 64, 64, 2), RELU, gain=3.0, dtype=torch.float32)
    return layers, 30 * normal(seed, 64, 8, dtype=torch.float32)


@pytest.mark.parametrize("seed", range(5))
def test_what_float32_computes_is_inside(seed: int) -> None:
    layers, obs = _bad_float32(seed)
    computed = [evaluate(layers, obs), torch.cat([evaluate(layers, row[None]) for row in obs])]
    exact = evaluate(in_float64(layers), obs.double())
    values = torch.stack([*(c.double() for c in computed), exact], dim=1)
    box = enclose(layers, obs, LpBall.of("linf", 0.0))
    assert holds(box, values)
    # The same numbers as a float64 network: its results are right, float32's are outside.
    ideal = enclose(in_float64(layers), obs.double(), LpBall.of("linf", 0.0))
    assert not holds(ideal, values)


def test_observations_in_float64_are_rounded_by_a_float32_policy() -> None:
    layers = [Affine(torch.tensor([[1e6, -1e6]]), torch.zeros(1))]
    obs = torch.tensor([[1 / 3, 1 / 7]], dtype=torch.float64).repeat(200, 1)
    obs = obs + torch.rand(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    seen = evaluate(layers, obs.float()).double()
    assert holds(enclose(layers, obs, LpBall.of("linf", 0.0)), seen.unsqueeze(1))


# --- tests of the tests: wrong bounds are found ---


def _swapped(lines: Relaxation) -> Relaxation:
    return lines._replace(lower_slope=lines.upper_slope, upper_slope=lines.lower_slope)


def _exchanged(lines: Relaxation) -> Relaxation:
    return lines._replace(
        lower_slope=lines.upper_slope,
        lower_offset=lines.upper_offset,
        upper_slope=lines.lower_slope,
        upper_offset=lines.lower_offset,
    )


def _lower_offset_lost(lines: Relaxation) -> Relaxation:
    return lines._replace(lower_offset=torch.zeros_like(lines.lower_offset))


def _upper_offset_lost(lines: Relaxation) -> Relaxation:
    return lines._replace(upper_offset=torch.zeros_like(lines.upper_offset))


@pytest.mark.parametrize(
    ("mutate", "activation"),
    [
        (_swapped, RELU),
        (_exchanged, TANH),
        (_upper_offset_lost, RELU),
        (_upper_offset_lost, TANH),
        (_lower_offset_lost, TANH),
    ],
)
def test_wrong_lines_lose_samples(mutate, activation, monkeypatch: pytest.MonkeyPatch) -> None:
    true_relax = crown.relax
    monkeypatch.setattr(crown, "relax", lambda kind, box: mutate(true_relax(kind, box)))
    assert not _all_inside(activation, eps=0.1 if activation is RELU else 0.4)


def test_wrong_region_loses_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safer_gym.bounds.region._DUAL", {1.0: 1e9, 2.0: torch.inf})
    assert not _all_inside(RELU, "l2")


def _all_inside(activation: Activation, norm: str = "linf", eps: float = 0.1) -> bool:
    found = []
    for seed in range(4):
        layers, obs = network(seed, (4, 16, 16, 2), activation), normal(seed, 8, 4)
        ball = LpBall.of(norm, eps)
        box = enclose(layers, obs, ball, cuts=0)
        found.append(holds(box, outputs_around(layers, obs, ball, 500)))
    return all(found)


def test_the_unmutated_code_passes_the_same_check() -> None:
    assert all(_all_inside(activation, norm) for activation in ACTIVATIONS for norm in NORMS)


# --- input errors ---


@pytest.mark.parametrize(
    ("layers", "obs", "eps", "words"),
    [
        ([RELU], torch.zeros(1, 3), 0.1, "at least one affine"),
        (network(0, (4, 2)), torch.zeros(1, 3), 0.1, "reads 4 numbers"),
        (network(0, (3, 2)), torch.zeros(3), 0.1, "batch"),
        (network(0, (3, 2)), torch.full((1, 3), np.nan), 0.1, "finite"),
        (network(0, (3, 2)), torch.zeros(1, 3), [0.1, 0.2], "does not fit"),
        ([Affine(torch.eye(3), torch.zeros(2))], torch.zeros(1, 3), 0.1, "weight"),
        ([Affine(torch.eye(3) * np.nan, torch.zeros(3))], torch.zeros(1, 3), 0.1, "finite"),
        ([network(0, (3, 2))[0]] * 2, torch.zeros(1, 3), 0.1, "2 outputs"),
        ([network(0, (3, 2))[0], Activation("gelu")], torch.zeros(1, 3), 0.1, "gelu"),
        ([network(0, (3, 2))[0], Activation("relu", 2.0)], torch.zeros(1, 3), 0.1, "slope"),
    ],
)
def test_bad_input_is_named(layers: Layers, obs: Tensor, eps: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        enclose(layers, obs, LpBall.of("linf", eps))


def test_an_enclosure_is_a_pair() -> None:
    lower, upper = Enclosure(torch.zeros(1), torch.ones(1))
    assert lower < upper
