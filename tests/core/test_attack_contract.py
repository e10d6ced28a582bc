"""What every attack promises: never worse than clean, inside the ball, and nothing left behind."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import pytest
import torch
from core.victims import Nets, nets, observations
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.attacks import ATTACKS, Ensemble, GradientAttack, MaxCost, RandomSearch, make_attack
from safer_gym.attacks.inputs import as_rows
from safer_gym.balls import LpBall
from safer_gym.types import Attack, AttackResult

ORDERS = (1, 2, math.inf)
VARIANTS = [(name, {}) for name in ATTACKS] + [
    ("mc", {"step_rule": "adam"}),
    ("mc", {"step_rule": "gradient"}),
    ("mr", {"restarts": 3}),
    ("mc", {"random_start": True}),
]
IDS = [name + "".join(f"-{k}={v}" for k, v in options.items()) for name, options in VARIANTS]
every_attack = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)


def balls(eps: float) -> list[LpBall]:
    some = [eps, eps / 2, 0.0, eps, eps / 3]
    return [LpBall(p, e, -2.0, 2.0) for e in (eps, some) for p in ORDERS]


def check_result(attack: Attack, seed: int, ball: LpBall, dtype: torch.dtype) -> None:
    victim, obs = nets(seed, dtype=dtype).victim(), observations(seed).to(dtype)
    result = attack(victim, obs, ball, torch.Generator().manual_seed(seed))
    assert result.obs.dtype == dtype
    assert bool(ball.contains(obs, result.obs, rtol=1e-9).all())
    assert bool((result.objective >= result.clean_objective).all())
    objective: Any = getattr(attack, "objective", None)
    if objective is not None:
        score = objective(victim, obs)
        close = {"rtol": 1e-5, "atol": 1e-5}
        torch.testing.assert_close(result.objective, score(result.obs).detach(), **close)
        torch.testing.assert_close(result.clean_objective, score(obs).detach(), **close)


@every_attack
def test_results_are_inside_and_never_worse_than_clean(name: str, options: dict) -> None:
    attack = make_attack(name, **options)
    for number, ball in enumerate(balls(0.3)):
        check_result(attack, number, ball, (torch.float32, torch.float64)[number % 2])


def _out_of_bounds(victim, obs, ball, generator=None) -> AttackResult:
    """Specimen: a sign step without projection."""
    result = make_attack("mc")(victim, obs, ball)
    return result._replace(obs=obs + 1.001 * (result.obs - obs))


class _Last(GradientAttack):
    """Specimen: one step downhill is returned although it is worse."""

    def __call__(self, victim, obs, ball, generator=None):
        score = self.objective(victim, obs)
        worse = make_attack("mc")(
            victim._replace(q_cost=lambda s, a: -victim.q_cost(s, a)), obs, ball
        )
        return AttackResult(worse.obs, score(worse.obs).detach(), score(obs).detach())


@pytest.mark.parametrize("specimen", [_out_of_bounds, _Last(MaxCost())])
def test_the_check_rejects(specimen: Attack) -> None:
    with pytest.raises(AssertionError):
        check_result(specimen, 0, LpBall(math.inf, 0.3), torch.float64)


@every_attack
def test_eps_zero_is_the_identity(name: str, options: dict) -> None:
    attack = make_attack(name, **options)
    obs = observations(0).float()
    obs[0, 0] = -0.0
    for p in ORDERS:
        for zero in (0.0, [0.0] * 5):
            result = attack(nets(0, dtype=torch.float32).victim(), obs, LpBall(p, zero))
            assert result.obs.view(torch.int32).equal(obs.view(torch.int32))


def check_untouched(attack: Attack, made: Nets) -> None:
    """Parameters, their gradients, modes, the input and the global generator stay as they are."""
    obs = observations(0).requires_grad_()
    for net in made:
        net.train(net is made.actor)
        for k, parameter in enumerate(net.parameters()):
            parameter.grad = torch.full_like(parameter, 7.0) if k % 2 else None
    before = copy.deepcopy([net.state_dict() for net in made])
    random, original = torch.get_rng_state(), obs.detach().clone()
    result = attack(made.victim(), obs, LpBall(2, 0.3), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(obs, original)
    assert obs.grad is None
    assert not any(t.requires_grad for t in result)
    assert [net.training for net in made] == [True, False, False]
    for net, state in zip(made, before, strict=True):
        assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
        for k, parameter in enumerate(net.parameters()):
            assert parameter.requires_grad
            assert (parameter.grad is None) == (k % 2 == 0)
            assert parameter.grad is None or bool((parameter.grad == 7).all())


@every_attack
def test_nothing_is_touched(name: str, options: dict) -> None:
    check_untouched(make_attack(name, **options), nets(1))


def _with_backward(victim, obs, ball, generator=None) -> AttackResult:
    """Specimen: backward() instead of a gradient with respect to the observation alone."""
    leaf = obs.detach().clone().requires_grad_()
    values = victim.q_cost(obs.detach(), victim.action(leaf))
    values.sum().backward()
    return AttackResult(leaf.detach(), values.detach(), values.detach())


def test_the_check_rejects_backward() -> None:
    with pytest.raises(AssertionError):
        check_untouched(_with_backward, nets(1))


@every_attack
def test_calls_keep_no_state(name: str, options: dict) -> None:
    attack, victim, ball = make_attack(name, **options), nets(2).victim(), LpBall(math.inf, 0.2)
    obs = observations(0)
    first = attack(victim, obs, ball, torch.Generator().manual_seed(5)).obs
    attack(victim, observations(1, rows=9), ball, torch.Generator().manual_seed(6))
    assert torch.equal(attack(victim, obs, ball, torch.Generator().manual_seed(5)).obs, first)
    assert torch.equal(attack(victim, obs, ball).obs, attack(victim, obs, ball).obs)
    with torch.no_grad():
        assert torch.equal(attack(victim, obs, ball, torch.Generator().manual_seed(5)).obs, first)
    with torch.inference_mode():
        again = attack(victim, obs + 0, ball, torch.Generator().manual_seed(5)).obs
    assert torch.equal(again, first)
    copied = pickle.loads(pickle.dumps(attack))
    assert torch.equal(copied(victim, obs, ball, torch.Generator().manual_seed(5)).obs, first)


@every_attack
def test_a_row_does_not_depend_on_its_neighbours(name: str, options: dict) -> None:
    attack, victim, ball = make_attack(name, **options), nets(3).victim(), LpBall(2, 0.2)
    obs = observations(3, rows=6)
    together = attack(victim, obs, ball, torch.Generator().manual_seed(0)).obs
    alone = attack(victim, obs[:1], ball, torch.Generator().manual_seed(0)).obs
    torch.testing.assert_close(together[:1], alone)
    if name not in ("uniform", "gaussian", "bang_bang", "bang_bang_held"):
        backwards = attack(victim, obs.flip(0), ball, torch.Generator().manual_seed(0)).obs
        torch.testing.assert_close(backwards.flip(0), together)


MEMBERS = tuple(make_attack(name) for name in ("mr", "mad", "uniform", "random_search"))


def check_never_weaker(whole: Attack, seed: int, p: float) -> None:
    victim, obs, ball = nets(seed).victim(), observations(seed), LpBall(p, 0.2)
    score = MaxCost()(victim, obs)
    best = score(whole(victim, obs, ball, torch.Generator().manual_seed(seed)).obs).detach()
    for member in MEMBERS:
        result = member(victim, obs, ball, torch.Generator().manual_seed(seed))
        assert bool((best >= score(result.obs).detach() - 1e-12).all())


@given(st.integers(0, 100), st.sampled_from(ORDERS))
@settings(max_examples=4)
def test_an_ensemble_is_never_weaker_than_a_member(seed: int, p: float) -> None:
    check_never_weaker(Ensemble(MEMBERS), seed, p)


def _by_batch_mean(victim, obs, ball, generator=None) -> AttackResult:
    """Specimen: one member for the whole batch, the best on average."""
    score = MaxCost()(victim, obs)
    return max(
        (m(victim, obs, ball, generator) for m in MEMBERS[:3]),
        key=lambda r: float(score(r.obs).detach().mean()),
    )


def test_the_check_rejects_a_choice_by_batch_mean() -> None:
    with pytest.raises(AssertionError):
        check_never_weaker(_by_batch_mean, 0, 2)


@pytest.mark.parametrize("rule", ["steepest", "gradient", "adam"])
def test_more_steps_and_more_restarts_never_hurt(rule: str) -> None:
    victim, obs, ball = nets(4).victim(), observations(4), LpBall(math.inf, 0.3)

    def found(**options: int) -> torch.Tensor:
        attack = make_attack("mc", step_rule=rule, **options)
        return attack(victim, obs, ball, torch.Generator().manual_seed(0)).objective

    steps = [found(steps=k) for k in (1, 2, 5, 10, 30)]
    restarts = [found(steps=5, restarts=k) for k in (1, 2, 5)]
    for runs in (steps, restarts):
        for less, more in itertools.pairwise(runs):
            assert bool((more >= less).all())


def test_more_rounds_of_search_find_something() -> None:
    victim, obs, ball = nets(5).victim(), observations(5), LpBall(math.inf, 0.3)
    few = RandomSearch(rounds=1, population=1)(victim, obs, ball).objective
    many = RandomSearch(rounds=20)(victim, obs, ball).objective
    assert bool((many > few).all())


def test_the_generator_moves_on() -> None:
    victim, obs, ball = nets(6).victim(), observations(6), LpBall(2, 0.3)
    for name in ("uniform", "gaussian", "random_search", "ensemble", "mad"):
        generator = torch.Generator().manual_seed(0)
        before = generator.get_state()
        make_attack(name)(victim, obs, ball, generator)
        assert not torch.equal(generator.get_state(), before), name


def test_rows_with_no_slope_still_search() -> None:
    """A policy that is flat around half of the observations and not around the others."""
    victim = nets(7).victim()
    dead = torch.tensor([True, False] * 3)

    def action(s: torch.Tensor) -> torch.Tensor:
        rounded = torch.round(victim.action(s) * 8) / 8
        return torch.where(as_rows(dead[: len(s)], s), rounded, victim.action(s))

    flat = victim._replace(action=action)
    obs, ball = observations(7), LpBall(math.inf, 0.3)
    result = make_attack("mc")(flat, obs, ball)
    assert bool((result.objective > result.clean_objective)[dead].any())
    whole = make_attack("mc")(victim, obs, ball)
    torch.testing.assert_close(result.obs[~dead], whole.obs[~dead])
