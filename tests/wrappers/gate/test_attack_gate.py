"""A broken attack is an error that names it, at every door that runs attacks."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from adversary_toys import PointEnv
from certify_toys import HORIZON, Line, Push, homing_network
from hypothesis import assume, given
from hypothesis import strategies as st
from policy_specimens import Track, ppo

from safer_gym.attacks import NullAttack, make_attack
from safer_gym.balls import NORMS, LpBall
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify import strongest as strongest_module
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.attacked_policy import AttackedPolicy
from safer_gym.networks import MlpAction
from safer_gym.types import AttackResult, Victim
from safer_gym.wrappers import AdversaryError, ObservationAdversary, fit_critics
from safer_gym.wrappers.gate.attack import GatedAttack, gated
from safer_gym.wrappers.gate.visited import check_unchanged


class AlwaysEqual(torch.Tensor):
    """A tensor that says it equals whatever it is compared with."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is torch.equal:
            return True
        return super().__torch_function__(function, types, args, kwargs or {})


def widens_its_ball(obs: Any, ball: Any) -> Any:
    ball.eps.fill_(50.0)
    return obs + 5.0


LIES = {
    "outside": lambda obs, ball: obs + 1.001 * ball.eps.to(obs),
    "out of the box": lambda obs, ball: torch.full_like(obs, 10.0) + 1e-3,
    "nan": lambda obs, ball: torch.full_like(obs, torch.nan),
    "infinite": lambda obs, ball: torch.full_like(obs, torch.inf),
    "shape": lambda obs, ball: obs.repeat(2, 1),
    "dtype": lambda obs, ball: obs.double(),
    "array": lambda obs, ball: obs.numpy(),
    "in place": lambda obs, ball: obs.add_(5.0),
    "a tensor that lies": lambda obs, ball: (obs + 5.0).as_subclass(AlwaysEqual),
    "widens its ball": widens_its_ball,
}


class Broken:
    """Does right for a while, and then lies in a chosen way."""

    name = "the broken one"

    def __init__(self, how: str, calls: int = 0) -> None:
        self.how, self.calls = how, calls

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        self.calls -= 1
        shown = obs if self.calls >= 0 else LIES[self.how](obs, ball)
        return AttackResult(shown, torch.zeros(len(obs)), torch.zeros(len(obs)))


def through_evaluate(attack: Any) -> None:
    evaluate(homing_network(), Line, {"mine": attack}, eps=0.1, n_episodes=2)


def through_certify(attack: Any) -> None:
    certify(
        homing_network(), Line, limit=2.0, eps=0.1, battery={"good": Push(), "mine": attack},
        modes=["deterministic"], episodes=25,
    )  # fmt: skip


def through_the_wrapper(attack: Any) -> None:
    env = ObservationAdversary(Line(), attack, eps=0.1)
    env.reset(seed=0)
    for _ in range(HORIZON):
        env.step(Line.action_space.sample())


def through_critics(attack: Any) -> None:
    fit_critics(homing_network(), Line, n_steps=40, updates=1, attack=attack, eps=0.1)


DOORS = {
    "evaluate": through_evaluate,
    "certify": through_certify,
    "wrapper": through_the_wrapper,
    "critics": through_critics,
}


@pytest.mark.parametrize("how", LIES)
@pytest.mark.parametrize("door", DOORS)
def test_a_broken_attack_is_named_at_every_door(door: str, how: str) -> None:
    with pytest.raises(AdversaryError, match=r"attack 'mine'|attack 'the broken one'"):
        DOORS[door](Broken(how))


def test_the_measured_episodes_are_checked_too() -> None:
    """It keeps to the ball in the whole search, 10 steps of 8 episodes, and not afterwards."""
    with pytest.raises(AdversaryError, match="attack 'mine' left its ball"):
        through_certify(Broken("outside", calls=15))


def test_the_strongest_of_a_battery_is_not_a_broken_one(monkeypatch: Any) -> None:
    attacks = {"mine": Broken("outside")}
    monkeypatch.setattr(strongest_module, "_attacks", lambda *_: attacks)
    with pytest.raises(AdversaryError, match="attack 'mine'"):
        strongest_module.strongest_attack(homing_network(), Line, eps=0.1, n_episodes=1)


class Ungated(GatedAttack):
    """A gate without a check."""

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        return AttackResult(obs + 5.0, torch.zeros(len(obs)), torch.zeros(len(obs)))


@pytest.mark.parametrize("door", DOORS)
def test_a_gate_of_ones_own_is_none(door: str) -> None:
    with pytest.raises(AdversaryError, match="left its ball"):
        DOORS[door](Ungated(make_attack("mad"), "mine"))


