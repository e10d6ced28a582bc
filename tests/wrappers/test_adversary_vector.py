import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, ImageEnv, PointEnv, Tanh, actions_for, first_action
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from safer_gym.types import AttackResult
from safer_gym.wrappers import AdversaryError
from safer_gym.wrappers.adversary import ObservationAdversary
from safer_gym.wrappers.adversary_vector import VectorObservationAdversary
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.policies.victims import as_victim

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
HORIZONS = (3, 5, 4)


def point(make_env, horizon):
    return lambda: make_env(horizon=horizon)


def twins(make_env, attack, mode, **options):
    """The vector wrapper around plain environments, and plain vectors of single wrappers."""
    fns = [point(make_env, h) for h in HORIZONS]
    outside = VectorObservationAdversary(SyncVectorEnv(fns, autoreset_mode=mode), attack, **options)
    wrapped = [lambda fn=fn: ObservationAdversary(fn(), attack, **options) for fn in fns]
    return outside, SyncVectorEnv(wrapped, autoreset_mode=mode)


def run(env, steps=12, seed=7):
    yield env.reset(seed=seed)
    for action in actions_for(env, steps, env.num_envs):
        yield env.step(action)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make_env", [PointEnv, DictEnv])
@pytest.mark.parametrize("options", [{}, {"every": 2}, {"norm": "l2"}, {"seed": 4}])
def test_the_vector_form_equals_single_wrappers(make_env, mode, options):
    one, other = twins(make_env, "uniform", mode, eps=0.3, **options)
    for a, b in zip(run(one), run(other), strict=True):
        assert data_equivalence(_listed(a), _listed(b), exact=True)


@pytest.mark.parametrize("mode", MODES)
def test_one_batched_attack_equals_many_single_ones(mode):
    chosen = as_victim(Tanh(), q_cost=first_action)
    one, other = twins(PointEnv, "mc", mode, eps=0.3, policy=chosen)
    for a, b in zip(run(one), run(other), strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-6)
        np.testing.assert_allclose(
            a[-1]["adversary"]["gain"], b[-1]["adversary"]["gain"], atol=1e-5
        )


@pytest.mark.parametrize("mode", MODES)
def test_masks_see_each_environments_own_info(mode):
    seen = []

    def mask(step, obs, info):
        seen.append((step, tuple(np.ravel(obs)), info.get("cost"), info.get("start")))
        return bool(obs[0] > 0)

    runs = []
    for env in twins(PointEnv, "uniform", mode, eps=0.3, mask=mask):
        seen.clear()
        runs.append([result[-1]["adversary"]["attacked"] for result in run(env)])
        runs.append(sorted(seen, key=str))
    assert data_equivalence(runs[0], runs[2], exact=True)
    assert runs[1] == runs[3]


class Corner:
    """An attack of one's own: a random corner of the ball for each row. It declares nothing."""

    def __call__(self, victim, obs, ball, generator=None):
        sign = torch.randint(0, 2, obs.shape, generator=generator).to(obs) * 2 - 1
        nothing = obs.new_zeros(len(obs))
        return AttackResult(ball.project(obs, obs + ball.eps.to(obs) * sign), nothing, nothing)


class SharedCorner(Corner):
    per_row_noise = False


def last_rows_noise(attack, n):
    """How the last of `n` environments is moved; its seed is the same for each n."""
    env = VectorObservationAdversary(SyncVectorEnv([PointEnv] * n), attack, eps=0.3)
    results = list(run(env, 5, seed=8 - n))
    return [result[0][-1] - result[-1]["adversary"]["clean_obs"][-1] for result in results]


@pytest.mark.parametrize("attack", ["uniform", "gaussian", Corner()])
def test_noise_does_not_depend_on_the_number_of_environments(attack):
    alone = last_rows_noise(attack, 1)
    for n in (2, 4):  # to the rounding of observations, which differ
        np.testing.assert_allclose(alone, last_rows_noise(attack, n), atol=1e-6)


def test_the_law_fails_for_noise_that_is_declared_to_be_shared_but_is_not():
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            last_rows_noise(SharedCorner(), 1), last_rows_noise(SharedCorner(), 4), atol=1e-6
        )


@pytest.mark.parametrize("mode", [*MODES, AutoresetMode.DISABLED])
def test_without_radius_nothing_changes(mode):
    plain = SyncVectorEnv([PointEnv] * 2, autoreset_mode=mode)
    env = SyncVectorEnv([PointEnv] * 2, autoreset_mode=mode)
    env = VectorObservationAdversary(env, "uniform", eps=0.0)
    for a, b in zip(run(plain, 4), run(env, 4), strict=True):
        assert data_equivalence(_listed(a)[:-1], _listed(b)[:-1], exact=True)


def test_final_observations_are_attacked():
    env = SyncVectorEnv([point(PointEnv, 2)] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    env = VectorObservationAdversary(env, "uniform", eps=0.3)
    *_, (_, _, _, _, infos) = run(env, 2)
    clean = infos["final_info"]["adversary"]["clean_obs"]
    for i in range(2):
        delta = np.abs(infos["final_obs"][i] - clean[i])
        assert 0 < delta.max() <= 0.3 * (1 + 1e-6)


def test_disabled_autoreset_keeps_what_other_rows_have_shown():
    env = SyncVectorEnv(
        [point(PointEnv, h) for h in HORIZONS], autoreset_mode=AutoresetMode.DISABLED
    )
    env = VectorObservationAdversary(env, "uniform", eps=0.3)
    *_, (before, _, _, done, _) = run(env, 3)
    assert done.tolist() == [True, False, False]
    after, infos = env.reset(options={"reset_mask": done})
    assert np.array_equal(after[1:], before[1:])
    assert infos["adversary"]["_norm"].tolist() == [True, False, False]
    delta = np.abs(after[0] - infos["adversary"]["clean_obs"][0])
    assert 0 < delta.max() <= 0.3 * (1 + 1e-6)


def test_images_and_async_environments():
    env = gym.vector.AsyncVectorEnv([ImageEnv] * 2)
    try:
        env = VectorObservationAdversary(env, "uniform", eps=4)
        for obs, *_, infos in run(env, 2):
            delta = np.abs(obs.astype(int) - infos["adversary"]["clean_obs"])
            assert delta.max() == 4
    finally:
        env.close()


def test_progress_policy_and_liars():
    env = VectorObservationAdversary(
        SyncVectorEnv([PointEnv] * 2), "mc", eps=0.3, schedule="linear"
    )
    env.set_progress(0.5)
    env.set_policy(as_victim(Tanh(), q_cost=first_action))
    _, infos = env.reset(seed=0)
    assert infos["adversary"]["eps"].tolist() == [0.15, 0.15]
    env.engine.ball = env.engine.ball.scaled(0.5)
    env.engine.attack = gated(lambda v, obs, ball, g=None: _Far(obs))
    with pytest.raises(AdversaryError, match="left its ball"):
        env.step(np.ones((2, 2), np.float32))


class _Far:
    def __init__(self, obs):
        self.obs = obs + 1
        self.objective = self.clean_objective = obs[:, 0]


def _listed(result):
    """Vector infos hold object arrays of strings, which data_equivalence compares by element."""
    return [_plain(part) for part in result]


def _plain(part):
    if isinstance(part, dict):
        return {k: _plain(v) for k, v in part.items()}
    if isinstance(part, np.ndarray) and part.dtype == object:
        return [_plain(v) for v in part]
    return part
