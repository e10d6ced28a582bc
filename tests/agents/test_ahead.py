"""Collection beside the updates: what is gathered, by which weights, and what is refused."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from agent_envs import (
    TINY,
    Camera,
    Mixed,
    Timed,
    Troubled,
    small_agent,
    small_ppol,
    vectorised,
)
from near_remote import Near
from same_learner import assert_same_data, assert_same_learner
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecNormalize

from safer_gym.agents import SAFER, AheadVecEnv, SACLagrangian
from safer_gym.agents.cvpo.variational import Variational
from safer_gym.agents.overlap import ahead
from safer_gym.agents.overlap.collector import Collector, Order
from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.agents.training_attack.benign_offsets import BenignOffsets

UNDER_ATTACK = {"attacked_share": 0.5, "eps_schedule": "constant"}
WITH_OFFSETS = {"offset_steps": 3, "eps_schedule": "constant"}


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "Remote", Near)


def troubled(seed: int = 0) -> AheadVecEnv:
    env = AheadVecEnv([partial(Troubled, index) for index in range(2)])
    env.seed(seed)
    return env


def timed(seed: int = 0) -> AheadVecEnv:
    env = AheadVecEnv([Timed, Timed])
    env.seed(seed)
    return env


class Watch(BaseCallback):
    """What a callback sees at each step, and the weights at the end of each rollout."""

    def __init__(self, stop_after: int = 0) -> None:
        super().__init__()
        self.stop_after = stop_after
        self.took: list[np.ndarray] = []
        self.actions: list[np.ndarray] = []
        self.weights: list[dict[str, torch.Tensor]] = []

    def _on_step(self) -> bool:
        self.took.append(np.stack([info["took"] for info in self.locals["infos"]]))
        self.actions.append(self.locals["actions"])
        return self.n_calls != self.stop_after

    def _on_rollout_end(self) -> None:
        weights = self.model.policy.state_dict()
        self.weights.append({name: value.clone() for name, value in weights.items()})


def stored(agent: Variational) -> list[np.ndarray]:
    """observations, next observations, rewards and costs, in order, [T, E, ...]."""
    buffer: Any = agent.replay_buffer
    names = ("observations", "next_observations", "rewards", "costs")
    return [getattr(buffer, name)[: buffer.pos] for name in names]


# ---------------------------------------------------------------- what is gathered


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("CVPO", {}),
        ("SAFER", UNDER_ATTACK),
        ("SAFER", WITH_OFFSETS),
        ("CVPO", {"n_steps": 1, "learning_starts": 1000}),
    ],
)
def test_the_data_are_what_the_environments_gave(algorithm: str, options: dict[str, Any]) -> None:
    agent, watch = small_agent(algorithm, troubled(), **options), Watch()
    agent.learn(200, callback=watch)
    obs, following, rewards, costs = stored(agent)
    np.testing.assert_array_equal(watch.took, watch.actions)
    rounds = {each.tobytes() for each in np.split(np.array(watch.actions), 5)}
    assert len(rounds) == 5  # none repeats another's draws
    np.testing.assert_array_equal(costs, 100 * obs[..., 0] + 10 * (obs[..., 1] % 7) + obs[..., 2])
    np.testing.assert_array_equal(rewards, -costs)
    steps = np.arange(100)
    for index in range(2):
        np.testing.assert_array_equal(obs[:, index, 0], np.full(100, index))
        np.testing.assert_array_equal(obs[:, index, 2], steps % Troubled.horizon)
        np.testing.assert_array_equal(obs[:, index, 1] - obs[0, index, 1], steps // 5)
    np.testing.assert_array_equal(following[..., 2], obs[..., 2] + 1)  # the ends of episodes too
    assert agent.cost_monitor.episodes == 40
    np.testing.assert_allclose(agent.cost_monitor.total_cost, costs.sum(), rtol=1e-6)


def test_the_attackers_observations_are_stored_where_it_collects() -> None:
    """ADV-CVPO keeps what the policy saw, at most eps away from the truth."""
    agent = small_agent("CVPO", troubled(), collection_attack="mc", eps=0.25, learning_starts=0)
    agent.learn(80)
    obs = stored(agent)[0]
    shift = np.abs(obs - np.round(obs)).max(axis=-1)
    assert shift.max() == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("kind", [Mixed, Timed])
def test_dict_observations_and_sac(kind: type[Timed]) -> None:
    options = {k: v for k, v in TINY.items() if k != "n_particles"}
    policy = "MultiInputPolicy" if kind is Mixed else "MlpPolicy"
    agent = SACLagrangian(policy, make_vec_env(kind, 2, vec_env_cls=AheadVecEnv), **options)
    agent.learn(120)
    assert (agent.num_timesteps, agent.cost_monitor.episodes) == (120, 6)
    assert len(agent.ep_info_buffer) == 6  # of the Monitors in the other process


# ---------------------------------------------------------------- by which weights


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The orders as they are given."""
    kept: list[bytes] = []
    order_of = ahead.order_of

    def keep(*args: Any, **kwargs: Any) -> bytes:
        kept.append(order_of(*args, **kwargs))
        return kept[-1]

    monkeypatch.setattr(ahead, "order_of", keep)
    return kept


