"""DRAC as an algorithm of Stable-Baselines3: what it collects, refuses, saves and logs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from drac_toys import RAC, RSAC, Costless, envs, margin, short, small
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import SubprocVecEnv, VecCheckNan, VecNormalize
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from safer_gym.agents import DRAC
from safer_gym.agents.model_file import read_data
from safer_gym.agents.overlap.ahead import AheadVecEnv
from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.agents.training.random_state import load_random_state
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.worlds.double_integrator import MOST, DoubleIntegrator


def stored(agent: DRAC) -> dict[str, np.ndarray]:
    """What the buffer keeps, [rows, E, ...]."""
    buffer: Any = agent.replay_buffer
    rows = buffer.buffer_size if buffer.full else buffer.pos
    parts = {"obs": buffer.observations, "next": buffer.next_observations, "u": buffer.actions}
    parts |= {"done": buffer.dones, **buffer.signals}
    return {name: part[:rows] for name, part in parts.items()}


def normalised(n: int) -> VecNormalize:
    return VecNormalize(envs(n))


@pytest.mark.parametrize(
    "make", [lambda: envs(1), lambda: envs(3), lambda: VecCheckNan(envs(2)), lambda: normalised(2)]
)
def test_the_buffer_keeps_h_before_and_after_and_the_disturbance(make: Any) -> None:
    """Each stored step is one of the world's own, wide starts and first states included."""
    agent = small(make(), wide_share=0.5)
    agent.learn(60)
    kept = stored(agent)
    np.testing.assert_allclose(kept["h"], margin(kept["obs"]), atol=1e-6)
    np.testing.assert_allclose(kept["next_h"], margin(kept["next"]), atol=1e-6)
    moved = DoubleIntegrator().advance(kept["obs"], kept["u"], MOST * kept["disturbance"])
    np.testing.assert_allclose(kept["next"], moved, atol=1e-5)
    assert np.abs(kept["disturbance"]).max() > 0.1
    assert kept["done"].any()


def test_environments_in_processes() -> None:
    env = envs(2, kind=SubprocVecEnv)
    try:
        agent = small(env).learn(40)
        kept = stored(agent)
        np.testing.assert_allclose(kept["h"], margin(kept["obs"]), atol=1e-6)
    finally:
        env.close()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_wide_starts_are_drawn(share: float) -> None:
    """Usual starts lie within 3 and 0.5; in a hundred wide ones some do not."""
    agent = small(envs(4), wide_share=share, learning_starts=1000).learn(200)
    kept = stored(agent)
    firsts = np.concatenate([kept["obs"][:1], kept["obs"][1:][kept["done"][:-1] > 0][None]], 1)[0]
    is_usual = (np.abs(firsts) <= [3.0, 0.5]).all(axis=1)
    assert is_usual.all() == (share == 0.0)


@pytest.mark.parametrize(
    ("shares", "expected"), [((0, 0, 1), "uniform"), ((1, 0, 0), "safety"), ((0, 1, 0), "task")]
)
def test_the_drawn_adversary_disturbs(shares: tuple, expected: str) -> None:
    agent = small(
        adversary_shares=shares, exploration_noise=0.0, learning_starts=1000, wide_share=0.0
    )
    agent.learn(40)
    kept = stored(agent)
    obs = kept["obs"].reshape(-1, 2)
    found = kept["disturbance"].reshape(-1, 1)
    by = {}
    for name in ("safety", "task"):
        with torch.no_grad():
            player = getattr(agent.policy, "adversary" if name == "task" else "safety_adversary")
            by[name] = np.allclose(player(torch.as_tensor(obs)).numpy(), found, atol=1e-6)
    assert by == {"safety": expected == "safety", "task": expected == "task"}


def test_the_safety_policy_controls_its_share() -> None:
    agent = small(safety_share=1.0, exploration_noise=0.0, learning_starts=1000).learn(40)
    kept = stored(agent)
    with torch.no_grad():
        control = agent.policy.safety_actor(torch.as_tensor(kept["obs"].reshape(-1, 2)))
    np.testing.assert_allclose(kept["u"].reshape(-1, 1), control.numpy(), atol=1e-6)


