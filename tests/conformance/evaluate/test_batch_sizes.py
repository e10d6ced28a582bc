"""Short batches where they change no bit, and full ones where they would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from conformance_envs import Ladder, Staggered

from safer_gym.agents import CVPO
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate import attacked_policy, evaluate
from safer_gym.conformance.evaluate.attacked_policy import ROWS, AttackedPolicy
from safer_gym.conformance.evaluate.batch_sizes import SIZES, sizes_alike
from safer_gym.networks import MlpAction
from safer_gym.types import Victim
from safer_gym.wrappers.policies.stochastic import stochastic_policy


@pytest.fixture(scope="module")
def agent() -> CVPO:
    networks = {"net_arch": [64, 64], "n_critics": 2, "n_cost_critics": 1}
    return CVPO(
        "MlpPolicy", Ladder(), policy_kwargs=networks, episode_length=7, buffer_size=10, seed=0
    )


@pytest.mark.parametrize("attack", ["natural", "mc", "mr", "mad", "uniform", "random_search"])
@pytest.mark.parametrize("env", [Ladder, Staggered])
def test_the_number_of_environments_changes_no_bit_of_a_network(
    attack: str, env: type[gym.Env], agent: CVPO
) -> None:
    results = [
        evaluate(agent, env, [attack], eps=0.3, n_episodes=27, n_envs=width, seed=3)[0]
        for width in (1, 7, 16, 25)
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.returns, results[0].returns)
        np.testing.assert_array_equal(result.costs, results[0].costs)


def sizes_of(actor: AttackedPolicy, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batch sizes of three steps with fewer and fewer rows alive."""
    seen: list[int] = []
    answer = actor._answer

    def spy(clean: torch.Tensor, *stream: int) -> Any:
        seen.append(len(clean))
        return answer(clean, *stream)

    actor.act({0: np.zeros(2)}, block=0, step=0)
    monkeypatch.setattr(actor, "_answer", spy)
    for step, rows in enumerate([(0, 24), (3, 15), (7,)]):
        actor.act({row: np.zeros(2) for row in rows}, block=0, step=step)
    return seen


def test_batches_are_as_short_as_the_machine_allows(
    agent: CVPO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ball, attack = LpBall.of("linf", 0.1), make_attack("mc", steps=2)
    for allowed, expected in ((SIZES, [32, 16, 8]), ((), [ROWS] * 3)):
        monkeypatch.setattr(attacked_policy, "sizes_alike", lambda *args, allowed=allowed: allowed)
        actor = AttackedPolicy(agent.victim(), attack, ball, seed=0)
        assert sizes_of(actor, monkeypatch) == expected


def test_a_draw_is_the_same_whoever_else_is_in_the_batch(agent: CVPO) -> None:
    drawn = stochastic_policy(agent).draw
    rng = np.random.default_rng(0)

    def acting(rows: tuple[int, ...], seen: np.ndarray, step: int) -> np.ndarray:
        answers = actor.act({row: seen[row] for row in rows}, block=0, step=step)
        return np.stack([action for _, action in answers.values()])

    actor = AttackedPolicy(
        agent.victim(), make_attack("null"), LpBall.of("linf", 0.1), seed=0, draw=drawn
    )
    for step in range(60):
        seen = 0.3 * rng.standard_normal((ROWS, 2)).astype(np.float32)
        whole = acting(tuple(range(ROWS)), seen, step)
        assert len(np.unique(whole)) > 1
        for rows in ((0,), (11,), (3, 17), (24,)):
            np.testing.assert_array_equal(acting(rows, seen, step), whole[list(rows)])


def test_a_policy_that_is_no_known_network_keeps_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = AttackedPolicy(
        Victim(lambda obs: obs), make_attack("null"), LpBall.of("linf", 0.1), seed=0
    )
    assert sizes_of(actor, monkeypatch) == [ROWS] * 3


def test_sizes_are_refused_where_one_of_them_moves_a_single_bit(agent: CVPO) -> None:
    """The specimen: an answer that depends on the size of its batch in the last bit of one row."""
    action = agent.victim().action
    assert isinstance(action, MlpAction)

    def fickle(obs: torch.Tensor) -> torch.Tensor:
        answer = action(obs).detach().clone()
        if len(obs) == 16:
            answer[3, 0] = torch.nextafter(answer[3, 0], torch.tensor(9.0))
        return answer

    example = torch.zeros(2)
    assert sizes_alike(lambda rows: [replace(action, function=fickle)(rows)], example) == ()
    assert sizes_alike(lambda rows: [2 * rows], example) == SIZES
