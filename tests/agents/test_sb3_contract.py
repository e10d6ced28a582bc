"""CVPO and SAFER behave as Stable-Baselines3 algorithms do."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from agent_envs import TINY, Boxed, Camera, Mixed, Steep, Timed, small_agent, vectorised
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

from safer_gym.agents import (
    CVPO,
    SAFER,
    DDPGLagrangian,
    PPOLagrangian,
    SACLagrangian,
    TD3Lagrangian,
)
from safer_gym.agents.constrained import TOTAL_TIMESTEPS
from safer_gym.agents.training_attack.flat_obs import flat_bounds
from safer_gym.attacks import make_attack

ALL = (CVPO, SAFER, PPOLagrangian, SACLagrangian, TD3Lagrangian, DDPGLagrangian)
algorithms = pytest.mark.parametrize("algorithm", ["CVPO", "SAFER"])


def is_finite(agent: Any) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in agent.policy.state_dict().values())


def changed(agent: Any, steps: int, **kwargs: Any) -> None:
    """Learn; the actor and both critics must have moved, and stay finite."""
    before = {k: v.clone() for k, v in agent.policy.state_dict().items()}
    agent.learn(steps, **kwargs)
    after = agent.policy.state_dict()
    for net in ("actor.mean_head", "critic.ensemble", "cost_critic.ensemble", "critic_target"):
        names = [name for name in before if name.startswith(net)]
        assert names
        assert any(not torch.equal(before[name], after[name]) for name in names), net
    assert agent._n_updates > 0
    assert is_finite(agent)


# ---------------------------------------------------------------- constructor


def test_the_arguments_of_sac_come_first_and_in_order() -> None:
    """All of SAC's shared ones are there, and everything but policy and env has a default."""
    ours = inspect.signature(CVPO.__init__).parameters
    theirs = list(inspect.signature(SAC.__init__).parameters)
    own_to_sac = {"ent_coef", "target_update_interval", "target_entropy"}
    shared = [name for name in theirs if name not in own_to_sac]
    assert [name for name in ours if name in shared] == shared
    for name, parameter in ours.items():
        if name not in ("self", "policy", "env", "options"):
            assert parameter.default is not inspect.Parameter.empty, name


@pytest.mark.parametrize("algorithm", ALL)
def test_policy_kwargs_are_the_users_own(algorithm: type[Any]) -> None:
    """SAC and DDPG write into `policy_kwargs`, which the next algorithm might be given."""
    own = {"net_arch": [8]}
    algorithm("MlpPolicy", Timed(), policy_kwargs=own)
    assert own == {"net_arch": [8]}


@pytest.mark.parametrize("algorithm", ALL)
def test_learn_needs_no_argument(algorithm: type[Any]) -> None:
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return False

    defaults = inspect.signature(algorithm.learn).parameters
    required = [name for name, p in defaults.items() if p.default is p.empty and p.kind < 2]
    assert required == ["self"]
    agent = algorithm("MlpPolicy", Timed()).learn(callback=Stop())
    assert agent._total_timesteps == TOTAL_TIMESTEPS
    assert agent.num_timesteps == 1


def test_positional_arguments_reach_safer() -> None:
    agent = SAFER("MlpPolicy", Timed(), 1e-4, 500, 7)
    assert (agent.learning_rate, agent.buffer_size, agent.learning_starts) == (1e-4, 500, 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_limit": -1.0}, "cost_limit must be a finite number >= 0"),
        ({"n_particles": -1}, "n_particles must be a whole number >= 1"),
        ({"kl_bound_mean": float("nan")}, "kl_bound_mean must be a finite number > 0"),
        ({"eps": -0.1}, "eps"),
        ({"norm": "l3"}, "norm"),
        ({"kl_mode": "join"}, "Did you mean 'joint'"),
        ({"reference": "rolout"}, "Did you mean 'rollout'"),
        ({"attack": "mcc"}, "attack must be one of"),
        ({"attack": None}, "CVPO is SAFER without"),
        ({"dual_rate": 2.0}, "dual_rate must be a number in"),
        ({"cost_limt": 3.0}, "Did you mean 'cost_limit'"),
        ({"adversarial_reference": "new"}, "adversarial_reference must be one of"),
        ({"eps_schedule": "linaer"}, "Did you mean 'linear'"),
        (
            {"vanilla_step": False, "adversarial_mle": False, "adversarial_kl": False},
            "would never change",
        ),
        ({"policy_kwargs": {"actor_kwargs": {"min_std": 2.0}}}, "min_std"),
        ({"policy_kwargs": {"actor_kwargs": {"covariance": "ful"}}}, "Did you mean 'full'"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_agent("SAFER", **options)


def test_discrete_actions_are_refused() -> None:
    class Discrete(Timed):
        action_space = spaces.Discrete(3)

    with pytest.raises(ValueError, match=r"action_space must be a Box.*Discrete\(3\)"):
        small_agent(env=Discrete())


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, ()),
        spaces.Dict(level=spaces.Box(-1, 1, ()), place=spaces.Box(-1, 1, (2,))),
    ],
    ids=["box", "dict"],
)
def test_observations_without_an_axis_are_refused(algorithm: type[Any], space: Any) -> None:
    env = Timed()
    env.observation_space = space
    policy = "MultiInputPolicy" if isinstance(space, spaces.Dict) else "MlpPolicy"
    with pytest.raises(ValueError, match="observation_space must have at least one axis"):
        algorithm(policy, env, device="cpu")


