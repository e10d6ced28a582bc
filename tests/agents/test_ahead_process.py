"""Collection in a second process, in earnest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agent_envs import Troubled, small_agent
from near_remote import Near
from same_learner import assert_same_data, assert_same_learner
from stable_baselines3.common.callbacks import BaseCallback

from safer_gym.agents import SAFER, AheadVecEnv
from safer_gym.agents.overlap import ahead
from safer_gym.agents.training.checkpoint import (
    CheckpointCallback,
    latest_checkpoint,
    load_checkpoint,
)

MAKERS = [partial(Troubled, index) for index in range(2)]
OPTIONS: dict[str, Any] = {"attacked_share": 0.5, "eps_schedule": "constant"}


class Trouble(BaseCallback):
    """Begins at the end of a rollout, before the next one is asked for."""

    def __init__(self, kind: str, after: int) -> None:
        super().__init__()
        self.kind, self.after = kind, after

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps == self.after:
            self.training_env.set_attr("trouble", self.kind)


def test_timing_changes_nothing_and_a_killed_process_leaves_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once and here, in another process, and there slowly: bit for bit the same training.

    (One test, since the process takes seconds to start.)
    """
    env = AheadVecEnv(MAKERS)
    monkeypatch.setattr(ahead, "Remote", Near)
    twins = []
    for each, trouble in ((AheadVecEnv(MAKERS), ""), (env, ""), (env, "slow")):
        each.seed(0)
        each.set_attr("trouble", trouble)
        each.set_attr("episode", 0)
        twins.append(small_agent("SAFER", each, **OPTIONS).learn(200))
    for twin in twins[1:]:
        assert_same_learner(twins[0], twin)
        assert_same_data(twins[0], twin)

    env.set_attr("trouble", "")
    checkpoints = CheckpointCallback(tmp_path, every_seconds=0.0)
    with pytest.raises(RuntimeError, match=r"has ended \(exit code 7\)"):
        small_agent("SAFER", env, **OPTIONS).learn(
            200, callback=[Trouble("exit", after=80), checkpoints]
        )
    env.close()
    kept = latest_checkpoint(tmp_path)
    assert kept is not None
    loaded, _ = load_checkpoint(SAFER, kept, AheadVecEnv(MAKERS), device="cpu")
    assert loaded.num_timesteps == 80
    assert loaded.learn(40, reset_num_timesteps=False).num_timesteps == 120
