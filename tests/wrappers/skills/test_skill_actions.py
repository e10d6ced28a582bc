"""The wrapper's laws: identity changes nothing, decoded actions stay in the box, windows end."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import SAC
from torch import Tensor

from safer_gym.agents.skills import PriorShape, SkillPrior
from safer_gym.agents.skills.prior import Window
from safer_gym.wrappers.skills import SkillActions, SkillPolicy
from safer_gym.wrappers.tasks import find_task
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator

W = 4


class Identity(SkillPrior):
    """f(z; s, c) = z; notes the windows that it was shown."""

    def __init__(self) -> None:
        super().__init__(PriorShape((2,), 1, W, safety_size=0, hidden=1))
        self.seen: list[tuple[np.ndarray, int]] = []

    def act(self, z: Tensor, window: Window) -> Tensor:
        self.seen += [(w.numpy().copy(), int(n)) for w, n in zip(*window, strict=True)]
        return z


def prior_of(obs: int = 2, actions: int = 1, safety: int = 3) -> SkillPrior:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SkillPrior(PriorShape((obs,), actions, W, safety, hidden=8)).eval()


def spaces(env: gym.Env) -> tuple[Any, Any]:
    return env.observation_space, env.action_space


def steps(env: gym.Env, n: int = 12) -> list[Any]:
    rng, found = np.random.default_rng(0), [env.reset(seed=1)[0]]
    for _ in range(n):
        obs, reward, *_, info = env.step(rng.uniform(-1, 1, 1).astype(np.float32))
        found.append((obs.tobytes(), reward, info["cost"]))
    return found[1:]


def test_an_identity_flow_is_the_raw_environment_bit_for_bit() -> None:
    assert steps(SkillActions(DoubleIntegrator(), Identity())) == steps(DoubleIntegrator())


@pytest.mark.filterwarnings("ignore:.*A Box observation space m")
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_contract() -> None:
    env = SkillActions(find_task("cart-pole").make(), prior_of(4))
    check_env(env, skip_render_check=True)


def test_windows_hold_the_last_observations_and_end_with_the_episode() -> None:
    prior = Identity()
    env = SkillActions(DoubleIntegrator(), prior)
    seen = [env.reset(seed=0)[0]]
    for k in range(W + 2):
        seen.append(env.step(np.array([0.5], np.float32))[0])
        window, length = prior.seen[-1]
        assert length == min(k + 1, W)
        np.testing.assert_array_equal(window[-length:], seen[k + 1 - length : k + 1])
        assert not window[:-length].any()
    first, _ = env.reset(seed=3)
    env.step(np.array([0.5], np.float32))
    window, length = prior.seen[-1]
    assert length == 1
    np.testing.assert_array_equal(window, [*np.zeros((W - 1, 2)), first])


@pytest.mark.parametrize("eta", [0.3, 1.0, 50.0])
def test_what_a_latent_action_decodes_to_lies_in_the_box(eta: float) -> None:
    env = SkillActions(DoubleIntegrator(), prior_of(), eta)
    assert env.action_space == gym.spaces.Box(-eta, eta, (1,), np.float32)
    env.reset(seed=0)
    for z in (-1e6, -eta, 0.0, eta, 1e6):
        *_, info = env.step(np.array([z], np.float32))
        assert env.env.action_space.contains(info["decoded_action"])


def test_beyond_the_bound_counts_as_at_it() -> None:
    found = []
    for z in (0.5, 7.0):
        env = SkillActions(DoubleIntegrator(), prior_of(), eta=0.5)
        env.reset(seed=0)
        found.append(env.step(np.array([z], np.float32))[4]["decoded_action"])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("eta", [0.0, -1.0, np.inf, np.nan])
def test_bad_bounds_are_refused(eta: float) -> None:
    with pytest.raises(ValueError, match="eta must be a finite number > 0"):
        SkillActions(DoubleIntegrator(), prior_of(), eta)


def test_spaces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="the prior reads observations of shape"):
        SkillActions(DoubleIntegrator(), prior_of(obs=3))
    with pytest.raises(ValueError, match="the prior's actions have shape"):
        SkillActions(DoubleIntegrator(), prior_of(actions=2))
    with pytest.raises(ValueError, match="must be a bounded Box"):
        SkillActions(gym.make("CartPole-v1"), prior_of(4))


def test_step_wants_a_reset() -> None:
    with pytest.raises(gym.error.ResetNeeded):
        SkillActions(DoubleIntegrator(), prior_of()).step(np.zeros(1, np.float32))


@pytest.mark.parametrize("safety", [0, 3])
def test_the_policy_does_what_the_wrapper_did(safety: int) -> None:
    prior = prior_of(safety=safety)
    prior.encoder.fit(torch.tensor([[0.0, 0.0], [1.0, 4.0], [2.0, 3.0]]))
    env = SkillActions(DoubleIntegrator(), prior, eta=2.0)
    model = SAC("MlpPolicy", env, learning_starts=4, buffer_size=50, seed=0, device="cpu",
                policy_kwargs={"net_arch": [8]}).learn(10)  # fmt: skip
    raw = DoubleIntegrator()
    policy, state = SkillPolicy(model, prior, 2.0, *spaces(raw)), None
    obs, _ = env.reset(seed=5)
    raw_obs, _ = raw.reset(seed=5)
    for _ in range(W + 2):
        action, state = policy.predict(raw_obs, state, deterministic=True)
        obs, *_, info = env.step(model.predict(obs, deterministic=True)[0])
        np.testing.assert_array_equal(action, info["decoded_action"])
        raw_obs, *_ = raw.step(action)
        seen = prior.features(torch.as_tensor(raw_obs[None]))[0]
        np.testing.assert_array_equal(seen.numpy(), obs)


def test_rows_of_a_batch_are_episodes_of_their_own() -> None:
    prior, raw = prior_of(), DoubleIntegrator()
    model = SAC("MlpPolicy", SkillActions(raw, prior), device="cpu", seed=0)
    policy = SkillPolicy(model, prior, 1.0, *spaces(raw))
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(5, 2, 2)).astype(np.float32)
    starts = np.array([[1, 1], [0, 0], [0, 1], [0, 0], [0, 0]], dtype=bool)
    state, alone = None, [None, None]
    for row, start in zip(obs, starts, strict=True):
        actions, state = policy.predict(row, state, start, deterministic=True)
        for k in range(2):
            one, alone[k] = policy.predict(
                row[k : k + 1], alone[k], start[k : k + 1], deterministic=True
            )
            np.testing.assert_allclose(actions[k], one[0], atol=1e-6)
