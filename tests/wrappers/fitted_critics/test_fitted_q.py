import gymnasium as gym
import numpy as np
import pytest
import torch
from adversary_toys import DictEnv, PointEnv, Tanh
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3 import PPO

from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.wrappers.adversary import ObservationAdversary
from safer_gym.wrappers.fitted_critics.critics import fit_critics, iterate_mc
from safer_gym.wrappers.fitted_critics.fqe import (
    StackedMLP,
    constant_error,
    returns_with_tails,
    td_targets,
)
from safer_gym.wrappers.fitted_critics.rollouts import collect
from safer_gym.wrappers.policies.victims import as_victim

contrib = pytest.importorskip("sb3_contrib")

GAMMA = 0.9
QUICK = {"n_steps": 800, "updates": 500, "hidden": (32, 32), "gamma": GAMMA, "n_envs": 4}


class TwoStates(gym.Env):
    """State 0 or 1, one-hot. The action is the chance to go to state 1, where a step costs 1.

    Reward: the action. Time limits cut episodes; they are no end.
    """

    def __init__(self, ends: bool = False) -> None:
        self.observation_space = spaces.Box(0, 1, (2,))
        self.action_space = spaces.Box(0, 1, (1,))
        self.ends = ends

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.t = int(self.np_random.integers(2)), 0
        return self._show(), {}

    def step(self, action):
        cost = float(self.state)
        self.state = int(self.np_random.random() < float(action[0]))
        self.t += 1
        terminated = self.ends and self.state == 1
        return self._show(), float(action[0]), terminated, self.t >= 15, {"cost": cost}

    def _show(self):
        return np.eye(2, dtype=np.float32)[self.state]


def policy(obs):
    """Goes to state 1 with chance 0.2 from state 0, 0.6 from state 1."""
    return np.array([0.2 + 0.4 * obs[1]], np.float32)


def exact(ends):
    """Q(s, a) of both signals by solving the linear equations of V."""
    chance = np.array([0.2, 0.6])
    go = np.stack([1 - chance, (0.0 if ends else 1.0) * chance], 1)
    value = np.linalg.solve(np.eye(2) - GAMMA * go, np.stack([chance, [0.0, 1.0]], 1))

    def q(state, action):
        onward = (1 - action) * value[0] + (0.0 if ends else action) * value[1]
        return np.array([action, state]) + GAMMA * onward

    return q