# ---------------------------------------------------------------- baselines and ablations


@pytest.mark.parametrize(
    "options",
    [
        {},
        RSAC,
        RAC,
        {"adversary": False},
        {"safety_policy": False},
        {"constraint": "scalar"},
        {"constraint": "augmented", "safety_target": "clamped"},
        {"outside": "maximise", "safety_aggregation": "min"},
        {"multiplier_loss": "ascent", "multiplier_lr": 1e-4},
        {"safety_discount": 0.95, "max_grad_norm": 1.0, "ent_coef": 0.2},
        {"policy_kwargs": {"net_arch": [8], "activation_fn": torch.nn.ELU}},
    ],
    ids=str,
)
def test_every_network_of_every_option_learns(options: dict[str, Any], tmp_path: Path) -> None:
    agent = small(**{"region_margin": -0.5, **options})  # or no state would count as inside
    before = {name: value.clone() for name, value in agent.policy.state_dict().items()}
    agent.learn(60)
    after = agent.policy.state_dict()
    fixed = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert fixed <= {"lam"} | ({"temperature.log"} if "ent_coef" in options else set())
    agent.save(tmp_path / "model")
    loaded = DRAC.load(tmp_path / "model")
    obs = np.zeros((3, 2), np.float32)
    np.testing.assert_array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )


def test_rsac_has_no_safety_and_needs_no_h() -> None:
    agent = DRAC("MlpPolicy", Costless(), constraint="none", learning_starts=5, batch_size=4)
    agent.learn(15)
    names = [name for name, _ in agent.policy.named_children()]
    assert not [name for name in names if "safety" in name or name == "multiplier"]
    with pytest.raises(ValueError, match="constraint='none'"):
        agent.q_safety(np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="shield needs a safety value"):
        agent.shield = True


def test_rac_never_disturbs_and_is_its_own_safety_policy() -> None:
    class Alone(gym.Wrapper):
        def disturb(self, disturbance: Any) -> None:
            raise AssertionError("disturbed")

    agent = small(Alone(short()), **RAC).learn(40)
    assert "disturbance" not in agent.replay_buffer.signals
    assert agent.policy.players[1:] == (None, None, None)
    with pytest.raises(ValueError, match="without a safety adversary"):
        agent.disturbance(np.zeros(2, np.float32))


def test_without_an_adversary_any_environment_with_h_will_do() -> None:
    class Plain(gym.Env):
        observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return np.zeros(1, np.float32), {"h": 1.0}

        def step(self, action: Any) -> Any:
            return np.zeros(1, np.float32), 0.0, False, False, {"h": 1.0}

    with pytest.raises(ValueError, match=r"cannot be disturbed.*pass adversary=False"):
        small(Plain())
    small(Plain(), adversary=False).learn(20)


# ---------------------------------------------------------------- the switch


def test_the_shield_switches_exactly_where_the_control_is_not_safe() -> None:
    agent = small().learn(60)
    obs = np.random.default_rng(0).uniform(-5, 5, (200, 2)).astype(np.float32)
    plain = agent.predict(obs, deterministic=True)[0]
    tensor = torch.as_tensor(obs)
    with torch.no_grad():
        safe = agent.policy.followers.safety_control(tensor).numpy()
        pair = agent.policy.followers.safety_pair(tensor, torch.as_tensor(plain))
        value = agent.policy.safety_critic_target.values(tensor, pair).amin(0).numpy()
    agent.policy.shield_margin = float(np.median(value))
    agent.shield = True
    shielded = agent.predict(obs, deterministic=True)[0]
    is_safe = value >= agent.policy.shield_margin
    assert 0 < is_safe.sum() < len(obs)
    np.testing.assert_allclose(shielded, np.where(is_safe[:, None], plain, safe), atol=1e-6)
    agent.shield = False
    np.testing.assert_array_equal(agent.predict(obs, deterministic=True)[0], plain)


