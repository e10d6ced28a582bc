"""Formal given a model: what turns it red, and that it is mixed with nothing else."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from shield_toys import Drive, Line, functional_mass, make_line, mass, mass_step, tensor

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.certificate.model_evidence import KIND, ModelEvidence, ModelTest
from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.certify import certify, run
from safer_gym.conformance.certify.derive import derived
from safer_gym.conformance.certify.given_model import (
    PUSHES,
    GivenModel,
    derived_evidence,
    made,
)
from safer_gym.conformance.certify.model_tests import counted, looks
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.report.certificate.markdown import render_markdown
from safer_gym.conformance.report.certificate.page import render_page
from safer_gym.conformance.report.certificate.sarif import render_sarif
from safer_gym.shield import Part
from safer_gym.types import AttackResult
from safer_gym.wrappers import Shield, ShieldedPolicy
from safer_gym.wrappers.shield.attacks import Greedy, Spoof

CHECKER = Path(__file__).parents[3] / "examples" / "check_certificate.py"
TEXT = "P(cost > 0) <= 0.25 at eps = 0.2 for every adversary given the model"


class Short(Line):
    """From anywhere in the middle, so that thirty steps lead to the end."""

    def __init__(self) -> None:
        super().__init__(horizon=30)

    def reset(self, **options: Any) -> tuple:
        super().reset(**options)
        self.state = np.array([self.np_random.uniform(1.0, 1.5), 1.0])
        return self.state.astype(np.float32), {}


class Weak:
    """An attack that seeks cost, and moves nothing."""

    cost_directed = True

    def __call__(self, victim: Any, obs: torch.Tensor, ball: Any, generator: Any = None) -> Any:
        nothing = obs.new_zeros(len(obs))
        return AttackResult(ball.project(obs, obs), nothing, nothing)


def shielded(part: Part, eps: float = 0.2) -> ShieldedPolicy:
    env = make_line()
    spaces = {"action_space": env.action_space, "observation_space": env.observation_space}
    return ShieldedPolicy(Drive(), Shield((part,), eps), **spaces)


@cache
def good() -> Certificate:
    battery = {"noise": make_attack("uniform")}
    policy = shielded(mass(reach=(0.2, 0.2), error=0.012))
    return certify(policy, Short, requirement=TEXT, battery=battery, episodes=20)


def refused(part: Part, eps: float = 0.2) -> str:
    """Why the tests and the proof of a shield support no PASS; they are those of a certificate."""
    policy = shielded(part, eps)
    attacks = {"spoof": Spoof(policy.shield), "greedy": Greedy(policy.shield, corners=6)}
    found = evaluate(policy, Short, {"null": make_attack("null")}, eps=0.0, n_episodes=6, traces=6)
    found += evaluate(policy, Short, attacks, eps=eps, n_episodes=6, traces=6)
    tests = [counted(o.attack, o.eps, looks(policy, o.traces)) for o in found]
    return str(given(made(policy.shield, tests, 0.05), attacks=()).refused(eps, "rate"))


def test_it_passes_and_says_by_which_kind() -> None:
    certificate = good()
    (decision,) = certificate.requirements
    assert (decision.verdict, decision.kind) == ("PASS", KIND)
    assert KIND in decision.why
    (headline,) = certificate.headlines
    assert headline.certified_eps_given_model == 0.2
    assert headline.certified_eps is None
    assert certificate.certified_eps is None
    assert verify(certificate) == ()
    assert not list(_second_checker()(json.dumps(certificate.to_json())))
    assert Certificate.from_json(json.loads(json.dumps(certificate.to_json()))) == certificate


def test_reports_say_what_is_assumed_beside_what_is_claimed() -> None:
    data = good().to_json()
    for text in (render_markdown(data), render_page(data)):
        assert "Assumed, and tested but not proved" in text
        assert "certified ε given a model" in text
    assert "worst-case-cost-given-a-model" in render_sarif(data)
    (claim,) = [line for line in render_markdown(data).splitlines() if "No adversary" in line] or [
        line for line in render_markdown(data).splitlines() if "no adversary within" in line
    ]
    assert claim.startswith("- Given the model")


def test_a_bound_without_a_model_is_no_part_of_it() -> None:
    """The same policy, asked without a model, passes nothing."""
    row = good().row(0.2, "deterministic")
    assert row.rate.upper_every.value is None
    requirement = Requirement.parse(
        TEXT.replace(" given the model", " by the deterministic policy")
    )
    assert requirement.scope == "every"
    assert str(Requirement.parse(TEXT)) == good().requirements[0].text


def _second_checker() -> Callable[[Any], Any]:
    spec = importlib.util.spec_from_file_location("check_certificate", CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


# Negative controls: each turns it red.


def test_the_control_itself() -> None:
    assert refused(mass(reach=(0.2, 0.2), error=0.012)) == "None"


def test_bounds_that_are_too_small() -> None:
    assert "left the bounds of the model" in refused(mass(reach=(0.2, 0.2), error=0.002))


def test_a_backup_that_is_too_weak() -> None:
    """The safe set of full braking, and a backup that brakes by half of it."""
    part = mass(reach=(0.2, 0.2), error=0.012)
    weak = tuple(b._replace(action=0.5 * b.action) for b in part.backups)
    assert "not proved" in refused(replace(part, backups=weak))


def test_a_shield_built_for_half_of_eps() -> None:
    assert "built for a smaller radius" in refused(mass(reach=(0.1, 0.1), error=0.012))


def test_a_wrong_sign_of_an_axis() -> None:
    part = mass(reach=(0.2, 0.2), error=0.012)
    for axis in (0, 1):
        sign = torch.ones(2, 1).double()
        sign[axis] = -1
        assert "refuted" in refused(replace(part, weight=sign * part.weight))


def test_an_h_that_says_nothing_of_the_cost() -> None:
    """A safe set that holds states that cost."""
    part = mass(reach=(0.2, 0.2), error=0.012)
    wide = replace(part, limits=part.limits + 2.0 * part.rows[:, 0].abs()).with_rows()
    assert "refuted" in refused(wide)


def test_a_refuted_model_decides_no_requirement() -> None:
    """The same through the whole certificate."""
    test = replace(good().model.tests[1], left=1)
    model = replace(good().model, tests=(good().model.tests[0], test, *good().model.tests[2:]))
    again = derived(replace(good(), model=model))
    assert again.verdict == "INCONCLUSIVE"
    assert again.headlines[0].certified_eps_given_model is None
    assert "refuted" in again.requirements[0].why
    assert again.requirements[0].kind == ""


# The law of the evidence, on counts alone.


def test_of(attack: str, eps: float, **change: int) -> ModelTest:
    counts = dict.fromkeys(("left", "outside", "unexplained", "costly", "alarms", "moved"), 0)
    counts["infeasible"] = 0
    return ModelTest(attack=attack, eps=eps, n=40, steps=400, upper=1.0, **{**counts, **change})


test_of.__test__ = False  # type: ignore[attr-defined]


def evidence(change: Callable[[str], dict[str, int]] = lambda attack: {}) -> ModelEvidence:
    part = mass(reach=(0.2, 0.2), error=0.012)
    names = (("null", 0.0), ("spoof", 0.2), ("greedy", 0.2), ("noise", 0.2))
    tests = [test_of(name, eps, **change(name)) for name, eps in names]
    return made(Shield((part,), 0.2), tests, 0.05)


def given(found: ModelEvidence | None, **change: Any) -> GivenModel:
    about = {"norm": "linf", "scale": None, "channel": "observation"}
    return GivenModel(found, **{**about, "attacks": ("null", "noise"), **change})


def test_what_supports_it() -> None:
    assert given(evidence()).refused(0.2, "rate") is None
    assert given(evidence()).upper(0.2) == pytest.approx(1 - (0.05 / 4) ** (1 / 40))
    assert "no shield" in str(given(None).refused(0.2, "rate"))
    assert "not the mean" in str(given(evidence()).refused(0.2, "mean"))


@pytest.mark.parametrize(
    "count", ["left", "outside", "unexplained", "costly", "alarms", "infeasible"]
)
@pytest.mark.parametrize("attack", ["null", "spoof", "greedy"])
def test_one_count_refuses_it(count: str, attack: str) -> None:
    found = evidence(lambda name: {count: 1} if name == attack else {})
    assert given(found).refused(0.2, "rate") is not None


@pytest.mark.parametrize("missing", ["null", "spoof", "greedy", "noise"])
def test_each_attack_of_the_battery_and_each_that_knows_the_shield_is_needed(missing: str) -> None:
    found = evidence()
    kept = tuple(test for test in found.tests if test.attack != missing)
    told = str(given(replace(found, tests=kept)).refused(0.2, "rate"))
    assert f"not tested under {missing} at eps 0.2" in told


def test_an_attack_that_was_not_learned_is_missed() -> None:
    learned = given(evidence(), attacks=("null", "noise", "learned"))
    assert "not tested under learned" in str(learned.refused(0.2, "rate"))


def test_the_test_without_an_attack_counts_at_radius_zero_alone() -> None:
    found = evidence()
    moved = (replace(found.tests[0], eps=0.5, left=3), *found.tests[1:])
    assert "not tested under null" in str(given(replace(found, tests=moved)).refused(0.2, "rate"))


@pytest.mark.parametrize("channel", ["action", "disturbance"])
def test_behind_the_policy_each_full_push_is_needed(channel: str) -> None:
    shield = Shield((mass(reach=(0.2, 0.2), error=0.012),), 0.2)
    shield = shield.widened(action_eps=0.2, disturbance=0.2, pushes={"v": 0.1})
    tests = [test_of(name, 0.2 * (name != "null")) for name in ("null", "noise", *PUSHES)]
    about = given(made(shield, tests, 0.05), channel=channel)
    assert about.refused(0.2, "rate") is None
    for missing in PUSHES:
        kept = [test for test in tests if test.attack != missing]
        told = str(replace(about, evidence=made(shield, kept, 0.05)).refused(0.2, "rate"))
        assert f"not tested under {missing}" in told


def test_a_certificate_without_a_test_of_its_battery_does_not_pass() -> None:
    """As a budget leaves it that ends before the last test."""
    kept = tuple(test for test in good().model.tests if test.attack != "noise")
    assert len(kept) == len(good().model.tests) - 1
    again = derived(replace(good(), model=replace(good().model, tests=kept))).sealed()
    assert again.verdict == "INCONCLUSIVE"
    assert "not tested under noise at eps 0.2" in again.requirements[0].why
    assert again.headlines[0].certified_eps_given_model is None
    assert not list(_second_checker()(json.dumps(again.to_json())))


def test_a_budget_that_ends_within_the_tests_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as it is certified."""
    whole = run.model_evidence

    def cut(*about: Any) -> ModelEvidence:
        found = whole(*about)
        assert found is not None
        return replace(found, tests=found.tests[:-1])

    monkeypatch.setattr(run, "model_evidence", cut)
    policy = shielded(mass(reach=(0.2, 0.2), error=0.012))
    battery = {"noise": make_attack("uniform")}
    found = certify(policy, Short, requirement=TEXT, battery=battery, episodes=20)
    assert found.verdict == "INCONCLUSIVE"
    assert "not tested under noise" in found.requirements[0].why


