"""Episodes are independent and repeatable, or the certificate decides nothing."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from certify_toys import Line, Push, homing_network
from streams_toys import DRAWS, Drawing, Drifting, Round, SeededOnce, Tiring, Wearing

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.contracts import ContractError, check_cost_env
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers import fit_critics
from safer_gym.wrappers.gate.forgetting import remembered
from safer_gym.wrappers.gate.global_streams import drawn_since, states

NETWORK = homing_network()
GLOBAL = [name for name in DRAWS if name != "module"]


def costs_of(draw: str, n_envs: int, n_episodes: int = 60) -> Any:
    (found,) = evaluate(
        NETWORK, lambda: Drifting(draw), ["natural"], eps=0.1, n_envs=n_envs,
        n_episodes=n_episodes,
    )  # fmt: skip
    return found.returns.tolist(), found.costs.tolist()


@pytest.mark.parametrize("draw", GLOBAL)
def test_an_episode_has_global_generators_of_its_own(draw: str) -> None:
    """Whatever runs beside it and whatever ran before; the user's generators stay put."""
    before = states()
    alone = costs_of(draw, n_envs=1)
    assert alone == costs_of(draw, n_envs=7) == costs_of(draw, n_envs=25)
    assert costs_of(draw, n_envs=25, n_episodes=30)[0] == alone[0][:30]
    assert len(set(alone[0])) == 60
    assert drawn_since(before) == ()


def made(env: Any, workers: int = 1, **options: Any) -> Certificate:
    return certify(
        NETWORK, env, requirement="P(cost > 6) <= 0.5 at eps = 0.1 under attacks",
        battery={"push": Push()}, workers=workers, episodes=50, modes=["deterministic"], **options,
    )  # fmt: skip


def flags(certificate: Certificate) -> set[tuple[str, str]]:
    return {(flag.name, flag.level) for flag in certificate.flags}


@pytest.mark.parametrize("draw", GLOBAL)
def test_workers_repeat_no_episode(draw: str) -> None:
    one, two = made(lambda: Drifting(draw)), made(lambda: Drifting(draw), workers=2)
    assert one.rows == two.rows
    assert (one.verdict, two.verdict) == ("PASS", "PASS")
    for evidence in two.rows[0].attacks:
        assert len(set(evidence.returns)) == evidence.n


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("env", [lambda: Drifting("module"), lambda: Wearing("random")])
def test_a_generator_or_a_memory_that_no_seed_reaches_decides_nothing(
    env: Any, workers: int
) -> None:
    """Without any cost above the limit there is nothing to replay; one episode is, all the same."""
    found = made(env, workers)
    assert ("not-repeatable", "error") in flags(found)
    assert found.verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("env", [SeededOnce, lambda: Tiring("random")])
def test_what_only_a_second_episode_shows_decides_nothing(env: Any) -> None:
    """Measured are first episodes: alike, or shorter than those that follow each other."""
    found = made(env)
    assert ("not-repeatable", "error") in flags(found)
    assert any("after another one in the same environment" in f.message for f in found.flags)
    assert found.verdict == "INCONCLUSIVE"


def test_the_last_digits_of_an_earlier_episode_are_no_memory() -> None:
    class Residue(Drifting):
        episodes = 0

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            gym.Env.reset(self, seed=seed)
            self.draw, self.episodes = self.np_random.random, self.episodes + 1
            self.x, self.t = self.draw() - 0.5 + 1e-7 * self.episodes, 0
            return np.float32([self.x]), {}

    assert remembered(lambda: Residue("random")) == ""
    assert remembered(lambda: SeededOnce()) == "at its reset"
    assert remembered(lambda: Tiring("random")) == "at its end"


def test_seeds_that_come_round_decide_nothing() -> None:
    found = made(lambda: Round("random"))
    assert flags(found) >= {("repeated-episodes", "error")}
    assert found.verdict == "INCONCLUSIVE"
    with pytest.warns(UserWarning, match="natural: 40 episodes repeat"):
        evaluate(NETWORK, lambda: Round("random"), ["natural"], eps=0.1)


def test_an_environment_without_chance_is_no_repetition() -> None:
    class Still(Line):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=0)
            return self._obs(), {}

    found = made(Still)
    assert "repeated-episodes" not in {flag.name for flag in found.flags}
    assert found.verdict == "PASS"


@pytest.mark.parametrize("draw", GLOBAL)
def test_an_attack_draws_from_the_generator_that_it_is_given(draw: str) -> None:
    """Rows of a batch would share its draws: an adversary, but not independent episodes."""
    words = f"attack 'mine', draws from the global generator of {draw}"
    with pytest.raises(ValueError, match=words):
        evaluate(NETWORK, Line, {"mine": Drawing(draw)}, eps=0.1, n_episodes=2)
    with pytest.raises(ValueError, match=words):
        certify(
            NETWORK, Line, limit=2.0, eps=0.1, battery={"mine": Drawing(draw)},
            modes=["deterministic"], episodes=25,
        )  # fmt: skip


def test_a_policy_draws_from_no_global_generator() -> None:
    def policy(obs: Any) -> Any:
        return np.random.normal(size=1)  # noqa: NPY002

    with pytest.raises(ValueError, match="policy"):
        evaluate(policy, Line, ["natural"], eps=0.1, n_episodes=2)


@pytest.mark.parametrize("draw", GLOBAL)
def test_learning_leaves_global_generators_alone_and_is_repeatable(draw: str) -> None:
    before = states()
    fits = [
        fit_critics(NETWORK, lambda: Drifting(draw), n_steps=40, updates=5, seed=3)
        for _ in range(2)
    ]
    assert drawn_since(before) == ()
    assert fits[0].diagnostics == fits[1].diagnostics


@pytest.mark.parametrize("draw", DRAWS)
def test_the_contract_refuses_them(draw: str) -> None:
    with pytest.raises(ContractError, match="repeatable"):
        check_cost_env(lambda: Drifting(draw))
