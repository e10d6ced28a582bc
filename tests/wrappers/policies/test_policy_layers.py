"""The network read out of a model is the model's own; what is not covered is refused by name."""

from __future__ import annotations

import importlib

import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, ImageEnv
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor, nn

from safer_gym.agents import CVPO, SAFER, DDPGLagrangian, SACLagrangian, TD3Lagrangian
from safer_gym.balls import LpBall
from safer_gym.bounds import (
    Affine,
    NotCoveredError,
    PolicyLayers,
    enclose_mean,
    enclose_policy,
    gaussian_steps,
    renyi_steps,
    with_constant_noise,
)
from safer_gym.bounds.heads import SigmoidStd
from safer_gym.types import Victim
from safer_gym.wrappers import as_victim
from safer_gym.wrappers.policies.layers import policy_layers

contrib = pytest.importorskip("sb3_contrib")

OURS = {"episode_length": 10, "learning_starts": 1}
SMALL = {"net_arch": [16, 12]}


class Still(gym.Env):
    """Spaces, and nothing else."""

    def __init__(self, action: spaces.Space | None = None) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (5,), np.float32)
        self.action_space = action or spaces.Box(np.array([-2.0, 0.0], np.float32), 3.0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(5, np.float32), {}

    def step(self, action):
        return np.zeros(5, np.float32), 0.0, False, False, {"cost": 0.0}


def observations(n: int = 6) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(0))


def spread(model):
    """Weights large enough that means and deviations differ from state to state."""
    with torch.no_grad():
        for parameter in model.policy.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3.0)
    return model


def model(kind, **options):
    policy_kwargs = SMALL | options.pop("policy_kwargs", {})
    return spread(kind("MlpPolicy", Still(), policy_kwargs=policy_kwargs, seed=0, **options))


def normalised(model):
    """With running statistics that differ from zero and one, outside of training."""
    generator = torch.Generator().manual_seed(3)
    for name, numbers in model.policy.actor.named_buffers():
        if name.endswith(("ra_mean", "ra_var")):
            least = 5.0 if name.endswith("var") else 0.2
            numbers.copy_(torch.rand(numbers.shape, generator=generator) + least)
    model.policy.set_training_mode(False)
    return model


GAUSSIAN = {
    "cvpo": lambda: model(CVPO, **OURS),
    "safer, full": lambda: model(
        SAFER, eps=0.1, policy_kwargs={"actor_kwargs": {"covariance": "full"}}, **OURS
    ),
    "sac": lambda: model(SAC),
    "sac, tanh": lambda: model(SAC, policy_kwargs={"activation_fn": nn.Tanh}),
    "ppo": lambda: model(PPO),
    "a2c": lambda: model(A2C),
    "tqc": lambda: model(contrib.TQC),
    "trpo": lambda: model(contrib.TRPO),
    "crossq": lambda: normalised(model(contrib.CrossQ)),
    "sac-lagrangian": lambda: model(SACLagrangian, **OURS),
}


@pytest.mark.parametrize("name", GAUSSIAN)
def test_gaussian_policies_are_read_exactly_and_enclosed(name: str) -> None:
    agent, obs = GAUSSIAN[name](), observations()
    layers, victim = policy_layers(agent), as_victim(agent)
    assert victim.distribution is not None
    expected, found = victim.distribution(obs), layers.distribution(obs)
    torch.testing.assert_close(found.mean.float(), expected.mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.scale.float(), expected.scale, rtol=1e-5, atol=1e-6)
    for norm in ("linf", "l2"):
        ball = LpBall.of(norm, 0.1)
        boxes = enclose_policy(layers, obs, ball)
        many = obs.repeat_interleave(300, 0)
        at = victim.distribution(ball.sample(many, torch.Generator().manual_seed(1)))
        for box, values in zip(boxes, at, strict=True):
            values = values.detach().double().view(len(obs), 300, *values.shape[1:])
            assert (values >= box.lower.unsqueeze(1)).all()
            assert (values <= box.upper.unsqueeze(1)).all()
            assert (values.amax(1) - values.amin(1)).sum() >= 0.3 * (box.upper - box.lower).sum()


@pytest.mark.parametrize("name", GAUSSIAN)
def test_steps_are_small_for_small_balls_and_grow(name: str) -> None:
    agent, obs = GAUSSIAN[name](), observations()
    layers, benign = policy_layers(agent), as_victim(agent).distribution(obs)
    benign = type(benign)(*(part.detach() for part in benign))
    sizes = [
        renyi_steps(layers, obs, LpBall.of("linf", eps), benign, [2.0]) for eps in (0, 1e-4, 1e-3)
    ]
    assert (sizes[0] < 1e-5).all()
    assert (sizes[0] < sizes[1]).all()
    assert (sizes[1] < sizes[2]).all()
    if layers.has_constant_noise:
        m = gaussian_steps(layers, obs, LpBall.of("linf", 1e-3), benign)
        torch.testing.assert_close(m.square(), sizes[2][:, 0], rtol=1e-3, atol=1e-9)
    else:
        with pytest.raises(NotCoveredError, match="renyi_steps"):
            gaussian_steps(layers, obs, LpBall.of("linf", 1e-3), benign)


