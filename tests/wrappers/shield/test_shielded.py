"""A shield fitted to an environment, around a policy and around an environment."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shield_toys import make_line, mass, rightward
from torch import nn

from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate import evaluate
from safer_gym.shield import reach_of
from safer_gym.wrappers import Shield, ShieldedEnv, ShieldedPolicy, view_of
from safer_gym.wrappers.gate.policy import admit

COORDINATES = {"x": (0, 1.0), "v": (1, 1.0)}
H = {"x": (-3.0, 3.0), "v": (-3.0, 3.0)}


@cache
def fitted() -> Shield:
    return Shield.fit(make_line, coordinates=COORDINATES, h=H, eps=0.2, episodes=6)


class Drive(nn.Module):
    """Full force to the right, a little less where it is far to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[-0.1, -0.1]]))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return torch.tanh(obs @ self.weight.mT + 2)


def test_what_is_fitted_is_the_mass() -> None:
    (part,) = fitted().parts
    exact = mass().free
    for name in ("A", "B", "c"):
        assert torch.allclose(getattr(part.free, name), getattr(exact, name), atol=5e-3)
    assert 0.005 < float(part.free.high[1]) < 0.03
    assert part.reach.tolist() == [0.2, 0.2]
    assert fitted().prove()[0].holds


@pytest.mark.parametrize("attack", ["natural", "mad"])
def test_it_stays_inside_whoever_lies(attack: str) -> None:
    plain, policy = Drive(), ShieldedPolicy(Drive(), fitted())
    space = make_line()
    policy.action_space, policy.observation_space = space.action_space, space.observation_space
    (free,) = evaluate(plain, make_line, [attack], eps=0.2, n_episodes=4)
    (kept,) = evaluate(policy, make_line, [attack], eps=0.2, n_episodes=4)
    assert free.costs.min() > 0
    assert kept.costs.max() == 0
    assert kept.mean_return > 20  # at |x| <= 3 it could be 60


def test_attacks_see_through_it() -> None:
    env = make_line()
    policy = ShieldedPolicy(
        Drive(),
        fitted(),
        action_space=env.action_space,
        observation_space=env.observation_space,
    )
    view = admit(policy, env.observation_space, env.action_space)
    victim = view.victim()
    rows = victim.memory.at_start(torch.tensor([[0.5, 0.1], [2.9, 1.0]]))
    leaf = rows.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(victim.action(leaf).sum(), leaf)
    assert bool((slope[:, -2:] != 0).all())
    ball = LpBall.of("linf", torch.tensor([0.0] * victim.memory.size + [0.2, 0.2]))
    found = make_attack("mad")(victim._replace(distribution=None), rows, ball, None)
    assert float(found.objective.max()) > 0


def test_its_memory_is_what_it_returns() -> None:
    policy, obs = ShieldedPolicy(Drive(), fitted()), np.array([1.0, 0.5], np.float32)
    first, state = policy.predict(obs)
    assert first.shape == (1,)
    batch, after = policy.predict(np.stack([obs, obs]), np.repeat(state, 2, 0), [True, False])
    again, _ = policy.predict(obs, state)
    assert np.array_equal(batch[0], first)
    assert np.array_equal(batch[1], again)
    assert not np.array_equal(after[0], after[1])
    view = admit(policy, make_line().observation_space, make_line().action_space)
    with pytest.raises(ValueError, match="without a memory"):
        ShieldedPolicy(view, fitted())


def test_an_env_behind_it_keeps_both_actions() -> None:
    env = ShieldedEnv(make_line(), fitted(), penalty=1.0)
    obs, _ = env.reset(seed=0)
    moved = cost = 0.0
    for _ in range(60):
        obs, reward, _, done, info = env.step(rightward(obs))
        changed = not np.array_equal(info["sent_action"], rightward(obs))
        assert info["shield"]["moved"] == changed
        assert reward <= float(obs[0]) / 3 + 1e-6
        moved, cost = moved + changed, cost + info["cost"]
    assert done
    assert moved > 5
    assert cost == 0


def test_sb3_learns_behind_it() -> None:
    from stable_baselines3 import SAC
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([lambda: ShieldedEnv(make_line(), fitted())])
    model = SAC("MlpPolicy", env, learning_starts=20, seed=0, policy_kwargs={"net_arch": [8]})
    model.learn(60)
    policy = ShieldedPolicy(model, fitted())
    (outcome,) = evaluate(policy, make_line, ["natural"], eps=0.0, n_episodes=2)
    assert outcome.costs.max() == 0


def test_a_saved_shield_is_the_same(tmp_path: Path) -> None:
    fitted().save(tmp_path / "shield.json")
    same = Shield.load(tmp_path / "shield.json")
    assert same.to_json() == fitted().to_json()
    with pytest.raises(ValueError, match="format"):
        Shield.from_json({**same.to_json(), "format": "another"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"h": {"z": (-1, 1)}}, "no coordinates"),
        ({"h": {}}, "must bound a coordinate"),
        ({"eps": -1.0}, "eps"),
        ({"actions": [[0], [0]]}, "each of 1 parts"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, words: str) -> None:
    told = {"coordinates": COORDINATES, "h": H, "eps": 0.1, "episodes": 1}
    with pytest.raises(ValueError, match=words):
        Shield.fit(make_line, **{**told, **change})