class Windy(Short):
    """A disturbance of one moves v by ten in a step."""

    disturbance_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    wind = 0.0

    def disturb(self, disturbance: Any) -> None:
        self.wind = float(disturbance[0])

    def step(self, action: Any) -> Any:
        _, *rest = super().step(action)
        self.state[1] += 10 * self.wind
        self.wind = 0.0
        return (self.state.astype(np.float32), *rest)


def windproof(push: float) -> Certificate:
    """Of a shield against disturbances of .004, with what somebody says of one of radius 1."""
    shield = Shield((mass(reach=(0.05, 0.05), error=0.012),), 0.05)
    shield, env = shield.widened(disturbance=0.004, pushes={"v": push}), make_line()
    spaces = {"action_space": env.action_space, "observation_space": env.observation_space}
    return certify(
        ShieldedPolicy(Drive(), shield, **spaces),
        Windy,
        requirement=TEXT.replace("eps = 0.2", "disturbance eps = 0.004"),
        battery={"weak": Weak()},
        episodes=20,
    )


def test_a_full_push_finds_what_a_weak_battery_does_not() -> None:
    """A shield whose model takes a disturbance for a tenth of what it does."""
    certificate = windproof(1.0)
    tests = {test.attack: test for test in certificate.model.tests}
    assert tests["weak"].left == 0
    assert all(tests[name].left > 0 for name in PUSHES)
    assert certificate.verdict == "INCONCLUSIVE"
    assert "refuted" in certificate.requirements[0].why


