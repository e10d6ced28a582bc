"""Batteries: the adversary's own environment, what is learned and stored, and the flags."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from certify_toys import HORIZON, Line, homing
from disturbed_toys import IDLE, Ledge, Mute

from safer_gym.balls import LpBall
from safer_gym.conformance.battery import BATTERIES, NULL, make_battery
from safer_gym.conformance.battery.build import climbs, seeks_cost
from safer_gym.conformance.battery.learning import Lessons, TrainingContext
from safer_gym.conformance.battery.members import ADVERSARIES, BROUGHT
from safer_gym.conformance.certificate.evidence import AttackEvidence
from safer_gym.conformance.certificate.record import Refusal
from safer_gym.conformance.certify import train_battery
from safer_gym.conformance.certify.inspect import (
    battery_flags,
    critic_flags,
    policy_flags,
)
from safer_gym.conformance.evaluate.adversaries import LearnedAttack, PpoOptions, train_adversary
from safer_gym.conformance.evaluate.adversary_env import AdversaryEnv, moved
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.conformance.evaluate.seat import ball_in, seat_in
from safer_gym.conformance.evaluate.store import Store
from safer_gym.types import Victim
from safer_gym.wrappers.fitted_critics.critics import FittedCritics, fit_critics

TINY = PpoOptions(timesteps=64, n_envs=2, n_steps=16)


def with_critics() -> Victim:
    return (
        homing()
        .victim()
        ._replace(
            q_cost=lambda obs, action: (obs + action).abs().flatten(1).sum(1),
            q_reward=lambda obs, action: -(obs + action).abs().flatten(1).sum(1),
        )
    )


def linf(eps: float) -> LpBall:
    return LpBall.of("linf", eps)


def test_the_adversary_sees_the_truth_and_moves_what_the_policy_sees() -> None:
    env = AdversaryEnv(Line, homing().victim(), linf(0.4))
    obs, _ = env.reset(seed=3)
    after, gain, _, _, info = env.step(np.array([1.0], np.float32))
    # The policy saw obs + 0.4 and answered with minus half of it.
    np.testing.assert_allclose(after, obs - 0.5 * (obs + 0.4), atol=1e-6)
    assert gain == info["cost"]


def test_an_adversary_without_room_is_none() -> None:
    env, alone = AdversaryEnv(Line, homing().victim(), linf(0.0)), Line()
    obs, _ = env.reset(seed=1)
    same, _ = alone.reset(seed=1)
    for _ in range(HORIZON):
        np.testing.assert_array_equal(obs, same)
        obs, _, _, done, _ = env.step(np.array([0.7], np.float32))
        same, _, _, _, _ = alone.step(-0.5 * same)
    assert done


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_whatever_it_wants_stays_in_the_ball(norm: str) -> None:
    ball, obs = LpBall.of(norm, 0.3), torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    shown = moved(ball, obs, 3.0 * torch.randn(50, 4, generator=torch.Generator().manual_seed(1)))
    assert bool(ball.contains(obs, shown).all())


def test_training_repeats_itself_and_leaves_the_global_stream_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    first, second = (
        train_adversary(homing().victim(), Line, linf(0.4), seed=5, options=TINY) for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]  # noqa: NPY002
    obs = torch.linspace(-1, 1, 9).unsqueeze(1)
    shown = first(homing().victim(), obs, linf(0.4)).obs
    assert torch.equal(shown, second(homing().victim(), obs, linf(0.4)).obs)
    assert torch.equal(first(homing().victim(), obs, linf(0.0)).obs, obs)


def test_what_was_learned_comes_back_from_disk(tmp_path: Path) -> None:
    store, calls = Store(tmp_path, {"policy": "x"}), []

    def adversary() -> LearnedAttack:
        calls.append("adversary")
        return train_adversary(homing().victim(), Line, linf(0.4), seed=5, options=TINY)

    def critics() -> FittedCritics:
        calls.append("critics")
        return fit_critics(
            homing().victim(), Line, n_steps=64, n_envs=2, updates=8, hidden=(8,), noise=3.0
        )

    obs = torch.linspace(-1, 1, 9).unsqueeze(1)
    attacks = [store.adversary([1], adversary) for _ in range(2)]
    shown = [attack(homing().victim(), obs, linf(0.4)).obs for attack in attacks]
    assert torch.equal(*shown)
    pairs = [store.critics("alone", [1], critics) for _ in range(2)]
    assert torch.equal(*(pair.q_cost(obs, -obs) for pair in pairs))
    assert calls == ["adversary", "critics"]
    store.critics("alone", [2], critics)
    Store(tmp_path, {"policy": "y"}).critics("alone", [1], critics)
    assert calls.count("critics") == 3


def test_what_can_not_be_run_is_left_out_and_said() -> None:
    blind = make_battery("standard", homing().victim(), Lessons({}), has_gradient=False)
    assert set(blind.members) == {NULL, "uniform", "gaussian"}
    assert {r.what for r in blind.left_out} >= {"attack 'mc'", "attack 'learned'"}
    quick = make_battery("quick", with_critics(), Lessons({}), has_gradient=False)
    assert set(quick.members) == {NULL, "uniform", "random search"}
    able = make_battery("quick", with_critics(), Lessons({}), has_gradient=True)
    assert set(able.members) == {NULL, *BATTERIES["quick"]}
    assert able.left_out == ()


def test_a_battery_of_ones_own_is_checked() -> None:
    with pytest.raises(ValueError, match="stands for no attack"):
        make_battery({NULL: able}, with_critics(), Lessons({}), has_gradient=True)
    with pytest.raises(TypeError, match="must be an attack"):
        make_battery({"mine": 3}, with_critics(), Lessons({}), has_gradient=True)  # type: ignore[dict-item]


def able(*arguments: object) -> None:
    """Something that can be called."""


def trace(n: int = 60) -> Trace:
    obs = np.linspace(-2.0, 2.0, n)[:, None]
    return Trace(obs, obs, np.zeros((n, 0)), np.linspace(0.0, 1.0, n))


def names(flags: list) -> set[str]:
    return {flag.name for flag in flags}


def test_saturated_policies_are_flagged() -> None:
    flat = Victim(lambda obs: obs.clamp(-1.0, 1.0) + 0.0 * obs.detach())
    assert names(policy_flags(flat, [trace()])) == {"zero-gradients"}
    assert names(policy_flags(homing().victim(), [trace()])) == set()


def test_an_idle_critic_is_flagged() -> None:
    # Costs rise along the trace, and so does the observation.
    good = homing().victim()._replace(q_cost=lambda obs, action: -obs.flatten(1).sum(1))
    bad = homing().victim()._replace(q_cost=lambda obs, action: torch.zeros(len(obs)))
    falling = trace()._replace(costs=np.linspace(1.0, 0.0, 60))
    assert names(critic_flags(good, [falling])) == set()
    assert names(critic_flags(bad, [falling])) == {"critic-does-not-predict"}
    assert names(critic_flags(good, [trace()._replace(costs=np.zeros(60))])) == {"critic-untested"}


def test_a_gradient_free_win_is_flagged() -> None:
    def evidence(label: str, cost: float) -> AttackEvidence:
        return AttackEvidence(label, 25, 0, cost, 0.0, 0.0, 1.0, None, None, None, None, (), (), ())

    class Row:
        eps, mode = 0.1, "deterministic"

        def __init__(self, free: float) -> None:
            self.attacks = (evidence("random search", free), evidence("mc", 3.0))

    assert names(battery_flags([Row(9.0)], ["mc"])) == {"gradient-free-wins"}  # type: ignore[list-item]
    assert battery_flags([Row(3.0)], ["mc"]) == []  # type: ignore[list-item]


def test_disturbances_meet_adversaries_of_every_goal_and_those_that_a_policy_brings() -> None:
    adversary: Any = LearnedAttack(torch.nn.Identity(), torch.zeros(1), torch.ones(1))
    learned = dict.fromkeys(ADVERSARIES, adversary)
    own = {"own safety adversary": adversary}
    why = {"own performance adversary": "it brings none"}
    lessons = Lessons({**learned, **own}, impossible=why)
    battery = make_battery(
        "standard", homing().victim(), lessons, has_gradient=False, channel="disturbance"
    )
    assert set(battery.members) == {
        *(NULL, "uniform", "gaussian", *ADVERSARIES, "own safety adversary"),
        *("bang_bang", "bang_bang_held", "bang_bang_low", "bang_bang_high"),
    }
    assert Refusal("attack 'own performance adversary'", "it brings none") in battery.left_out
    assert battery.unlearned == ()
    seen = make_battery("full", homing().victim(), lessons, has_gradient=False)
    assert not [label for label in seen.members if "bang" in label or "own" in label]


def test_which_adversaries_seek_cost() -> None:
    seek = {label: seeks_cost(label) for label in (*ADVERSARIES, *BROUGHT, "bang_bang")}
    assert [label for label, seeks in seek.items() if seeks] == [
        "learned",
        "safety adversary",
        "own safety adversary",
    ]
    assert not any(climbs(label) for label in seek)


def test_a_safety_adversary_is_impossible_without_h() -> None:
    def lessons(make_env: Any) -> Lessons:
        env = make_env()
        seat = seat_in(env, "disturbance")
        context = TrainingContext(
            IDLE, make_env, ball_in(env, seat, "linf", 0.5), linf(0.0), "linf", 0,
            Store(None, {}), False, seat=seat,
        )  # fmt: skip
        return train_battery.learn("standard", context, budget=1e-9, workers=1)

    assert lessons(Mute).impossible["safety adversary"] == train_battery.NO_H
    assert set(lessons(Ledge).impossible) == set(BROUGHT)
