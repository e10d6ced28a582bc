"""PPO-Lagrangian behaves as Stable-Baselines3's PPO does, and its forms as their options say."""

from __future__ import annotations

import copy
import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from agent_envs import (
    TINY_ON_POLICY,
    Boxed,
    Camera,
    Costless,
    Mixed,
    Pendulum,
    Steep,
    Timed,
    small_ppol,
    vectorised,
)
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from stable_baselines3.sac.policies import SACPolicy

from safer_gym.agents import PPOLagrangian
from safer_gym.agents.ppo_lagrangian import attackers_critics
from safer_gym.agents.ppo_lagrangian import ppo_lagrangian as module
from safer_gym.agents.ppo_lagrangian.losses import scaled
from safer_gym.agents.ppo_lagrangian.objective import Weights
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutBuffer
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.loading.load import load_policy
from safer_gym.wrappers import as_victim
from safer_gym.wrappers.policies.layers import policy_layers

FORMS: dict[str, dict[str, Any]] = {
    "PPOL": {},
    "PPOL-random": {"collection_attack": "uniform"},
    "SA-PPOL": {"regulariser": "mad"},
    "SA-PPOL(MC)": {"regulariser": "mc"},
    "SA-PPOL(MR)": {"regulariser": "mr"},
    "ADV-PPOL": {"collection_attack": "mc"},
}
ATTACKED: dict[str, Any] = {"eps": 0.3, "eps_schedule": "constant"}
forms = pytest.mark.parametrize("form", FORMS)


def moved(agent: PPOLagrangian, steps: int, **kwargs: Any) -> None:
    """Learn; actor, values and both critics must have moved, and stay finite."""
    before = {k: v.clone() for k, v in agent.policy.state_dict().items()}
    agent.learn(steps, **kwargs)
    after = agent.policy.state_dict()
    for net in ("actor.mean_head", "state_values.nets", "critic.ensemble", "cost_critic.ensemble"):
        names = [name for name in before if name.startswith(net)]
        assert names
        assert any(not torch.equal(before[name], after[name]) for name in names), net
    assert agent._n_updates > 0
    assert all(bool(torch.isfinite(value).all()) for value in after.values())


# ---------------------------------------------------------------- constructor


