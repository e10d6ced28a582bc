"""Discrete actions: divergences against torch's own, margins, and expectations of critics."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence
from torch.distributions import Categorical as OfTorch

from safer_gym.categorical import (
    MOST_ACTIONS,
    Categorical,
    ExpectedValue,
    Greedy,
    OptionValues,
    all_actions,
    expected,
)
from safer_gym.types import Gaussian, Victim

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def pair(seed: int, sizes: tuple[int, ...], kind: type) -> tuple:
    return tuple(kind(2 * normal(seed + k, 5, sum(sizes)), sizes) for k in range(2))


@given(seed=st.integers(0, 10_000), sizes=SIZES)
def test_the_difference_of_categoricals_is_the_sum_of_kls(seed: int, sizes: tuple) -> None:
    p, q = pair(seed, sizes, Categorical)
    parts = zip(p.logits.split(sizes, -1), q.logits.split(sizes, -1), strict=True)
    known = sum(kl_divergence(OfTorch(logits=a), OfTorch(logits=b)) for a, b in parts)
    torch.testing.assert_close(p.difference(q), known)
    assert torch.equal(p.difference(p), torch.zeros(5, dtype=torch.float64))


@given(seed=st.integers(0, 10_000))
def test_bits_are_bernoulli(seed: int) -> None:
    logits = normal(seed, 2, 4, 3)
    pairs = torch.stack([torch.zeros_like(logits), logits], -1).flatten(2)
    p, q = (Categorical(part, (2, 2, 2)) for part in pairs)
    known = kl_divergence(*(Bernoulli(logits=part) for part in logits)).sum(-1)
    torch.testing.assert_close(p.difference(q), known)


@given(seed=st.integers(0, 10_000), sizes=SIZES)
def test_the_margin_is_positive_exactly_where_the_action_changes(seed: int, sizes: tuple) -> None:
    clean, other = pair(seed, sizes, Greedy)
    changed = (clean.action != other.action).any(-1)
    assert torch.equal(clean.difference(other) > 0, changed)
    assert bool((clean.lead >= 0).all())


@given(seed=st.integers(0, 10_000), n=st.integers(2, 5))
def test_the_margin_is_the_best_other_option_less_the_one_taken(seed: int, n: int) -> None:
    clean, other = pair(seed, (n,), Greedy)
    for row, taken in enumerate(clean.scores.argmax(-1).tolist()):
        rest = [a for a in range(n) if a != taken]
        known = other.scores[row, rest].max() - other.scores[row, taken]
        assert float(clean.difference(other)[row]) == pytest.approx(float(known))


@given(seed=st.integers(0, 10_000), sizes=SIZES)
def test_actions_have_one_option_a_choice_and_lean_with_a_gradient(seed: int, sizes: tuple) -> None:
    scores = normal(seed, 5, sum(sizes)).requires_grad_()
    greedy = Greedy(scores, sizes)
    assert torch.equal(greedy.leaning, greedy.action)
    assert all(bool((part.sum(-1) == 1).all()) for part in greedy.action.split(sizes, -1))
    (slope,) = torch.autograd.grad((greedy.leaning * normal(seed + 1, 5, sum(sizes))).sum(), scores)
    assert bool((slope != 0).any()) == (max(sizes) > 1)


def test_scores_that_are_no_numbers_show_in_the_action() -> None:
    scores = torch.tensor([[0.0, math.nan, 1.0], [0.0, 2.0, 1.0]])
    assert Greedy(scores, (3,)).action.isnan().all(-1).tolist() == [True, False]
    assert Categorical(scores, (3,)).fault()
    assert not Categorical(scores[1:], (3,)).fault()
    assert Gaussian(torch.zeros(1, 2), torch.zeros(1, 2)).fault()


def _crooked(obs: Tensor, actions: Tensor) -> Tensor:
    """A critic that is linear in nothing."""
    return torch.sin(obs.sum(-1) + (actions * torch.arange(1, actions.shape[1] + 1)).sum(-1)) ** 2


@given(seed=st.integers(0, 10_000), sizes=SIZES)
def test_expectations_are_sums_over_all_actions(seed: int, sizes: tuple) -> None:
    drawn = Categorical(normal(seed, 4, sum(sizes)), sizes)
    obs, critic = normal(seed + 1, 4, 3), ExpectedValue(_crooked, sizes)
    every = all_actions(sizes).double()
    assert len(every) == math.prod(sizes)
    known = torch.zeros(4, dtype=torch.float64)
    for action in every:
        logs = torch.where(action > 0, drawn.log_probabilities, 0.0).sum(-1)
        known = known + logs.exp() * _crooked(obs, action.expand(4, -1))
    torch.testing.assert_close(critic(obs, drawn.probabilities), known)
    one = every[-1].expand(4, -1)
    torch.testing.assert_close(critic(obs, one), _crooked(obs, one))


def test_a_critic_with_one_output_an_option_is_taken_as_it_is() -> None:
    values = OptionValues(lambda obs: obs)
    assert expected(values, (3,)) is values
    assert expected(None, (3,)) is None
    obs, p = normal(0, 4, 3), normal(1, 4, 3).softmax(-1)
    torch.testing.assert_close(ExpectedValue(values, (3,))(obs, p), values(obs, p))


def test_beyond_many_actions_the_mean_action_is_asked() -> None:
    sizes = (2,) * 10
    assert math.prod(sizes) > MOST_ACTIONS
    p, values = torch.full((3, 20), 0.5).double(), OptionValues(lambda obs: obs)
    torch.testing.assert_close(
        ExpectedValue(values, sizes)(normal(0, 3, 20), p), values(normal(0, 3, 20), p)
    )


def test_the_deterministic_policy_of_one_that_draws_takes_the_best() -> None:
    drawn = Victim(
        lambda obs: Greedy(obs, (3,)).action,
        distribution=lambda obs: Categorical(obs, (3,)),
        leaning=lambda obs: obs.softmax(-1),
    )
    obs = normal(3, 5, 3)
    sure = drawn.deterministic
    assert torch.equal(sure.judged(obs), drawn.action(obs))
    assert isinstance(sure.distribution(obs), Greedy)
    plain = Victim(lambda obs: obs)
    assert plain.deterministic is plain


@pytest.mark.parametrize("wrong", [0.5, 2.0])
def test_the_check_of_expectations_rejects_other_weights(wrong: float) -> None:
    class Scaled(ExpectedValue):
        def __call__(self, obs: Tensor, actions: Tensor) -> Tensor:
            return wrong * super().__call__(obs, actions)

    obs, one = normal(0, 4, 3), all_actions((3,))[:1].double().expand(4, -1)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(Scaled(_crooked, (3,))(obs, one), _crooked(obs, one))
