"""The engine on a closed loop whose worst case is known exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from certify_toys import HORIZON, Line, Push, homing, homing_network, hushed
from scipy.stats import norm as normal
from torch import nn

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.diff import diff, exit_code
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.schema import certificate_schema, schema_path
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.certify.verify import verify
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy

LIMIT = 2.0
EPS = (0.02, 0.1, 2.0)
REQUIREMENTS = (
    "P(cost > 2) <= 0.2 at eps = 0.02 for every adversary",
    "P(cost > 2) <= 0.2 at eps = 2 under attacks",
)
BATTERY = {"push": Push(), "mad": make_attack("mad", steps=2)}


def certified(**options: Any) -> Certificate:
    settings = {
        "requirement": REQUIREMENTS,
        "eps": EPS,
        "battery": BATTERY,
        "episodes": 25,
        **options,
    }
    return certify(homing(), Line, **settings)


@cache
def made() -> Certificate:
    return certified()


def timeless(certificate: Certificate) -> Certificate:
    return replace(certificate, created="", seconds=0.0, command=None).sealed()


@cache
def exact_worst(eps: float) -> float:
    """sup over adversaries of P(more than LIMIT costly steps), by dynamic programming on a grid."""
    edges = np.linspace(-4.0, 4.0, 401)
    middle = (edges[1:] + edges[:-1]) / 2
    reached = []
    for shift in (-eps, 0.0, eps):
        mean = middle - 0.5 * (middle + shift)
        mass = np.diff(normal.cdf((edges[None, :] - mean[:, None]) / 0.2), axis=1)
        reached.append(mass / mass.sum(axis=1, keepdims=True))
    costly, enough = np.abs(middle) > 1.0, int(LIMIT) + 1
    # value[k]: probability of at least k more costly steps.
    value = [np.ones(len(middle)), *(np.zeros(len(middle)) for _ in range(enough))]
    for _ in range(HORIZON):
        after = [np.where(costly, value[max(k - 1, 0)], value[k]) for k in range(enough + 1)]
        value = [np.max([step @ a for step in reached], axis=0) for a in after]
    starts = np.abs(middle) <= 0.2
    return float(value[enough][starts].mean())


def test_the_verdicts_are_those_of_the_known_worst_case() -> None:
    safe, unsafe = made().requirements
    assert (safe.verdict, unsafe.verdict) == ("PASS", "FAIL")
    assert (made().verdict, made().exit_code) == ("FAIL", 1)
    (stochastic, deterministic) = made().headlines
    assert stochastic.attacked_eps == deterministic.attacked_eps == 2.0
    assert stochastic.certified_eps in (0.02, 0.1)
    assert deterministic.certified_eps is None


@pytest.mark.parametrize("eps", EPS)
def test_the_sandwich_holds_the_exact_worst_case(eps: float) -> None:
    row, truth = made().row(eps), exact_worst(eps)
    assert row.rate.lower.value <= truth <= row.rate.upper_every.value
    assert row.mean.lower.value <= row.mean.upper_every.value


def test_the_bound_over_every_adversary_says_what_it_is_about() -> None:
    for row in made().rows:
        every = row.rate.upper_every
        if row.mode == "deterministic":
            assert every.value is None
            assert "deterministic" in (every.refused or "")
        else:
            # A shift of 16 deviations: nothing was enclosed in vain.
            method = "trivial" if row.eps == 2.0 else "gaussian"
            assert (every.mode, every.method) == ("stochastic", method)
            assert every.vacuous == (every.value == 1.0)
    assert made().row(2.0).rate.upper_every.vacuous


def test_where_the_filters_say_little_the_additive_bound_says_more() -> None:
    asked = "P(cost > 2) <= 0.5 at eps = 0.005 for every adversary by the stochastic policy"
    found = certify(hushed(), Line, requirement=asked, battery={"push": Push()}, episodes=100)
    row = found.row(0.005)
    for every in (row.rate.upper_every, row.mean.upper_every):
        assert (every.method, every.M) == ("additive", None)
        assert every.promises is not None
        assert min(every.promises, key=lambda method: every.promises[method]) == "additive"
        assert every.options is not None
        assert every.options["value_ucb"] > np.mean(every.spent) > 0.1
    assert row.rate.lower.value <= row.rate.upper_every.value <= 0.5
    assert found.verdict == "PASS"
    assert verify(found) == ()


def test_all_error_probability_is_allocated() -> None:
    total = sum((Fraction(share.delta) for share in made().allocation), Fraction(0))
    assert 0.99 * made().delta < total <= Fraction(made().delta)
    assert {share.mode for share in made().allocation} == {"deterministic", "stochastic"}


def test_bounds_grow_with_the_ball() -> None:
    for metric in ("rate", "mean"):
        ends = [getattr(made().row(eps), metric) for eps in EPS]
        lowers = [end.lower.value for end in ends]
        uppers = [end.upper_every.value for end in ends]
        assert lowers == sorted(lowers)
        assert uppers == sorted(uppers)


def test_workers_and_lockstep_change_nothing() -> None:
    wide = certified(workers=2, n_envs=7)
    assert timeless(wide) == timeless(made())


def test_a_certificate_survives_json(tmp_path: Path) -> None:
    made().save(tmp_path / "certificate.json")
    assert Certificate.load(tmp_path / "certificate.json") == made()


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(schema_path().read_text()) == certificate_schema()


def test_a_true_certificate_verifies() -> None:
    assert verify(made()) == ()


def mutated(path: str, value: Any) -> Certificate:
    data: Any = json.loads(json.dumps(made().to_json()))
    *parents, last = path.split("/")
    place = data
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return Certificate.from_json(data).sealed()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rows/2/rate/lower/value", 0.1),
        ("rows/3/rate/upper_every/value", 0.001),
        ("rows/3/rate/upper_every/M", 0.01),
        ("rows/0/attacks/1/rate_upper", 0.01),
        ("rows/0/attacks/1/n", 1000),
        ("rows/0/mean/upper_attacks/value", 0.0),
        ("rows/2/attacks/1/costs/0", 0.0),
        ("benign/costs/0", 10.0),
        ("rows/3/rate/upper_every/spent/0", 1e9),
        ("allocation/0/delta", 0.05),
        ("requirements/1/verdict", "PASS"),
        ("headlines/0/attacked_eps", None),
        ("verdict", "PASS"),
    ],
)
def test_a_forged_certificate_does_not_verify(path: str, value: Any) -> None:
    assert verify(mutated(path, value))


def test_a_recorded_episode_can_be_run_again() -> None:
    note = made().episodes_of_note[0]
    again = replay(made(), homing(), Line, 0, battery=BATTERY)
    assert (again.cost, again.seed, again.trace) == (note.cost, note.seed, note.trace)
    with pytest.raises(ValueError, match="not the certificate's policy"):
        replay(made(), homing(std=0.3), Line, 0, battery=BATTERY)


@pytest.mark.parametrize(
    ("attack", "eps", "index", "mode"),
    [
        ("push", 2.0, 24, "deterministic"),
        ("push", 2.0, 3, None),
        ("null", 0.1, 7, "stochastic"),
        ("null", 0.1, 7, "deterministic"),
    ],
)
def test_any_episode_can_be_run_again(attack: str, eps: float, index: int, mode: Any) -> None:
    note = recorded(made(), attack, eps, index, mode)
    again = replay(made(), homing(), Line, note, battery=BATTERY)
    assert (again.cost, again.reward, again.seed) == (note.cost, note.reward, note.seed)


@pytest.mark.parametrize(
    ("attack", "eps", "index", "words"),
    [
        ("push", 0.3, 0, "eps must be one of"),
        ("pull", 2.0, 0, "attack must be one of"),
        ("push", 2.0, 10_000, "index must be in"),
    ],
)
def test_episodes_that_were_not_run_are_refused(
    attack: str, eps: float, index: int, words: str
) -> None:
    with pytest.raises((ValueError, IndexError), match=words):
        recorded(made(), attack, eps, index)


def test_no_budget_is_exceeded_and_what_is_known_is_said() -> None:
    hasty = certified(budget="0.01s")
    assert hasty.verdict == "INCONCLUSIVE"
    assert verify(hasty) == ()


def test_a_policy_without_noise_is_refused_a_bound_over_every_adversary() -> None:
    certificate = certify(
        lambda obs: -0.5 * obs,
        Line,
        requirement=REQUIREMENTS[0],
        battery={"push": Push()},
        episodes=25,
    )
    (decision,) = certificate.requirements
    assert decision.verdict == "INCONCLUSIVE"
    assert decision.why in {refusal.reason for refusal in certificate.refusals}
    assert {flag.name for flag in certificate.flags} >= {"no-gradient"}


def noisy(**options: Any) -> Certificate:
    return certified_of(homing_network(), requirement=REQUIREMENTS[0], action_noise=0.2, **options)


def certified_of(policy: Any, **options: Any) -> Certificate:
    return certify(policy, Line, eps=EPS, battery=BATTERY, episodes=25, **options)


def test_action_noise_on_request_is_the_policy_that_is_attacked_and_bounded() -> None:
    """The same draws as those of a policy with that noise of its own, and so the same rows."""
    own = certified_of(homing(0.2), requirement=REQUIREMENTS[0], modes=["stochastic"])
    found = noisy()
    assert (found.rows, found.verdict) == (own.rows, own.verdict)
    assert {row.mode for row in found.rows} == {"stochastic"}
    assert found.policy.action_noise == (0.2,)
    assert verify(found) == ()


def test_noise_makes_another_policy_and_is_replayed() -> None:
    found = noisy()
    without = certified_of(homing_network(), requirement=REQUIREMENTS[1])
    assert found.policy.digest != without.policy.digest
    note = found.episodes_of_note[0]
    again = replay(found, homing_network(), Line, 0, battery=BATTERY)
    assert (again.cost, again.trace) == (note.cost, note.trace)
    with pytest.raises(ValueError, match="not the certificate's policy"):
        replay(without, homing_network(weight=-0.4), Line, 0, battery=BATTERY)


def test_observation_noise_on_request_is_smoothing() -> None:
    asked = {"requirement": REQUIREMENTS[0]}
    found = certified_of(homing_network(), observation_noise=0.4, **asked)
    brought = certified_of(SmoothedPolicy(homing_network(), 0.4), modes=["stochastic"], **asked)
    assert found.rows == brought.rows
    assert found.policy.observation_noise == brought.policy.observation_noise == (0.4,)
    assert found.row(0.02).rate.upper_every.method == "gaussian"


@pytest.mark.parametrize(
    ("policy", "options", "words"),
    [
        (homing_network(), {"action_noise": -0.1}, "action_noise must be"),
        (homing_network(), {"action_noise": float("nan")}, "action_noise must be"),
        (homing_network(), {"action_noise": [0.1, 0.2]}, "one number or 1"),
        (homing_network(), {"observation_noise": 0.0}, "observation_noise must not be zero"),
        (homing_network(), {"action_noise": 0.1, "observation_noise": 0.1}, "not both"),
        (homing_network(), {"action_noise": 0.1, "modes": ["deterministic"]}, "no deterministic"),
        (
            homing_network(),
            {"action_noise": 0.1, "requirement": REQUIREMENTS[1]},
            "by the stochastic policy",
        ),
        (homing(), {"action_noise": 0.1}, "noise of its own"),
        (lambda obs: obs, {"action_noise": 0.1}, "cannot be bounded"),
    ],
)
def test_noise_is_refused_where_it_makes_no_sense(policy: Any, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        certified_of(policy, **{"limit": LIMIT, **options})


def test_stacked_frames_need_a_declared_ball() -> None:
    def stacked() -> gym.Env:
        return gym.wrappers.FlattenObservation(gym.wrappers.FrameStackObservation(Line(), 2))

    network = nn.Linear(2, 1)  # half way home, from the latest frame
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, -0.5]]))
        network.bias.zero_()
    options = {"requirement": REQUIREMENTS[0], "action_noise": 0.2, "battery": {"push": Push()}}
    refused = certify(network, stacked, episodes=25, **options)
    assert "FrameStackObservation" in refused.requirements[0].why
    assert {row.mode for row in refused.rows} == {"stochastic"}
    assert verify(refused) == ()
    declared = certify(network, stacked, episodes=25, scale=[1.0, 1.0], **options)
    assert declared.row(0.02).rate.upper_every.refused is None


def test_a_blind_policy_is_flagged() -> None:
    certificate = certify(
        lambda obs: np.zeros(1), Line, limit=2.0, eps=0.1, battery={"push": Push()}, episodes=25
    )
    assert "ignores-observations" in {flag.name for flag in certificate.flags}
    assert (certificate.verdict, certificate.requirements) == ("INCONCLUSIVE", ())


def test_a_worse_policy_is_a_regression() -> None:
    worse = certify(
        homing(std=1.0), Line, requirement=REQUIREMENTS, eps=EPS, battery=BATTERY, episodes=25
    )
    assert exit_code(diff(made(), worse)) == 1
    assert exit_code(diff(made(), made())) == 0
    assert {change.kind for change in diff(worse, made())} >= {"better"}
    with pytest.raises(ValueError, match="different limits"):
        diff(made(), replace(made(), limit=3.0))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"channel": "action"}, "different channels: 'observation' and 'action'"),
        ({"units": "normalised"}, "different units: 'raw' and 'normalised'"),
    ],
)
def test_radii_of_different_things_are_not_compared(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        diff(made(), replace(made(), **changed))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"requirement": None, "eps": None}, "nothing to certify"),
        ({"requirement": None, "limit": None}, "limit must be given"),
        ({"limit": 3.0}, "one limit"),
        ({"delta": 0.5}, "more than the requirements allow"),
        ({"modes": ["stochastic"]}, "leave out"),
        ({"modes": ["mean"]}, "modes must be one of"),
        ({"eps": [-1.0]}, "eps must be"),
        ({"budget": "soon"}, "budget must be"),
        ({"episodes": 0}, "episodes must be"),
        ({"benign_episodes": 0}, "benign_episodes must be"),
        ({"workers": 0}, "workers must be"),
        ({"battery": "huge"}, "battery must be one of"),
        ({"battery": {}}, "at least one attack"),
        ({"norm": "l3"}, "norm must be one of"),
        ({"scale": [1.0, 2.0]}, "scale must be"),
        ({"max_step_cost": -1.0}, "max_step_cost"),
    ],
)
def test_bad_arguments_are_refused_by_name(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        certified(**options)