class Answers:
    """A result whose observations are legal when they are looked at, and others afterwards."""

    objective = clean_objective = torch.zeros(2)

    def __init__(self, obs: torch.Tensor) -> None:
        self.answers = iter([obs, *[obs + 5.0] * 9])

    @property
    def obs(self) -> torch.Tensor:
        return next(self.answers)


def test_a_result_is_read_once() -> None:
    clean = torch.zeros(2, 3)
    found = gated(lambda *_: Answers(clean))(Victim(torch.sin), clean, LpBall.of("linf", 0.1))
    assert torch.equal(found.obs, clean)


@pytest.mark.parametrize("mode", ["deterministic", "stochastic"])
def test_an_attack_that_changes_the_policy_is_noticed(mode: Any) -> None:
    """Made harmless by its attack, a policy would pass."""
    model = ppo()

    def heals(victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        with torch.no_grad():
            model.policy.action_net.weight.zero_()
        return AttackResult(obs, torch.zeros(len(obs)), torch.zeros(len(obs)))

    with pytest.raises(ValueError, match="an attack changed it"):
        certify(
            model, Track, limit=2.0, eps=0.1, battery={"mine": heals}, modes=[mode], episodes=25
        )
    if mode == "deterministic":
        model = ppo()
        with pytest.raises(ValueError, match="an attack changed it"):
            evaluate(model, Track, {"mine": heals}, eps=0.1, n_episodes=2)


def test_the_policy_is_asked_before_its_attack_is_ever_called() -> None:
    """Of a known network batch sizes are tried first, with the attack."""
    weight, zero = torch.ones(1, 2), torch.zeros(1)

    def network(obs: torch.Tensor) -> torch.Tensor:
        return -1.0 + torch.tanh(obs @ weight.T) + 1.0

    def heals(victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        weight.zero_()
        return AttackResult(obs, torch.zeros(len(obs)), torch.zeros(len(obs)))

    layers: Any = [(weight, zero), (torch.ones(1, 1), zero)]
    victim = Victim(MlpAction(network, layers, "relu", -torch.ones(1), torch.ones(1)))
    actor = AttackedPolicy(victim, heals, LpBall.of("linf", 0.1), seed=0)
    actor.act({0: np.ones(2, np.float32)}, block=0, step=0)
    with pytest.raises(ValueError, match="an attack changed it"):
        check_unchanged(victim, actor.before)


@pytest.mark.parametrize("value", [torch.zeros(3), torch.full((2,), torch.nan), None])
@pytest.mark.parametrize("field", ["objective", "clean_objective"])
def test_what_an_attack_reports_is_one_finite_number_a_row(field: str, value: Any) -> None:
    def attack(victim: Any, obs: Any, ball: Any, generator: Any = None) -> Any:
        return AttackResult(obs, torch.zeros(2), torch.zeros(2))._replace(**{field: value})

    with pytest.raises(AdversaryError, match=field):
        gated(attack)(Victim(torch.sin), torch.zeros(2, 3), LpBall.of("linf", 0.1))


def test_a_graph_of_gradients_ends_at_the_gate() -> None:
    def attack(victim: Any, obs: Any, ball: Any, generator: Any = None) -> Any:
        shown = (obs * torch.ones((), requires_grad=True)).clamp(-1, 1)
        return AttackResult(shown, shown.sum(1), shown.sum(1))

    found = gated(attack)(Victim(torch.sin), torch.zeros(2, 3), LpBall.of("linf", 0.1))
    assert not any(part.requires_grad for part in found)


@given(st.sampled_from(NORMS), st.floats(0.01, 2), st.floats(0, 2), st.integers(0, 10**6))
def test_the_gate_is_shut_exactly_outside_the_ball(
    norm: str, eps: float, length: float, seed: int
) -> None:
    assume(abs(length - 1) > 1e-5)
    generator = torch.Generator().manual_seed(seed)
    obs, way = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    ball = LpBall.of(norm, eps)
    moved = obs + eps * length * way / ball.norm(way).unsqueeze(1)

    def attack(victim: Any, obs: Any, ball: Any, generator: Any = None) -> Any:
        return AttackResult(moved, torch.zeros(4), torch.zeros(4))

    with nullcontext() if length < 1 else pytest.raises(AdversaryError, match="left its ball"):
        gated(attack)(Victim(torch.sin), obs, ball)


def test_a_gate_is_put_up_once_and_bad_attacks_are_refused() -> None:
    once = gated("mc")
    assert gated(once, "other") is once
    assert (once.name, gated(make_attack("mad"), "label").name) == ("mc", "label")
    assert gated(NullAttack()).name == "NullAttack"
    with pytest.raises(TypeError, match="name or an Attack; got int"):
        gated(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Did you mean 'mc'"):
        ObservationAdversary(PointEnv(), "mcc", eps=0.1)
