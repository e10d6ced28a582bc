import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import (
    DictEnv,
    ImageEnv,
    Liar,
    PointEnv,
    Tanh,
    actions_for,
    first_action,
    roll,
)
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from safer_gym.attacks import GradientAttack, MaxActionDifference, make_attack
from safer_gym.wrappers import AdversaryError
from safer_gym.wrappers.adversary import ObservationAdversary
from safer_gym.wrappers.adversary_vec_env import VecObservationAdversary
from safer_gym.wrappers.adversary_vector import VectorObservationAdversary
from safer_gym.wrappers.policies.victims import as_victim

ENVS = [PointEnv, DictEnv, ImageEnv, lambda: ImageEnv(np.float32), lambda: PointEnv(np.float64)]
NORMS = ["linf", "l2", "l1"]


def victim():
    return as_victim(Tanh(), q_reward=first_action, q_cost=first_action)


def without_records(steps):
    return [(*step[:4], {k: v for k, v in step[4].items() if k != "adversary"}) for step in steps]


def perturbations(steps):
    for obs, *_, info in steps:
        yield obs, info["adversary"]["clean_obs"], info["adversary"]


@pytest.mark.parametrize("make_env", ENVS)
@pytest.mark.parametrize(("attack", "eps"), [("uniform", 0.0), ("null", 0.3)])
def test_without_radius_or_attack_nothing_changes(make_env, attack, eps):
    plain = roll(make_env())
    tampered = roll(ObservationAdversary(make_env(), attack, eps=eps))
    assert data_equivalence(without_records(tampered), plain, exact=True)


@pytest.mark.parametrize("make_env", ENVS)
def test_the_world_goes_on_as_if_nobody_tampered(make_env):
    plain = roll(make_env())
    tampered = roll(ObservationAdversary(make_env(), "uniform", eps=0.3))
    for (obs, *rest, _), (_, *other, info) in zip(plain, tampered, strict=True):
        assert rest == other
        assert data_equivalence(info["adversary"]["clean_obs"], obs, exact=True)


@pytest.mark.parametrize("make_env", ENVS)
@pytest.mark.parametrize("attack", ["uniform", "gaussian"])
def test_same_seed_same_perturbations(make_env, attack):
    one, two = (
        roll(ObservationAdversary(make_env(), attack, eps=0.3, units="normalised"))
        for _ in range(2)
    )
    assert data_equivalence(one, two, exact=True)


def test_another_seed_of_either_kind_gives_other_perturbations():
    def deltas(seed, own):
        env = ObservationAdversary(PointEnv(), "uniform", eps=0.3, seed=own)
        return [obs - clean for obs, clean, _ in perturbations(roll(env, seed=seed))]

    assert np.array_equal(deltas(1, 5), deltas(1, 5))
    assert not np.allclose(deltas(1, 5)[0], deltas(2, 5)[0])
    assert not np.allclose(deltas(1, 5)[0], deltas(1, 6)[0])


def test_the_stream_runs_on_over_unseeded_resets_and_needs_no_seed_at_all():
    env = ObservationAdversary(PointEnv(), "uniform", eps=0.3)
    env.reset(seed=0)
    deltas = [obs - info["adversary"]["clean_obs"] for obs, info in (env.reset(), env.reset())]
    assert not np.allclose(*deltas)
    other, inner = ObservationAdversary(PointEnv(), "uniform", eps=0.3), PointEnv()
    other.unwrapped.np_random = np.random.default_rng(9)
    inner.np_random = np.random.default_rng(9)
    _, info = other.reset()
    assert np.array_equal(info["adversary"]["clean_obs"], inner.reset()[0])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("make_env", [PointEnv, DictEnv, lambda: PointEnv(np.float64)])
@given(eps=st.floats(1e-6, 1.0), seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_ball_and_the_space_are_never_left(make_env, norm, eps, seed):
    env = ObservationAdversary(make_env(), "uniform", eps=eps, norm=norm)
    for obs, clean, record in perturbations(roll(env, steps=6, seed=seed)):
        keys = ["pos", "far"] if isinstance(obs, dict) else [slice(None)]
        delta = np.concatenate([obs[k].astype(float) - clean[k] for k in keys])
        order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
        assert np.linalg.norm(delta, order) <= eps * (1 + 1e-6)
        assert record["norm"] == pytest.approx(np.linalg.norm(delta, order), abs=1e-9)
        assert record["gauge"] <= 1 + 1e-6
        assert env.observation_space.contains(obs)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.7, 3.0, 10.5])
def test_rounded_images_stay_inside(norm, eps):
    eps = eps if norm == "linf" else 40 * eps
    env = ObservationAdversary(ImageEnv(), "uniform", eps=eps, norm=norm)
    largest = 0.0
    for obs, clean, record in perturbations(roll(env)):
        delta = obs.astype(float) - clean
        order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
        largest = max(largest, np.linalg.norm(delta.ravel(), order))
        assert obs.dtype == np.uint8
        assert record["norm"] == pytest.approx(np.linalg.norm(delta.ravel(), order))
    assert largest <= eps * (1 + 1e-6)
    if norm == "linf" and eps > 1:
        assert largest == np.floor(eps)


