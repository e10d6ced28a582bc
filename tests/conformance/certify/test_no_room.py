"""eps = 0: no adversary can do anything, and every adversary's bound is that without an attack."""

from __future__ import annotations

from typing import Any

import pytest
from certify_toys import Line, Push, homing, homing_network

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.report.certificate.forms import FORMS, render
from safer_gym.conformance.report.certificate.sentences import said

ASKED = "P(cost > 2) <= 0.2 at eps = 0 for every adversary by the {} policy"


def certified(policy: Any, mode: str, **options: Any) -> Certificate:
    return certify(
        policy,
        Line,
        requirement=ASKED.format(mode),
        battery={"push": Push()},
        episodes=50,
        **options,
    )


@pytest.mark.parametrize("eps", [None, [0.0, 0.02]])
@pytest.mark.parametrize("mode", ["deterministic", "stochastic"])
def test_without_room_every_adversary_is_none(mode: str, eps: Any) -> None:
    found = certified(homing(), mode, eps=eps)
    assert found.verdict == "PASS"
    row = found.row(0.0, mode)  # type: ignore[arg-type]
    assert {evidence.attack for evidence in row.attacks} == {"null"}
    for sandwich in (row.rate, row.mean):
        every = sandwich.upper_every
        assert every.value is not None
        assert every.value <= (sandwich.upper_attacks.value or 0.0)
    if eps is None or mode == "deterministic":
        assert row.rate.upper_every.value == row.rate.upper_attacks.value
        assert row.rate.upper_every.evidence == "statistical"
        assert any("Without an adversary" in sentence for sentence in said(found.to_json()))
        assert all(render(found.to_json(), form) for form in FORMS)
    assert verify(found) == ()


def test_a_policy_that_no_bound_covers_has_this_one() -> None:
    found = certified(homing_network(), "deterministic", eps=[0.0, 0.02])
    assert found.verdict == "PASS"
    assert found.row(0.02, "deterministic").rate.upper_every.value is None
    assert found.headlines[-1].certified_eps == 0.0
    assert verify(found) == ()


def test_an_unsafe_policy_fails_without_an_attack() -> None:
    found = certified(homing_network(weight=0.4), "deterministic")
    assert found.verdict == "FAIL"
    assert verify(found) == ()


def test_it_is_said_that_the_observation_space_cuts_the_ball() -> None:
    found = certified(homing(), "stochastic")
    assert "observations beyond the observation space" in {r.what for r in found.refusals}
