"""Saving and resuming PPO-Lagrangian: what is restored, and that nothing is lost on the way."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Timed, small_agent, small_ppol, vectorised
from stable_baselines3 import PPO

from safer_gym.agents import SAFER, PPOLagrangian
from safer_gym.agents.model_file import read_data
from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.agents.training.random_state import load_random_state
from safer_gym.conformance.loading.load import load_policy
from safer_gym.wrappers import as_victim

NETS = ("actor", "state_values", "critic", "cost_critic")
ROBUST: dict[str, Any] = {
    "collection_attack": "uniform",
    "regulariser": "mad",
    "eps": 0.2,
    "eps_schedule": "constant",
    "cost_limit": 2.0,
}


def trained(**options: Any) -> PPOLagrangian:
    return small_ppol(vectorised(Timed, 2), **(ROBUST | options)).learn(120)


def all_tensors(agent: PPOLagrangian) -> dict[str, torch.Tensor]:
    found = dict(agent.policy.state_dict())
    for name in NETS:
        state = getattr(agent.policy, name).optimizer.state_dict()["state"]
        assert state, name
        for index, moments in state.items():
            found |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
    return found


def assert_same_learner(one: PPOLagrangian, other: PPOLagrangian) -> None:
    """Bit for bit: networks, targets, optimisers, controller, counters."""
    theirs = all_tensors(other)
    assert all_tensors(one).keys() == theirs.keys()
    for name, tensor in all_tensors(one).items():
        assert torch.equal(tensor, theirs[name]), name
    assert (one.lam, one.pid, one.lagrange) == (other.lam, other.pid, other.lagrange)
    assert list(one.cost_monitor.recent) == list(other.cost_monitor.recent)
    for name in ("total_cost", "episodes", "violations"):
        assert getattr(one.cost_monitor, name) == getattr(other.cost_monitor, name)
    assert (one.num_timesteps, one._n_updates) == (other.num_timesteps, other._n_updates)


def test_a_loaded_model_is_the_saved_one(tmp_path: Path) -> None:
    agent = trained()
    assert agent.lam > 0
    assert agent.pid.integral > 0
    agent.save(tmp_path / "model")
    loaded = PPOLagrangian.load(tmp_path / "model")
    assert_same_learner(agent, loaded)
    obs = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[:, None]
    args = (torch.as_tensor(obs), torch.zeros(9, 1))
    for critic in ("q_reward", "q_cost"):
        ours, theirs = (getattr(a.victim(), critic)(*args) for a in (agent, loaded))
        assert torch.equal(ours, theirs)
    np.testing.assert_array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )


def test_the_file_holds_no_module_and_all_optimisers(tmp_path: Path) -> None:
    trained().save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        data = json.loads(archive.read("data"))
        for name in ("policy", *(f"policy.{net}.optimizer" for net in NETS)):
            with archive.open(f"{name}.pth") as file:
                torch.load(io.BytesIO(file.read()), weights_only=True)
    for name, value in data.items():
        is_module = isinstance(value, dict) and "torch.nn" in value.get(":type:", "")
        assert not is_module, name
    for name in ("policy", "env", "replay_buffer", "rollout_buffer", "_collector"):
        assert name not in data


def test_the_file_is_read_as_data_with_its_critics(tmp_path: Path) -> None:
    agent = trained(policy_kwargs={"net_arch": [8], "n_critics": 2})
    agent.save(tmp_path / "model.zip")
    loaded = load_policy(tmp_path / "model.zip")
    assert (loaded.kind, loaded.ran_code) == ("sb3", False)
    ours, theirs = as_victim(loaded.policy), agent.victim()
    obs, actions = torch.randn(7, 1), torch.randn(7, 1)
    assert torch.equal(ours.action(obs), theirs.action(obs))
    assert torch.equal(ours.q_reward(obs, actions), theirs.q_reward(obs, actions))
    assert torch.equal(ours.q_cost(obs, actions), theirs.q_cost(obs, actions))


def resumed(folder: Path, *, draws: bool) -> PPOLagrangian:
    model, _ = load_checkpoint(PPOLagrangian, folder, vectorised(Timed, 2), device="cpu")
    return went_on(model, folder, draws=draws)


def went_on(model: Any, folder: Path, *, draws: bool) -> PPOLagrangian:
    """100 steps more in fresh environments of one seed, with or without the saved draws."""
    env = vectorised(Timed, 2)
    model.set_env(env)
    env.seed(9)
    if draws:
        load_random_state(model, folder / "random.pt")
    return model.learn(100, reset_num_timesteps=False)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    agent = trained()
    folder = save_checkpoint(agent, tmp_path, [])
    twins = (resumed(folder, draws=True), went_on(agent, folder, draws=True))
    assert twins[0]._n_updates > 6
    assert_same_learner(*twins)
    for name in ("observations", "actions", "rewards", "costs", "timeouts"):
        ours, theirs = (getattr(twin.replay_buffer, name) for twin in twins)
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(AssertionError):  # the specimen: other draws
        assert_same_learner(twins[0], resumed(folder, draws=False).learn(0))


def test_the_steps_before_a_resume_are_cut_from_those_after_it(tmp_path: Path) -> None:
    folder = save_checkpoint(trained(n_steps=10, batch_size=20), tmp_path, [])
    loaded, _ = load_checkpoint(PPOLagrangian, folder, vectorised(Timed, 2), device="cpu")
    newest = loaded.replay_buffer.pos - 1  # type: ignore[attr-defined]
    assert loaded.replay_buffer.timeouts[newest].all()  # type: ignore[attr-defined]


def test_episodes_go_on_where_an_environment_is_kept(tmp_path: Path) -> None:
    agent = trained()
    env = agent.get_env()
    agent.save(tmp_path / "model")
    loaded = PPOLagrangian.load(tmp_path / "model", env=env, force_reset=False)
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.num_timesteps == 160
    assert loaded._collector is not None
    assert loaded._collector.venv is env


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    PPO("MlpPolicy", vectorised(Timed, 1), n_steps=8, batch_size=8).save(tmp_path / "ppo")
    with pytest.raises(ValueError, match=r"holds a PPO model; PPOLagrangian\.load"):
        PPOLagrangian.load(tmp_path / "ppo")
    small_agent("SAFER").save(tmp_path / "safer")
    with pytest.raises(ValueError, match="holds a SAFER model"):
        PPOLagrangian.load(tmp_path / "safer")
    trained().save(tmp_path / "ppol")
    assert read_data(tmp_path / "ppol")["algorithm"] == "PPOLagrangian"
    with pytest.raises(ValueError, match="holds a PPOLagrangian model"):
        SAFER.load(tmp_path / "ppol")


def test_more_environments_after_loading(tmp_path: Path) -> None:
    trained().save(tmp_path / "model")
    loaded = PPOLagrangian.load(tmp_path / "model", env=vectorised(Timed, 4))
    loaded.learn(160, reset_num_timesteps=False)
    assert len(loaded.cost_monitor.running) == 4