def test_the_attack_reaches_reset_and_the_last_observation():
    env = ObservationAdversary(PointEnv(), "mc", policy=victim(), eps=0.2)
    steps = roll(env)
    assert all(record["attacked"] for *_, record in perturbations(steps))
    assert all(record["gain"] > 0 for *_, record in perturbations(steps))
    last = next(step for step in steps if step[3])
    assert not np.array_equal(last[0], last[4]["adversary"]["clean_obs"])


def test_the_record_says_what_happened():
    env = ObservationAdversary(PointEnv(), "mc", policy=victim(), eps=0.2, every=2)
    steps = roll(env, steps=2)
    attacked, spared, _ = (step[4]["adversary"] for step in steps)
    assert attacked["attack"] == "mc"
    assert attacked["eps"] == 0.2
    assert 0 < attacked["norm"] <= 0.2 * (1 + 1e-6)
    assert spared["attacked"] is False
    assert spared["norm"] == spared["gain"] == spared["gauge"] == 0.0
    assert np.array_equal(steps[1][0], spared["clean_obs"])


def test_every_and_mask_choose_the_steps():
    asked = []

    def mask(step, obs, info):
        asked.append((step, obs.copy(), dict(info)))
        return step >= 2

    env = ObservationAdversary(PointEnv(), "uniform", eps=0.2, every=2, mask=mask)
    attacked = [record["attacked"] for *_, record in perturbations(roll(env, steps=5))]
    assert attacked == [False, False, True, False, True, False, False]
    assert [step for step, *_ in asked] == [0, 2, 4, 0]
    assert asked[0][2] == {"start": True}
    assert asked[1][2]["cost"] in (0.0, 1.0)


def test_schedule_by_progress_and_by_steps():
    env = ObservationAdversary(PointEnv(), "uniform", eps=0.2, schedule="linear")
    assert env.reset(seed=0)[1]["adversary"]["eps"] == 0.0
    env.set_progress(0.5)
    assert env.reset()[1]["adversary"]["eps"] == pytest.approx(0.1)
    counted = ObservationAdversary(
        PointEnv(), "uniform", eps=0.2, schedule=lambda p: p, total_steps=4
    )
    radii = [record["eps"] for *_, record in perturbations(roll(counted, steps=5))]
    assert radii == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.2, 0.2])


def test_dict_observations_are_attacked_at_their_keys_only():
    env = ObservationAdversary(DictEnv(), "uniform", eps=0.3, keys=["far"])
    for obs, clean, _ in perturbations(roll(env)):
        assert np.array_equal(obs["pos"], clean["pos"])
        assert obs["mode"] == clean["mode"]
        assert not np.array_equal(obs["far"], clean["far"])
        assert obs["far"].dtype == np.float64


def test_dict_policies_are_attacked_through_all_their_keys():
    def policy(obs):
        return np.array([3 - obs["pos"][0], obs["far"][0] * obs["mode"]])

    chosen = as_victim(policy, q_cost=first_action)
    search = make_attack("random_search")
    env = ObservationAdversary(DictEnv(), search, policy=chosen, eps={"pos": 0.3})
    for obs, clean, record in perturbations(roll(env)):
        assert obs["pos"][0] < clean["pos"][0]
        assert obs["far"] == clean["far"]
        assert record["gain"] > 0.25


def test_normalised_units_scale_the_ball_and_the_norm():
    env = ObservationAdversary(
        PointEnv(), "mc", policy=victim(), eps=0.5, units="normalised", scale=[0.2, 0.4, 0.001]
    )
    obs, info = env.reset(seed=0)
    delta = np.abs(obs - info["adversary"]["clean_obs"])
    assert delta == pytest.approx([0.1, 0.2, 0.0005], rel=1e-3)
    assert info["adversary"]["norm"] == pytest.approx(0.5, rel=1e-3)
    assert info["adversary"]["gauge"] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("make_env", ENVS)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_both_environment_checkers_pass(make_env):
    env = ObservationAdversary(make_env(), "uniform", eps=0.1)
    check_env(env, skip_render_check=True)
    sb3_check_env(env)


def test_monitor_and_time_limit_around_it():
    env = Monitor(ObservationAdversary(TimeLimit(PointEnv(), 3), "uniform", eps=0.1))
    steps = roll(env)
    assert steps[3][3]
    assert steps[3][4]["episode"]["l"] == 3


def test_the_stack_can_be_rebuilt_from_its_spec():
    gym.register("Point-v0", entry_point="adversary_toys:PointEnv")
    try:
        env = ObservationAdversary(gym.make("Point-v0"), "mc", policy=victim(), eps=0.1)
        again = gym.make(copy.deepcopy(TimeLimit(env, 3)).spec)
        assert data_equivalence(roll(again), roll(TimeLimit(env, 3)), exact=True)
    finally:
        del gym.registry["Point-v0"]


