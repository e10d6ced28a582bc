"""No PASS under attacks from an absence: the battery must be complete, and an attack seek cost."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from certify_toys import Line, Push, homing, homing_network
from torch import Tensor

from safer_gym.attacks import WithCritics, make_attack, traits_of
from safer_gym.conformance.battery import BATTERIES, make_battery
from safer_gym.conformance.battery import learning as lessons_module
from safer_gym.conformance.battery.build import LEARNED, seeks_cost
from safer_gym.conformance.battery.learning import Course
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify, train_battery
from safer_gym.conformance.certify.train_battery import COURSES, _affordable
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.pytest_gate import explained
from safer_gym.conformance.report.certificate.sentences import lead
from safer_gym.types import Victim
from safer_gym.wrappers.fitted_critics.critics import fit_critics

SAFE = "P(cost > 2) <= 0.2 at eps = 0.02 under attacks"
UNSAFE = "P(cost > 2) <= 0.2 at eps = 2 under attacks"
WORDS = "seeks cost"
FEW = {"n_steps": 64, "n_envs": 2, "updates": 8, "batch_size": 16, "hidden": (8,)}


class Unthreatening(Push):
    """The same attack, which does not say that it seeks cost."""

    cost_directed = False


def certified(
    battery: Any, requirement: Any = SAFE, policy: Any = None, **options: Any
) -> Certificate:
    policy = homing() if policy is None else policy
    return certify(policy, Line, requirement=requirement, battery=battery, episodes=50, **options)


@pytest.mark.parametrize(
    "battery",
    [
        {"uniform": make_attack("uniform")},
        {"mad": make_attack("mad"), "gaussian": make_attack("gaussian")},
        {"push": Unthreatening()},
    ],
)
def test_noise_and_mad_support_no_pass(battery: Any) -> None:
    found = certified(battery)
    (decision,) = found.requirements
    assert (decision.verdict, found.verdict, found.exit_code) == ("INCONCLUSIVE",) * 2 + (2,)
    assert WORDS in decision.why
    (line,) = found.headlines
    assert line.certified_eps_attacks is None
    assert WORDS in (line.reason or "")
    assert WORDS in lead(found.to_json())
    assert WORDS in explained(found)
    assert verify(found) == ()


def test_one_attack_that_seeks_cost_is_enough() -> None:
    found = certified({"uniform": make_attack("uniform"), "push": Push()})
    assert found.verdict == "PASS"
    assert found.headlines[0].reason is None
    assert [a.cost_directed for a in found.row(0.02, "deterministic").attacks] == [
        False,
        False,
        True,
    ]
    assert verify(found) == ()


def test_what_fails_under_any_attack_fails() -> None:
    found = certified({"push": Unthreatening()}, UNSAFE)
    assert found.verdict == "FAIL"
    assert verify(found) == ()


def test_a_bound_over_every_adversary_needs_no_threat() -> None:
    asked = SAFE + " by the stochastic policy"
    found = certified({"uniform": make_attack("uniform")}, asked)
    assert found.verdict == "PASS"
    assert "every adversary, and so the battery" in found.requirements[0].why
    assert verify(found) == ()


def test_a_forged_threat_does_not_verify() -> None:
    found = certified({"uniform": make_attack("uniform")})
    other = certified({"push": Push()})
    assert verify(replace(found, requirements=other.requirements, verdict="PASS").sealed())
    row = found.row(0.02, "deterministic")
    attacks = tuple(replace(a, cost_directed=True) for a in row.attacks)
    for battery in ("custom", "quick"):
        forged = replace(found, battery=battery, rows=(replace(row, attacks=attacks),)).sealed()
        assert verify(forged)


# What a battery learns, and what becomes of it where that is not learned.


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Critics of a few steps: on this task they meet cost, by exploration alone."""
    few = partial(fit_critics, noise=3.0)

    def fit(*arguments: Any, **options: Any) -> Any:
        return few(*arguments, **{**options, **FEW})

    monkeypatch.setattr(lessons_module, "fit_critics", fit)
    monkeypatch.setattr(
        train_battery, "COURSES", (Course("critics", 64, 8), Course("learned", 64, 0))
    )


def test_missing_critics_are_learned_and_the_attack_says_so(hasty: None) -> None:
    found = certified("quick")
    assert found.attacks == ("null", "mc fitted", "mr fitted", "mad", "uniform")
    assert found.verdict == "PASS"
    assert verify(found) == ()


def q_cost(obs: Tensor, action: Tensor) -> Tensor:
    return (obs + action).abs().flatten(1).sum(1)


