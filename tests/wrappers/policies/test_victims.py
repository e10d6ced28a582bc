import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, ImageEnv, PointEnv, Tanh
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.types import Gaussian, Victim
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.victims import as_victim

contrib = pytest.importorskip("sb3_contrib")

OFF = {"buffer_size": 50, "seed": 0}
ON = {"n_steps": 8, "seed": 0}
MAKERS = {
    "sac": lambda env, p: SAC(p, env, **OFF),
    "sac_sde": lambda env, p: SAC(p, env, use_sde=True, **OFF),
    "td3": lambda env, p: TD3(p, env, **OFF),
    "ddpg": lambda env, p: DDPG(p, env, **OFF),
    "tqc": lambda env, p: contrib.TQC(p, env, **OFF),
    "crossq": lambda env, p: contrib.CrossQ(p, env, **OFF),
    "ppo": lambda env, p: PPO(p, env, batch_size=8, **ON),
    "ppo_sde": lambda env, p: PPO(p, env, batch_size=8, use_sde=True, **ON),
    "a2c": lambda env, p: A2C(p, env, **ON),
    "trpo": lambda env, p: contrib.TRPO(p, env, batch_size=8, **ON),
}
WITH_CRITIC = ["sac", "sac_sde", "td3", "ddpg", "tqc", "crossq"]
EVERY = pytest.mark.parametrize("name", MAKERS)


def observations(env, n=6):
    env.observation_space.seed(0)
    return [env.observation_space.sample() for _ in range(n)]


def tensors(obs):
    if isinstance(obs[0], dict):
        return {k: tensors([o[k] for o in obs]) for k in obs[0]}
    return torch.as_tensor(np.stack(obs), dtype=torch.float32)


def arrays(obs):
    if isinstance(obs[0], dict):
        return {k: np.stack([o[k] for o in obs]) for k in obs[0]}
    return np.stack(obs)


@EVERY
@pytest.mark.parametrize("make_env", [PointEnv, DictEnv])
def test_the_action_is_what_the_model_predicts_in_environment_units(name, make_env):
    if name == "crossq" and make_env is DictEnv:
        pytest.skip("CrossQ has no MultiInputPolicy")
    env = make_env()
    policy = "MlpPolicy" if make_env is PointEnv else "MultiInputPolicy"
    model = MAKERS[name](env, policy)
    obs = observations(env)
    want = model.predict(arrays(obs), deterministic=True)[0]
    got = as_victim(model).action(tensors(obs)).detach().numpy()
    np.testing.assert_allclose(got, want, atol=1e-5)
    assert (got >= env.action_space.low - 1e-6).all()
    np.testing.assert_allclose(
        as_victim(model.policy).action(tensors(obs)).detach().numpy(), want, atol=1e-5
    )


@pytest.mark.parametrize("name", ["sac", "ppo"])
def test_images_with_channels_last(name):
    env = ImageEnv()
    kwargs = {"policy_kwargs": {"net_arch": [8]}}
    model = (
        PPO("CnnPolicy", env, n_steps=8, batch_size=8, **kwargs)
        if name == "ppo"
        else SAC("CnnPolicy", env, buffer_size=10, **kwargs)
    )
    obs = [env.reset(seed=i)[0] for i in range(2)]
    want = model.predict(np.stack(obs), deterministic=True)[0]
    victim, given = as_victim(model), tensors(obs).requires_grad_(True)
    got = victim.action(given)
    np.testing.assert_allclose(got.detach().numpy(), want, atol=1e-5)
    (gradient,) = torch.autograd.grad(got.sum(), given)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", WITH_CRITIC)
def test_critics_speak_of_environment_actions(name):
    env = PointEnv()
    model = MAKERS[name](env, "MlpPolicy")
    obs = tensors(observations(env))
    env.action_space.seed(1)
    action = torch.as_tensor(np.stack([env.action_space.sample() for _ in range(6)]))
    scaled = torch.as_tensor(model.policy.scale_action(action.numpy()))
    model.policy.set_training_mode(False)
    with torch.no_grad():
        parts = model.critic(obs, scaled)
    want = parts.mean((1, 2)) if name == "tqc" else torch.cat(parts, 1).min(1).values
    torch.testing.assert_close(as_victim(model).q_reward(obs, action).detach(), want)