def test_what_a_disturbance_does_is_told_by_coordinate_and_its_radius_apart() -> None:
    certificate = windproof(10.0)
    assert certificate.verdict == "PASS"
    assert verify(certificate) == ()
    assert not list(_second_checker()(json.dumps(certificate.to_json())))


@pytest.mark.parametrize("label", ["spoof", "greedy", "full push held"])
def test_a_battery_cannot_take_the_place_of_a_test_of_the_shield(label: str) -> None:
    policy = shielded(mass(reach=(0.2, 0.2), error=0.012))
    with pytest.raises(ValueError, match="stands for a test of the shield's model"):
        certify(policy, Short, requirement=TEXT, battery={label: Weak()}, episodes=4)


def test_what_it_was_built_for() -> None:
    found = evidence()
    assert given(found).refused(0.1, "rate") is not None  # not tested there
    assert "smaller radius" in str(given(found).refused(0.21, "rate"))
    assert "smaller radius" in str(given(found, scale=(1.0, 1.2)).refused(0.2, "rate"))
    assert given(found, norm="l2").refused(0.2, "rate") is None
    assert "built for actions" in str(given(found, channel="action").refused(0.2, "rate"))
    assert "disturbances" in str(given(found, channel="disturbance").refused(0.2, "rate"))


def test_a_forged_proof_is_found_out() -> None:
    part = mass(reach=(0.2, 0.2), error=0.012)
    loose = replace(
        part, limits=part.limits + tensor([0, 0, 0, 0] + [0.5] * (len(part.limits) - 4))
    )
    forged = replace(
        evidence(), shield=json.dumps(Shield((loose,), 0.2).to_json()), proved=True, why_unproved=""
    )
    assert not derived_evidence(forged).proved
    certificate = replace(good(), model=replace(forged, tests=good().model.tests)).sealed()
    assert any("model" in words for words in verify(certificate))
    for text in ("{}", "no json", '{"format": 1}', "[]"):
        broken = replace(good(), model=replace(good().model, shield=text)).sealed()
        assert verify(broken)
    counts = replace(good().model.tests[0], left=99)
    many = replace(good().model, tests=(counts, *good().model.tests[1:]))
    assert verify(replace(good(), model=many).sealed())


