"""Distances of finite distributions against scipy and their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import rel_entr
from theory.examples import late_arrival_case
from theory.tables import arrival_probability, ball_renyi, ball_variation

from safer_gym.tabular.distances import kl, renyi, total_variation
from safer_gym.tabular.random_cmdps import random_case

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(4), (2, 50))


def test_kl_is_scipys_and_renyi_rises_from_it() -> None:
    np.testing.assert_allclose(kl(P, Q), rel_entr(P, Q).sum(-1), rtol=1e-12)
    np.testing.assert_allclose(renyi(P, Q, 1 + 1e-7), kl(P, Q), rtol=1e-4)
    np.testing.assert_allclose(renyi(P, Q, 2.0), np.log((P**2 / Q).sum(-1)), rtol=1e-10)
    assert (renyi(P, Q, 3.0) >= renyi(P, Q, 2.0)).all()
    np.testing.assert_allclose(renyi(P, Q, 1e6), np.log((P / Q).max(-1)), rtol=1e-4)


def test_missing_mass_is_infinite_one_way_only() -> None:
    p, q = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    assert kl(q, p) == np.inf == renyi(q, p, 2.0)
    assert renyi(p, q, 2.0) == pytest.approx(np.log(2))
    assert kl(p, p) == renyi(p, p, 2.0) == total_variation(p, p) == 0
    assert total_variation(p, q) == 0.5
    with pytest.raises(ValueError, match="order"):
        renyi(p, q, 1.0)


def test_balls_take_the_largest_of_what_may_be_shown() -> None:
    case = random_case((4, 3), 10, np.random.default_rng(0))
    policy = case.policy
    for i in range(10):
        for s in range(4):
            allowed = np.flatnonzero(case.cmdp.balls[i, s])
            tv = [total_variation(policy[i, o], policy[i, s]) for o in allowed]
            order_2 = [renyi(policy[i, o], policy[i, s], 2.0) for o in allowed]
            assert ball_variation(case.cmdp, policy)[i, s] == max(tv)
            assert ball_renyi(case.cmdp, policy, 2.0)[i, s] == pytest.approx(max(order_2))


def test_what_is_paid_on_the_way_counts_as_arrival() -> None:
    assert arrival_probability(late_arrival_case().cmdp)[0].tolist() == [1.0, 0.0]
