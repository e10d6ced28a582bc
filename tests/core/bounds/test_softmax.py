"""Probabilities of options over a ball: never below what an observation attains, exact for two."""

from __future__ import annotations

import math

import pytest
import torch
from core.bounds.nets import TANH, network, normal
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import (
    ORDERS,
    Affine,
    OptionLayers,
    certified_radius,
    option_steps,
    surely_taken,
)
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.softmax import enclose_leads, renyi, total_variation
from safer_gym.categorical import Categorical, Greedy

SIZES = st.sampled_from([(2,), (3,), (7,), (2, 3), (1, 4), (2, 2, 2)])
NORMS = st.sampled_from([1, 2, math.inf])
EPS = st.sampled_from([0.01, 0.1, 0.5])


def case(seed: int, sizes: tuple[int, ...], *, draws: bool = True) -> tuple[OptionLayers, Tensor]:
    layers = network(seed, (3, 8, sum(sizes)), TANH)
    return OptionLayers(layers, sizes, draws), normal(seed + 1, 4, 3)


def shown(obs: Tensor, ball: LpBall, n: int, seed: int) -> Tensor:
    """Observations [n, B, *O] of the ball, half of them at its rim."""
    generator = torch.Generator().manual_seed(seed)
    many = obs.repeat(n, 1)
    rim = ball.project(many, many + 10 * ball.ascent_direction(normal(seed, *many.shape)))
    half = (torch.arange(len(many)) % 2 == 0)[:, None]
    return torch.where(half, ball.sample(many, generator), rim).view(n, *obs.shape)


def divergences(p: Categorical, q: Categorical, alpha: float) -> Tensor:
    """D_alpha(p || q) [B] of independent choices, term by term."""
    total = torch.zeros(p.logits.shape[:-1], dtype=torch.float64)
    parts = (d.log_probabilities.split(d.sizes, -1) for d in (p, q))
    for own, other in zip(*parts, strict=True):
        total = total + torch.logsumexp(alpha * own + (1 - alpha) * other, -1) / (alpha - 1)
    return total


def tv(p: Categorical, q: Categorical) -> Tensor:
    """Total variation [B] of independent choices, over all actions."""
    joint = []
    for d in (p, q):
        rows = torch.ones(*d.logits.shape[:-1], 1, dtype=torch.float64)
        for part in d.probabilities.split(d.sizes, -1):
            rows = (rows.unsqueeze(-1) * part.unsqueeze(-2)).flatten(-2)
        joint.append(rows)
    return (joint[0] - joint[1]).abs().sum(-1) / 2


