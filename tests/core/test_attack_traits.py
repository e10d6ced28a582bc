"""An attack says of itself what the rest of the package must know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from core.victims import nets, observations

from safer_gym.attacks import (
    ATTACKS,
    Ensemble,
    Mixture,
    RandomSearch,
    UniformNoise,
    WithCritics,
    lacking,
    make_attack,
    register_attack,
    traits_of,
)
from safer_gym.attacks.traits import CRITICS, GRADIENT, Traits
from safer_gym.balls import LpBall
from safer_gym.types import AttackResult, Victim

BALL = LpBall.of("linf", 0.1)


def check_needs(attack: Any) -> None:
    """With what it needs an attack runs; it refuses a victim that lacks any of its critics."""
    full, obs = nets(0).victim(), observations(0)
    needs = [need for need in traits_of(attack).needs if need in CRITICS]
    bare = Victim(full.action, distribution=full.distribution)
    given = bare._replace(**{need: getattr(full, need) for need in needs})
    attack(given, obs, BALL, torch.Generator())
    for need in needs:
        with pytest.raises(ValueError, match=need):
            attack(given._replace(**{need: None}), obs, BALL, torch.Generator())


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_need_the_critics_that_they_declare(name: str) -> None:
    check_needs(make_attack(name))


def test_the_check_rejects_attacks_that_declare_too_little_or_too_much() -> None:
    @dataclass(frozen=True)
    class Silent(RandomSearch):
        needs: ClassVar = ()

    @dataclass(frozen=True)
    class Greedy(UniformNoise):
        needs: ClassVar = ("q_cost",)

    with pytest.raises(ValueError, match="q_cost"):
        check_needs(Silent())
    with pytest.raises(pytest.fail.Exception):
        check_needs(Greedy())


def check_noise(attack: Any) -> None:
    """Equal rows are moved alike, but for attacks whose rows draw noise of their own."""
    obs = observations(0)[:1].expand(6, 5).clone()
    found = attack(nets(0).victim(), obs, BALL, torch.Generator().manual_seed(0)).obs
    alike = bool((found == found[0]).all())
    assert alike != traits_of(attack).per_row_noise


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "null"])
def test_rows_draw_noise_of_their_own_where_an_attack_says_so(name: str) -> None:
    check_noise(make_attack(name))


def test_the_check_rejects_noise_that_is_not_declared() -> None:
    @dataclass(frozen=True)
    class Silent(UniformNoise):
        per_row_noise: ClassVar = False

    with pytest.raises(AssertionError):
        check_noise(Silent())


def test_what_seeks_cost() -> None:
    seeking = {name for name in ATTACKS if traits_of(make_attack(name)).cost_directed}
    assert seeking == {"mc", "mixture", "random_search", "ensemble"}
    assert not traits_of(make_attack("mixture", cost_weight=0.0)).cost_directed
    assert not traits_of(make_attack("random_search", objective="mr")).cost_directed


def test_an_attack_within_another_gives_it_its_traits() -> None:
    led = WithCritics(make_attack("mixture"), q_cost=lambda obs, action: obs[:, 0])
    assert traits_of(led).needs == ("q_reward", GRADIENT)
    assert traits_of(led).cost_directed
    assert traits_of(led).title == "mixture"
    both = Ensemble((UniformNoise(), make_attack("mr")), Mixture())
    assert set(traits_of(both).needs) == {*CRITICS, GRADIENT}
    assert traits_of(both).per_row_noise


def test_what_is_not_declared_has_a_default() -> None:
    assert traits_of(lambda *_: None) == Traits()


def test_every_attack_has_words_for_reports() -> None:
    for name in ATTACKS:
        traits = traits_of(make_attack(name))
        assert traits.title
        assert traits.words.endswith(".")


def test_what_a_victim_lacks() -> None:
    bare = Victim(lambda obs: obs)
    assert lacking(make_attack("mc"), bare) == ("q_cost",)
    assert lacking(make_attack("mad"), bare, has_gradient=False) == (GRADIENT,)
    assert lacking(UniformNoise(), bare, has_gradient=False) == ()


@dataclass(frozen=True)
class Shift:
    """Moves everything up."""

    share: float = 1.0
    title: ClassVar = "shift"

    def __call__(
        self, victim: Victim, obs: torch.Tensor, ball: LpBall, generator: Any = None
    ) -> AttackResult:
        nothing = obs.new_zeros(len(obs))
        moved = ball.project(obs, obs + self.share * ball.eps.to(obs))
        return AttackResult(moved, nothing, nothing)


@pytest.fixture
def shift() -> Iterator[str]:
    register_attack("shift", Shift)
    yield "shift"
    del ATTACKS["shift"]


def test_a_registered_attack_is_made_by_name_with_its_options(shift: str) -> None:
    assert make_attack(shift, share=0.5) == Shift(0.5)
    with pytest.raises(ValueError, match="Did you mean 'share'"):
        make_attack(shift, sharing=0.5)
    register_attack(shift, Shift)
    with pytest.raises(ValueError, match="'shift' is registered already"):
        register_attack(shift, UniformNoise)
