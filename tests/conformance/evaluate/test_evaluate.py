"""Evaluation: known sums, equal starts, and results that no batching can change."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from conformance_envs import HORIZON, Ladder, Staggered
from torch import nn

from safer_gym.attacks import ATTACKS, make_attack, traits_of
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.types import Victim


class Echo(nn.Module):
    """Acts what it sees."""

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return obs


def echo_with_critics() -> Victim:
    """Its cost critic rises along the diagonal, so the strongest tampering is known."""
    return Victim(
        action=lambda obs: obs,
        q_reward=lambda obs, action: action[:, 0],
        q_cost=lambda obs, action: action.sum(1),
    )


def test_natural_episodes_have_the_known_returns_and_no_cost() -> None:
    (outcome,) = evaluate(Echo(), Ladder, ["natural"], eps=0.3, n_episodes=5, seed=100)
    np.testing.assert_allclose(outcome.returns, HORIZON * (1.0 + np.arange(5) / 100), rtol=1e-6)
    assert outcome.costs.tolist() == [0.0] * 5
    assert outcome.lengths.tolist() == [HORIZON] * 5
    assert outcome.eps == 0.0


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_maximum_cost_moves_the_observation_to_the_corner(eps: float) -> None:
    natural, attacked = evaluate(
        echo_with_critics(), Ladder, ["natural", "mc"], eps=eps, n_episodes=3
    )
    np.testing.assert_allclose(attacked.costs, HORIZON * eps, atol=1e-5)
    np.testing.assert_allclose(attacked.returns, natural.returns + HORIZON * eps, atol=1e-5)


@pytest.mark.parametrize("attack", ["natural", "mc", "uniform", "gaussian"])
@pytest.mark.parametrize("env", [Ladder, Staggered])
def test_the_number_of_environments_in_lockstep_changes_no_bit(
    attack: str, env: type[gym.Env]
) -> None:
    results = [
        evaluate(echo_with_critics(), env, [attack], eps=0.1, n_episodes=30, n_envs=width)[0]
        for width in (1, 4, 25)
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.returns, results[0].returns)
        np.testing.assert_array_equal(result.costs, results[0].costs)
        np.testing.assert_array_equal(result.lengths, results[0].lengths)


def test_an_episode_does_not_depend_on_how_many_follow_it() -> None:
    few, many = (
        evaluate(echo_with_critics(), Ladder, ["uniform"], eps=0.1, n_episodes=n)[0]
        for n in (3, 28)
    )
    np.testing.assert_array_equal(few.costs, many.costs[:3])


def test_episodes_get_noise_of_their_own() -> None:
    (outcome,) = evaluate(Echo(), Ladder, ["uniform"], eps=0.1, n_episodes=30)
    assert len(set(outcome.costs.tolist())) == 30


def test_lengths_follow_each_environment() -> None:
    (outcome,) = evaluate(Echo(), Staggered, ["natural"], eps=0.0, n_episodes=7, seed=0)
    assert outcome.lengths.tolist() == [1, 2, 3, 4, 5, 1, 2]
    (outcome,) = evaluate(Echo(), Staggered, ["natural"], eps=0.0, n_episodes=7, max_steps=3)
    assert outcome.lengths.tolist() == [1, 2, 3, 3, 3, 1, 2]


def test_an_attack_of_the_users_own_goes_by_its_label() -> None:
    attacks = {"one step": make_attack("mc", steps=1)}
    (outcome,) = evaluate(echo_with_critics(), Ladder, attacks, eps=0.1, n_episodes=1)
    assert outcome.attack == "one step"


def test_progress_rises_to_one() -> None:
    seen: list[tuple[str, float]] = []
    evaluate(
        Echo(),
        Ladder,
        ["natural"],
        eps=0.0,
        n_episodes=30,
        n_envs=4,
        progress=lambda *said: seen.append(said),
    )
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert seen[-1] == ("natural", 1.0)


def test_traces_show_what_was_and_what_was_seen() -> None:
    (outcome,) = evaluate(echo_with_critics(), Ladder, ["mc"], eps=0.1, n_episodes=4, traces=2)
    assert len(outcome.traces) == 2
    trace = outcome.traces[0]
    assert trace.clean.shape == trace.attacked.shape == trace.positions.shape == (HORIZON, 2)
    np.testing.assert_allclose(trace.attacked - trace.clean, 0.1, atol=1e-6)


def test_outcomes_survive_json() -> None:
    (outcome,) = evaluate(echo_with_critics(), Ladder, ["mc"], eps=0.1, n_episodes=2, traces=1)
    again = Outcomes.from_json(outcome.to_json())
    np.testing.assert_array_equal(again.returns, outcome.returns)
    np.testing.assert_allclose(again.traces[0].attacked, outcome.traces[0].attacked, atol=1e-4)
    assert (again.attack, again.eps, again.seconds) == (
        outcome.attack,
        outcome.eps,
        outcome.seconds,
    )


class NegativeCost(Ladder):
    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        *rest, _ = super().step(action)
        return (*rest, {"cost": -1.0})  # type: ignore[return-value]


class Broken(Ladder):
    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        _, *rest = super().step(action)
        return (np.full(2, np.nan, np.float32), *rest)  # type: ignore[return-value]


class DictObs(Ladder):
    """Says Dict, and shows an array."""

    observation_space = gym.spaces.Dict({"a": gym.spaces.Box(-1.0, 1.0, (2,))})


class NestedObs(Ladder):
    observation_space = gym.spaces.Dict(
        {"a": gym.spaces.Dict({"b": gym.spaces.Box(-1.0, 1.0, (2,))})}
    )

    def reset(self, **options):
        obs, info = super().reset(**options)
        return {"a": {"b": obs}}, info


@pytest.mark.parametrize(
    ("make_env", "options", "error", "words"),
    [
        (lambda: Ladder(cost=False), {}, ValueError, "absent cost"),
        (NegativeCost, {}, ValueError, ">= 0"),
        (Broken, {}, ValueError, "not finite"),
        (DictObs, {}, ValueError, "without the entry 'a'"),
        (NestedObs, {}, ValueError, "nested"),
        (Ladder, {"eps": -0.1}, ValueError, "eps"),
        (Ladder, {"norm": "l3"}, ValueError, "linf"),
        (Ladder, {"n_episodes": 0}, ValueError, "n_episodes"),
        (Ladder, {"n_envs": 0}, ValueError, "n_envs"),
        (Ladder, {"attacks": ["mcc"]}, ValueError, "'mc'"),
        (Ladder, {"attacks": "mc"}, TypeError, "sequence"),
    ],
)
def test_bad_input_is_refused_by_name(
    make_env: object, options: dict, error: type[Exception], words: str
) -> None:
    arguments = {"attacks": ["natural"], "eps": 0.1, "n_episodes": 2, **options}
    with pytest.raises(error, match=words):
        evaluate(Echo(), make_env, **arguments)  # type: ignore[arg-type]


class Counted(Ladder):
    """Counts how many are open, and fails where it is told to."""

    open = 0

    def __init__(self, fails: bool = False) -> None:
        super().__init__(cost=not fails)
        Counted.open += 1

    def close(self) -> None:
        Counted.open -= 1


@pytest.mark.parametrize("fails", [False, True])
def test_every_environment_is_closed(fails: bool) -> None:
    Counted.open = 0
    try:
        evaluate(Echo(), lambda: Counted(fails), ["natural"], eps=0.0, n_episodes=30, n_envs=4)
    except ValueError:
        assert fails
    assert Counted.open == 0


OF_OBSERVATIONS = [n for n in ATTACKS if traits_of(make_attack(n)).channel is None]


@pytest.mark.parametrize("name", OF_OBSERVATIONS)
def test_every_named_attack_runs(name: str) -> None:
    (outcome,) = evaluate(echo_with_critics(), Ladder, [name], eps=0.1, n_episodes=1)
    assert outcome.costs[0] <= HORIZON * 0.1 + 1e-5


def test_an_attack_says_what_the_victim_lacks() -> None:
    with pytest.raises(ValueError, match="q_cost"):
        evaluate(Echo(), Ladder, {"mc": make_attack("mc")}, eps=0.1, n_episodes=1)