def test_the_arguments_of_ppo_are_taken_by_position_and_by_name() -> None:
    agent = PPOLagrangian("MlpPolicy", Timed(), 1e-4, 40, 10, gae_lambda=0.5)
    assert (agent.learning_rate, agent.n_steps, agent.batch_size) == (1e-4, 40, 10)
    assert agent.gae_lambda == 0.5
    assert isinstance(agent, PPO)
    assert agent.policy.actor.covariance == "constant"  # B.3.2
    for name, parameter in inspect.signature(PPOLagrangian.__init__).parameters.items():
        if name not in ("self", "policy", "env", "args", "kwargs"):
            assert parameter.default is not inspect.Parameter.empty, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_limit": -1.0}, "cost_limit must be a finite number >= 0"),
        ({"cost_limt": 3.0}, "Did you mean 'cost_limit'"),
        ({"n_epoch": 3}, "Did you mean 'n_epochs'"),
        ({"pid_gains": (0.1, -0.1, 0.0)}, "pid_gains must be a finite number >= 0"),
        ({"max_lam": -1.0}, "max_lam must be a number >= 0, or inf"),
        ({"kl_coef": -1.0}, "kl_coef must be a finite number >= 0"),
        ({"critic_batch_size": 0}, "critic_batch_size must be a whole number >= 1"),
        ({"cost_advantage": "centered"}, "Did you mean 'centred'"),
        ({"cost_surrogate": "cliped"}, "Did you mean 'clipped'"),
        ({"regulariser_distance": "l2"}, "regulariser_distance must be one of"),
        ({"cost_bootstrap": "alway"}, "Did you mean 'always'"),
        ({"cost_aggregation": "maxx"}, "Did you mean 'max'"),
        ({"collection_attack": "unifrom"}, "Did you mean 'uniform'"),
        ({"regulariser": "mcc"}, "regulariser must be one of"),
        ({"eps": -0.1}, "eps"),
        ({"norm": "l3"}, "norm"),
        ({"eps_schedule": "linaer"}, "Did you mean 'linear'"),
        ({"missing_cost": "zeros"}, "Did you mean 'zero'"),
        ({"policy_kwargs": {"actor_kwargs": {"covariance": "const"}}}, "Did you mean 'constant'"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_ppol(**options)


def test_a_buffer_without_costs_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must keep costs.*got RolloutBuffer"):
        small_ppol(rollout_buffer_class=RolloutBuffer)


def acting(space: spaces.Space) -> Timed:
    """An environment of those actions; the first action of each kind costs nothing."""

    class Acting(Timed):
        action_space = space

        def judge(self, action: np.ndarray) -> tuple[float, float | None]:
            bad = float(np.mean(np.asarray(action) > 0))
            return bad, bad

    return Acting()


KINDS = {
    "discrete": spaces.Discrete(3),
    "multi-discrete": spaces.MultiDiscrete([2, 3]),
    "multi-binary": spaces.MultiBinary(2),
}


def learned(agent: PPOLagrangian, steps: int) -> None:
    """All weights but those of the critics that there are not move, and stay finite."""
    before = {k: v.clone() for k, v in agent.policy.state_dict().items()}
    agent.learn(steps)
    after = agent.policy.state_dict()
    for net in ("action_net", "value_net", "cost_value_net"):
        names = [name for name in before if name.startswith(net)]
        assert names
        assert any(not torch.equal(before[name], after[name]) for name in names), net
    assert all(bool(torch.isfinite(value).all()) for value in after.values())


@pytest.mark.parametrize("kind", KINDS)
def test_actions_that_are_no_box(kind: str, tmp_path: Path) -> None:
    env = acting(KINDS[kind])
    agent = small_ppol(env, clip_range_vf=0.2, target_kl=0.01)
    learned(agent, 60)
    assert agent.rollout_buffer.costs.any()
    agent.save(tmp_path / "model.zip")
    loaded = PPOLagrangian.load(tmp_path / "model.zip", env=env)
    obs = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[:, None]
    known = agent.predict(obs, deterministic=True)[0]
    np.testing.assert_array_equal(known, loaded.predict(obs, deterministic=True)[0])
    learned(loaded, 40)
    as_data = load_policy(tmp_path / "model.zip")
    assert not as_data.ran_code
    np.testing.assert_array_equal(known, as_data.policy.predict(obs, deterministic=True)[0])


def test_discrete_actions_pay_for_their_cost() -> None:
    """Reward and cost are one: free, the policy takes all; under a limit of zero, nothing."""
    found = {}
    for limit in (1e6, 0.0):
        agent = small_ppol(
            DummyVecEnv([lambda: acting(spaces.Discrete(2))] * 2),
            cost_limit=limit,
            pid_gains=(1.0, 0.1, 0.0),
            learning_rate=1e-2,
            n_epochs=5,
        ).learn(3000)
        policy = agent.policy.get_distribution(torch.zeros(1, 1)).distribution
        found[limit] = float(policy.probs.detach()[0, 1])
    assert found[1e6] > 0.9
    assert found[0.0] < 0.1


class Own(ActorCriticPolicy):
    """A user's own, which tells itself by its forward pass."""

    def forward(self, obs: Any, deterministic: bool = False) -> Any:
        actions, values, log_prob = super().forward(obs, deterministic)
        return actions, torch.full_like(values, 7.0), log_prob


def test_a_policy_class_of_ones_own_gets_a_value_of_the_cost(tmp_path: Path) -> None:
    agent = small_ppol(policy=Own)
    agent.learn(20)
    assert isinstance(agent.policy, Own)
    assert (agent.rollout_buffer.values == 7.0).all()
    agent.save(tmp_path / "model")
    loaded = PPOLagrangian.load(tmp_path / "model")
    obs = torch.linspace(-1.0, 1.0, 5)[:, None]
    assert torch.equal(loaded.policy.state_values(obs), agent.policy.state_values(obs))
    victim = as_victim(loaded)  # as of Stable-Baselines3's own PPO
    np.testing.assert_allclose(
        victim.action(obs).detach(), loaded.predict(obs.numpy(), deterministic=True)[0], atol=1e-6
    )


def test_state_dependent_exploration() -> None:
    learned(small_ppol(use_sde=True, sde_sample_freq=4), 60)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policy": Own, "regulariser": "mc"}, ValueError, "regulariser must be None with a Own"),
        ({"use_sde": True, "collection_attack": "mc"}, ValueError, "without use_sde"),
        ({"env": acting(spaces.Discrete(2)), "regulariser": "mad"}, ValueError, "with Box actions"),
        ({"policy": SACPolicy}, TypeError, "ActorCriticPolicy; got SACPolicy"),
        ({"clip_range_vf": -0.2}, AssertionError, "clip_range_vf"),
    ],
)
def test_what_no_attack_in_training_covers_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        small_ppol(options.pop("env", None), **options)


