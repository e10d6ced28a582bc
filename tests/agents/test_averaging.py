"""The mean of the last policies: of the actor alone, and what a training ends with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from agent_envs import small_agent

from safer_gym.agents import SAFER
from safer_gym.agents.training.averaging import average_actor
from safer_gym.agents.training.plan import Run
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.wrappers.tasks import find_task


def actor_of(path: Path) -> dict[str, torch.Tensor]:
    agent: Any = SAFER.load(path, device="cpu")
    return agent.actor.state_dict()


def assert_mean(found: dict[str, torch.Tensor], actors: list[dict[str, torch.Tensor]]) -> None:
    for name, value in found.items():
        torch.testing.assert_close(value, sum(actor[name] for actor in actors) / len(actors))


def test_the_actor_is_the_mean_and_the_critics_stay(tmp_path: Path) -> None:
    agents = [small_agent("SAFER", seed=seed) for seed in range(3)]
    files = [tmp_path / f"{seed}.zip" for seed in range(3)]
    for agent, path in zip(agents, files, strict=True):
        agent.save(path)
    newest, critic = agents[-1], agents[-1].critic.state_dict()
    before = {name: value.clone() for name, value in critic.items()}
    average_actor(newest, files)
    assert_mean(newest.actor.state_dict(), [actor_of(path) for path in files])
    assert all(torch.equal(critic[name], value) for name, value in before.items())


def test_the_mean_of_one_is_itself(tmp_path: Path) -> None:
    agent = small_agent("SAFER")
    agent.save(tmp_path / "one.zip")
    average_actor(agent, [tmp_path / "one.zip"])
    once = actor_of(tmp_path / "one.zip")
    assert all(torch.equal(once[name], value) for name, value in agent.actor.state_dict().items())
    with pytest.raises(ValueError, match="at least one saved model"):
        average_actor(agent, [])


@pytest.mark.parametrize("average", [0, 3])
def test_a_training_ends_with_the_mean_where_it_is_asked_to(tmp_path: Path, average: int) -> None:
    kwargs = {"policy_kwargs": {"net_arch": [16]}, "learning_starts": 200, "gradient_steps": 2}
    run = Run(find_task("ball-circle"), "safer", 1600, 2, kwargs, 0, tmp_path, average=average)
    with Bar() as bar:
        train_policy(run, bar)
    kept = sorted((tmp_path / "policies").glob("step_*.zip"))
    final = kept[-1].stem == "step_000001600"
    assert final == (average > 0)
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["average"] == average
    assert [row["policy"] for row in record["candidates"]][-1] == "last"
    if average:
        assert_mean(actor_of(tmp_path / "last.zip"), [actor_of(path) for path in kept[-3:]])
        assert not torch.equal(
            next(iter(actor_of(tmp_path / "last.zip").values())),
            next(iter(actor_of(kept[-1]).values())),
        )