class OneCritic:
    """A policy with a cost critic and no reward critic."""

    def victim(self) -> Victim:
        return homing().victim()._replace(q_cost=q_cost)


@pytest.mark.parametrize("battery", ["quick", "standard"])
def test_a_policy_with_one_critic_of_the_two_is_certified(hasty: None, battery: str) -> None:
    found = certified(battery, policy=OneCritic())
    assert set(found.attacks) >= {"mc", "mr fitted"}
    assert "mc restarts fitted" not in found.attacks
    assert found.verdict == "PASS"


def test_a_battery_that_was_not_learned_supports_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_battery, "_affordable", lambda courses, speed: [])
    for policy, unlearned in ((homing(), "mc"), (OneCritic(), "mr")):
        found = certified("quick", policy=policy)
        assert unlearned in found.unlearned
        assert found.verdict == "INCONCLUSIVE"
        assert f"no time to learn for '{unlearned}'" in found.requirements[0].why
        assert "no time to learn" in (found.headlines[0].reason or "")
        assert verify(found) == ()
        assert verify(replace(found, unlearned=()).sealed())


def test_critics_that_met_no_cost_are_no_threat(
    hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = partial(lessons_module.fit_critics, noise=0.0)
    monkeypatch.setattr(lessons_module, "fit_critics", flat)
    found = certified("quick", policy=homing_network())
    assert "no-cost-learned" in {flag.name for flag in found.flags}
    assert WORDS in found.requirements[0].why
    assert found.verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("flat", [True, False])
def test_a_policy_whose_own_cost_critic_says_one_number_is_under_no_threat(flat: bool) -> None:
    class Brings(OneCritic):
        def victim(self) -> Victim:
            critic = q_cost if not flat else lambda obs, action: 1.0 + 0.0 * action[:, 0]
            return super().victim()._replace(q_cost=critic, q_reward=critic)

    found = certified("quick", policy=Brings())
    assert (WORDS in found.requirements[0].why) == flat
    assert (found.verdict == "PASS") != flat
    assert verify(found) == ()


def test_a_flat_critic_leads_nowhere() -> None:
    class Flat:
        is_flat = True

        def __call__(self, obs: Tensor, action: Tensor) -> Tensor:
            return torch.zeros(len(obs))

    assert traits_of(WithCritics(make_attack("mc"), q_cost=q_cost)).cost_directed
    assert not traits_of(WithCritics(make_attack("mc"), q_cost=Flat())).cost_directed


@pytest.mark.parametrize("attack", ["mc", "mr", "mixture", "random_search", "ensemble"])
def test_an_attack_of_ones_own_that_cannot_run_is_refused_first(attack: str) -> None:
    class Untouched(Line):
        def step(self, action: Any) -> Any:
            pytest.fail("an episode was run")

    with pytest.raises(ValueError, match=r"battery\['mine'\] needs the policy's q_"):
        certify(homing(), Untouched, requirement=SAFE, battery={"mine": make_attack(attack)})


# Batteries.


def test_only_missing_critics_are_replaced() -> None:
    victim = homing().victim()._replace(q_cost=q_cost)
    learned = dict.fromkeys(("q_reward", "q_cost"), lambda obs, action: q_cost(obs, action))
    lessons: Any = lessons_module.Lessons({}, learned)
    members = make_battery("quick", victim, lessons, has_gradient=True).members
    attack: Any = members["mr fitted"].attack
    assert (attack.q_reward, attack.q_cost) == (learned["q_reward"], None)
    assert members["mc"].attack == make_attack("mc")


@pytest.mark.parametrize("name", BATTERIES)
def test_every_battery_has_an_attack_that_seeks_cost(name: str) -> None:
    victim = homing().victim()._replace(q_cost=q_cost, q_reward=q_cost)
    lessons = lessons_module.Lessons(dict.fromkeys(LEARNED, Push()))
    for has_gradient in (True, False):
        members = make_battery(name, victim, lessons, has_gradient=has_gradient).members
        for label, member in members.items():
            assert member.cost_directed == seeks_cost(label)
        assert any(member.cost_directed for member in members.values())


def test_what_a_battery_learns_follows_from_the_budget_alone() -> None:
    """No clock is asked: the same budget means the same attacks on every machine."""
    iterated = COURSES[0]._replace(iterate=True)
    courses = [iterated, COURSES[1]]
    assert _affordable(courses, math.inf) == courses
    assert _affordable(courses, 240.0) == courses
    assert _affordable(courses, 120.0) == [iterated]
    assert _affordable(courses, 10.0) == []