def test_other_actions_are_refused() -> None:
    with pytest.raises(AssertionError, match="only supports"):
        small_ppol(acting(spaces.Tuple([spaces.Discrete(2)])))


def test_what_can_not_be_attacked_is_refused_with_an_attack_alone() -> None:
    class Counted(Timed):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = spaces.Discrete(3)

        def draw(self) -> Any:
            return int(self.np_random.integers(3))

    with pytest.raises(ValueError, match="PPOLagrangian attacks observations"):
        small_ppol(Counted(), regulariser="mc")
    moved(small_ppol(Counted()), 40)


def test_a_missing_cost_is_an_error_unless_it_means_zero() -> None:
    with pytest.raises(ValueError, match=r"info\['cost'\] is missing"):
        small_ppol(Costless()).learn(20)
    with pytest.warns(UserWarning, match="counts as zero"):
        small_ppol(Costless(), missing_cost="zero").learn(20)


# ---------------------------------------------------------------- observations, environments


@pytest.mark.parametrize(
    ("policy", "env", "policy_kwargs"),
    [
        ("CnnPolicy", Camera, {"net_arch": [8]}),
        ("CnnPolicy", Camera, {"net_arch": [8], "share_features_extractor": True}),
        ("MultiInputPolicy", Mixed, {"net_arch": [8]}),
        ("MlpPolicy", Timed, {"net_arch": []}),
        ("MlpPolicy", Timed, {"net_arch": {"pi": [4], "qf": [6, 5]}, "n_critics": 3}),
        ("MlpPolicy", Steep, {"net_arch": [8], "actor_kwargs": {"covariance": "full"}}),
        ("MlpPolicy", Steep, {"net_arch": [8], "actor_kwargs": {"covariance": "diagonal"}}),
    ],
    ids=["cnn", "cnn-shared", "dict", "linear", "arch", "full", "diagonal"],
)
def test_all_policies_learn_and_load(
    policy: str, env: type[gym.Env], policy_kwargs: dict[str, Any], tmp_path: Path
) -> None:
    options = {"collection_attack": "mc", "regulariser": "mad", **ATTACKED}
    agent = small_ppol(env(), policy=policy, policy_kwargs=policy_kwargs, **options)
    moved(agent, 20)
    agent.save(tmp_path / "model")
    loaded = PPOLagrangian.load(tmp_path / "model")
    obs, _ = env().reset(seed=3)
    np.testing.assert_array_equal(
        agent.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
    )


@forms
@pytest.mark.parametrize("n_envs", [1, 4])
def test_every_form_learns_in_parallel_environments(form: str, n_envs: int) -> None:
    moved(small_ppol(vectorised(Boxed, n_envs), **FORMS[form], **ATTACKED), 40 * n_envs)


def test_environments_in_processes() -> None:
    env = SubprocVecEnv([Timed, Timed], start_method="fork")
    try:
        moved(small_ppol(env, collection_attack="uniform", **ATTACKED), 80)
    finally:
        env.close()


def test_normalised_observations() -> None:
    env = VecNormalize(vectorised(Timed, 2), gamma=0.9)
    agent = small_ppol(env, collection_attack="mc", regulariser="mad", **ATTACKED)
    moved(agent, 120)
    assert agent.get_vec_normalize_env() is env


def test_another_environment_can_be_set() -> None:
    agent = small_ppol(vectorised(Timed, 2))
    agent.learn(40)
    agent.set_env(vectorised(Timed, 2, seed=5))
    agent.learn(40, reset_num_timesteps=False)
    assert agent.num_timesteps == 80
    assert agent._collector is not None
    assert agent._collector.venv is agent.env


# ---------------------------------------------------------------- actions


class Wide(Timed):
    """Two-by-one actions in float64, off centre."""

    action_space = spaces.Box(np.array([[1.0], [-3.0]]), np.array([[5.0], [-2.0]]), (2, 1))