def test_an_environment_without_a_time_limit_asks_for_the_episode_length() -> None:
    class Endless(Timed):
        def __init__(self) -> None:
            super().__init__()
            self.spec = None

    with pytest.raises(ValueError, match=r"episode_length=<steps>.*max_episode_steps"):
        SAFER("MlpPolicy", Endless()).learn(1000)
    assert small_agent(env=Endless(), episode_length=12).episode_length == 12


def test_the_threshold_is_the_discounted_limit() -> None:
    agent = small_agent(cost_limit=6.0, gamma=0.9)
    assert agent.episode_length == Timed.horizon
    assert agent.threshold == pytest.approx(6.0 / 20 * (1 - 0.9**20) / 0.1)


# ---------------------------------------------------------------- observations, environments


@algorithms
@pytest.mark.parametrize(
    ("policy", "env", "policy_kwargs"),
    [
        ("CnnPolicy", Camera, {"net_arch": [8]}),
        ("CnnPolicy", Camera, {"net_arch": [8], "share_features_extractor": True}),
        ("MultiInputPolicy", Mixed, {"net_arch": [8]}),
        ("MlpPolicy", Timed, {"net_arch": []}),
        ("MlpPolicy", Timed, {"net_arch": {"pi": [4], "qf": [6, 5]}, "n_critics": 3}),
        ("MlpPolicy", Steep, {"net_arch": [8], "actor_kwargs": {"covariance": "full"}}),
    ],
    ids=["cnn", "cnn-shared", "dict", "linear", "arch", "full"],
)
def test_all_policies_learn(
    algorithm: str, policy: str, env: type[gym.Env], policy_kwargs: dict[str, Any], tmp_path: Path
) -> None:
    options = {"batch_size": 4, "buffer_size": 100, "max_grad_norm": 0.5}
    agent = small_agent(algorithm, env(), policy=policy, policy_kwargs=policy_kwargs, **options)
    changed(agent, 44)
    agent.save(tmp_path / "model")
    loaded = type(agent).load(tmp_path / "model")
    obs, _ = env().reset(seed=3)
    np.testing.assert_array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )


@pytest.mark.parametrize("n_envs", [1, 4])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_parallel_environments_and_n_step_returns(n_envs: int, n_steps: int) -> None:
    agent = small_agent("SAFER", vectorised(Timed, n_envs), n_steps=n_steps)
    changed(agent, 60 * n_envs)
    assert agent.replay_buffer.n_steps == n_steps


def test_environments_in_processes() -> None:
    env = SubprocVecEnv([Timed, Timed], start_method="fork")
    try:
        changed(small_agent("SAFER", env), 120)
    finally:
        env.close()


def test_normalised_observations(tmp_path: Path) -> None:
    env = VecNormalize(vectorised(Timed, 2), gamma=0.9)
    agent = small_agent("SAFER", env, collection_attack="gaussian")
    changed(agent, 120)
    assert agent.get_vec_normalize_env() is env


class Numbered(Timed):
    """Three states by number."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Discrete(3)

    def draw(self) -> Any:
        return self.np_random.integers(3)


@algorithms
def test_discrete_observations(algorithm: str) -> None:
    """In a ball of a radius below 1 there is no other: SAFER's attack leaves them as they are."""
    agent = (
        small_agent(algorithm, Numbered(), attacked_share=1.0)
        if algorithm == "SAFER"
        else (small_agent(algorithm, Numbered()))
    )
    changed(agent, 80)
    obs = agent.replay_buffer.observations[:80]
    assert set(obs.ravel()) == {0, 1, 2}


