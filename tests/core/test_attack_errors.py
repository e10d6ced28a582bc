"""Bad input comes back with a message that says what to do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from core.victims import nets, observations

from safer_gym.attacks import ATTACKS, Ensemble, RandomSearch, attack_options, make_attack
from safer_gym.balls import LpBall
from safer_gym.types import Victim

BALL = LpBall(math.inf, 0.1)


def numpy_victim() -> Victim:
    """A policy and a critic that live in numpy."""
    return Victim(
        action=lambda s: torch.as_tensor(np.tanh(s.detach().numpy()[:, :2])),
        q_cost=lambda s, a: torch.as_tensor(a.detach().numpy().sum(1)),
    )


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_observations_must_be_finite(name: str, value: float) -> None:
    obs = observations(0)
    obs[3, 1] = value
    with pytest.raises(ValueError, match="obs must be finite; row 3"):
        make_attack(name)(nets(0).victim(), obs, BALL)


@pytest.mark.parametrize("name", ["mc", "mad", "ensemble"])
def test_a_policy_without_gradients(name: str) -> None:
    victim = numpy_victim()._replace(q_reward=lambda s, a: a.sum(-1))
    with pytest.raises(ValueError, match="gradient-free attack instead: 'random_search'"):
        make_attack(name)(victim, observations(0), BALL)


def test_a_policy_cut_off_from_the_observation() -> None:
    """The critic's parameters need gradients, yet none reaches the observation."""
    victim = nets(0).victim()
    cut = victim._replace(action=lambda s: victim.action(s).detach())
    with pytest.raises(ValueError, match="gives no gradient"):
        make_attack("mc")(cut, observations(0), BALL)


@pytest.mark.parametrize("name", ["null", "uniform", "gaussian", "random_search"])
def test_numpy_policies_can_be_attacked_without_gradients(name: str) -> None:
    result = make_attack(name)(numpy_victim(), observations(0), BALL)
    if name == "random_search":
        best = numpy_victim().action(observations(0) + 0.1).sum(1)
        torch.testing.assert_close(result.objective, best)


@pytest.mark.parametrize(("name", "critic"), [("mc", "q_cost"), ("min_reward", "q_reward")])
def test_missing_critics(name: str, critic: str) -> None:
    with pytest.raises(ValueError, match=f"needs the victim's {critic}"):
        make_attack(name)(Victim(nets(0).victim().action), observations(0), BALL)


def test_critics_with_a_trailing_axis() -> None:
    victim = nets(0).victim()._replace(q_cost=lambda s, a: a[:, :1])
    with pytest.raises(ValueError, match=r"critics return \[B\], not \[B, 1\]"):
        make_attack("mc")(victim, observations(0), BALL)


@pytest.mark.parametrize(
    ("obs", "kind", "message"),
    [
        (np.zeros((2, 5)), TypeError, "floating point tensor; got ndarray"),
        (torch.zeros(2, 5, dtype=torch.uint8), TypeError, "got torch.uint8"),
        (torch.zeros(5), ValueError, r"batch \[B, ...\]; got shape \(5,\)"),
    ],
)
def test_observations_of_another_kind(obs: object, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        make_attack("null")(nets(0).victim(), obs, BALL)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mcc", {}, "Did you mean 'mc'"),
        ("mc", {"step_rul": "adam"}, "Did you mean 'step_rule'"),
        ("mc", {"step_rule": "steep"}, "Did you mean 'steepest'"),
        ("mc", {"step_size": 0}, "step_size must be a finite number > 0"),
        ("mc", {"steps": 0}, "steps must be a whole number >= 1; got 0"),
        ("mad", {"restarts": 1.5}, "restarts must be a whole number >= 1; got 1.5"),
        ("null", {"steps": 1}, "has no options"),
        ("gaussian", {"relative_std": 0}, "relative_std must be a finite number > 0"),
        ("random_search", {"rounds": 0}, "rounds must be a whole number"),
        ("random_search", {"objective": "cost"}, "objective must be one of"),
        ("ensemble", {"attacks": ()}, "at least one attack"),
        ("ensemble", {"attacks": "mc"}, "sequence of names"),
    ],
)
def test_bad_options(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attack(name, **options)


def test_options_are_listed_and_accepted() -> None:
    assert attack_options("mixture")[-2:] == ("reward_weight", "cost_weight")
    assert make_attack("mixture", cost_weight=0.5, steps=3).objective.cost_weight == 0.5
    made = make_attack("ensemble", attacks=["mc", RandomSearch(rounds=2)], objective="mr")
    assert isinstance(made, Ensemble)
    assert len(made.attacks) == 2