def same_weights(order: Order, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weights[name], value) for name, value in order.weights.items())


@pytest.mark.parametrize("options", [UNDER_ATTACK, WITH_OFFSETS])
def test_each_rollout_is_by_the_weights_from_before_the_updates(
    options: dict[str, Any], pickled: list[bytes]
) -> None:
    """And it follows from its order and the environments alone."""
    agent, watch = small_agent("SAFER", troubled(), **options), Watch()
    agent.learn(200, callback=watch)
    orders: list[Order] = [cloudpickle.loads(each) for each in pickled]
    assert [order.state["num_timesteps"] for order in orders] == [0, 40, 80, 120, 160]
    assert all(map(same_weights, orders[1:], watch.weights))
    # The second rollout, too, is asked for before the first update.
    unchanged = [same_weights(b, a.weights) for a, b in pairwise(orders)]
    assert unchanged == [True, False, False, False]

    again = Collector()
    again.build(cloudpickle.dumps([partial(Troubled, index) for index in range(2)]))
    again.reset([0, 1], [{}, {}])
    steps = [step for each in pickled for step in again.gather(each)]
    np.testing.assert_array_equal([step.obs for step in steps], stored(agent)[0])
    np.testing.assert_array_equal([step.actions for step in steps], watch.actions)


def test_the_actions_are_those_of_the_ordered_weights(pickled: list[bytes]) -> None:
    """A policy almost without noise: its mean actions, and not those of other weights."""
    quiet = {"min_std": 1e-6, "init_std": 1e-5, "max_std": 2e-5}
    options = {"policy_kwargs": {"net_arch": [8], "actor_kwargs": quiet}, "learning_starts": 0}
    agent, watch = small_agent("CVPO", troubled(), learning_rate=0.05, **options), Watch()
    agent.learn(200, callback=watch)
    taken = np.split(np.array(watch.actions), 5)
    seen = np.split(stored(agent)[0], 5)

    def means(order: int, rollout: int) -> np.ndarray:
        agent.policy.load_state_dict(cloudpickle.loads(pickled[order]).weights)
        return np.array([agent.predict(obs, deterministic=True)[0] for obs in seen[rollout]])

    for index in range(5):
        np.testing.assert_allclose(taken[index], means(index, index), atol=1e-4)
    assert np.abs(taken[4] - means(0, 4)).max() > 5e-3