def test_on_policy_models_have_no_critic_and_others_no_cost_critic():
    assert as_victim(MAKERS["ppo"](PointEnv(), "MlpPolicy")).q_reward is None
    assert as_victim(MAKERS["sac"](PointEnv(), "MlpPolicy")).q_cost is None


@pytest.mark.parametrize("name", ["sac", "sac_sde", "ppo", "ppo_sde", "tqc", "crossq"])
def test_distributions_are_those_of_the_policy(name):
    model = MAKERS[name](PointEnv(), "MlpPolicy")
    obs = tensors(observations(PointEnv()))
    got = as_victim(model).distribution(obs)
    model.policy.set_training_mode(False)
    with torch.no_grad():
        if name.startswith("ppo"):
            want = model.policy.get_distribution(obs).distribution
        else:
            mean, log_std, extra = model.actor.get_action_dist_params(obs)
            want = model.actor.action_dist.proba_distribution(mean, log_std, **extra).distribution
    torch.testing.assert_close(got.mean.detach(), want.mean)
    torch.testing.assert_close(got.scale.detach(), want.stddev)


def snapshot(model):
    modules = list(model.policy.modules())
    return {
        "modes": [m.training for m in modules],
        "grads": [p.grad for p in model.policy.parameters()],
        "needs": [p.requires_grad for p in model.policy.parameters()],
        "state": copy.deepcopy(model.policy.state_dict()),
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),  # noqa: NPY002
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@EVERY
@pytest.mark.parametrize("training", [True, False])
def test_attacks_leave_no_trace_in_the_policy(name, training):
    model = MAKERS[name](PointEnv(), "MlpPolicy")
    model.policy.set_training_mode(training)
    before = snapshot(model)
    victim = as_victim(model, q_cost=lambda obs, action: action[:, 0])
    obs, ball = tensors(observations(PointEnv())), LpBall.of("linf", 0.1)
    for attack in ("mc", "mad"):
        make_attack(attack)(victim, obs, ball, torch.Generator().manual_seed(0))
    if victim.q_reward is not None:
        make_attack("mr")(victim, obs, ball, torch.Generator().manual_seed(0))
    assert same(before, snapshot(model))
    if not name.endswith("sde"):  # gSDE policies cannot be copied from the start
        copy.deepcopy(model.policy)


def test_the_check_for_traces_sees_a_trace():
    model = MAKERS["sac"](PointEnv(), "MlpPolicy")
    model.policy.set_training_mode(True)
    before = snapshot(model)
    model.predict(observations(PointEnv())[0])
    assert not same(before, snapshot(model))


def test_on_policy_actions_are_cut_to_the_box_and_the_rest_keeps_its_gradient():
    model = MAKERS["ppo"](PointEnv(), "MlpPolicy")
    obs = tensors(observations(PointEnv())).requires_grad_(True)
    action = as_victim(model).action(obs)
    assert (action[:, 0] == 1.0).all()  # the mean is near 0, the box begins at 1
    (gradient,) = torch.autograd.grad(action.sum(), obs)
    assert gradient.abs().sum() > 0


def test_modules_are_asked_in_evaluation_mode_and_in_their_own_type():
    module = Tanh().double().train()
    victim = as_victim(module)
    obs = torch.randn(5, 3)
    assert torch.equal(victim.action(obs), victim.action(obs))
    assert victim.action(obs).dtype is torch.float32
    assert module.training


def test_modes_come_back_after_an_error_and_part_by_part():
    module = Tanh().train()
    module.net[1].eval()
    with pytest.raises(KeyError), as_found(module):
        raise KeyError(any(part.training for part in module.modules()))
    assert module.training
    assert not module.net[1].training


