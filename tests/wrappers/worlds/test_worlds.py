"""The worlds keep Gymnasium's contract, and are the systems that their equations say."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.wrappers.tasks import find_task
from safer_gym.wrappers.worlds import cart_pole, racing_car
from safer_gym.wrappers.worlds.cart_pole import CartPole
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator, in_robust_set
from safer_gym.wrappers.worlds.racing_car import RacingCar, curvature
from safer_gym.wrappers.worlds.tasks import WORLDS
from safer_gym.wrappers.worlds.world import World

NAMES = [spec.task.name for spec in WORLDS if spec.task.name != "walker2d"]
"""Walker2D is Gymnasium's, and has tests of its own."""
NUMBERS = st.floats(-1, 1)


def world(name: str, **options: object) -> World:
    made = find_task(name).make(**options).unwrapped
    assert isinstance(made, World)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_gymnasiums_contract(name: str) -> None:
    check_env(world(name, render_mode="rgb_array"))
    task = find_task(name)
    env = task.make()
    assert env.observation_space.shape == (task.obs_size,)
    assert env.action_space.shape == (task.action_size,)
    assert env.spec is not None
    assert env.spec.max_episode_steps == task.horizon


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", ["usual", "wide"])
def test_the_same_seed_is_the_same_episode(name: str, start: str) -> None:
    def episode() -> list[np.ndarray]:
        env, rng = world(name), np.random.default_rng(1)
        seen = [env.reset(seed=3, options={"start": start})[0]]
        for _ in range(20):
            env.disturb(rng.uniform(-env.disturbance_space.high, env.disturbance_space.high))
            seen.append(env.step(rng.uniform(-1, 1, env.action_space.shape))[0])
        return seen

    assert all((a == b).all() for a, b in zip(episode(), episode(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_cost_is_one_exactly_where_h_is_negative(name: str) -> None:
    env, found = world(name), set()
    for seed in range(30):
        _, info = env.reset(seed=seed, options={"start": "wide"})
        for _ in range(5):
            assert info["cost"] == float(info["h"] < 0)
            found.add(info["cost"])
            *_, info = env.step(env.action_space.sample())
    assert found == {0.0, 1.0}


@pytest.mark.parametrize("name", NAMES)
def test_a_usual_start_is_safe(name: str) -> None:
    env = world(name)
    assert all(env.reset(seed=seed)[1]["h"] > 0.1 for seed in range(100))


@pytest.mark.parametrize("name", NAMES)
def test_a_disturbance_counts_for_one_step(name: str) -> None:
    def states(disturbed: bool) -> list[np.ndarray]:
        env = world(name)
        env.reset(seed=0)
        if disturbed:
            env.disturb(env.disturbance_space.high)
        found = []
        for _ in range(2):
            before = env.state
            env.step(np.zeros(env.action_space.shape))
            quiet = env.advance(before, np.zeros(env.action_space.shape), env._disturbance)
            found.append(env.state - quiet)
        return found

    first, second = states(disturbed=True)
    assert np.abs(first).max() > 0
    assert (second == 0).all()
    assert all((step == 0).all() for step in states(disturbed=False))


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused(name: str) -> None:
    env = world(name)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="disturbance must lie in"):
        env.disturb(1.01 * env.disturbance_space.high)
    with pytest.raises(ValueError, match="disturbance must lie in"):
        env.disturb([*env.disturbance_space.high, 0.0])
    with pytest.raises(ValueError, match="Did you mean 'wide'"):
        env.reset(options={"start": "wild"})
    with pytest.raises(ValueError, match="Did you mean 'start'"):
        env.reset(options={"starts": "wide"})
    with pytest.raises(ValueError, match="bound must be a finite number >= 0"):
        find_task(name).make(bound=-1.0)
    with pytest.raises(ValueError, match="render_mode"):
        type(env)(render_mode="human")


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_of_zero_is_no_disturbance(name: str) -> None:
    box = world(name, bound=0.0).disturbance_space
    assert (box.low == 0).all()
    assert (box.high == 0).all()


@settings(max_examples=200)
@given(NUMBERS, NUMBERS)
def test_full_braking_keeps_the_robust_set_and_no_other_control_keeps_more(
    place: float, speed: float
) -> None:
    env, state = DoubleIntegrator(), np.array([5.5 * place, 4 * speed])
    away = np.sign(state[1]) if state[1] else 1.0
    inside, first = bool(in_robust_set(state)), env.margin(state)
    # Braking against the strongest push; outside of the set not even this stops in time.
    while state[1] * away > 0:
        state = env.advance(state, np.array([-away]), np.array([0.5 * away]))
    if inside:
        assert env.margin(state) >= -0.1 * 0.5 * 0.1**2
    else:
        assert min(first, env.margin(state)) <= 0.01


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_double_integrator_is_exact(place: float, speed: float, force: float) -> None:
    env, half = DoubleIntegrator(), np.array([force])
    state = np.array([place, speed])
    there = env.advance(state, half, np.zeros(1))
    np.testing.assert_allclose(there, [place + 0.1 * speed + 0.005 * force, speed + 0.1 * force])


def energy(state: np.ndarray) -> float:
    """Of cart and pole, a uniform rod."""
    _, v, angle, spin = state
    mass, half = cart_pole.POLE, cart_pole.HALF_LENGTH
    moving = 0.5 * (cart_pole.CART + mass) * v**2 + mass * half * v * spin * np.cos(angle)
    turning = 0.5 * (4 / 3) * mass * half**2 * spin**2
    return float(moving + turning + mass * cart_pole.GRAVITY * half * np.cos(angle))


def test_without_a_force_cart_and_pole_keep_their_energy() -> None:
    env = CartPole()
    state = np.array([0.0, 0.3, 0.1, -0.2])
    before = energy(state)
    for _ in range(20):
        state = env.advance(state, np.zeros(1), np.zeros(1))
    assert abs(energy(state) - before) < 0.01 * abs(before)


def test_a_disturbance_is_a_force_on_the_cart() -> None:
    env, state = CartPole(), np.array([0.1, 0.2, 0.05, -0.1])
    pushed = env.advance(state, np.array([0.2]), np.array([0.3]))
    np.testing.assert_allclose(pushed, env.advance(state, np.array([0.5]), np.zeros(1)))


@given(NUMBERS)
def test_a_car_that_steers_with_the_bend_stays_in_the_middle(place: float) -> None:
    """At psi = 0 and tan(delta) = L times the curvature the angle to the road does not change."""
    bend = float(curvature(np.array(4 * place)))
    steering = np.arctan(racing_car.WHEELBASE * bend)
    state = np.array([4 * place, 0.0, 1.0, 0.0, steering])
    slope = racing_car._slope(state, np.zeros(2))
    np.testing.assert_allclose(slope, [1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-12)


def test_the_inside_of_a_bend_is_the_shorter_way() -> None:
    env, there = RacingCar(), {}
    for across in (-0.3, 0.3):
        state = np.array([2.0, across, 1.0, 0.0, 0.0])
        there[across] = env.reward(state, np.zeros(2), env.advance(state, np.zeros(2), np.zeros(5)))
    assert there[0.3] > 1.2 > 1.0 > there[-0.3]


@given(st.lists(NUMBERS, min_size=7, max_size=7))
def test_the_car_keeps_its_limits(numbers: list[float]) -> None:
    env, (a, b, *d) = RacingCar(), numbers
    state = np.array([0.0, 0.0, 1.9, 0.0, 0.3])
    for _ in range(5):
        state = env.advance(state, np.array([a, b]), 0.1 * np.array(d))
    assert 0.4 <= state[2] <= 2.0
    assert abs(state[4]) <= 0.35


@pytest.mark.parametrize("kind", [DoubleIntegrator, CartPole, RacingCar])
def test_a_batch_advances_like_its_rows(kind: type[World]) -> None:
    env, rng = kind(), np.random.default_rng(0)
    n_states, n_actions = len(env.ranges.usual), len(env.ranges.action)
    states = rng.uniform(-0.5, 0.5, (7, n_states))
    actions = rng.uniform(-1, 1, (7, n_actions))
    pushes = rng.uniform(-0.1, 0.1, (7, len(env.ranges.disturbance)))
    rows = [env.advance(*row) for row in zip(states, actions, pushes, strict=True)]
    np.testing.assert_allclose(env.advance(states, actions, pushes), rows)
    np.testing.assert_allclose(env.margin(states), [env.margin(s) for s in states])


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_shows_the_state(name: str) -> None:
    env = gym.make(find_task(name).env_id, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    for _ in range(10):
        env.step(np.ones(env.action_space.shape, np.float32))
    assert isinstance(first, np.ndarray)
    assert first.shape == (320, 480, 3)
    assert (first != env.render()).any()
