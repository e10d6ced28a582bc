"""Adversaries behind the policy: actions are moved, and the world is disturbed."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, PointEnv, Tanh, actions_for
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from safer_gym.balls import NORMS, LpBall
from safer_gym.types import Victim
from safer_gym.wrappers import (
    ActionAdversary,
    ActionDisturbance,
    DisturbanceAdversary,
    ObservationAdversary,
    VecActionAdversary,
    VecDisturbanceAdversary,
    VectorActionAdversary,
    VectorDisturbanceAdversary,
    as_victim,
)

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
HORIZONS = (3, 5, 4)


class WindyEnv(PointEnv):
    """A point that can be disturbed."""

    disturbance_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(self, **given: Any) -> Any:
        self.wind = np.zeros(3)
        return super().reset(**given)

    def disturb(self, disturbance: Any) -> None:
        assert self.disturbance_space.contains(disturbance)
        self.wind = np.asarray(disturbance, float)

    def step(self, action: Any) -> Any:
        self.state, self.wind = self.state + self.wind, np.zeros(3)
        return super().step(action)


def swayed(**given: Any) -> gym.Env:
    return ActionDisturbance(PointEnv(**given), bound=[0.5, 0.2])


FORMS = {
    "action": (PointEnv, ActionAdversary, VectorActionAdversary, VecActionAdversary),
    "disturbance": (
        WindyEnv, DisturbanceAdversary, VectorDisturbanceAdversary, VecDisturbanceAdversary,
    ),
    "swayed action": (
        swayed, DisturbanceAdversary, VectorDisturbanceAdversary, VecDisturbanceAdversary,
    ),
}  # fmt: skip
LINEAR = Victim(
    as_victim(Tanh()).action,
    q_cost=lambda obs, action: obs.flatten(1).sum(1) + action @ torch.tensor([1.0, -2.0]),
    q_cost_disturbed=lambda obs, action, d: action.sum(1) + d[:, 0] - 2 * d[:, 1],
)


def run(env: Any, steps: int = 12, seed: int = 7) -> Any:
    yield env.reset(seed=seed)
    for action in actions_for(env, steps, getattr(env, "num_envs", None)):
        yield env.step(action)


def alone(env: gym.Env, steps: int = 12, seed: int = 7) -> Any:
    """One environment, begun again where an episode ends."""
    yield env.reset(seed=seed)
    rng = np.random.default_rng(0)
    space = env.action_space
    for _ in range(steps):
        result = env.step(rng.uniform(space.low, space.high).astype(np.float32))
        yield result
        if result[2] or result[3]:
            yield env.reset()


def without(result: Any) -> Any:
    *rest, info = result
    return *rest, {key: value for key, value in info.items() if key != "adversary"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", ["null", "uniform", "mc"])
def test_without_a_radius_the_environment_is_as_it_was(form: str, attack: str) -> None:
    make_env, wrapper, *_ = FORMS[form]
    eps = 0.3 if attack == "null" else 0.0
    wrapped = wrapper(make_env(), attack, policy=LINEAR, eps=eps)
    for raw, same in zip(alone(make_env()), alone(wrapped), strict=True):
        assert data_equivalence(raw, without(same), exact=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ["uniform", "gaussian", "mc", "mad", "random_search"])
def test_what_is_moved_stays_in_its_ball_and_space(form: str, norm: str, attack: str) -> None:
    make_env, wrapper, *_ = FORMS[form]
    env = wrapper(make_env(), attack, policy=LINEAR, eps=0.4, norm=norm)
    space, word = env.engine.layout.space, env.channel
    ball = LpBall.of(norm, 0.4, space.low, space.high)
    records = [result[-1]["adversary"] for result in alone(env, 5) if len(result) == 5]
    for record in records:
        assert record["channel"] == env.channel
        clean, moved = (torch.as_tensor(record[k])[None] for k in (f"clean_{word}", word))
        assert bool(ball.contains(clean, moved).all())
        assert space.contains(record[word])
        assert 0 <= record["gauge"] <= 1 + 1e-6
    assert any(record["norm"] > 0 for record in records)


def test_the_action_that_is_done_is_the_best_corner() -> None:
    env = ActionAdversary(PointEnv(), "mc", policy=LINEAR, eps=0.5)
    env.reset(seed=0)
    record = env.step(np.array([3.0, -0.8], np.float32))[-1]["adversary"]
    np.testing.assert_allclose(record["clean_action"], [3.0, -0.8])
    np.testing.assert_allclose(record["action"], [3.5, -1.0])  # the box ends at -1
    assert record["gain"] == pytest.approx(0.5 + 2 * 0.2, rel=1e-5)


def test_the_environment_meets_what_the_record_says() -> None:
    raw, env = WindyEnv(), DisturbanceAdversary(WindyEnv(), "mc", policy=LINEAR, eps=0.5)
    raw.reset(seed=0)
    env.reset(seed=0)
    action = np.array([2.0, 0.5], np.float32)
    obs, *_, info = env.step(action)
    np.testing.assert_allclose(info["adversary"]["disturbance"], [0.5, -0.5, 0.0])
    raw.disturb(info["adversary"]["disturbance"])
    assert np.array_equal(raw.step(action)[0], obs)


def test_an_action_disturbance_is_an_action_that_was_moved() -> None:
    raw, env = PointEnv(), swayed()
    raw.reset(seed=0)
    env.reset(seed=0)
    action, push = np.array([2.0, 0.5], np.float32), np.array([0.3, -0.2], np.float32)
    env.unwrapped.disturb(push)
    assert np.array_equal(env.step(action)[0], raw.step(action + push)[0])
    assert np.array_equal(env.step(action)[0], raw.step(action)[0])  # for one step alone
    env.unwrapped.disturb(push)
    assert np.array_equal(env.reset(seed=3)[0], raw.reset(seed=3)[0])
    assert np.array_equal(env.step(action)[0], raw.step(action)[0])  # a reset drops it


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"every": 2}, {"norm": "l2"}, {"seed": 4}])
def test_the_vector_form_equals_single_wrappers(form: str, mode: Any, options: Any) -> None:
    make_env, wrapper, vector, _ = FORMS[form]
    fns = [lambda h=h: make_env(horizon=h) for h in HORIZONS]
    one = vector(SyncVectorEnv(fns, autoreset_mode=mode), "uniform", eps=0.3, **options)
    other = SyncVectorEnv(
        [lambda fn=fn: wrapper(fn(), "uniform", eps=0.3, **options) for fn in fns],
        autoreset_mode=mode,
    )
    for a, b in zip(run(one), run(other), strict=True):
        for x, y in zip(a[:-1], b[:-1], strict=True):
            assert data_equivalence(x, y, exact=True)
        _same_records(a[-1], b[-1])


def _same_records(infos: dict[str, Any], others: dict[str, Any]) -> None:
    for a, b in ((infos, others), (infos.get("final_info", {}), others.get("final_info", {}))):
        assert ("adversary" in a) == ("adversary" in b)
        if "adversary" not in a:
            continue
        there = np.asarray(a["_adversary"])
        assert np.array_equal(there, b["_adversary"])
        for key, value in a["adversary"].items():
            if not key.startswith("_"):
                for row in np.flatnonzero(there):
                    assert np.array_equal(value[row], b["adversary"][key][row])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", ["uniform", "mc"])
def test_the_form_for_stable_baselines_equals_single_wrappers(form: str, attack: str) -> None:
    make_env, wrapper, _, vec = FORMS[form]
    fns = [lambda h=h: make_env(horizon=h) for h in HORIZONS]
    options: Any = {"eps": 0.3, "policy": LINEAR}
    one = vec(DummyVecEnv(fns), attack, **options)
    other = DummyVecEnv([lambda fn=fn: wrapper(fn(), attack, **options) for fn in fns])
    for env in (one, other):
        env.seed(3)
    np.testing.assert_array_equal(one.reset(), other.reset())
    rng = np.random.default_rng(0)
    for _ in range(9):
        actions = np.stack([[rng.uniform(1, 5), rng.uniform(-1, 1)] for _ in fns])
        a, b = one.step(actions.astype(np.float32)), other.step(actions.astype(np.float32))
        np.testing.assert_allclose(a[0], b[0], atol=1e-6)
        assert a[2].tolist() == b[2].tolist()
        for info, same in zip(a[3], b[3], strict=True):
            assert info["adversary"].keys() == same["adversary"].keys()
            assert info["adversary"]["gain"] == pytest.approx(same["adversary"]["gain"], abs=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", FORMS)
def test_gymnasiums_own_checker_has_nothing_to_say(form: str) -> None:
    make_env, wrapper, *_ = FORMS[form]
    check_env(wrapper(make_env(), "uniform", eps=0.3), skip_render_check=True)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_gives_the_same_attack(form: str) -> None:
    make_env, wrapper, *_ = FORMS[form]
    env = wrapper(make_env(), "uniform", eps=0.3)
    first, again = list(alone(env, 5)), list(alone(env, 5))
    assert data_equivalence(first, again, exact=True)


def test_dict_observations_and_masks() -> None:
    asked = []

    def mask(step: int, obs: Any, info: dict[str, Any]) -> bool:
        asked.append((step, obs["mode"]))
        return step == 1

    critic = Victim(
        lambda obs: obs["pos"],
        q_cost=lambda obs, action: obs["pos"].sum(1) + action[:, 0],
    )
    env = ActionAdversary(DictEnv(), "mc", policy=critic, eps=0.1, mask=mask)
    attacked = [r[-1]["adversary"]["attacked"] for r in alone(env, 3) if len(r) == 5]
    assert attacked == [False, True, False]
    assert [step for step, _ in asked] == [0, 1, 2]


def test_adversaries_on_several_channels_stack() -> None:
    env = WindyEnv()
    env = DisturbanceAdversary(env, "uniform", eps=0.1)
    env = ActionAdversary(env, "uniform", eps=0.1)
    env = ObservationAdversary(env, "uniform", eps=0.1)
    first, again = list(alone(env, 5)), list(alone(env, 5))
    assert data_equivalence(first, again, exact=True)
    assert first[-1][-1]["adversary"]["channel"] == "observation"


def test_an_environment_that_can_be_disturbed_is_pickled_whole() -> None:
    env = pickle.loads(pickle.dumps(swayed()))
    env.reset(seed=0)
    assert env.unwrapped.disturb.__self__ is env
    env.unwrapped.disturb([0.1, 0.1])
    env.step(env.action_space.sample())


class OnlyActions:
    channel = "action"

    def __call__(self, *_: Any) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: DisturbanceAdversary(PointEnv(), "uniform", eps=0.1), ValueError,
         "cannot be disturbed.*ActionDisturbance"),
        (lambda: ActionDisturbance(swayed(), 0.1), ValueError, "can be disturbed already"),
        (lambda: ActionDisturbance(PointEnv(), -1.0), ValueError, "bound must be a finite"),
        (lambda: ActionDisturbance(PointEnv(), [1, 1, 1]), ValueError, r"shape \(2,\)"),
        (lambda: swayed().unwrapped.disturb([9.0, 0.0]), ValueError, "must lie in Box"),
        (lambda: ActionAdversary(gym.make("CartPole-v1"), "uniform", eps=0.1), TypeError,
         "options of Discrete.2. have no distance: attack the observations"),
        (lambda: ActionAdversary(PointEnv(), "uniform", eps=0.1, keys=["a"]), ValueError, "keys"),
        (lambda: DisturbanceAdversary(WindyEnv(), OnlyActions(), eps=0.1), ValueError,
         "works on the action channel"),
        (lambda: VectorDisturbanceAdversary(
            AsyncVectorEnv([WindyEnv], shared_memory=False), "uniform", eps=0.1), ValueError,
         "SyncVectorEnv"),
        (lambda: VecDisturbanceAdversary(DummyVecEnv([PointEnv]), "uniform", eps=0.1), ValueError,
         "cannot be disturbed"),
    ],
)  # fmt: skip
def test_refusals_say_what_would_do(make: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_critic_that_is_missing_is_named_at_the_first_attack() -> None:
    env = ActionAdversary(PointEnv(), "mc", eps=0.1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="needs the policy"):
        env.step(env.action_space.sample())
    env = DisturbanceAdversary(WindyEnv(), "mc", policy=Victim(LINEAR.action), eps=0.1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="q_cost_disturbed"):
        env.step(env.action_space.sample())


def test_actions_that_are_not_finite_are_refused() -> None:
    env = ActionAdversary(PointEnv(), "uniform", eps=0.1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="finite"):
        env.step(np.array([np.nan, 0.0], np.float32))