def test_objects_with_predict_are_asked_in_batches_and_callables_one_by_one():
    class Predicts:
        def predict(self, obs, deterministic=False):
            assert deterministic
            return obs[:, :2] * 2, None

    obs = torch.randn(4, 3)
    assert torch.equal(as_victim(Predicts()).action(obs), obs[:, :2] * 2)
    one_by_one = as_victim(lambda o: np.array([o[0], o.sum()]))
    torch.testing.assert_close(one_by_one.action(obs)[:, 1], obs.sum(1))


def test_victims_and_things_with_a_victim_pass_through():
    given = Victim(lambda obs: obs, distribution=lambda obs: Gaussian(obs, obs))

    class Agent:
        def victim(self):
            return given

    assert as_victim(given) is given
    assert as_victim(Agent()) is given


def test_given_critics_replace_the_models_own():
    model = MAKERS["sac"](PointEnv(), "MlpPolicy")
    mine = lambda obs, action: action[:, 0]  # noqa: E731
    victim = as_victim(model, q_reward=mine, q_cost=mine)
    assert victim.q_reward is mine
    assert victim.q_cost is mine


def test_a_vecnormalize_in_front_is_applied_to_policy_and_critic_but_not_to_given_ones():
    venv = VecNormalize(DummyVecEnv([PointEnv]))
    model = SAC("MlpPolicy", venv, **OFF)
    venv.obs_rms.mean, venv.obs_rms.var = np.array([1.0, 0, 0]), np.array([4.0, 1, 0.01])
    obs = np.stack(observations(PointEnv()))
    victim = as_victim(model, vec_normalize=venv, q_cost=lambda o, a: o[:, 0])
    normal = tensors(list(venv.normalize_obs(obs)))
    given, action = tensors(list(obs)), torch.ones(6, 2)
    torch.testing.assert_close(victim.action(given), as_victim(model).action(normal))
    torch.testing.assert_close(
        victim.q_reward(given, action), as_victim(model).q_reward(normal, action)
    )
    assert torch.equal(victim.q_cost(given, action), given[:, 0])


def test_refusals():
    with pytest.raises(ValueError, match="recurrent"):
        as_victim(contrib.RecurrentPPO("MlpLstmPolicy", PointEnv(), n_steps=8, batch_size=8))
    with pytest.raises(TypeError, match=r"policy must be.*int"):
        as_victim(3)


def test_bad_answers_of_policies_are_named():
    obs = torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"return actions \[4, A\]; got \(4,\)"):
        as_victim(_Module(lambda o: o[:, 0])).action(obs)
    with pytest.raises(ValueError, match="got tuple"):
        as_victim(_Module(lambda o: (o, o))).action(obs)
    with pytest.raises(ValueError, match="one action of real numbers"):
        as_victim(lambda o: "left").action(obs)
    with pytest.raises(ValueError, match="one action of real numbers"):
        as_victim(lambda o: o[:1] * 1j).action(obs)
    with pytest.raises(ValueError, match=r"got \(4, 3\) of torch.complex"):
        as_victim(_Module(lambda o: o * 1j)).action(obs)


class _Module(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, obs):
        return self.function(obs)


class _Unknown(BasePolicy):
    def _predict(self, observation, deterministic=False):
        return observation[:, :2].cos()


def test_models_without_known_parts_fall_back_to_predict():
    env = PointEnv()
    policy, obs = _Unknown(env.observation_space, env.action_space), observations(env)
    want = policy.predict(np.stack(obs), deterministic=True)[0]
    np.testing.assert_allclose(as_victim(policy).action(tensors(obs)), want, atol=1e-6)


def test_discrete_dict_entries_reach_the_model(tmp_path):
    env = gym.wrappers.TimeLimit(DictEnv(), 3)
    assert isinstance(env.observation_space["mode"], spaces.Discrete)
    model = MAKERS["td3"](env, "MultiInputPolicy")
    obs = observations(env)
    pickle.dumps(model.policy.state_dict())
    moved = [{**o, "mode": (o["mode"] + 1) % 3} for o in obs]
    victim = as_victim(model)
    assert not torch.equal(victim.action(tensors(obs)), victim.action(tensors(moved)))