def test_actions_are_in_the_environments_units() -> None:
    """Also those that explore, the stored ones in [-1, 1], and what an attack sees."""
    noisy = {"net_arch": [8], "actor_kwargs": {"init_std": 0.9, "max_std": 1.0}}
    agent = small_ppol(Steep(), policy_kwargs=noisy).learn(100)
    obs = np.linspace(-3.0, 3.0, 50, dtype=np.float32)[:, None]
    for deterministic in (True, False):
        action, _ = agent.predict(obs, deterministic=deterministic)
        assert action.min() >= 1.0
        assert action.max() <= 5.0
    assert abs(agent.replay_buffer.actions).max() <= 1.0
    assert not agent.replay_buffer.costs.any()
    assert abs(agent.rollout_buffer.actions).max() > 1.0  # what was drawn, not what was clipped
    by_victim = agent.victim().action(torch.as_tensor(obs)).detach().numpy()
    np.testing.assert_allclose(
        by_victim, agent.predict(obs, deterministic=True)[0], rtol=1e-5, atol=1e-5
    )


def test_action_spaces_of_any_shape_and_dtype() -> None:
    agent = small_ppol(Wide(), collection_attack="mc", **ATTACKED)
    moved(agent, 40)
    obs = np.zeros((3, 1), np.float32)
    action, _ = agent.predict(obs, deterministic=True)
    assert action.shape == (3, 2, 1)
    values = agent.victim().q_cost(torch.as_tensor(obs), torch.as_tensor(action[..., 0]))
    assert values.shape == (3,)


@pytest.mark.parametrize("attack", ["mc", "mr", "mad", "min_reward", "random_search"])
def test_every_attack_meets_it_as_it_meets_the_off_policy_agents(attack: str) -> None:
    victim = as_victim(small_ppol(Steep()).learn(40))
    obs, ball = torch.linspace(-1.0, 1.0, 5)[:, None], LpBall.of("linf", 0.2)
    result = make_attack(attack)(victim, obs, ball, torch.Generator().manual_seed(0))
    assert (result.objective >= result.clean_objective).all()


def test_bounds_read_its_network() -> None:
    agent = small_ppol(Steep()).learn(20)
    layers = policy_layers(agent)
    obs = torch.linspace(-2.0, 2.0, 9)[:, None]
    mean, scale = layers.distribution(obs)
    known = agent.policy.actor.distribution(obs)
    torch.testing.assert_close(mean.float(), known.mean)
    torch.testing.assert_close(scale.float().expand(9, 1), known.scale)


# ---------------------------------------------------------------- learning


def test_the_controller_by_hand() -> None:
    """Pendulum: an episode costs 4; two rollouts of episodes against a limit of 1."""
    agent = small_ppol(Pendulum(), n_steps=14, batch_size=14, cost_limit=1.0)
    agent.learn(14)
    assert agent.lam == pytest.approx(0.1 * 3 + 0.003 * 3 + 0.001 * 3)
    agent.learn(14, reset_num_timesteps=False)
    assert agent.lam == pytest.approx(0.1 * 3 + 0.003 * 6)
    short = small_ppol(Pendulum(), n_steps=4, batch_size=4, cost_limit=1.0).learn(4)
    assert (short.lam, short.cost_monitor.episodes) == (0.0, 0)  # no episode, no step
    assert small_ppol(Pendulum(), cost_limit=1.0, max_lam=0.2).learn(20).lam == 0.2


def test_the_attackers_critics_follow_the_deterministic_policy() -> None:
    """Other draws, the same targets."""
    agent = small_ppol().learn(20)
    data = agent.replay_buffer.sample(8)
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        losses.append(agent.critics.update(copy.deepcopy(agent.policy), data))
    assert losses[0] == losses[1]


