"""Saving and resuming: what is restored, and that a resumed run equals an unbroken one."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import ALGORITHMS, Costless, Steep, Timed, small_agent, vectorised
from same_learner import assert_same_data, assert_same_learner
from stable_baselines3 import PPO, SAC, TD3

from safer_gym.agents import CVPO, SAFER
from safer_gym.agents.cvpo.variational import Variational
from safer_gym.agents.model_file import read_data
from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint

algorithms = pytest.mark.parametrize("algorithm", ["CVPO", "SAFER"])


def trained(algorithm: str, n_envs: int = 2, **options: Any) -> Variational:
    """After 120 steps per environment: in the middle of nothing round, past many updates."""
    agent = small_agent(algorithm, vectorised(Timed, n_envs), **options)
    return agent.learn(120 * n_envs)


@algorithms
def test_a_loaded_model_is_the_saved_one(algorithm: str, tmp_path: Path) -> None:
    agent = trained(algorithm)
    agent.betas = (0.25, 0.5)
    if isinstance(agent, SAFER):
        agent.adversarial_betas = (0.75, 1.0)
    agent.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    loaded = ALGORITHMS[algorithm].load(tmp_path / "model")
    assert_same_learner(agent, loaded)
    obs = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[:, None]
    args = (torch.as_tensor(obs), torch.zeros(9, 1))
    assert torch.equal(agent.victim().q_cost(*args), loaded.victim().q_cost(*args))
    np.testing.assert_array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )


@algorithms
def test_the_file_holds_no_module_and_only_float_tensors(algorithm: str, tmp_path: Path) -> None:
    agent = trained(algorithm)
    agent.save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        data = json.loads(archive.read("data"))
        for name in ("policy.pth", "actor.optimizer.pth", "critic.optimizer.pth"):
            with archive.open(name) as file:
                torch.load(io.BytesIO(file.read()), weights_only=True)
        assert "cost_critic.optimizer.pth" in archive.namelist()
    for name, value in data.items():
        is_module = isinstance(value, dict) and "torch.nn" in value.get(":type:", "")
        assert not is_module, name
    for name in ("actor", "critic", "cost_critic", "actor_target", "policy", "env"):
        assert name not in data
    assert all(value.is_floating_point() for value in agent.policy.state_dict().values())


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("CVPO", {"collection_attack": "gaussian"}),
        ("SAFER", {"n_steps": 3, "policy_kwargs": {"net_arch": [8], "n_critics": 1}}),
        ("SAFER", {"offset_steps": 3, "eps_schedule": "constant"}),
        ("SAFER", {"attacked_share": 0.5, "eps_schedule": "constant", "units": "normalised"}),
    ],
)
def test_a_resumed_run_equals_an_unbroken_one(
    algorithm: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Both go on in fresh environments of one seed; every bit of the learner agrees."""
    agent = trained(algorithm, **options)
    folder = save_checkpoint(agent, tmp_path, [])
    twins = []
    loaded, _ = load_checkpoint(ALGORITHMS[algorithm], folder, vectorised(Timed, 2), device="cpu")
    assert_same_learner(agent, loaded)
    load_checkpoint(ALGORITHMS[algorithm], folder, vectorised(Timed, 2))  # puts the draws back
    env = vectorised(Timed, 2)
    loaded.set_env(env)
    env.seed(9)
    twins.append(loaded.learn(100, reset_num_timesteps=False))

    _reset_draws(agent, folder)
    env = vectorised(Timed, 2)
    agent.set_env(env)
    env.seed(9)
    twins.append(agent.learn(100, reset_num_timesteps=False))
    assert agent._n_updates > 10
    assert_same_learner(*twins)
    assert_same_data(*twins)


def _reset_draws(agent: Variational, folder: Path) -> None:
    from safer_gym.agents.training.random_state import load_random_state

    load_random_state(agent, folder / "random.pt")


def test_a_resume_that_forgets_the_draws_is_noticed(tmp_path: Path) -> None:
    """Specimen: the same without the random state."""
    agent = trained("CVPO")
    folder = save_checkpoint(agent, tmp_path, [])
    (folder / "random.pt").unlink()
    twins = []
    for twin in (agent, load_checkpoint(CVPO, folder, vectorised(Timed, 2), device="cpu")[0]):
        env = vectorised(Timed, 2)
        twin.set_env(env)
        env.seed(9)
        twins.append(twin.learn(60, reset_num_timesteps=False))
    with pytest.raises(AssertionError):
        assert_same_learner(*twins)


def test_a_terminated_episode_is_not_turned_into_a_time_out(tmp_path: Path) -> None:
    class Ends(Timed):
        def is_terminal(self) -> bool:
            return self.t == 3

    agent = small_agent("CVPO", vectorised(Ends, 1), learning_starts=1000).learn(3)
    loaded, _ = load_checkpoint(CVPO, save_checkpoint(agent, tmp_path, []), vectorised(Ends, 1))
    assert loaded.replay_buffer.dones[2, 0] == 1
    assert loaded.replay_buffer.timeouts[2, 0] == 0


