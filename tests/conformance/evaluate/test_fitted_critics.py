"""MC and MR attack policies without critics at every door, led by critics learned of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from conformance_envs import Ladder
from typer.testing import CliRunner

import safer_gym.conformance.evaluate.fitted_critics as stand_in_module
from safer_gym.attacks import ATTACKS, WithCritics, make_attack, traits_of
from safer_gym.attacks.traits import CRITICS
from safer_gym.balls import LpBall
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.evaluate.evaluation import evaluate, named_attacks
from safer_gym.conformance.evaluate.fitted_critics import CriticFitter
from safer_gym.types import Gaussian, Victim
from safer_gym.wrappers.fitted_critics.critics import fit_critics
from safer_gym.wrappers.tasks import Task

runner = CliRunner()
FEW = {"n_steps": 64, "n_envs": 2, "updates": 8, "batch_size": 16, "hidden": (8,)}


def bare(**critics: Any) -> Victim:
    """A victim with these critics alone."""
    return Victim(
        action=lambda obs: torch.tanh(obs),
        distribution=lambda obs: Gaussian(torch.tanh(obs), torch.ones_like(obs)),
        q_reward=critics.get("q_reward"),
        q_cost=critics.get("q_cost"),
    )


def critic(obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    return (obs * action).sum(1)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_an_attack_asks_is_what_is_known_of_it(name: str) -> None:
    obs, ball = torch.zeros(3, 1), LpBall.of("linf", 0.1)
    attack = make_attack(name)
    asked = [need for need in traits_of(attack).needs if need in CRITICS]
    attack(bare(**dict.fromkeys(asked, critic)), obs, ball, torch.Generator())
    for left_out in asked:
        rest = {other: critic for other in asked if other != left_out}
        with pytest.raises(ValueError, match=left_out):
            attack(bare(**rest), obs, ball, torch.Generator())


def fitter(policy: Any, told: list[str]) -> CriticFitter:
    return CriticFitter(policy, Ladder, 0, told.append)


def test_a_policy_with_critics_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in_module, "fit_critics", lambda *_, **__: pytest.fail("learned"))
    full = bare(q_reward=critic, q_cost=critic)
    named = named_attacks(("natural", "iterated_mc", *ATTACKS))
    assert fitter(full, []).led(named) == named


def test_only_what_is_missing_is_replaced_and_learned_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(stand_in_module, "fit_critics", partial(fit_critics, **FEW))
    found = fitter(bare(q_reward=critic), told)
    assert set(found.led({"mr": make_attack("mr")})) == {"mr"}
    assert told == []
    (attack,) = found.led({"mc": make_attack("mc")}).values()
    assert isinstance(attack, WithCritics)
    assert attack.q_reward is None
    again: Any = found.led({"mixture": make_attack("mixture")})
    assert again["mixture fitted"].q_cost is attack.q_cost
    assert len(told) == 1


def contrib(name: str, folder: Path, env: Callable[[], gym.Env]) -> Path:
    module = pytest.importorskip("sb3_contrib")
    small = {"policy_kwargs": {"net_arch": [8]}, "seed": 0, "device": "cpu"}
    path = folder / f"{name}.zip"
    getattr(module, name)("MlpPolicy", env(), buffer_size=10, **small).save(path)
    return path


@pytest.mark.parametrize("name", ["TQC", "CrossQ"])
def test_the_commands_attack_a_model_of_the_contrib_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in_module, "fit_critics", partial(fit_critics, **FEW))
    monkeypatch.setattr(Task, "make", lambda task, **options: Ladder(**options))
    model = str(contrib(name, tmp_path, Ladder))
    arguments = [model, "--task", "ball-circle", "--episodes", "2", "--json"]
    for command in ("attack", "evaluate"):
        result = runner.invoke(app, [command, *arguments])
        assert result.exit_code == 0, result.stderr
        outcomes = json.loads(result.stdout)["outcomes"]
        assert [o["attack"] for o in outcomes] == ["natural", "mc fitted", "mr"]
        assert all(np.isfinite(o["mean_cost"]) for o in outcomes)
        assert "critics" in result.stderr


def test_python_learns_what_the_shell_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in_module, "fit_critics", partial(fit_critics, **FEW))
    told: list[str] = []
    found = evaluate(
        bare(q_reward=critic),
        Ladder,
        ["natural", "mc", "mr"],
        eps=0.1,
        n_episodes=2,
        progress=lambda what, share: told.append(what),
    )
    assert [outcome.attack for outcome in found] == ["natural", "mc fitted", "mr"]
    assert "learning" in told[0]


@pytest.mark.parametrize(
    ("victim", "attacks", "words"),
    [
        (bare(), {"quiet": make_attack("null"), "mine": make_attack("mc")}, "'mine' needs.*q_cost"),
        (Victim(lambda obs: obs.detach()), ["natural", "mc"], "'mc' needs.*gradient"),
        (Victim(lambda obs: obs.detach()), ["natural", "iterated_mc"], "'iterated_mc' needs"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(
    victim: Victim, attacks: Any, words: str
) -> None:
    class Untouched(Ladder):
        def step(self, action: Any) -> Any:
            pytest.fail("an episode was run")

    with pytest.raises(ValueError, match=words):
        evaluate(victim, Untouched, attacks, eps=0.1)