def test_ensembles_err_on_the_bad_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest reward and the highest cost, in the targets and for an attacker."""
    told: list[Any] = []
    fit = attackers_critics.fit_critics

    def note(nets: Any, data: Any, actions: Any, both: Any, *rest: Any) -> Any:
        told.append(both)
        return fit(nets, data, actions, both, *rest)

    monkeypatch.setattr(attackers_critics, "fit_critics", note)
    agent = small_ppol(policy_kwargs={"net_arch": [8], "n_critics": 3, "n_cost_critics": 3})
    agent.learn(20)
    assert set(told) == {("min", "max")}
    obs, actions, policy = torch.randn(5, 1), torch.zeros(5, 1), agent.policy
    known = policy.critic.values(obs, actions).amin(0), policy.cost_critic.values(obs, actions)
    torch.testing.assert_close(agent.victim().q_reward(obs, actions), known[0])
    torch.testing.assert_close(agent.victim().q_cost(obs, actions), known[1].amax(0))


def test_options_reach_the_loss_and_the_critics(monkeypatch: pytest.MonkeyPatch) -> None:
    own: dict[str, Any] = {"cost_surrogate": "linear", "regulariser_distance": "kl"}
    own |= {"kl_coef": 0.3, "ent_coef": 0.2, "clip_range": 0.1}
    agent = small_ppol(**own, critic_batch_size=6, critic_updates=3)
    assert agent._weights() == Weights(0.0, 0.1, "linear", 0.2, 0.3)
    assert agent.smoothing.regulariser_distance == "kl"
    sizes: list[int] = []
    sample = agent.replay_buffer.sample

    def note(size: int, **kwargs: Any) -> Any:
        sizes.append(size)
        return sample(size, **kwargs)

    monkeypatch.setattr(agent.replay_buffer, "sample", note)
    agent.learn(20)
    assert sizes == [6] * 3


def test_both_attacks_take_as_many_steps_as_are_asked_for() -> None:
    agent = small_ppol(collection_attack="mc", regulariser="mr", attack_steps=7)
    for attack in (agent.collection_attack, agent.regulariser):
        assert attack is not None
        assert attack.attack.steps == 7  # type: ignore[attr-defined]


def test_the_controller_hears_of_each_episode_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An episode a rollout, each with a cost of its own."""
    agent = small_ppol(n_steps=Timed.horizon, batch_size=Timed.horizon)
    heard: list[float | None] = []
    monkeypatch.setattr(agent, "_control", heard.append)
    agent.learn(5 * Timed.horizon)
    assert heard == list(agent.cost_monitor.recent)
    assert len(set(heard)) > 1


@forms
def test_without_a_ball_every_form_is_ppol_bit_by_bit(form: str) -> None:
    agents = [
        small_ppol(vectorised(Timed, 2), **options, eps=0.0).learn(120)
        for options in ({}, FORMS[form])
    ]
    weights = [agent.policy.state_dict() for agent in agents]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
    if FORMS[form]:  # the specimen: a ball that is not empty changes something
        other = small_ppol(vectorised(Timed, 2), **FORMS[form], **ATTACKED).learn(120)
        value = other.policy.state_dict()["actor.mean_head.weight"]
        assert not torch.equal(value, weights[0]["actor.mean_head.weight"])


def test_a_regulariser_without_weight_changes_nothing() -> None:
    plain, weightless = (
        small_ppol(**options).learn(60).policy.state_dict()["actor.mean_head.weight"]
        for options in ({}, {"regulariser": "mc", "kl_coef": 0.0, **ATTACKED})
    )
    torch.testing.assert_close(plain, weightless)


def test_the_regulariser_smooths() -> None:
    """After the same rollout, the heavier regulariser leaves the nearer attacked action."""

    def reach(coef: float) -> float:
        agent = small_ppol(n_epochs=20, regulariser="mad", kl_coef=coef, eps=1.0, **STILL)
        agent.learn(20)
        obs = torch.linspace(-1.0, 1.0, 9)[:, None]
        ends = [agent.victim().action(shown).detach() for shown in (obs, obs + 1.0)]
        return float((ends[1] - ends[0]).abs().mean())

    assert reach(100.0) < 0.5 * reach(0.0)


STILL: dict[str, Any] = {"eps_schedule": "constant", "learning_rate": 1e-2}


def test_target_kl_stops_the_policy_and_not_the_values() -> None:
    agent = small_ppol(n_epochs=10, target_kl=1e-9, learning_rate=1e-2).learn(20)
    free = small_ppol(n_epochs=10, learning_rate=1e-2).learn(20)
    steps = [
        (int(a.policy.actor.optimizer.state_dict()["state"][0]["step"]), a._n_updates)
        for a in (agent, free)
    ]
    assert steps == [(1, 10), (10, 10)]
    for name, value in agent.policy.state_values.state_dict().items():
        assert torch.equal(value, free.policy.state_values.state_dict()[name])


@pytest.mark.parametrize(("kl", "steps"), [(0.014, 10), (0.016, 0)])
def test_the_policy_stops_at_one_and_a_half_times_the_target(
    kl: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "approximate_kl", lambda log_ratio: torch.tensor(kl))
    agent = small_ppol(n_epochs=10, target_kl=0.01).learn(20)
    taken = agent.policy.actor.optimizer.state_dict()["state"]
    assert (int(taken[0]["step"]) if taken else 0) == steps