@pytest.mark.parametrize("ends", [False, True])
def test_the_known_q_of_a_two_state_process(ends):
    more = {**QUICK, "n_steps": 3000, "updates": 800, "noise": 1.0}
    critics = fit_critics(policy, lambda: TwoStates(ends), **more)
    q = exact(ends)
    states = [0, 0, 0] if ends else [0, 0, 0, 1, 1, 1]
    actions = [0.1, 0.5, 0.9] * (len(states) // 3)
    obs = torch.eye(2)[states]
    given_actions = torch.tensor(actions)[:, None]
    want = np.array([q(s, a) for s, a in zip(states, actions, strict=True)])
    got = [f(obs, given_actions).numpy() for f in (critics.q_reward, critics.q_cost)]
    np.testing.assert_allclose(got[0], want[:, 0], atol=0.35)
    np.testing.assert_allclose(got[1], want[:, 1], atol=0.5)


def test_time_limits_taken_for_ends_would_be_seen():
    """The specimen: with terminals the true values differ by far more than the tolerance."""
    assert abs(exact(False)(0, 0.5)[0] - exact(True)(0, 0.5)[0]) > 0.6


def test_same_seed_same_critics_and_nothing_global_is_touched():
    quick = {**QUICK, "updates": 20, "n_steps": 200}
    state = torch.get_rng_state()
    obs, action = torch.eye(2), torch.full((2, 1), 0.3)
    values = [fit_critics(policy, TwoStates, seed=3, **quick).q_cost(obs, action) for _ in range(2)]
    assert torch.equal(*values)
    other = fit_critics(policy, TwoStates, seed=4, **quick).q_cost(obs, action)
    assert not torch.equal(values[0], other)
    assert torch.equal(torch.get_rng_state(), state)


def test_diagnostics_tell_a_trained_critic_from_an_untrained_one():
    good = fit_critics(policy, TwoStates, **QUICK).diagnostics
    poor = fit_critics(policy, TwoStates, **{**QUICK, "updates": 1}).diagnostics
    assert good.correlation_cost > 0.2
    assert good.td_error_cost < poor.td_error_cost
    assert 0.2 < good.cost_rate < 0.8


@pytest.mark.parametrize(
    "make",
    [
        lambda: PPO("MlpPolicy", PointEnv(), n_steps=8, batch_size=8, seed=0),
        lambda: contrib.TQC("MlpPolicy", PointEnv(), buffer_size=50, seed=0),
        lambda: contrib.CrossQ("MlpPolicy", PointEnv(), buffer_size=50, seed=0),
    ],
    ids=["ppo", "tqc", "crossq"],
)
def test_mc_and_mr_work_on_models_without_a_cost_critic(make):
    model = make()
    before = [p.clone() for p in model.policy.parameters()]
    critics = fit_critics(model, PointEnv, **QUICK)
    victim = as_victim(model, q_reward=critics.q_reward, q_cost=critics.q_cost)
    for attack in ("mc", "mr"):
        env = ObservationAdversary(PointEnv(), attack, policy=victim, eps=0.3)
        assert env.reset(seed=0)[1]["adversary"]["gain"] > 0
    assert all(torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True))


def test_dict_observations_and_their_attack():
    class Predicts:
        def predict(self, obs, deterministic=True):
            return np.concatenate([3 - obs["pos"][:, :1], obs["far"]], axis=1), None

    critics = fit_critics(Predicts(), DictEnv, **{**QUICK, "updates": 50, "n_steps": 200})
    victim = as_victim(Predicts(), q_cost=critics.q_cost)
    search = make_attack("random_search", rounds=2)
    env = ObservationAdversary(DictEnv(), search, policy=victim, eps=0.3)
    assert np.isfinite(env.reset(seed=0)[1]["adversary"]["gain"])


def test_the_policy_under_attack_has_its_own_critics():
    """An attack that always shows state 1 makes the policy go there with chance 0.6."""
    critics = fit_critics(policy, TwoStates, attack=_ShowsOne(), eps=1.0, **QUICK)
    go = 0.6
    value = go / (1 - GAMMA)  # reward of each step
    got = critics.q_reward(torch.eye(2), torch.full((2, 1), go)).numpy()
    np.testing.assert_allclose(got, value, atol=0.5)
    plain = exact(False)(1, go)[0]
    assert value - plain > 1


class _ShowsOne:
    def __call__(self, victim, obs, ball, generator=None):
        from safer_gym.types import AttackResult

        shown = torch.eye(2)[torch.ones(len(obs), dtype=torch.long)]
        return AttackResult(shown, obs[:, 0], obs[:, 0])


def test_iterated_mc_is_an_attack():
    quick = {**QUICK, "updates": 100, "n_steps": 300}
    with pytest.raises(ValueError, match="rounds"):
        iterate_mc(Tanh(), PointEnv, eps=0.1, rounds=0)
    attack = iterate_mc(Tanh(), PointEnv, eps=0.1, attack_options={"steps": 2}, **quick)
    result = attack(as_victim(Tanh()), torch.zeros(4, 3), LpBall.of("linf", 0.1))
    assert (result.objective >= result.clean_objective).all()


def test_missing_cost_is_an_error_and_no_cost_a_warning():
    with pytest.raises(ValueError, match="CostTracker"):
        fit_critics(lambda o: np.zeros(1), lambda: gym.make("Pendulum-v1"), n_steps=10)
    quick = {**QUICK, "updates": 2, "n_steps": 20}
    with pytest.warns(UserWarning, match="no cost in 20 steps"):
        fit_critics(lambda o: np.zeros(1), Free, **{**quick, "noise": 0.0})