# Edited certificates, with a hash that was computed again.


def edited(**change: Any) -> Certificate:
    return replace(good(), model=replace(good().model, **change)).sealed()


def rederived(**change: Any) -> Certificate:
    """With all that follows from the edit computed anew: nothing but the edit can be found."""
    return derived(edited(**change)).sealed()


def with_shield(**change: Any) -> Certificate:
    return edited(shield=json.dumps(json.loads(good().model.shield) | change))


def is_refused(certificate: Certificate) -> bool:
    """Whether both checkers refuse it."""
    text = json.dumps(certificate.to_json())
    found = bool(verify(certificate)), bool(list(_second_checker()(text)))
    assert found[0] == found[1], found
    return found[0]


def test_the_edits_begin_with_a_certificate_that_both_checkers_accept() -> None:
    assert not is_refused(with_shield())
    assert not is_refused(rederived())


@pytest.mark.parametrize(
    "change",
    [
        {"action_eps": math.inf},
        {"disturbance": math.inf, "pushes": {"v": 0.0}},
        {"disturbance": 0.2},
        {"eps": "x"},
        {"eps": -0.2},
        {"eps": math.nan},
        {"note": math.nan},
        {"format": "safer-gym/shield/3"},
        {"action_eps": 0.5},
        {"disturbance": 0.2, "pushes": {"v": 1.0}},
        {"pushes": {"v": -1.0}},
    ],
    ids=str,
)
def test_a_shield_that_says_it_allows_for_more_is_refused(change: dict[str, Any]) -> None:
    """By numbers that are none, or by errors that no such adversary leaves as small."""
    assert is_refused(with_shield(**change))


def test_a_number_too_large_for_a_float_is_refused() -> None:
    text = json.dumps(json.loads(good().model.shield) | {"action_eps": "HERE"})
    assert is_refused(edited(shield=text.replace('"HERE"', "1e999")))


def test_a_certificate_that_lost_its_refuting_tests_does_not_pass() -> None:
    """Moved actions, and a shield that knows nothing of them: it is told and retold."""
    env = make_line()
    spaces = {"action_space": env.action_space, "observation_space": env.observation_space}
    shield = Shield((mass(reach=(0.2, 0.2), error=0.012),), 0.2)
    genuine = certify(
        ShieldedPolicy(Drive(), shield, **spaces),
        Short,
        requirement=TEXT.replace("eps = 0.2", "action eps = 0.5"),
        battery={"noise": make_attack("uniform")},
        episodes=20,
    )
    assert genuine.verdict != "PASS"
    told = json.loads(genuine.model.shield) | {"action_eps": math.inf, "eps": "x"}
    null = tuple(test for test in genuine.model.tests if test.attack == "null")
    with pytest.raises(ValueError, match="finite"):
        derived(replace(genuine, model=replace(genuine.model, shield=json.dumps(told))))
    assert derived(replace(genuine, model=replace(genuine.model, tests=null))).verdict != "PASS"


