import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, PointEnv, Tanh, actions_for, first_action
from gymnasium.utils.env_checker import data_equivalence
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from safer_gym.wrappers.adversary import ObservationAdversary
from safer_gym.wrappers.adversary_vec_env import VecObservationAdversary
from safer_gym.wrappers.policies.victims import as_victim

HORIZONS = (3, 5, 4)


def fns(make_env):
    return [lambda h=h: make_env(horizon=h) for h in HORIZONS]


def run(venv, steps=12, seed=7):
    venv.seed(seed)
    yield venv.reset(), _copied(venv.reset_infos)
    for action in actions_for(venv, steps, venv.num_envs):
        obs, rewards, dones, infos = venv.step(action)
        yield obs, rewards, dones, infos, _copied(venv.reset_infos)


def _copied(infos):
    return [dict(info) for info in infos]


@pytest.mark.parametrize("make_env", [PointEnv, DictEnv])
@pytest.mark.parametrize("options", [{}, {"every": 2}, {"norm": "l1"}])
def test_the_vector_form_equals_single_wrappers(make_env, options):
    options = {"eps": 0.3, **options}
    one = VecObservationAdversary(DummyVecEnv(fns(make_env)), "uniform", **options)
    wrapped = [
        lambda fn=fn: ObservationAdversary(fn(), "uniform", **options) for fn in fns(make_env)
    ]
    for a, b in zip(run(one), run(DummyVecEnv(wrapped)), strict=True):
        assert data_equivalence(_plain(a), _plain(b), exact=True)


def _plain(part):
    """Dicts in one type and order: SB3 hands out OrderedDicts."""
    if isinstance(part, dict):
        return {k: _plain(part[k]) for k in sorted(part)}
    return [_plain(p) for p in part] if isinstance(part, (list, tuple)) else part


def test_terminal_observations_are_attacked_and_recorded():
    venv = VecObservationAdversary(DummyVecEnv(fns(PointEnv)), "uniform", eps=0.3)
    ends = 0
    for _, _, dones, infos, resets in list(run(venv))[1:]:
        for i in np.flatnonzero(dones):
            ends += 1
            record = infos[i]["adversary"]
            delta = np.abs(infos[i]["terminal_observation"] - record["clean_obs"])
            assert 0 < delta.max() <= 0.3 * (1 + 1e-6)
            assert record["norm"] == pytest.approx(delta.max())
            assert not np.array_equal(resets[i]["adversary"]["clean_obs"], record["clean_obs"])
    assert ends > 5


def test_without_radius_nothing_changes():
    venv = VecObservationAdversary(DummyVecEnv(fns(PointEnv)), "uniform", eps=0.0)
    for a, b in zip(run(venv), run(DummyVecEnv(fns(PointEnv))), strict=True):
        assert np.array_equal(a[0], b[0])
    ends = [r for r in run(venv) if len(r) > 2 and r[2].any()]
    plain = [r for r in run(DummyVecEnv(fns(PointEnv))) if len(r) > 2 and r[2].any()]
    for a, b in zip(ends, plain, strict=True):
        for i in np.flatnonzero(a[2]):
            pair = [infos[i]["terminal_observation"] for infos in (a[3], b[3])]
            assert np.array_equal(*pair)


def test_training_under_attack_by_its_own_policy():
    venv = VecObservationAdversary(VecMonitor(DummyVecEnv(fns(PointEnv))), "mad", eps=0.1)
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=8, n_epochs=1, seed=0)
    venv.set_policy(model)
    model.learn(24)
    assert venv.reset_infos[0]["adversary"]["gain"] > 0


def test_inside_a_vecnormalize_the_model_is_seen_through_it():
    inner = VecObservationAdversary(DummyVecEnv(fns(PointEnv)), "min_reward", eps=0.2)
    venv = VecNormalize(inner)
    model = SAC("MlpPolicy", venv, learning_starts=1000, seed=0, buffer_size=100)
    inner.set_policy(model)
    model.learn(30)
    venv.training = False
    raw = inner.venv.reset()
    direct = as_victim(model).action(_tensor(venv.normalize_obs(raw)))
    through = inner.engine.victim.action(_tensor(raw))
    np.testing.assert_allclose(through.detach(), direct.detach(), atol=1e-5)


def test_outside_a_vecnormalize_the_model_is_seen_directly():
    venv = VecNormalize(DummyVecEnv(fns(PointEnv)))
    model = SAC("MlpPolicy", venv, buffer_size=100, seed=0)
    outer = VecObservationAdversary(venv, "min_reward", policy=model, eps=0.2)
    obs = outer.reset()
    np.testing.assert_allclose(
        outer.engine.victim.action(_tensor(obs)).detach(),
        model.predict(obs, deterministic=True)[0],
        atol=1e-5,
    )
    before = venv.obs_rms.mean.copy(), venv.obs_rms.count
    outer.engine.perturb(range(3), obs, [{}] * 3)
    assert np.array_equal(venv.obs_rms.mean, before[0])
    assert venv.obs_rms.count == before[1]


def test_total_steps_count_all_environments():
    venv = VecObservationAdversary(
        DummyVecEnv(fns(PointEnv)), "uniform", eps=1.0, schedule="linear", total_steps=6
    )
    radii = [r[3][1]["adversary"]["eps"] for r in list(run(venv, 3))[1:]]
    assert radii == pytest.approx([0.5, 1, 1])


def test_seeds_of_the_venv_rule_the_adversary():
    def deltas(seed):
        venv = VecObservationAdversary(DummyVecEnv(fns(PointEnv)), "uniform", eps=0.3)
        obs, infos = next(run(venv, 0, seed))
        return [o - i["adversary"]["clean_obs"] for o, i in zip(obs, infos, strict=True)]

    np.testing.assert_array_equal(deltas(1), deltas(1))
    np.testing.assert_array_equal(deltas(1)[1], deltas(2)[0])


def test_a_batched_attack_on_a_torch_module():
    chosen = as_victim(Tanh(), q_cost=first_action)
    venv = VecObservationAdversary(DummyVecEnv(fns(PointEnv)), "mc", policy=chosen, eps=0.3)
    for result in list(run(venv))[1:]:
        assert all(info["adversary"]["gain"] > 0 for info in result[3])


def _tensor(obs):
    return torch.as_tensor(np.asarray(obs), dtype=torch.float32)