def test_a_ball_that_reaches_other_discrete_observations_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a Box, or a Dict with a Box.*Discrete\(3\)"):
        small_agent("SAFER", Numbered(), eps=1.0)
    with pytest.raises(ValueError, match="must be a Box, or a Dict with a Box"):
        small_agent("CVPO", Numbered(), batch_attack="mc")


@algorithms
def test_state_dependent_exploration(algorithm: str, tmp_path: Path) -> None:
    agent = small_agent(algorithm, vectorised(Timed, 2), use_sde=True, sde_sample_freq=4)
    changed(agent, 100)
    obs = np.ones((50, 1), np.float32)
    drawn = agent.predict(obs)[0]
    assert np.ptp(drawn) == 0  # one matrix, one noise a state
    agent.policy.reset_noise()
    assert agent.predict(obs)[0][0] != drawn[0]
    samples = []
    with torch.no_grad():
        mean, scale = (float(part) for part in agent.actor.distribution(torch.ones(1, 1)))
        for _ in range(2000):
            agent.policy.reset_noise()
            samples.append(float(agent.actor(torch.ones(1, 1))))
    assert np.mean(samples) == pytest.approx(mean, abs=0.1 * scale)
    assert np.std(samples) == pytest.approx(scale, rel=0.1)
    agent.save(tmp_path / "model")
    loaded = type(agent).load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.actor.get_std().detach(), agent.actor.get_std().detach())


@algorithms
def test_the_users_options_stay_as_they_are(algorithm: str) -> None:
    kwargs = {"net_arch": [4]}
    small_agent(algorithm, policy_kwargs=kwargs, use_sde=True)
    assert kwargs == {"net_arch": [4]}


def test_entropy_in_the_loss_widens_the_policy() -> None:
    scales = []
    for ent_coef in (0.0, 10.0):
        agent = small_agent("CVPO", ent_coef=ent_coef)
        agent.learn(200)
        with torch.no_grad():
            scales.append(float(agent.actor.distribution(torch.zeros(1, 1)).scale))
    assert scales[1] > scales[0]


@algorithms
def test_critics_follow_the_learning_rate_unless_they_have_their_own(algorithm: str) -> None:
    for own, expected in ((None, 2e-4), (3e-4, 3e-4)):
        agent = small_agent(algorithm, learning_rate=2e-4, critic_learning_rate=own)
        agent.learn(60)
        assert agent.critic.optimizer.param_groups[0]["lr"] == expected
        assert agent.actor.optimizer.param_groups[0]["lr"] == 2e-4


@algorithms
def test_train_takes_the_agents_batch_size(algorithm: str) -> None:
    agent = small_agent(algorithm)
    agent.learn(30)
    updates = agent._n_updates
    agent.train(gradient_steps=2)
    assert agent._n_updates == updates + 2


def test_another_environment_can_be_set() -> None:
    agent = small_agent("CVPO", vectorised(Timed, 2))
    agent.learn(60)
    agent.set_env(vectorised(Timed, 2, seed=5))
    agent.learn(60, reset_num_timesteps=False)
    assert agent.num_timesteps == 160  # rollouts of 20 steps in two environments
    with pytest.raises(AssertionError, match="number of environments"):
        agent.set_env(vectorised(Timed, 3))


# ---------------------------------------------------------------- actions


class Wide(Timed):
    """Two-by-one actions in float64, off centre."""

    action_space = spaces.Box(np.array([[1.0], [-3.0]]), np.array([[5.0], [-2.0]]), (2, 1))


@algorithms
def test_actions_are_in_the_environments_units(algorithm: str) -> None:
    """Also those that explore, the stored ones in [-1, 1], and what an attack sees."""
    agent = small_agent(algorithm, Steep())
    agent.learn(100)
    obs = np.linspace(-3.0, 3.0, 50, dtype=np.float32)[:, None]
    for deterministic in (True, False):
        action, _ = agent.predict(obs, deterministic=deterministic)
        assert action.min() >= 1.0
        assert action.max() <= 5.0
    assert abs(agent.replay_buffer.actions).max() <= 1.0
    assert not agent.replay_buffer.costs.any()
    by_victim = agent.victim().action(torch.as_tensor(obs)).detach().numpy()
    np.testing.assert_allclose(
        by_victim, agent.predict(obs, deterministic=True)[0], rtol=1e-5, atol=1e-5
    )