def test_a_file_keeps_the_shield_and_the_learned_set(tmp_path: Path) -> None:
    """Also where it is opened as data, by a reader that unpickles nothing."""
    agent = small(shield=True, shield_margin=1e6).learn(40)
    obs = np.random.default_rng(0).uniform(-5, 5, (20, 2)).astype(np.float32)
    agent.save(tmp_path / "model")
    assert read_data(tmp_path / "model")["algorithm"] == "DRAC"
    loaded = DRAC.load(tmp_path / "model")
    opened: Any = load_policy(str(tmp_path / "model.zip")).policy
    assert loaded.shield
    for other in (loaded, opened):
        np.testing.assert_array_equal(
            other.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0]
        )
        np.testing.assert_array_equal(other.q_safety(obs), agent.q_safety(obs))
        np.testing.assert_array_equal(other.disturbance(obs), agent.disturbance(obs))
    loaded.shield = False
    loaded.save(tmp_path / "other")
    assert not DRAC.load(tmp_path / "other").shield


def test_the_file_holds_only_data(tmp_path: Path) -> None:
    small().learn(20).save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        data = json.loads(archive.read("data"))
    assert not {"_iteration", "_draws", "_h", "policy", "env"} & set(data)


def test_disturbances_are_in_the_environments_units() -> None:
    agent = small()
    obs = np.random.default_rng(0).uniform(-5, 5, (50, 2)).astype(np.float32)
    for adversary in ("safety", "task"):
        found = agent.disturbance(obs, adversary)
        assert found.shape == (50, 1)
        assert np.abs(found).max() <= MOST
        np.testing.assert_allclose(agent.disturbance(obs[0], adversary), found[0], rtol=1e-5)
    with pytest.raises(ValueError, match="Did you mean 'safety'"):
        agent.disturbance(obs, "safty")


def test_a_victim_has_all_critics_in_the_environments_units() -> None:
    agent = small().learn(30)
    victim = agent.victim()
    obs = torch.linspace(-3, 3, 10).view(5, 2)
    action = victim.action(obs)
    np.testing.assert_allclose(
        action.detach(), agent.predict(obs.numpy(), deterministic=True)[0], atol=1e-6
    )
    attacked = torch.as_tensor(agent.disturbance(obs.numpy()))
    by_mu_h = victim.q_cost_disturbed(obs, action, attacked)
    torch.testing.assert_close(victim.q_cost(obs, action), by_mu_h)
    task = torch.as_tensor(agent.disturbance(obs.numpy(), "task"))
    by_mu = victim.q_reward_disturbed(obs, action, task)
    torch.testing.assert_close(victim.q_reward(obs, action), by_mu)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("silent", ["reset", "step"])
def test_an_environment_without_h_is_refused(silent: str) -> None:
    agent = small(Costless((silent,)))
    with pytest.raises(ValueError, match=r"info\['h'\] is missing.*safe where >= 0"):
        agent.learn(5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"wide_shar": 0.5}, ValueError, "Did you mean 'wide_share'"),
        ({"constraint": "nett"}, ValueError, "constraint must be one of"),
        ({"constraint": "none", "shield": True}, ValueError, "shield needs a safety value"),
        ({"adversary_shares": (1, 1, 1)}, ValueError, "adversary_shares must be"),
        ({"safety_discount": 1.2}, ValueError, r"safety_discount must be a number in"),
        ({"multiplier": {"max_lam": 0}}, ValueError, "max_lam must be a finite number > 0"),
        ({"policy_delay": 0}, ValueError, "policy_delay must be a whole number >= 1"),
        ({"ent_coef": "aut"}, ValueError, "Did you mean 'auto'"),
        ({"replay_buffer_class": HerReplayBuffer}, TypeError, "must keep signals"),
    ],
)
def test_wrong_options_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        small(**options)


def test_it_does_not_overlap() -> None:
    env = envs(1, kind=AheadVecEnv)
    try:
        with pytest.raises(ValueError, match="cannot overlap"):
            small(env).learn(5)
    finally:
        env.close()


