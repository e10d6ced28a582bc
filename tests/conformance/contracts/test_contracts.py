"""The contract kits let the right ones through, and name what is broken in the others."""

from __future__ import annotations

from typing import Any

import pytest

from safer_gym.attacks import ATTACKS, make_attack
from safer_gym.conformance.contracts import (
    ContractError,
    check_attack,
    check_cost_env,
    check_policy,
)
from safer_gym.types import Victim
from tests.conformance.specimens import attacks, envs, policies


def _name(value: Any) -> str | None:
    return None if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)


@pytest.mark.parametrize("name", ATTACKS)
def test_our_attacks_pass(name: str) -> None:
    steps = {"steps": 3} if name in ("mc", "mr", "mixture", "min_reward", "mad") else {}
    if name == "ensemble":
        steps = {"attacks": [make_attack(member) for member in ("mc", "uniform")]}
    strength = 0.999 if name in ("mc", "ensemble") else None
    assert check_attack(make_attack(name, **steps), strength=strength)


def test_an_attack_on_images_passes() -> None:
    check_attack(make_attack("mc", steps=2), obs_shape=(2, 3, 3), norms=("linf",))


@pytest.mark.parametrize(("attack", "clause"), attacks.BROKEN, ids=_name)
def test_a_broken_attack_is_named(attack: Any, clause: str) -> None:
    strength = 0.99 if clause == "strong" else None
    with pytest.raises(ContractError) as caught:
        check_attack(attack, strength=strength)
    assert caught.value.clause == clause, caught.value


def test_what_changes_its_input_is_named() -> None:
    with pytest.raises(ContractError):
        check_attack(attacks.in_place)


def test_an_honest_environment_passes() -> None:
    facts = check_cost_env(envs.Honest)
    assert facts.horizon == 8
    assert facts.max_step_cost == 1.0
    assert check_cost_env(envs.Honest()).clauses == facts.clauses


@pytest.mark.parametrize(("env", "clause"), envs.BROKEN, ids=_name)
def test_a_broken_environment_is_named(env: Any, clause: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_cost_env(env, max_steps=50)
    assert caught.value.clause == clause, caught.value


def test_an_honest_policy_passes() -> None:
    facts = check_policy(policies.Honest(), envs.Honest)
    assert facts.gradients == "honest"
    assert facts.looks
    assert (facts.distribution, facts.q_cost, facts.outside) == (False, False, 0.0)


def test_facts_tell_what_narrows_the_claims() -> None:
    blind = check_policy(Victim(policies.constant), envs.Honest)
    assert (blind.looks, blind.gradients) == (False, "none")
    assert check_policy(policies.Rounded(), envs.Honest).gradients == "misleading"
    far = policies.Honest()
    far.net[2].bias.data += 1
    far.net[3] = type(far.net[3])()
    far.net.append(policies.nn.Linear(2, 2))
    far.net[4].weight.data *= 100
    assert check_policy(far, envs.Honest).outside > 0


@pytest.mark.parametrize(("policy", "clause"), policies.BROKEN, ids=_name)
def test_a_broken_policy_is_named(policy: Any, clause: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_policy(policy(), envs.Honest)
    assert caught.value.clause == clause, caught.value