def test_the_victims_critics_take_environment_actions() -> None:
    agent = small_agent("SAFER", Steep())
    obs, scaled = torch.randn(6, 1), torch.rand(6, 1) * 2 - 1
    victim = agent.victim()
    in_env = 3.0 + 2.0 * scaled
    lowest = agent.critic.values(obs, scaled).amin(0)
    highest = agent.cost_critic.values(obs, scaled).amax(0)
    torch.testing.assert_close(victim.q_reward(obs, in_env), lowest)
    torch.testing.assert_close(victim.q_cost(obs, in_env), highest)


def test_action_spaces_of_any_shape_and_dtype() -> None:
    env = Wide()
    env.action_space.seed(0)
    agent = small_agent("SAFER", env)
    changed(agent, 60)
    obs = np.zeros((3, 1), np.float32)
    action, _ = agent.predict(obs, deterministic=True)
    assert action.shape == (3, 2, 1)
    victim = agent.victim()
    flat = victim.action(torch.as_tensor(obs))
    np.testing.assert_allclose(flat.detach().numpy(), action[..., 0], rtol=1e-5)
    assert victim.q_cost(torch.as_tensor(obs), flat).shape == (3,)


# ---------------------------------------------------------------- learning


class Stop(BaseCallback):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def _on_step(self) -> bool:
        return self.n_calls < self.after


def test_a_callback_stops_training_and_may_be_positional() -> None:
    agent = small_agent("CVPO")
    agent.learn(1000, Stop(13))
    assert agent.num_timesteps == 13


def test_train_freq_in_episodes_and_as_many_steps_as_collected() -> None:
    agent = small_agent("SAFER", train_freq=(1, "episode"), gradient_steps=-1)
    agent.learn(60)
    assert agent._n_updates == 40  # the first episode only warms up


def test_action_noise_and_a_falling_learning_rate() -> None:
    noise = NormalActionNoise(np.zeros(1), 0.1 * np.ones(1))
    agent = small_agent(
        "CVPO",
        action_noise=noise,
        learning_rate=lambda left: 1e-3 * left,
        critic_learning_rate=None,
    )
    changed(agent, 100)
    rates = {net.optimizer.param_groups[0]["lr"] for net in (agent.actor, agent.critic)}
    assert len(rates) == 1
    assert rates.pop() < 1e-3


@algorithms
def test_what_is_logged(algorithm: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    agent = small_agent(algorithm, make_vec_env(Timed), tensorboard_log=str(tmp_path))
    seen: set[str] = set()

    class Keys(BaseCallback):
        def _on_step(self) -> bool:
            seen.update(self.logger.name_to_value)
            return True

    agent.learn(130, Keys(), log_interval=2)
    expected = {
        "train/n_updates",
        "train/learning_rate",
        "train/actor_loss",
        "train/critic_loss",
        "train/cost_critic_loss",
        "train/estep_eta",
        "train/lagrange_multiplier",
        "train/estep_kl",
        "train/estep_feasible",
        "train/estep_converged",
        "train/kl_mean",
        "train/kl_cov",
    }
    if algorithm == "SAFER":
        expected |= {"train/eps", "train/kl_adversarial_mean", "train/beta_adversarial_mean"}
        expected |= {"train/robust_step"}
    assert expected <= seen
    assert [path.name for path in tmp_path.iterdir()] == [f"{algorithm}_1"]
    agent.logger.record("rollout/x", 0.0)
    agent.cost_monitor.record(agent.logger)
    assert {"rollout/ep_cost_mean", "safety/total_cost", "safety/violation_rate"} <= set(
        agent.logger.name_to_value
    )


def test_one_line_with_a_progress_bar() -> None:
    pytest.importorskip("rich")
    import warnings

    from tqdm import TqdmExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmExperimentalWarning)
        agent = SAFER("MlpPolicy", Timed(), **TINY).learn(60, progress_bar=True)
    assert agent.num_timesteps == 60


@algorithms
def test_same_seed_same_run(algorithm: str) -> None:
    runs = [small_agent(algorithm, vectorised(Timed, 2)).learn(120) for _ in range(2)]
    weights = [run.policy.state_dict() for run in runs]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


# ---------------------------------------------------------------- baselines and ablations


@pytest.mark.parametrize(
    "options",
    [
        {"collection_attack": "gaussian"},
        {"collection_attack": "mc"},
        {"batch_attack": "mc"},
        {"batch_attack": make_attack("mr", steps=1)},
        {"kl_mode": "joint", "mle_scale": "mean", "reference": "polyak"},
        {"reference": "update", "reward_aggregation": "mean", "cost_aggregation": "min"},
        {"cost_bootstrap": "until_terminated", "max_grad_norm": 0.1, "m_steps": 3},
        {"dual_rate": 0.1},
        {"ent_coef": 0.1},
    ],
    ids=lambda options: "-".join(map(str, options)),
)
def test_the_rivals_by_options(options: dict[str, Any]) -> None:
    changed(small_agent("CVPO", **options), 60)


