"""Laws of the gate for policies: honest ones pass, and each check rejects its specimen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import torch
from adversary_toys import DictEnv, ImageEnv, PointEnv
from certify_toys import Line, homing
from hypothesis import given
from hypothesis import strategies as st
from policy_specimens import ANOTHER, HONEST, REMEMBERING, Network, Track, ppo, sac
from stable_baselines3 import PPO, SAC, TD3
from torch import Tensor, nn

from safer_gym.agents import CVPO
from safer_gym.agents.frozen import FrozenAgent
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.wrappers import SmoothedPolicy, as_victim
from safer_gym.wrappers.gate.network import check_draws, check_network
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.gate.probes import anywhere, near
from safer_gym.wrappers.gate.questions import Questions, apart
from safer_gym.wrappers.gate.visited import check_repeats, check_visited
from safer_gym.wrappers.policies.stochastic import StochasticPolicy, noisy_policy, stochastic_policy
from safer_gym.wrappers.policies.view import PolicyView, view_of

SPACES = Track.observation_space, Track.action_space
START = np.array([0.1, -0.2], np.float32)


def admitted(policy: Any) -> PolicyView:
    return admit(policy, *SPACES, around=START)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_policy_is_admitted_once_and_then_known(name: str) -> None:
    view = admitted(HONEST[name]())
    assert admit(view, *SPACES) is view
    rows = view.victim().memory.at_start(torch.as_tensor(anywhere(SPACES[0])))
    assert torch.equal(view.victim().action(rows), as_victim(view).action(rows))


@given(
    shift=st.floats(-5.0, 5.0),
    low=st.lists(st.floats(-100, 0), min_size=3, max_size=3),
    width=st.floats(1e-3, 1e3),
    seed=st.integers(0, 10),
)
def test_probes_lie_in_their_space(shift: float, low: list[float], width: float, seed: int) -> None:
    box = gym.spaces.Box(np.float32(low), np.float32(low) + np.float32(width))
    unbounded = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    image = gym.spaces.Box(0, 255, (4, 4, 1), np.uint8)
    whole = gym.spaces.Dict({"a": box, "b": image, "c": gym.spaces.Discrete(4)})
    for space in (box, unbounded, image, whole):
        middle = space.sample() if space is not box else np.float32(low) + np.float32(width / 2)
        for rows in (anywhere(space, seed), near(space, middle, seed)):
            batch = rows if isinstance(rows, dict) else {"": rows}
            parts = space.spaces if isinstance(space, gym.spaces.Dict) else {"": space}
            for key, part in parts.items():
                assert all(part.contains(row.astype(part.dtype)) for row in batch[key])
    start = np.float32([shift] * 3)
    np.testing.assert_array_equal(near(unbounded, start)[0], start)


@given(st.floats(-10, 10), st.floats(1e-3, 1.0), st.floats(0.1, 1e3))
def test_answers_are_apart_by_more_than_their_tolerance(a: float, gap: float, size: float) -> None:
    x = torch.tensor([[a, size], [a, -size]], dtype=torch.float64)
    y = x.clone()
    assert apart(x, y, 0.0) is None
    y[1, 0] += 2 * gap * max(abs(a), 1.0)
    found = apart(x, y, gap / 2)
    assert found is not None
    assert found[0] == 1
    assert found[1] == pytest.approx(2 * gap * max(abs(a), 1.0))
    assert apart(x, y, 10 * gap) is None
    nan = torch.full_like(x, torch.nan)
    assert apart(nan, nan, 0.0) is None
    assert apart(nan, x, 1e9) is not None


def test_the_enclosed_network_is_held_against_the_policy() -> None:
    questions = Questions.of(admit(homing(), Line.observation_space, Line.action_space))
    rows = anywhere(Line.observation_space)
    check_network(questions, homing(), rows)
    with pytest.raises(ValueError, match="the deviation of the policy"):
        check_network(questions, homing(std=0.3), rows)
    further = replace(homing(), finish=lambda drawn: drawn + 0.1)
    with pytest.raises(ValueError, match=r"a difference of 0\.1"):
        check_network(questions, further, rows)


@pytest.mark.parametrize("make", [ppo, sac])
@pytest.mark.parametrize(("scale", "shift"), [(0.8, 0.0), (1.25, 0.0), (1.0, 0.2)])
def test_draws_are_held_against_the_network(make: Any, scale: float, shift: float) -> None:
    view = admitted(make())
    questions, rows = Questions.of(view), near(SPACES[0], START)
    network = stochastic_policy(view)
    check_draws(questions, network, rows)

    class Other(StochasticPolicy):
        def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
            return scale * super().draw(obs, generator) + shift

    with pytest.raises(ValueError, match="does not draw its actions as the network"):
        check_draws(questions, Other(network.layers, network.finish), rows)
    check_draws(questions, noisy_policy(view, 0.5), rows)  # noise on request is its own


def test_the_gate_leaves_no_trace() -> None:
    model = ppo()
    model.policy.set_training_mode(True)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    weights = {name: value.clone() for name, value in model.policy.state_dict().items()}
    view = admitted(model)
    check_draws(Questions.of(view), stochastic_policy(view), near(SPACES[0], START))
    assert model.policy.training
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert all(torch.equal(weights[name], v) for name, v in model.policy.state_dict().items())


@pytest.mark.parametrize("name", [name for name in REMEMBERING if name.endswith("that counts")])
def test_a_look_finds_what_no_answer_shows(name: str) -> None:
    """Each acts otherwise after thousands of calls, and counts them somewhere else."""
    with pytest.raises(ValueError, match="has a memory of its own"):
        admitted(REMEMBERING[name]())


def test_a_distribution_of_its_own_is_not_read() -> None:
    with pytest.raises(ValueError, match="it draws by a OwnDraws, which is not known"):
        admitted(ANOTHER["a distribution of its own"]())


def test_a_second_look_sees_what_changed_meanwhile() -> None:
    network = Network()
    view = admitted(network)
    seen = torch.as_tensor(anywhere(SPACES[0]))
    kept = [(seen, view.victim().action(seen).detach())]
    check_repeats(view.victim(), kept)
    nn.init.constant_(network.net.bias, 3.0)
    with pytest.raises(ValueError, match="answered differently after it"):
        check_repeats(view.victim(), kept)


def test_a_second_look_sees_another_policy_where_episodes_led() -> None:
    class Far(type(ppo().policy)):  # type: ignore[misc]
        def get_distribution(self, obs: Tensor) -> Any:
            return super().get_distribution(torch.where(obs > 5.0, -obs, obs))

    model = ppo()
    view = admitted(model)
    model.policy.__class__ = Far
    check_visited(view, [near(SPACES[0], START)])
    with pytest.raises(ValueError, match=r"not what attacks and bounds read .* at the observation"):
        check_visited(view, [near(SPACES[0], START), np.full((2, 2), 6.0, np.float32)])


def test_a_smoothed_policy_is_seen_as_the_one_inside_that_draws() -> None:
    smoothed = SmoothedPolicy(Network(), 0.1, seed=0)
    view = admitted(smoothed)
    assert view.draw is not None
    rows = view.victim().memory.at_start(torch.as_tensor(anywhere(SPACES[0])))
    assert torch.equal(view.victim().action(rows), smoothed.base.action(rows))
    assert view_of(view) is view


KINDS = {
    "sac": lambda env, policy: SAC(policy, env, buffer_size=10),
    "td3": lambda env, policy: TD3(policy, env, buffer_size=10),
    "sac with gSDE": lambda env, policy: SAC(policy, env, buffer_size=10, use_sde=True),
    "tqc": lambda env, policy: sb3_contrib.TQC(policy, env, buffer_size=10),
    "ppo": lambda env, policy: PPO(policy, env, n_steps=8, batch_size=8),
    "ppo with gSDE": lambda env, policy: PPO(policy, env, n_steps=8, batch_size=8, use_sde=True),
    "trpo": lambda env, policy: sb3_contrib.TRPO(policy, env, n_steps=8, batch_size=8),
}


@pytest.mark.parametrize(
    ("make_env", "policy"),
    [(PointEnv, "MlpPolicy"), (DictEnv, "MultiInputPolicy"), (ImageEnv, "CnnPolicy")],
)
@pytest.mark.parametrize("kind", KINDS)
def test_models_as_they_are_made_are_admitted(kind: str, make_env: Any, policy: str) -> None:
    env = make_env()
    model = KINDS[kind](env, policy)
    view = admit(model, env.observation_space, env.action_space, around=env.reset(seed=0)[0])
    assert view.inner is model


@pytest.mark.parametrize("held", [True, False])
def test_agents_of_this_package_are_looked_at_too(held: bool) -> None:
    agent: Any = CVPO("MlpPolicy", Track(), device="cpu", policy_kwargs={"net_arch": [8]})
    policy = FrozenAgent(agent.policy, "min", "max") if held else agent
    admitted(policy)
    handle = agent.policy.actor.register_forward_hook(lambda module, args, out: out)
    with pytest.raises(ValueError, match="a forward hook is registered on its GaussianActor"):
        admitted(policy)
    handle.remove()
    admitted(policy)


def test_what_attacks_walk_is_what_acts() -> None:
    class Scaled(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return 3.0 * super().forward(x)

    agent: Any = CVPO("MlpPolicy", Track(), device="cpu", policy_kwargs={"net_arch": [8]})
    agent.policy.actor.latent = Scaled(*agent.policy.actor.latent)
    with pytest.raises(ValueError, match="not what attacks and bounds read of it"):
        admitted(agent)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in packaged_policies()
        if not name.endswith(("skill-safer", "parrot", "drac-shield"))
    ],
)
def test_packaged_policies_are_admitted_and_act_as_before(name: str) -> None:
    policy = load_policy(name).policy
    spaces = policy.observation_space, policy.action_space
    view = admit(policy, *spaces)
    rows = torch.as_tensor(anywhere(spaces[0]))
    assert torch.equal(view.victim().action(rows), as_victim(policy).action(rows))
    network = stochastic_policy(view)
    check_network(Questions.of(view), network, rows.numpy())
    check_draws(Questions.of(view), network, rows.numpy())