def test_a_file_of_another_disturbance_is_refused(tmp_path: Path) -> None:
    small().save(tmp_path / "model")
    wider = gym.make("SaferGym/DoubleIntegrator-v0", bound=2.0)
    with pytest.raises(ValueError, match="disturbance_space"):
        DRAC.load(tmp_path / "model", env=wider).learn(5)


# ---------------------------------------------------------------- Stable-Baselines3


def tensors(agent: DRAC) -> dict[str, torch.Tensor]:
    found = dict(agent.policy.state_dict())
    for name in agent.policy.learning:
        state = getattr(agent.policy, name).optimizer.state_dict()["state"]
        found |= {f"{name}.{i}.{k}": v for i, part in state.items() for k, v in part.items()}
    return found


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    agent = small().learn(60)
    folder = save_checkpoint(agent, tmp_path, [])
    loaded, _ = load_checkpoint(DRAC, folder, envs(), device="cpu")
    assert all(torch.equal(v, tensors(loaded)[k]) for k, v in tensors(agent).items())
    twins = []
    for twin in (loaded, agent):
        load_random_state(twin, folder / "random.pt")
        env = envs()
        twin.set_env(env)
        env.seed(9)
        twins.append(tensors(twin.learn(60, reset_num_timesteps=False)))
    one, other = twins
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_a_resume_that_forgets_the_draws_is_noticed(tmp_path: Path) -> None:
    """Specimen: the same without the random state."""
    agent = small().learn(60)
    folder = save_checkpoint(agent, tmp_path, [])
    (folder / "random.pt").unlink()
    loaded, _ = load_checkpoint(DRAC, folder, envs(), device="cpu")
    one, other = (tensors(twin.learn(40, reset_num_timesteps=False)) for twin in (loaded, agent))
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_what_is_logged(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    agent = small(tensorboard_log=str(tmp_path))
    seen: dict[str, float] = {}

    class Keys(BaseCallback):
        def _on_step(self) -> bool:
            seen.update(self.logger.name_to_value)
            return self.num_timesteps < 90

    agent.learn(1000, Keys(), log_interval=2)
    assert agent.num_timesteps == 90
    names = ("safety_critic_loss", "critic_loss", "actor_loss", "lagrange_multiplier")
    names += ("inside_share", "safety_value", "safety_discount", "ent_coef", "multiplier_loss")
    assert {f"train/{name}" for name in names} <= set(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["DRAC_1"]


def test_the_discount_and_all_rates_follow_their_schedules() -> None:
    agent = small(learning_rate=lambda left: 1e-3 * left, multiplier_lr=1e-5, anneal_share=0.5)
    assert agent.safety_discount == pytest.approx(0.9)
    agent.learn(60)
    assert agent.safety_discount == pytest.approx(agent.safety.safety_discount)
    rates = {
        name: getattr(agent.policy, name).optimizer.param_groups[0]["lr"]
        for name in agent.policy.learning
    }
    assert rates.pop("multiplier") == 1e-5
    assert len(set(rates.values())) == 1
    assert max(rates.values()) < 1e-3


def test_options_can_be_changed_on_loading(tmp_path: Path) -> None:
    small().save(tmp_path / "model")
    loaded = DRAC.load(tmp_path / "model", env=envs(), wide_share=0.0, multiplier={"max_lam": 3.0})
    assert (loaded.collection.wide_share, loaded.multiplier.max_lam) == (0.0, 3.0)
    assert loaded._iteration.multiplier.max_lam == 3.0


def test_the_safe_set_is_learned_roughly() -> None:
    agent = small(
        envs(4),
        policy_kwargs={"net_arch": [32, 32]},
        batch_size=128,
        buffer_size=2000,
        learning_starts=400,
        train_freq=(100, "step"),
        gradient_steps=400,
        learning_rate=3e-3,
    ).learn(800)
    inside = agent.q_safety(np.array([[0.0, 0.0], [1.0, -0.5]], np.float32))
    outside = agent.q_safety(np.array([[5.5, 1.0], [-5.5, -1.0], [4.9, 3.5]], np.float32))
    assert (inside > 0).all()
    assert (outside < 0).all()