@pytest.mark.parametrize(
    "options",
    [
        {"vanilla_step": False},
        {"adversarial_mle": False},
        {"adversarial_kl": False},
        {"attack_each_m_step": True, "m_steps": 2},
        {"adversarial_reference": "current", "kl_mode": "joint"},
        {"attack": "mr", "norm": "l2", "eps": np.array([0.1])},
        {"attack": "gaussian", "eps_schedule": lambda progress: progress},
        {"eps": 0.0},
    ],
    ids=lambda options: "-".join(map(str, options)),
)
def test_the_ablations_by_options(options: dict[str, Any]) -> None:
    changed(small_agent("SAFER", **options), 60)


def test_the_collection_attack_is_what_the_buffer_stores() -> None:
    """Observations in [-1, 1], moved by at most eps; SAFER itself collects clean ones."""
    stored = {}
    for attack in (None, "uniform"):
        agent = small_agent(
            "CVPO", collection_attack=attack, eps=0.5, learning_starts=1000, n_steps=1
        )
        agent.learn(60)
        stored[attack] = agent.replay_buffer.observations[:60, 0, 0]
    gap = np.abs(stored["uniform"] - stored[None])
    assert 0.2 < gap.max() <= 0.5 + 1e-6


def test_attacked_images_stay_whole_numbers_in_the_ball() -> None:
    env = Camera()
    agent = small_agent(
        "CVPO", env, policy="CnnPolicy", collection_attack="uniform", eps=3.7, buffer_size=50
    )
    agent.learn(12)
    clean = agent.replay_buffer.next_observations[:11, 0].astype(int)
    shown = agent.replay_buffer.observations[1:12, 0].astype(int)
    assert 1 <= np.abs(clean - shown).max() <= 3


@pytest.mark.parametrize("normalised", [False, True])
def test_attacks_while_learning_stay_in_the_observation_space(normalised: bool) -> None:
    """The box is the space's; behind a VecNormalize it is normalised as the observations are."""
    inner: Any = vectorised(Boxed, 2)
    env = VecNormalize(inner) if normalised else inner
    agent = small_agent("SAFER", env, collection_attack="uniform", batch_attack="mc", eps=3.0)
    agent.learn(80)
    space = inner.observation_space
    collected = agent.replay_buffer.observations[: agent.replay_buffer.pos]
    assert (np.abs(collected) <= space.high + 1e-6).all()
    assert np.abs(collected).max() > 0.95
    batch: Any = agent._sample_batch(64).observations
    shown = agent._attacked(batch, replace(agent.batch_attack, schedule=None))
    high = torch.as_tensor(env.normalize_obs(space.high) if normalised else space.high)
    low = torch.as_tensor(env.normalize_obs(space.low) if normalised else space.low)
    assert bool(((shown >= low - 1e-6) & (shown <= high + 1e-6)).all())
    assert bool(((shown <= low + 1e-6) | (shown >= high - 1e-6)).any())


def test_an_open_space_bounds_no_attack() -> None:
    """The specimen for the test above: the same attack leaves the box where there is none."""
    agent = small_agent("SAFER", vectorised(Timed, 2), collection_attack="uniform", eps=3.0)
    agent.learn(80)
    assert np.abs(agent.replay_buffer.observations[: agent.replay_buffer.pos]).max() > 1.5


def test_a_dict_of_bounded_and_open_parts() -> None:
    parts = {"open": spaces.Box(-np.inf, np.inf, (2,)), "mode": spaces.Discrete(3)}
    low, high = flat_bounds(spaces.Dict(parts | {"unit": spaces.Box(0.0, np.inf, (1,))}))
    np.testing.assert_array_equal(low, [-np.inf, -np.inf, 0.0])
    assert high is None


def test_without_a_ball_safer_sees_what_cvpo_sees() -> None:
    """eps = 0: the attacked observations are the batch itself."""
    agent = small_agent("SAFER", eps=0.0).learn(40)
    obs = agent.replay_buffer.sample(8).observations
    torch.testing.assert_close(agent._attacked(obs, agent.adversary), obs, rtol=0.0, atol=0.0)


def test_the_schedule_of_the_radius_follows_progress() -> None:
    agent = small_agent("SAFER", eps=0.4, eps_start=0.25, eps_end=0.75)
    radii = [float(agent.adversary.radius(p)) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert radii == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])
