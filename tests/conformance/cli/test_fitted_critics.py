"""Policies without critics meet MC and MR on the command line, led by critics learned of them."""

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

import safer_gym.conformance.cli.fitted_critics as stand_in_module
from safer_gym.attacks import ATTACKS, make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.cli.fitted_critics import CLIMBED, StandIns
from safer_gym.conformance.cli.main import app
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
    asked = CLIMBED.get(name, ())
    obs, ball = torch.zeros(3, 1), LpBall.of("linf", 0.1)
    attack = make_attack(name)
    attack(bare(**dict.fromkeys(asked, critic)), obs, ball, torch.Generator())
    for left_out in asked:
        rest = {other: critic for other in asked if other != left_out}
        with pytest.raises(ValueError, match=left_out):
            attack(bare(**rest), obs, ball, torch.Generator())


def stand_ins(policy: Any, told: list[str]) -> StandIns:
    return StandIns(policy, Ladder, 0, told.append)


def test_a_policy_with_critics_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in_module, "fit_critics", lambda *_, **__: pytest.fail("learned"))
    full = bare(q_reward=critic, q_cost=critic)
    for name in ("natural", "iterated_mc", *ATTACKS):
        assert stand_ins(full, []).attacks(name) == [name]


def test_only_what_is_missing_is_replaced_and_learned_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(stand_in_module, "fit_critics", partial(fit_critics, **FEW))
    found = stand_ins(bare(q_reward=critic), told)
    assert found.attacks("mr") == ["mr"]
    assert told == []
    (label,) = first = found.attacks("mc")
    assert label == "mc fitted"
    attack: Any = first["mc fitted"]  # type: ignore[call-overload]
    assert attack.q_reward is None
    again: Any = found.attacks("mixture")
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
