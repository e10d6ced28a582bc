"""Changes of the problem that must not change the attack, or must change it along."""

from __future__ import annotations

import math

import pytest
import torch
from core.victims import nets, observations
from torch import Tensor

from safer_gym.attacks import WithCritics, make_attack
from safer_gym.balls import LpBall
from safer_gym.types import Attack, Victim

ORDERS = (1, 2, math.inf)


def moved(victim: Victim, change: Tensor) -> Victim:
    """The same victim seen through a change of observation coordinates s = change x."""
    assert victim.q_cost is not None
    cost = victim.q_cost
    return victim._replace(
        action=lambda x: victim.action(x @ change.T), q_cost=lambda x, a: cost(x @ change.T, a)
    )


def check_scale_free(attack: Attack, p: float, factor: float) -> None:
    made, obs, ball = nets(0), observations(0), LpBall(p, 0.2)
    plain, scaled = (attack(made.victim(c), obs, ball).obs for c in (1.0, factor))
    torch.testing.assert_close(plain, scaled)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e4])
@pytest.mark.parametrize("name", ["mc", "mr", "random_search"])
def test_the_critics_scale_does_not_matter(name: str, p: float, factor: float) -> None:
    check_scale_free(make_attack(name), p, factor)


def test_the_check_rejects_raw_gradients() -> None:
    with pytest.raises(AssertionError):
        check_scale_free(make_attack("mc", step_rule="gradient"), 2, 1e-3)


@pytest.mark.parametrize("p", ORDERS)
def test_a_constant_does_not_matter(p: float) -> None:
    victim, obs, ball = nets(1).victim(), observations(1), LpBall(p, 0.2)
    raised = victim._replace(q_cost=lambda s, a: victim.q_cost(s, a) + 5.0)
    attack = make_attack("mc")
    torch.testing.assert_close(attack(victim, obs, ball).obs, attack(raised, obs, ball).obs)


@pytest.mark.parametrize("p", ORDERS)
def test_the_order_of_dimensions_does_not_matter(p: float) -> None:
    victim, obs, ball = nets(2).victim(), observations(2), LpBall(p, 0.2)
    order = torch.eye(5, dtype=torch.float64)[torch.tensor([3, 0, 4, 1, 2])]
    attack = make_attack("mc")
    there = attack(moved(victim, order.T), obs @ order.T, ball).obs
    torch.testing.assert_close(there, attack(victim, obs, ball).obs @ order.T)


def test_rotations_do_not_matter_in_l2() -> None:
    victim, obs = nets(3).victim(), observations(3)
    turn, _ = torch.linalg.qr(observations(8, rows=5))
    attack = make_attack("mc")
    found = {
        p: attack(moved(victim, turn.T), obs @ turn.T, LpBall(p, 0.2)).obs for p in (2, math.inf)
    }
    expected = attack(victim, obs, LpBall(2, 0.2)).obs @ turn.T
    torch.testing.assert_close(found[2], expected)
    assert not torch.allclose(found[math.inf], expected)  # the specimen: another ball


def test_units_do_not_matter_with_eps_in_the_same_units() -> None:
    """linf with eps a dimension: measuring in other units moves the attack along."""
    victim, obs = nets(4).victim(), observations(4)
    units = torch.tensor([1.0, 10.0, 0.1, 3.0, 0.5], dtype=torch.float64)
    attack, other = make_attack("mc"), moved(victim, torch.diag(1 / units))
    there = attack(other, obs * units, LpBall(math.inf, 0.2 * units)).obs
    plain = attack(victim, obs, LpBall(math.inf, 0.2)).obs
    torch.testing.assert_close(there / units, plain)
    wrong = attack(other, obs * units, LpBall(math.inf, 0.2)).obs  # the specimen
    assert not torch.allclose(wrong / units, plain)


def test_critics_are_asked_at_the_clean_observation() -> None:
    asked: list[Tensor] = []
    made, obs = nets(5), observations(5)
    victim = made.victim()

    def cost(s: Tensor, a: Tensor) -> Tensor:
        asked.append(s)
        return made.victim().q_cost(s, a)

    make_attack("mc")(victim._replace(q_cost=cost), obs, LpBall(2, 0.3))
    assert len(asked) > 1
    assert all(torch.equal(s, obs) for s in asked)


def test_other_critics_lead_the_same_attack() -> None:
    own, other, obs, ball = nets(6).victim(), nets(7).victim(), observations(6), LpBall(2, 0.3)
    attack = make_attack("mc")
    led = WithCritics(attack, q_cost=other.q_cost)(own, obs, ball)
    expected = attack(own._replace(q_cost=other.q_cost), obs, ball)
    assert torch.equal(led.obs, expected.obs)
    assert not torch.equal(led.obs, attack(own, obs, ball).obs)
    kept = WithCritics(attack)(own, obs, ball)
    assert torch.equal(kept.obs, attack(own, obs, ball).obs)


def test_mad_without_a_distribution_uses_the_distance_of_actions() -> None:
    victim, obs, ball = nets(8).victim(), observations(8), LpBall(2, 0.3)
    bare = Victim(victim.action)
    result = make_attack("mad")(bare, obs, ball)
    distance = 0.5 * ((victim.action(result.obs) - victim.action(obs)) ** 2).sum(-1)
    torch.testing.assert_close(result.objective, distance.detach())
    assert bool((result.objective > 0).all())