class Free(TwoStates):
    def step(self, action):
        return (*super().step(action)[:4], {"cost": 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"gamma": 1.0}, "gamma"), ({"n_steps": 0}, "n_steps"), ({"noise": -1}, "noise")],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        fit_critics(policy, TwoStates, **options)


@given(st.integers(0, 100))
def test_td_targets_stop_at_terminals_only(seed):
    rng = torch.Generator().manual_seed(seed)
    signals, following = torch.rand(2, 2, 6, generator=rng, dtype=torch.float64)
    ends = torch.rand(6, generator=rng) < 0.5
    got = td_targets(signals, following, ends, GAMMA)
    assert torch.equal(got[:, ends], signals[:, ends])
    assert torch.allclose(got[:, ~ends], (signals + GAMMA * following)[:, ~ends])


@given(st.floats(-2, 2), st.floats(0, 0.99))
def test_a_constant_signal_has_a_constant_return_whatever_is_cut(value, gamma):
    signals = torch.full((1, 7, 2), value, dtype=torch.float64)
    done = torch.zeros(7, 2, dtype=torch.bool)
    done[3, 0] = True
    got = returns_with_tails(signals, torch.zeros_like(done), done, gamma)
    torch.testing.assert_close(got, torch.full_like(got, value / (1 - gamma)))
    ended = returns_with_tails(signals, done, done, gamma)
    torch.testing.assert_close(ended[0, 3, 0], signals[0, 3, 0])


@given(st.integers(0, 100), st.floats(0, 0.99))
def test_the_constant_correction_brings_the_mean_error_to_zero(seed, gamma):
    rng = torch.Generator().manual_seed(seed)
    r, q, q_next = torch.rand(3, 2, 50, generator=rng, dtype=torch.float64)
    ends = torch.rand(50, generator=rng) < 0.3
    shift = constant_error(td_targets(r, q_next, ends, gamma) - q, ends, gamma).double()
    after = td_targets(r, q_next + shift, ends, gamma) - (q + shift)
    assert after.mean(1).abs().max() < 1e-5


def test_stacked_networks_are_independent():
    net = StackedMLP(2, 3, (4,), torch.Generator().manual_seed(0))
    net(torch.ones(5, 3))[0].sum().backward()
    assert net.weights[0].grad[0].abs().sum() > 0
    assert net.weights[0].grad[1].abs().sum() == 0


def test_exploration_is_slow_enough_to_lead_away():
    """Steps in a row err to the same side; white noise, the specimen, would not."""

    def pushes(noise):
        data = collect(lambda o: o[:, :1] * 0, Still, steps=60, n_envs=8, noise=noise, seed=0)
        return data.actions[..., 0]

    noisy = pushes(0.3)
    assert torch.corrcoef(torch.stack([noisy[1:].flatten(), noisy[:-1].flatten()]))[0, 1] > 0.7
    assert (noisy.abs().amax(0) == 0).any()  # some episodes are free of noise
    assert pushes(0.0).abs().max() == 0


class Still(TwoStates):
    def __init__(self):
        super().__init__()
        self.action_space = spaces.Box(-1, 1, (1,))

    def step(self, action):
        return self._show(), 0.0, False, False, {"cost": 0.0}


def test_rollouts_record_what_really_happened():
    data = collect(as_victim(policy).action, TwoStates, steps=40, n_envs=2, noise=0.5, seed=0)
    assert data.obs.shape == (40, 2, 2)
    assert torch.equal(data.signals[1], data.obs[..., 1])  # cost is being in state 1
    assert torch.allclose(data.signals[0], data.actions[..., 0])
    going_on = ~data.done[:-1]
    assert torch.equal(data.next_obs[:-1][going_on], data.obs[1:][going_on])
    assert data.done.sum() == 4
    assert not data.terminated.any()