@pytest.mark.parametrize("attack", ["unheard of", "full push high", "noise"])
def test_a_test_that_none_asked_for_and_one_twice_are_refused(attack: str) -> None:
    more = replace(good().model.tests[-1], attack=attack)
    assert is_refused(rederived(tests=(*good().model.tests, more)))


def test_tests_of_a_model_have_the_confidence_and_the_episodes_of_the_certificate() -> None:
    assert is_refused(rederived(delta=0.5))
    assert is_refused(rederived(tests=tuple(replace(t, n=99) for t in good().model.tests)))


@pytest.mark.parametrize("count", ["left", "outside", "unexplained", "costly", "alarms", "moved"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_counts_of_a_test_lie_between_none_and_all(count: str, value: int) -> None:
    wrong = replace(good().model.tests[0], **{count: value})
    assert is_refused(edited(tests=(wrong, *good().model.tests[1:])))


def test_a_test_without_an_attack_has_no_radius() -> None:
    moved = replace(good().model.tests[0], eps=0.2)
    assert is_refused(rederived(tests=(moved, *good().model.tests[1:])))


# A model that is the user's own function: a certificate names it, and holds no code.


def backwards(z: Any, u: Any) -> Any:
    """A wrong function: it takes the force for its opposite."""
    return mass_step(z, -u)


def functional() -> Certificate:
    """The certificate above with the same model as a function."""
    shield = Shield((functional_mass(reach=(0.2, 0.2), error=0.012),), 0.2)
    return derived(
        replace(good(), model=made(shield, good().model.tests, good().model.delta)), model=mass_step
    ).sealed()


def test_a_function_is_verified_where_it_is_given_or_trusted() -> None:
    certificate = functional()
    assert certificate.model.proved
    assert certificate.verdict == "PASS"
    assert verify(certificate, model=mass_step) == ()
    assert verify(certificate, trust=True) == ()
    (told,) = verify(certificate)
    assert "not checked" in told
    assert "shield_toys:mass_step" in told
    (told,) = verify(certificate, model=backwards)
    assert "other values" in told


def test_a_policy_behind_a_function_is_certified_and_verified() -> None:
    """By the functions in memory: names are looked up where a certificate is read, and not made."""
    policy = shielded(functional_mass(reach=(0.2, 0.2), error=0.012))
    few: dict[str, Any] = {"episodes": 4, "benign_episodes": 4}
    battery = {"noise": make_attack("uniform")}
    certificate = certify(policy, lambda: Line(horizon=6), requirement=TEXT, battery=battery, **few)
    assert certificate.model is not None
    assert certificate.model.proved
    assert certificate.verdict == "INCONCLUSIVE"  # four episodes test a model by little
    assert verify(certificate, model=mass_step) == ()
    assert verify(certificate, model=backwards) != ()


def test_a_name_that_leads_nowhere_is_said() -> None:
    model = functional().model
    for name, words in (
        ("no_such:function", "no_such"),
        ("", "no name"),
        ("torch:nothing", "attr"),
    ):
        data = json.loads(model.shield)
        data["parts"][0]["function"]["name"] = name
        moved = replace(functional(), model=replace(model, shield=json.dumps(data))).sealed()
        assert any(words in told for told in verify(moved, trust=True))


def test_a_wrong_function() -> None:
    """One whose proof fails; two with a proof, one of which brakes better than the world, while
    the other's backups change places. Tests of the model refuse those.
    """
    part = functional_mass(reach=(0.2, 0.2), error=0.012)
    assert part.function is not None

    def having(call: Any) -> Part:
        return replace(part, function=replace(part.function, call=call))

    weak = Shield((having(lambda z, u: mass_step(z, 0.9 * u)),), 0.2)
    assert "not proved" in str(given(made(weak, good().model.tests, 0.05)).refused(0.2, "rate"))
    for wrong in (backwards, lambda z, u: mass_step(z, 1.1 * u)):
        assert "left the bounds of the model" in refused(having(wrong))
    assert refused(part) == "None"