def test_a_change_of_the_agent_reaches_the_next_rollout() -> None:
    class Peace(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_end(self) -> None:
            if self.num_timesteps == 80:
                self.model.collection_attack = None

    agent = small_agent("CVPO", troubled(), collection_attack="gaussian", learning_starts=0)
    agent.learn(160, callback=Peace())
    whole = [np.array_equal(obs, np.round(obs)) for obs in np.split(stored(agent)[0], 4)]
    assert whole == [False, False, True, True]


def test_offsets_are_held_in_the_other_process_and_end_with_the_episode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rollouts of 20 steps, episodes of 5, offsets of 3: renewed at steps 0 and 3 of an episode."""
    shown: list[np.ndarray] = []
    call = BenignOffsets.__call__

    def spy(self: BenignOffsets, *args: Any, **kwargs: Any) -> torch.Tensor:
        moved = call(self, *args, **kwargs)
        assert self.held is not None
        shown.append(self.held.directions.numpy())
        return moved

    monkeypatch.setattr(BenignOffsets, "__call__", spy)
    agent = small_agent("SAFER", troubled(), **WITH_OFFSETS, learning_starts=0)
    agent.learn(80)
    agent.learn(80)  # begins new episodes
    renewed = (np.diff(np.array(shown), axis=0) != 0).all(axis=(1, 2))
    at = np.arange(1, len(shown)) % Troubled.horizon
    np.testing.assert_array_equal(renewed, (at == 0) | (at == 3))


def test_learning_on_begins_with_the_present_weights(pickled: list[bytes]) -> None:
    agent = small_agent("SAFER", troubled()).learn(80)
    present = {name: value.clone() for name, value in agent.policy.state_dict().items()}
    agent.learn(40, reset_num_timesteps=False)
    assert same_weights(cloudpickle.loads(pickled[-1]), present)
    assert not same_weights(cloudpickle.loads(pickled[-2]), present)


def test_no_rollout_is_gathered_that_nobody_meets() -> None:
    env = troubled()
    small_agent("CVPO", env).learn(120)
    assert env._collector.methods.count("gather") == 3
    assert not env._steps


# ---------------------------------------------------------------- the same again


def test_the_same_seed_gives_the_same_training_and_another_does_not() -> None:
    runs = [small_agent("SAFER", timed(s), **UNDER_ATTACK, seed=s).learn(200) for s in (0, 0, 1)]
    assert_same_learner(*runs[:2])
    assert_same_data(*runs[:2])
    with pytest.raises(AssertionError):
        assert_same_data(runs[0], runs[2])


def test_one_environment_serves_one_agent_after_another() -> None:
    env = timed()
    first = small_agent("SAFER", env).learn(80)
    small_agent("CVPO", env, policy_kwargs={"net_arch": [8]}).learn(80)
    env.seed(0)
    assert_same_learner(first, small_agent("SAFER", env).learn(80))


@pytest.mark.parametrize("options", [UNDER_ATTACK, WITH_OFFSETS])
def test_two_resumes_from_one_checkpoint_are_the_same(
    options: dict[str, Any], tmp_path: Path
) -> None:
    agent = small_agent("SAFER", timed(), **options).learn(120)
    folder = save_checkpoint(agent, tmp_path, [])
    twins = []
    for _ in range(2):
        loaded, _ = load_checkpoint(SAFER, folder, timed(), device="cpu")
        loaded.env.seed(9)
        twins.append(loaded.learn(120, reset_num_timesteps=False))
    assert twins[0].num_timesteps == 240
    assert_same_learner(*twins)
    assert_same_data(*twins)


def test_after_a_stop_the_rest_of_the_rollout_comes_first() -> None:
    """Stable-Baselines3 itself drops the step at which a callback says stop."""
    env = troubled()
    agent = small_agent("CVPO", env)
    agent.learn(120, callback=Watch(stop_after=27))
    assert len(env._steps) == 13
    agent.learn(80, callback=Watch(), reset_num_timesteps=False)
    obs = stored(agent)[0][:, 0]
    counted = 5 * (obs[:, 1] - obs[0, 1]) + obs[:, 2]
    np.testing.assert_array_equal(counted, np.delete(np.arange(67), 26))
    env.reset()
    assert not env._steps


# ---------------------------------------------------------------- what goes wrong


def test_an_error_of_an_environment_comes_with_its_traceback() -> None:
    env = troubled()
    agent = small_agent("CVPO", env).learn(80)
    env.set_attr("trouble", "error", indices=[1])
    with pytest.raises(RuntimeError, match=r"(?s)agent_envs.*OSError: the simulator is gone"):
        agent.learn(80)
    env.set_attr("trouble", "")
    assert agent.learn(80).num_timesteps == 80


def _broken() -> Timed:
    raise OSError("no environment today")


def test_an_error_in_making_the_environments() -> None:
    with pytest.raises(RuntimeError, match="no environment today"):
        AheadVecEnv([_broken])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gradient_steps": 0}, "gradient_steps must not be 0"),
        ({"train_freq": (1, "episode")}, "train_freq must be in steps.*1 episodes"),
        ({"action_noise": NormalActionNoise(np.zeros(1), np.ones(1))}, "action_noise must be None"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], words: str) -> None:
    agent = small_agent("CVPO", AheadVecEnv([Timed]), **options)
    with pytest.raises(ValueError, match=words):
        agent.learn(40)
    fine = small_agent("CVPO", vectorised(Timed, 1), **options)
    fine.learn(40)


def test_wrappers_around_it_are_refused() -> None:
    for env, policy in ((VecNormalize(timed()), "MlpPolicy"), (AheadVecEnv([Camera]), "CnnPolicy")):
        agent = small_agent("CVPO", env, policy=policy, buffer_size=50)
        with pytest.raises(ValueError, match=r"inside Vec(Normalize|TransposeImage)"):
            agent.learn(40)


def test_other_algorithms_and_hands_can_not_step_it() -> None:
    env = timed()
    with pytest.raises(ValueError, match="repeats the steps"):
        small_ppol(env).learn(40)
    env.reset()
    with pytest.raises(ValueError, match="repeats the steps"):
        env.step(np.zeros((2, 1)))


def test_it_is_a_vector_environment() -> None:
    env = AheadVecEnv([partial(Troubled, index) for index in range(2)])
    plain = vectorised(Troubled, 2)
    assert env.observation_space == plain.observation_space
    assert env.action_space == plain.action_space
    assert env.get_attr("index") == [0, 1]
    assert env.get_attr("horizon", indices=1) == [5]
    assert env.has_attr("horizon")
    assert not env.has_attr("nothing")
    env.set_attr("index", 7, indices=0)
    assert env.get_attr("index") == [7, 1]
    assert env.env_method("cost_at", np.array([1.0, 2.0, 3.0]), indices=1) == [123.0]
    assert env.env_is_wrapped(Timed) == [False, False]
    np.testing.assert_array_equal(env.reset(), [[7, 1, 0], [1, 1, 0]])
    env.close()