def test_the_policy_may_come_later():
    env = ObservationAdversary(PointEnv(), "mc", eps=0.1)
    with pytest.raises(ValueError, match=r"attack 'mc' needs the policy.*set_policy"):
        env.reset(seed=0)
    env.set_policy(victim())
    assert env.reset(seed=0)[1]["adversary"]["gain"] > 0


@pytest.mark.parametrize("how", ["far", "nan", "shape", "space", "type"])
@pytest.mark.parametrize("make_env", [lambda: OnTheEdge(PointEnv()), DictEnv])
def test_an_attack_that_lies_is_stopped(how, make_env):
    if how == "space" and make_env is DictEnv:
        how = "far"
    env = ObservationAdversary(make_env(), Liar(how), eps=0.3)
    with pytest.raises(AdversaryError, match="Liar"):
        env.reset(seed=0)


def test_a_lie_of_a_whole_byte_is_seen():
    env = ObservationAdversary(
        ImageEnv(), lambda v, obs, ball, g=None: Liar("shape")(v, obs + 256, ball), eps=3
    )
    with pytest.raises(AdversaryError):
        env.reset(seed=0)


class OnTheEdge(gym.ObservationWrapper):
    def observation(self, observation):
        return np.full_like(observation, 2.0)


class Broken(gym.ObservationWrapper):
    def observation(self, observation):
        return observation * np.float32(np.nan)


def test_observations_that_are_not_finite():
    env = ObservationAdversary(Broken(PointEnv()), "uniform", eps=0.1)
    with pytest.raises(ValueError, match="not finite: entry"):
        env.reset(seed=0)


class Discrete(gym.Wrapper):
    def __init__(self):
        super().__init__(PointEnv())
        self.action_space = spaces.Discrete(2)


def test_a_policy_of_other_actions_is_refused():
    with pytest.raises(ValueError, match=r"no action of Discrete\(2\), nor a logit"):
        ObservationAdversary(Discrete(), "mc", policy=lambda obs: obs[:1] + 0.5, eps=0.1)
    ObservationAdversary(Discrete(), "uniform", eps=0.1).reset(seed=0)


def test_a_policy_without_gradients_or_critic_is_told_so():
    env = ObservationAdversary(PointEnv(), "mc", policy=Tanh(), eps=0.1)
    with pytest.raises(ValueError, match="q_cost"):
        env.reset(seed=0)
    blind = as_victim(lambda obs: np.zeros(2), q_cost=first_action)
    env = ObservationAdversary(PointEnv(), "mc", policy=blind, eps=0.1)
    with pytest.raises(ValueError, match="no gradient"):
        env.reset(seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": -1}, "eps must be a finite number"),
        ({"norm": "l3"}, "norm must be one of"),
        ({"every": 0}, "every must be a whole number >= 1"),
        ({"total_steps": -3}, "total_steps"),
        ({"keys": ["pos"]}, "needs a Dict"),
        ({"schedule": "liner"}, "Did you mean 'linear'"),
        ({"attack": "unifrom"}, "Did you mean 'uniform'"),
        ({"evry": 2}, "Did you mean 'every'"),
    ],
)
def test_bad_arguments(options, message):
    options = {"attack": "uniform", "eps": 0.1, **options}
    with pytest.raises(ValueError, match=message):
        ObservationAdversary(PointEnv(), options.pop("attack"), **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: ObservationAdversary(PointEnv(), "uniform", **options),
        lambda **options: VectorObservationAdversary(
            SyncVectorEnv([PointEnv]), "uniform", **options
        ),
        lambda **options: VecObservationAdversary(DummyVecEnv([PointEnv]), "uniform", **options),
    ],
    ids=["single", "vector", "vec_env"],
)
def test_all_forms_share_options_defaults_and_refusals(make):
    assert make(eps=0.25).engine.largest == 0.25
    assert make(eps=0.25).engine.every == 1
    with pytest.raises(ValueError, match=r"got 'unit'. Did you mean 'units'"):
        make(eps=0.1, unit="raw")
    with pytest.raises(TypeError, match="eps"):
        make(norm="l2")


def test_bad_progress_and_schedule_and_attack():
    env = ObservationAdversary(PointEnv(), "uniform", eps=0.1, schedule=lambda p: 2.0)
    with pytest.raises(ValueError, match="share of eps"):
        env.reset(seed=0)
    with pytest.raises(ValueError, match="progress must be a number in"):
        env.set_progress(1.5)
    with pytest.raises(TypeError, match="name or an Attack"):
        ObservationAdversary(PointEnv(), 3, eps=0.1)


def test_global_random_state_and_policy_are_left_alone():
    policy = Tanh().train()
    mad = GradientAttack(MaxActionDifference(), random_start=True)
    env = ObservationAdversary(PointEnv(), mad, policy=policy, eps=0.2)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    env.reset(seed=0)
    for action in actions_for(env, 3):
        env.step(action)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert all(module.training for module in policy.modules())
    assert all(parameter.grad is None for parameter in policy.parameters())
