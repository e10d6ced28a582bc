"""Attacks and objectives by name: the one table, to which others add theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple

from safer_gym.attacks.bang_bang import BangBang
from safer_gym.attacks.ensemble import Ensemble
from safer_gym.attacks.gradient import GradientAttack
from safer_gym.attacks.noise import GaussianNoise, NullAttack, UniformNoise
from safer_gym.attacks.objectives import (
    MaxActionDifference,
    MaxCost,
    MaxReward,
    MinReward,
    Mixture,
    Objective,
)
from safer_gym.attacks.random_search import RandomSearch
from safer_gym.attacks.step_rules import StepRule, make_step_rule
from safer_gym.choices import choose
from safer_gym.types import Attack

OBJECTIVES: dict[str, Any] = {
    "mc": MaxCost,
    "mr": MaxReward,
    "mixture": Mixture,
    "min_reward": MinReward,
    "mad": MaxActionDifference,
}


def make_objective(objective: str | Objective, **options: Any) -> Objective:
    """An objective by name, with options of its constructor; an objective passes through."""
    if callable(objective):
        return objective
    made: Objective = OBJECTIVES[choose("objective", objective, OBJECTIVES)](**options)
    return made


class Entry(NamedTuple):
    """A registered attack: how it is made, and in which batteries."""

    make: Callable[..., Attack]
    """From options to the attack."""
    options: tuple[str, ...] = ()
    """Names of the options."""
    batteries: tuple[str, ...] = ()
    """Batteries of a certificate that it belongs to, beside those that name it."""


ATTACKS: dict[str, Entry] = {}
"""What is registered, by the name that `make_attack` and every command know."""


def register_attack(
    name: str,
    make: Callable[..., Attack],
    *,
    options: Sequence[str] | None = None,
    batteries: Sequence[str] = (),
) -> None:
    """Make an attack known by name to every command, battery and report.

    Args:
        name: how it is asked for.
        make: makes it; its class, or a function with keyword arguments.
        options: names of the options; default: the fields of a dataclass.
        batteries: "quick", "standard" or "full": certificates with these batteries run it.

    Raises:
        ValueError: the name is taken by another attack.
    """
    if name in ATTACKS and ATTACKS[name].make is not make:
        raise ValueError(f"attack {name!r} is registered already; choose another name")
    if options is None:
        options = _fields(make) if is_dataclass(make) else ()
    ATTACKS[name] = Entry(make, tuple(options), tuple(batteries))


def make_attack(name: str, **options: Any) -> Attack:
    """An attack by name, with its options; see `attack_options` for their names.

    Defaults are those of the classes: `GradientAttack` and the step rules, `RandomSearch`,
    `Ensemble`, `GaussianNoise`. `step_rule` is "steepest", "gradient" or "adam"; `objective` and
    `attacks` take names or objects.

    Raises:
        ValueError: for an unknown name or option, with the nearest one, or a value out of range.
    """
    entry = ATTACKS[choose("attack", name, ATTACKS)]
    for option in options:
        if not entry.options:
            raise ValueError(f"attack {name!r} has no options; got {option!r}")
        choose(f"option of attack {name!r}", option, entry.options)
    return entry.make(**options)


def attack_options(name: str) -> tuple[str, ...]:
    """The option names of an attack."""
    return ATTACKS[choose("attack", name, ATTACKS)].options


def _gradient(
    objective: str,
    *,
    step_rule: str | StepRule | None = None,
    step_size: float | None = None,
    **options: Any,
) -> Attack:
    own = {key: options.pop(key) for key in _fields(OBJECTIVES[objective]) if key in options}
    if step_rule is not None or step_size is not None:
        options["step_rule"] = make_step_rule(
            "steepest" if step_rule is None else step_rule, step_size
        )
    if objective == "mad":
        options = {"random_start": True} | options
    return GradientAttack(make_objective(objective, **own), **options)


def _random_search(**options: Any) -> Attack:
    if "objective" in options:
        options["objective"] = make_objective(options["objective"])
    return RandomSearch(**options)


def _ensemble(
    attacks: Sequence[str | Attack] = ("mc", "mr", "mad", "random_search"), **options: Any
) -> Attack:
    if "objective" in options:
        options["objective"] = make_objective(options["objective"])
    if isinstance(attacks, str):
        raise ValueError(f"attacks must be a sequence of names or attacks; got {attacks!r}")
    members = [make_attack(attack) if isinstance(attack, str) else attack for attack in attacks]
    return Ensemble(tuple(members), **options)


def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_LOOP = ("steps", "restarts", "step_rule", "step_size", "random_start")

register_attack("null", NullAttack)
register_attack("uniform", UniformNoise)
register_attack("gaussian", GaussianNoise)
for _name, _kind in OBJECTIVES.items():
    register_attack(_name, partial(_gradient, _name), options=_LOOP + _fields(_kind))
register_attack("random_search", _random_search, options=_fields(RandomSearch))
register_attack("ensemble", _ensemble, options=_fields(Ensemble))
_EVERY = ("quick", "standard", "full")
register_attack("bang_bang", BangBang, batteries=_EVERY)
for _name, _options in (
    ("bang_bang_held", {"held": True}),
    ("bang_bang_low", {"corner": "low"}),
    ("bang_bang_high", {"corner": "high"}),
):
    register_attack(_name, partial(BangBang, **_options), options=(), batteries=_EVERY)