@pytest.mark.parametrize("kind", [TD3, DDPG, TD3Lagrangian, DDPGLagrangian])
def test_deterministic_policies_have_a_mean_and_no_divergence(kind) -> None:
    options = {} if kind in (TD3, DDPG) else OURS
    agent, obs, ball = model(kind, **options), observations(), LpBall.of("l2", 0.1)
    layers = policy_layers(agent)
    assert layers.is_deterministic
    low, high = torch.tensor([-2.0, 0.0]), torch.tensor([3.0, 3.0])
    expected = 2 * (as_victim(agent).action(obs) - low) / (high - low) - 1
    torch.testing.assert_close(layers.mean(obs), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(NotCoveredError, match="deterministic"):
        enclose_policy(layers, obs, ball)
    noisy = with_constant_noise(layers, [0.1, 0.2])
    boxes, mean = enclose_policy(noisy, obs, ball), enclose_mean(layers, obs, ball)
    assert torch.equal(boxes.mean.lower, mean.lower)
    assert torch.equal(boxes.scale.lower, boxes.scale.upper)
    assert gaussian_steps(noisy, obs, ball, noisy.distribution(obs)).shape == (6,)
    assert "constant noise" in noisy.describe


def test_constant_noise_instead_of_the_policys_own() -> None:
    layers, obs, ball = policy_layers(model(CVPO, **OURS)), observations(), LpBall.of("linf", 0.01)
    noisy = with_constant_noise(layers, 0.3)
    own, instead = enclose_policy(layers, obs, ball), enclose_policy(noisy, obs, ball)
    torch.testing.assert_close(own.mean.lower, instead.mean.lower, rtol=0, atol=1e-4)
    assert (instead.scale.lower == 0.3).all()
    assert (noisy.distribution(obs).scale == 0.3).all()
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="std must be a finite number > 0"):
            with_constant_noise(layers, wrong)


def test_frozen_normalisation_becomes_part_of_the_network() -> None:
    agent = model(PPO)
    normaliser = VecNormalize(DummyVecEnv([Still]), clip_obs=1.5)
    normaliser.obs_rms.mean, normaliser.obs_rms.var = np.arange(5.0) / 5, 1 + np.arange(5.0)
    with pytest.raises(NotCoveredError, match="running normalisation"):
        policy_layers(agent, vec_normalize=normaliser)
    normaliser.training = False
    layers = policy_layers(agent, vec_normalize=normaliser)
    victim = as_victim(agent, vec_normalize=normaliser)
    obs, ball = 3 * observations(), LpBall.of("linf", 0.5)  # some are clipped, some become so
    torch.testing.assert_close(
        layers.mean(obs), victim.distribution(obs).mean, rtol=1e-4, atol=1e-5
    )
    box = enclose_mean(layers, obs, ball)
    many = ball.sample(obs.repeat_interleave(500, 0), torch.Generator().manual_seed(0))
    means = victim.distribution(many).mean.detach().double().view(6, 500, 2)
    assert (means >= box.lower.unsqueeze(1)).all()
    assert (means <= box.upper.unsqueeze(1)).all()


def test_round_off_of_a_head_is_inside() -> None:
    """A deviation far below the terms it is a difference of."""
    head = SigmoidStd(1e-7, 1.0, 3.0, 2)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 5, generator=generator)
    layers = PolicyLayers([Affine(weight, torch.tensor([0, 0, -18.0, -10]))], 2, scale=head)
    obs = observations(2000)
    box = enclose_policy(layers, obs, LpBall.of("linf", 0.0)).scale
    computed = layers.distribution(obs).scale.double()
    assert ((computed >= box.lower) & (computed <= box.upper)).all()


def test_other_things_that_have_layers() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(5, 8), nn.LeakyReLU(0.1), nn.Linear(8, 2))
    obs = observations()
    torch.testing.assert_close(policy_layers(net).mean(obs), net(obs))
    agent = model(CVPO, **OURS)
    layers = policy_layers(agent)
    assert policy_layers(layers) is layers
    of_victim = policy_layers(agent.victim())
    assert of_victim.is_deterministic
    torch.testing.assert_close(of_victim.mean(obs), layers.mean(obs))
    torch.testing.assert_close(policy_layers(agent.policy).mean(obs), layers.mean(obs))


def in_training(model):
    model.policy.set_training_mode(True)
    return model


class Recurrent(PPO.policy_aliases["MlpPolicy"]):
    def predict(self, *args, **options):
        return super().predict(*args, **options)[0], "a state"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: model(SAC, use_sde=True), "gSDE"),
        (lambda: model(PPO, use_sde=True), "StateDependentNoise"),
        (lambda: PPO("MultiInputPolicy", DictEnv()), "only a Box"),
        (lambda: PPO("CnnPolicy", ImageEnv()), "images"),
        (lambda: PPO(Recurrent, Still()), "method 'predict' of its own"),
        (lambda: model(SAC, policy_kwargs={"activation_fn": nn.Hardswish}), "Hardswish"),
        (lambda: in_training(model(contrib.CrossQ)), "BatchRenorm"),
        (lambda: nn.Sequential(nn.Conv1d(1, 1, 1)), "Conv1d"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Dropout()), "Dropout"),
        (lambda: Victim(lambda obs: obs), "victim"),
        (lambda: lambda obs: obs, "function"),
    ],
)
def test_what_is_not_covered_is_refused_by_name(make, words: str) -> None:
    with pytest.raises(NotCoveredError, match=words) as refused:
        policy_layers(make())
    assert refused.value.what
    assert refused.value.reason


@pytest.mark.parametrize(
    ("options", "words"),
    [({"squash": "sigmoid"}, "squash"), ({"action_dim": 9}, "at least 9")],
)
def test_layers_that_do_not_fit(options, words: str) -> None:
    chosen = {"layers": policy_layers(nn.Linear(5, 2)).layers, "action_dim": 2} | options
    with pytest.raises(ValueError, match=words):
        PolicyLayers(**chosen)


def test_scripts_find_it_in_its_former_place_and_an_elu_network_is_covered() -> None:
    former = importlib.import_module("safer_gym.wrappers.policy_layers")
    assert former.policy_layers is policy_layers
    network = nn.Sequential(nn.Linear(2, 8), nn.ELU(), nn.Linear(8, 1))
    assert policy_layers(network).describe == "the module"