def test_room_is_made_for_a_disturbance_by_its_radius_and_what_it_does() -> None:
    plain = Shield((mass(),), 0.1)
    ready = plain.widened(disturbance=0.03, pushes={"v": 0.3}, action_eps=0.1)
    assert (ready.disturbance, ready.pushes, ready.action_eps) == (0.03, {"v": 0.3}, 0.1)
    wider = ready.parts[0].free.high - plain.parts[0].free.high
    assert wider.tolist() == pytest.approx([0.005 * 0.1, 0.1 * 0.1 + 0.03 * 0.3])
    assert ready.prove()[0].holds
    assert Shield.from_json(ready.to_json()).to_json() == ready.to_json()
    with pytest.raises(ValueError, match="widened already"):
        ready.widened(action_eps=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"disturbance": 0.1}, "pushes must say"),
        ({"disturbance": 0.1, "pushes": {"y": 0.1}}, "coordinate of pushes"),
        ({"disturbance": 0.1, "pushes": {"v": -0.1}}, "pushes"),
        ({"disturbance": -0.1, "pushes": {"v": 0.1}}, "disturbance"),
        ({"action_eps": math.inf}, "action_eps"),
    ],
)
def test_what_makes_no_room_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Shield((mass(),), 0.1).widened(**options)


def test_a_file_that_counts_disturbances_in_coordinates_is_refused() -> None:
    data = fitted().to_json() | {"format": "safer-gym/shield/1"}
    del data["pushes"]
    assert Shield.from_json(data).to_json() == fitted().to_json()
    with pytest.raises(ValueError, match="counts disturbances in coordinates"):
        Shield.from_json(data | {"disturbance": 0.1})


@pytest.mark.parametrize(
    "change",
    [
        {"eps": "x"},
        {"eps": -1.0},
        {"norm": 3},
        {"action_eps": math.inf},
        {"action_eps": None},
        {"action_eps": 0.5},
        {"disturbance": 0.1},
        {"disturbance": 0.1, "pushes": {"v": 5.0}},
        {"pushes": [1]},
        {"parts": 3},
        {"parts": [{}]},
        {"parts": []},
    ],
    ids=str,
)
def test_a_file_of_another_shield_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Whatever is wrong with it, by a ValueError."""
    path = tmp_path / "shield.json"
    path.write_text(json.dumps(fitted().to_json() | change))
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        Shield.load(path)


def test_a_file_that_lacks_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shield.json"
    path.write_text(json.dumps({k: v for k, v in fitted().to_json().items() if k != "norm"}))
    with pytest.raises(ValueError, match="no shield"):
        Shield.load(path)


def test_an_action_and_a_coordinate_have_one_number_and_one_name() -> None:
    with pytest.raises(ValueError, match=r"counted from 0; got \('x', 'v'\) and \(-1,\)"):
        replace(mass(), actions=(-1,))
    with pytest.raises(ValueError, match="must be distinct"):
        replace(mass(), names=("x", "x"))


def test_actions_of_two_parts_must_differ() -> None:
    with pytest.raises(ValueError, match="actions of their own"):
        Shield((mass(), mass()), 0.1)


@given(st.sampled_from(["l1", "l2", "linf"]), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_reach_is_that_of_the_ball(norm: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 3, generator=generator).double()
    ball = LpBall.of(norm, torch.tensor([0.1, 0.2, 0.3]))
    reach = reach_of(weight, ball)
    points = torch.randn(500, 3, generator=generator).double()
    points = ball.project(torch.zeros(500, 3).double(), points)
    found = (points @ weight.mT).abs().amax(0)
    assert bool((found <= reach * (1 + 1e-9)).all())
    best = ball.ascent_direction(weight)
    assert torch.allclose((best * weight).sum(1), reach)


def test_deployed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`my_shield:policy` is a door for every command."""
    from safer_gym.conformance.loading import load_policy

    fitted().save(tmp_path / "line.json")
    (tmp_path / "guarded_line.py").write_text(
        "from shield_toys import make_line, rightward\n"
        "from safer_gym.wrappers import Shield, ShieldedPolicy\n"
        f"shield = Shield.load({str(tmp_path / 'line.json')!r})\n"
        "env = make_line()\n"
        "policy = ShieldedPolicy(rightward, shield, action_space=env.action_space,\n"
        "                        observation_space=env.observation_space)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = load_policy("guarded_line:policy")
    (outcome,) = evaluate(loaded, make_line, ["uniform"], eps=0.2, n_episodes=2)
    assert outcome.costs.max() == 0
    assert isinstance(view_of(loaded).inner, ShieldedPolicy)
