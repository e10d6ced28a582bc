"""The switch to a learned safety policy looks at every state that may be true."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drac_toys import small
from shield_toys import make_line

from safer_gym.bounds.network import Affine
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers.shield.switch import SafetySwitch

LINE = make_line()
SPACES = {"observation_space": LINE.observation_space, "action_space": LINE.action_space}


def right(obs: np.ndarray) -> np.ndarray:
    return np.ones(1, np.float32)


def left(obs: np.ndarray) -> np.ndarray:
    return -np.ones(1, np.float32)


def linear(*weights: float) -> list[Affine]:
    """Q_h = 1 + weights [x, v, u, ...]."""
    return [Affine(torch.tensor([weights]).double(), torch.ones(1).double())]


def test_it_switches_where_the_worst_state_of_the_ball_is_unsafe() -> None:
    """1 - x - v - u / 2 - d / 4 >= 0 for u = 1: x + v + 2 eps + 1/4 <= 1/2."""
    q = [linear(-1, -1, -0.5, -0.25), linear(-0.1, -0.1, -0.1, 0.0)]
    for eps in (0.0, 0.05, 0.1):
        policy = SafetySwitch(right, left, q, eps=eps, n_disturbances=1, **SPACES)
        obs = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
        edge = 0.25 - 2 * eps - obs.sum(1)
        action, state = policy.predict(obs)
        assert state is None
        clear = np.abs(edge) > 1e-5
        assert np.array_equal(action[clear, 0] > 0, edge[clear] >= 0)
        assert np.array_equal(policy.predict(obs[0])[0], action[0])


def test_the_bound_is_below_what_the_critic_says_in_the_ball() -> None:
    model = small()
    policy, space = model.policy, model.observation_space
    layers = policy.q_safety_layers()
    n = layers[0][0].weight.shape[1] - space.shape[0] - model.action_space.shape[0]
    switch = SafetySwitch(
        lambda obs: np.zeros(model.action_space.shape, np.float32),
        lambda obs: np.zeros(model.action_space.shape, np.float32),
        layers,
        eps=0.1,
        n_disturbances=n,
        observation_space=space,
        action_space=model.action_space,
    )
    obs = torch.as_tensor(np.random.default_rng(0).uniform(-1, 1, (8, *space.shape))).float()
    action = torch.zeros(8, *model.action_space.shape)
    least = switch.least(obs, action)
    for _ in range(20):
        near = obs + 0.1 * (2 * torch.rand(obs.shape) - 1)
        pair = torch.cat([action, 2 * torch.rand(8, n) - 1], 1)
        with torch.no_grad():
            value = policy.safety_critic_target.values(near, pair).amin(0)
        assert bool((value >= least - 1e-6).all())


def test_it_is_deployed_as_any_policy_and_refuses() -> None:
    policy = SafetySwitch(right, left, [linear(-0.3, -0.3, -0.3)], eps=0.1, **SPACES)
    (outcome,) = evaluate(policy, make_line, ["natural"], eps=0.0, n_episodes=2)
    assert outcome.costs.max() == 0
    with pytest.raises(ValueError, match="eps"):
        SafetySwitch(right, left, [linear(1, 1, 1)], eps=-1, **SPACES)
    with pytest.raises(ValueError, match="reads"):
        SafetySwitch(right, left, [linear(1, 1)], eps=0.1, **SPACES).predict(np.zeros(2))