def test_the_norm_of_the_gradient_is_bounded_for_the_actor_alone() -> None:
    """Plain gradient steps of rate one: no step of the actor is longer than the bound."""
    sgd = {"net_arch": [8], "optimizer_class": torch.optim.SGD}
    bound, rates = 1e-5, {"learning_rate": 1.0, "critic_learning_rate": 0.1}
    agent = small_ppol(n_epochs=1, max_grad_norm=bound, policy_kwargs=sgd, **rates)
    parts = [list(net.parameters()) for net in (agent.policy.actor, agent.policy.state_values)]
    before = [[weight.detach().clone() for weight in part] for part in parts]
    agent.learn(20)
    moved = [
        float(
            torch.cat([(a - b).detach().flatten() for a, b in zip(part, old, strict=True)]).norm()
        )
        for part, old in zip(parts, before, strict=True)
    ]
    steps = agent.n_steps // agent.batch_size
    assert 0.0 < moved[0] <= 1.01 * steps * bound
    assert moved[1] > 100 * steps * bound


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("standardised", "raw")),
        ({"normalize_advantage": False, "cost_advantage": "centred"}, ("raw", "centred")),
    ],
)
def test_each_advantage_has_its_own_scale(
    options: dict[str, Any], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    scale = CostRolloutBuffer.scale_advantages

    def note(self: CostRolloutBuffer, reward: str, cost: str) -> None:
        before = [torch.as_tensor(part) for part in (self.advantages, self.cost_advantages)]
        scale(self, reward, cost)
        for part, how, now in zip(
            before, (reward, cost), (self.advantages, self.cost_advantages), strict=True
        ):
            np.testing.assert_array_equal(now, scaled(part, how).numpy())
        seen.append((reward, cost))

    monkeypatch.setattr(CostRolloutBuffer, "scale_advantages", note)
    small_ppol(**options).learn(20)
    assert seen == [expected]


def test_the_schedule_of_the_radius_follows_progress() -> None:
    agent = small_ppol(collection_attack="mc", eps=0.4, eps_start=0.25, eps_end=0.75)
    radii = []
    for left in (1.0, 0.75, 0.5, 0.25, 0.0):
        agent._current_progress_remaining = left
        radii.append(agent._radius(agent.collection_attack))
    assert radii == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])


class Stop(BaseCallback):
    def _on_step(self) -> bool:
        return self.n_calls < 13


def test_a_callback_stops_training() -> None:
    agent = small_ppol()
    agent.learn(1000, Stop())
    assert (agent.num_timesteps, agent._n_updates) == (13, 0)
    agent.learn(20, reset_num_timesteps=False)
    assert agent._n_updates > 0


def test_a_falling_learning_rate_reaches_all_that_follow_it() -> None:
    agent = small_ppol(learning_rate=lambda left: 1e-3 * left, critic_learning_rate=None)
    moved(agent, 80)
    policy = agent.policy
    nets = (policy.actor, policy.state_values, policy.critic, policy.cost_critic)
    rates = {net.optimizer.param_groups[0]["lr"] for net in nets}
    assert len(rates) == 1
    assert rates.pop() < 1e-3


def test_what_is_logged(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    options = {"collection_attack": "uniform", "regulariser": "mc", **ATTACKED}
    agent = small_ppol(make_vec_env(Timed), tensorboard_log=str(tmp_path), **options)
    seen: set[str] = set()
    record = type(agent.cost_monitor).record

    class Keys(BaseCallback):
        def _on_step(self) -> bool:
            seen.update(self.logger.name_to_value)
            return True

    agent.learn(60, Keys())
    record(agent.cost_monitor, agent.logger)
    seen.update(agent.logger.name_to_value)
    names = "approx_kl clip_fraction clip_range cost_critic_loss cost_explained_variance std eps"
    names += " cost_value_loss critic_loss entropy_loss explained_variance lagrange_multiplier loss"
    names += " learning_rate n_updates policy_gradient_loss robustness_distance value_loss"
    assert {f"train/{name}" for name in names.split()} <= seen
    assert {"rollout/ep_cost_mean", "safety/total_cost", "safety/violation_rate"} <= seen
    assert [path.name for path in tmp_path.iterdir()] == ["PPOLagrangian_1"]


def test_the_small_agent_of_these_tests_names_only_real_options() -> None:
    known = set(inspect.signature(PPO.__init__).parameters)
    known |= set(inspect.signature(PPOLagrangian.__init__).parameters)
    known |= {field.name for group in PPOLagrangian.GROUPS.values() for field in fields(group)}
    assert set(TINY_ON_POLICY) <= known