def check_sound(policy: OptionLayers, obs: Tensor, ball: LpBall, steps: tuple, seed: int) -> None:
    benign = policy.distribution(obs)
    for points in shown(obs, ball, 40, seed):
        moved = policy.distribution(points)
        assert bool((tv(moved, benign) <= steps[1]).all())
        for k in (0, len(ORDERS) // 2, len(ORDERS) - 1):
            assert bool((divergences(moved, benign, ORDERS[k]) <= steps[0][:, k] + 1e-12).all())


@given(seed=st.integers(0, 10_000), sizes=SIZES, p=NORMS, eps=EPS)
@settings(max_examples=40)
def test_no_observation_of_the_ball_exceeds_the_bounds(
    seed: int, sizes: tuple, p: float, eps: float
) -> None:
    policy, obs = case(seed, sizes)
    ball = LpBall(p, eps, -3.0, 3.0)
    check_sound(policy, obs, ball, option_steps(policy, obs, ball), seed)


def test_the_check_rejects_bounds_that_are_too_small() -> None:
    policy, obs = case(3, (3,))
    ball = LpBall(math.inf, 0.1)
    divergences, found = option_steps(policy, obs, ball)
    with pytest.raises(AssertionError):
        check_sound(policy, obs, ball, (divergences, found / 2), 3)
    with pytest.raises(AssertionError):
        check_sound(policy, obs, ball, (divergences / 4, found), 3)


@given(seed=st.integers(0, 10_000), eps=EPS)
def test_of_two_options_and_a_linear_network_the_bounds_are_attained(seed: int, eps: float) -> None:
    weight, bias = normal(seed, 2, 3), normal(seed + 1, 2)
    policy, obs = OptionLayers([Affine(weight, bias)], (2,), True), normal(seed + 2, 4, 3)
    ball, slope = LpBall(math.inf, eps), weight[1] - weight[0]
    divergences_, found = option_steps(policy, obs, ball)
    benign = policy.distribution(obs)
    ends = [policy.distribution(obs + sign * eps * slope.sign()) for sign in (-1, 1)]
    # A ball is enclosed with the slack of `LpBall.contains`, 1e-6 of the radius.
    attained = torch.maximum(*(tv(end, benign) for end in ends))
    torch.testing.assert_close(found, attained, atol=1e-12, rtol=1e-5)
    for k, alpha in enumerate(ORDERS):
        known = torch.maximum(*(divergences(end, benign, alpha) for end in ends))
        torch.testing.assert_close(divergences_[:, k], known, atol=1e-10, rtol=1e-5)


@given(seed=st.integers(0, 10_000), n=st.integers(2, 6), reach=st.sampled_from([0.01, 0.5, 4.0]))
def test_of_boxes_of_logits_the_total_variation_is_attained(
    seed: int, n: int, reach: float
) -> None:
    """Every corner of the box is a set of options raised and the rest lowered."""
    logits, moved = normal(seed, 5, n), reach * normal(seed + 1, 2, 5, n).abs()
    low, high = logits - moved[0], logits + moved[1]
    still = torch.eye(n, dtype=torch.bool)
    leads = Enclosure(
        (low[:, :, None] - high[:, None]).masked_fill(still, 0.0),
        (high[:, :, None] - low[:, None]).masked_fill(still, 0.0),
    )
    corners = torch.cartesian_prod(*[torch.tensor([False, True])] * n)
    benign = Categorical(logits, (n,))
    moved_to = [Categorical(torch.where(corner, high, low), (n,)) for corner in corners]
    best = torch.stack([tv(q, benign) for q in moved_to]).amax(0)
    torch.testing.assert_close(total_variation(logits, leads), best, atol=1e-12, rtol=1e-9)
    most = torch.stack([divergences(q, benign, 2.0) for q in moved_to]).amax(0)
    assert bool((renyi(logits, leads, (2.0,))[:, 0] >= most - 1e-12).all())


@given(seed=st.integers(0, 10_000), sizes=SIZES, p=NORMS, eps=EPS)
@settings(max_examples=40)
def test_options_that_are_surely_taken_are_taken(
    seed: int, sizes: tuple, p: float, eps: float
) -> None:
    policy, obs = case(seed, sizes, draws=False)
    ball = LpBall(p, eps)
    sure, clean = surely_taken(policy, obs, ball), policy.distribution(obs).action
    for points in shown(obs, ball, 40, seed):
        same = (policy.distribution(points).action == clean).all(-1)
        assert bool((same | ~sure).all())
    endless, moved = option_steps(policy, obs, ball)
    assert torch.equal(moved == 0, sure)
    assert torch.equal(endless[:, 0] == 0, sure)


def test_the_certified_radius_of_a_linear_network_is_its_margin() -> None:
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    policy = OptionLayers([Affine(weight, torch.zeros(2).double())], (2,), False)
    obs = torch.tensor([[0.5, 0.0], [-0.25, 3.0], [0.05, 0.0]]).double()
    radii = [0.1, 0.2, 0.3, 0.4, 0.6]
    found = certified_radius(policy, obs, LpBall(2, 1.0), radii)
    assert found.tolist() == [0.4, 0.2, 0.0]


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_many_options_are_enclosed_one_by_one_and_soundly(seed: int) -> None:
    layers = network(seed, (3, 6, 40), TANH)
    policy, obs, ball = OptionLayers(layers, (40,), True), normal(seed, 3, 3), LpBall(2, 0.05)
    check_sound(policy, obs, ball, option_steps(policy, obs, ball), seed)


def test_what_all_logits_have_in_common_cancels() -> None:
    """A large common part moves no probability: differences are enclosed, not logits."""
    weight = torch.tensor([[50.0, 1.0], [50.0, 0.0]], dtype=torch.float64)
    policy = OptionLayers([Affine(weight, torch.zeros(2).double())], (2,), True)
    found = option_steps(policy, torch.zeros(1, 2).double(), LpBall(math.inf, 0.1)).tv
    assert float(found) < 0.03


def test_leads_are_antisymmetric() -> None:
    policy, obs = case(1, (4,))
    (leads,) = enclose_leads(policy, obs, LpBall(2, 0.1))
    assert torch.equal(leads.lower, -leads.upper.mT)


def test_layers_have_to_give_a_score_for_each_option() -> None:
    with pytest.raises(ValueError, match="must give 5 scores; they give 4"):
        OptionLayers(network(0, (3, 4)), (2, 3), True)


def test_ties_are_not_certified() -> None:
    policy = OptionLayers([Affine(torch.zeros(2, 2), torch.zeros(2))], (2,), False)
    assert not bool(surely_taken(policy, torch.zeros(1, 2), LpBall(2, 0.1)))
    assert Greedy(torch.zeros(1, 2), (2,)).action.tolist() == [[1.0, 0.0]]