def test_running_costs_are_dropped_when_the_environment_is_reset() -> None:
    agent = small_agent("CVPO", learning_starts=1000, train_freq=1)
    agent.learn(5)
    assert len(agent.cost_monitor.running) == 1
    agent.learn(20)  # resets, then one whole episode
    assert agent.cost_monitor.recent[-1] <= 20.0
    assert agent.cost_monitor.episodes == 1
    agent.learn(7, reset_num_timesteps=False)
    before = list(agent.cost_monitor.running)
    agent.learn(1, reset_num_timesteps=False)  # goes on
    assert agent.cost_monitor.running[0] >= before[0]


# ---------------------------------------------------------------- whose file


@pytest.mark.parametrize("other", [PPO, SAC, TD3])
def test_a_file_of_stable_baselines_is_refused_by_name(other: type, tmp_path: Path) -> None:
    options = {"n_steps": 8, "batch_size": 8} if other is PPO else {"buffer_size": 10}
    other("MlpPolicy", vectorised(Timed, 1), **options).save(tmp_path / "other")
    with pytest.raises(ValueError, match=f"holds a {other.__name__} model; SAFER.load"):
        SAFER.load(tmp_path / "other")


def test_safer_and_cvpo_do_not_read_each_other(tmp_path: Path) -> None:
    for own, other in ((CVPO, SAFER), (SAFER, CVPO)):
        path = tmp_path / own.__name__
        small_agent(own.__name__).save(path)
        assert read_data(path)["algorithm"] == own.__name__
        with pytest.raises(ValueError, match=f"a {own.__name__} model; {other.__name__}.load"):
            other.load(path)


def test_a_subclass_reads_its_parents_files(tmp_path: Path) -> None:
    class Mine(CVPO):
        pass

    small_agent("CVPO").save(tmp_path / "model")
    assert isinstance(Mine.load(tmp_path / "model"), Mine)


def test_streams_work_as_files_do() -> None:
    agent, stream = small_agent(), io.BytesIO()
    agent.save(stream)
    stream.seek(0)
    assert read_data(stream)["algorithm"] == "SAFER"
    obs = np.zeros(1, np.float32)
    np.testing.assert_array_equal(
        SAFER.load(stream).predict(obs, deterministic=True)[0],
        agent.predict(obs, deterministic=True)[0],
    )


def test_what_is_no_model_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(ValueError, match="not a saved model"):
        SAFER.load(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("hello", "")
    with pytest.raises(ValueError, match="not a saved model"):
        SAFER.load(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        SAFER.load(tmp_path / "nowhere")


def test_options_can_be_changed_on_loading(tmp_path: Path) -> None:
    """Also those of the buffer, which is made anew, and those in groups."""
    trained("CVPO").save(tmp_path / "model")
    changed = CVPO.load(tmp_path / "model", estep={"n_particles": 3}, cost_aggregation="mean")
    assert (changed.estep.n_particles, changed.cost_aggregation) == (3, "mean")
    assert changed.critics.cost_aggregation == "mean"
    assert changed.cost == trained("CVPO").cost
    loaded = CVPO.load(tmp_path / "model", env=vectorised(Costless, 1), missing_cost="zero")
    with pytest.warns(UserWarning, match="counts as zero"):
        loaded.learn(30, reset_num_timesteps=False)


def test_more_environments_after_loading(tmp_path: Path) -> None:
    trained("SAFER", n_envs=1).save(tmp_path / "model")
    loaded = SAFER.load(tmp_path / "model", env=vectorised(Timed, 4))
    loaded.learn(200, reset_num_timesteps=False)
    assert len(loaded.cost_monitor.running) == 4


def test_other_spaces_after_loading_are_refused(tmp_path: Path) -> None:
    small_agent().save(tmp_path / "model")
    with pytest.raises(ValueError, match="Action spaces do not match"):
        SAFER.load(tmp_path / "model", env=Steep())


# ---------------------------------------------------------------- a full disk


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every zip and every pickle breaks off half-way."""

    def stop(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "writestr", stop)
    monkeypatch.setattr("pickle.dump", stop)


def test_a_full_disk_leaves_the_older_model(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    agent = small_agent()
    agent.save(tmp_path / "model")
    agent.save_replay_buffer(tmp_path / "buffer")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"model.zip", "buffer.pkl"}
    request.getfixturevalue("full_disk")
    message = "could not write .*No space left on device; the older file is untouched"
    with pytest.raises(OSError, match=message) as caught:
        agent.save(tmp_path / "model")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=message):
        agent.save_replay_buffer(tmp_path / "buffer")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_keeps_the_last_good_checkpoint(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    agent = small_agent(learning_starts=1000)
    agent.learn(10)
    good = save_checkpoint(agent, tmp_path, [])
    agent.learn(10, reset_num_timesteps=False)
    request.getfixturevalue("full_disk")
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(agent, tmp_path, [])
    assert (tmp_path / "latest").read_text() == good.name
    assert {path.name for path in tmp_path.iterdir()} == {"latest", good.name}
