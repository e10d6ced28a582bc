"""The evaluation callback: cost first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agent_envs import Costless, Timed, small_agent, vectorised
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from safer_gym.agents import CVPO
from safer_gym.agents.training.evaluation import CostEvalCallback

finite = st.floats(-1e3, 1e3)


def monitored(kind: type[Timed], n_envs: int) -> VecMonitor:
    return VecMonitor(vectorised(kind, n_envs))


class Scripted(Timed):
    """Pays what the test has written down for each evaluation: (reward, cost) a step."""

    script: list[tuple[float, float]]

    def __init__(self, script: list[tuple[float, float]]) -> None:
        super().__init__()
        self.script, self.round = script, -1

    def reset(self, **kwargs: Any) -> Any:
        self.round += 1
        return super().reset(**kwargs)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        # Each episode of the evaluation environment is reset once before and once after.
        return self.script[min(self.round // 2, len(self.script) - 1)]


class Count(BaseCallback):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def _on_step(self) -> bool:
        self.calls.append(self.num_timesteps)
        return True


def run(tmp_path: Path, script: list[tuple[float, float]], **options: Any) -> CostEvalCallback:
    env = VecMonitor(DummyVecEnv([lambda: Scripted(script)]))
    defaults = {"n_eval_episodes": 1, "eval_freq": 10, "verbose": 0}
    callback = CostEvalCallback(
        env,
        best_model_save_path=str(tmp_path),
        log_path=str(tmp_path),
        callback_on_new_best=Count(),
        callback_after_eval=Count(),
        **(defaults | options),
    )
    agent = small_agent(
        "CVPO", monitored(Timed, 1), cost_limit=5.0, learning_starts=1000, train_freq=10
    )
    agent.learn(10 * len(script), callback=callback)
    return callback


def test_the_best_model_is_feasible_first_then_rewarding(tmp_path: Path) -> None:
    """Per step; the limit is 0.25 a step. Kept: the 1st, 2nd (less cost), 4th, 6th."""
    script = [(9.0, 0.9), (1.0, 0.5), (5.0, 0.6), (2.0, 0.2), (9.0, 0.3), (3.0, 0.25), (2.9, 0.0)]
    callback = run(tmp_path, script)
    assert callback.callback_on_new_best.calls == [10, 20, 40, 60]
    assert callback.callback.calls == [10, 20, 30, 40, 50, 60, 70]
    assert callback.best_mean_reward == pytest.approx(60.0)
    assert callback.best_mean_cost == pytest.approx(5.0)
    assert CVPO.load(tmp_path / "best_model").num_timesteps == 60
    with np.load(tmp_path / "evaluations.npz") as file:
        np.testing.assert_allclose(file["costs"][:, 0], [20 * cost for _, cost in script])
        np.testing.assert_allclose(
            file["results"][:, 0], [20 * reward for reward, _ in script], 1e-5
        )


def test_the_score_weighs_reward_by_a_twentieth(tmp_path: Path) -> None:
    script = [(2.0, 0.0), (9.0, 0.3), (9.0, 0.5)]
    callback = run(tmp_path, script, selection="score")
    assert callback.callback_on_new_best.calls == [10, 20]


def test_a_parent_without_cost_would_keep_the_most_unsafe(tmp_path: Path) -> None:
    """Specimen: selection by reward alone fails the first test's expectation."""

    class ByReward(CostEvalCallback):
        def rank(self, mean_reward: float, mean_cost: float) -> tuple[float, ...]:
            return (mean_reward,)

    blind = ByReward(monitored(Timed, 1), cost_limit=5.0)
    assert blind.rank(180.0, 18.0) > blind.rank(60.0, 5.0)
    seeing = CostEvalCallback(monitored(Timed, 1), cost_limit=5.0)
    assert seeing.rank(180.0, 18.0) < seeing.rank(60.0, 5.0)


@given(finite, st.floats(0.0, 5.0), finite, st.floats(5.1, 1e3))
def test_feasible_beats_infeasible(reward: float, cost: float, other: float, over: float) -> None:
    callback = CostEvalCallback(monitored(Timed, 1), cost_limit=5.0)
    assert callback.rank(reward, cost) > callback.rank(other, over)
    assert callback.rank(reward + 1.0, cost) > callback.rank(reward, cost)
    assert callback.rank(other, over) > callback.rank(other + 1e3, over + 1.0)


def test_mean_cost_is_logged_over_all_environments() -> None:
    agent = small_agent("SAFER", monitored(Timed, 1), learning_starts=1000)
    callback = CostEvalCallback(monitored(Timed, 3), n_eval_episodes=5, eval_freq=20, verbose=0)
    seen: dict[str, float] = {}

    agent.set_logger(_Recorder(seen))
    agent.learn(20, callback=callback, log_interval=None)
    assert callback.cost_limit == agent.cost_limit
    assert len(callback._costs) == 5
    assert seen["eval/mean_cost"] == pytest.approx(np.mean(callback._costs))
    assert "eval/mean_reward" in seen


class _Recorder:
    """A logger that remembers what stands in it when it is dumped."""

    def __init__(self, seen: dict[str, float]) -> None:
        self.values: dict[str, float] = {}
        self.seen = seen

    def record(self, key: str, value: float, exclude: Any = None) -> None:
        self.values[key] = value

    def dump(self, step: int = 0) -> None:
        self.seen.update(self.values)
        self.values.clear()


def test_an_evaluation_without_cost_is_an_error() -> None:
    callback = CostEvalCallback(monitored(Costless, 1), eval_freq=5, verbose=0)
    with pytest.raises(ValueError, match="Absent cost is not zero cost"):
        small_agent(env=monitored(Timed, 1)).learn(10, callback=callback)


def test_a_model_without_a_limit_must_be_given_one() -> None:
    callback = CostEvalCallback(monitored(Timed, 1), verbose=0)
    with pytest.raises(ValueError, match="cost_limit must be given: a SAC model"):
        SAC("MlpPolicy", monitored(Timed, 1), buffer_size=10).learn(1, callback=callback)


def test_an_unknown_selection_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="'feasible'"):
        CostEvalCallback(monitored(Timed, 1), selection="feasable")
