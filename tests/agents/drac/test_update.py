"""Laws of one update: whose gradient goes where; derivatives written out are autograd's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from drac_toys import RAC, RSAC, small
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from safer_gym.agents import DRAC
from safer_gym.agents.drac.networks import LEAST_SLOPE, LOG_STD, Held, leaving_slope, squashed
from safer_gym.agents.networks.plain import slope
from safer_gym.bounds import NotCoveredError
from safer_gym.bounds.network import affine_layers
from safer_gym.wrappers.policies.layers import policy_layers

ACTIVATIONS = pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.ELU])
"""The last one has no derivative that is written out."""


def learner(activation: type[nn.Module] = nn.ReLU, **options: Any) -> DRAC:
    agent = small(policy_kwargs={"net_arch": [16, 16], "activation_fn": activation}, **options)
    agent.policy.set_training_mode(True)
    return agent


def states(n: int = 32) -> Tensor:
    return 4 * torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) - 2


@ACTIVATIONS
def test_what_a_player_learns_is_what_autograd_finds(activation: type[nn.Module]) -> None:
    player = learner(activation).policy.safety_actor
    moves, learn = player.play(states())
    torch.testing.assert_close(moves, player(states()))
    upstream = torch.randn(32, 1, generator=torch.Generator().manual_seed(1))
    own = player.optimizer.param_groups[0]["params"]
    expected = torch.autograd.grad(player(states()), own, upstream)
    found = learn(upstream)
    assert [part.shape for part in found] == [part.shape for part in own]
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


@given(st.floats(-1, 1), st.floats(-5, 5))
def test_the_slope_of_a_tanh_is_its_own_but_at_an_end_inwards(move: float, upstream: float) -> None:
    pair = torch.tensor([move, upstream], dtype=torch.float64)
    found = leaving_slope(pair[:1], pair[1:]).item()
    assert found >= 1 - move**2 - 1e-12
    if move * upstream <= 0 or 1 - move**2 >= LEAST_SLOPE:  # outwards, or far from an end
        assert found == pytest.approx(1 - move**2)
    else:
        assert found == pytest.approx(LEAST_SLOPE)


def test_a_player_leaves_an_end_at_which_it_was_everywhere() -> None:
    player = learner().policy.safety_adversary
    with torch.no_grad():
        player.head.bias.fill_(-30.0)
    for _ in range(600):
        moves, learn = player.play(states())
        for weight, found in zip(
            player.optimizer.param_groups[0]["params"], learn(-torch.ones_like(moves)), strict=True
        ):
            weight.grad = found
        player.optimizer.step()
    assert player(states()).min() > 0.5


@given(st.floats(-9, 9), st.floats(-5, 5))
def test_a_number_that_is_held_has_its_gradient_but_outwards(value: float, upstream: float) -> None:
    """A descent by a positive gradient makes it smaller."""
    at = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    held = Held.apply(at, *LOG_STD)
    held.backward(torch.tensor(upstream, dtype=torch.float64))
    assert held.item() == min(max(value, LOG_STD[0]), LOG_STD[1])
    leaves = (value < LOG_STD[0] and upstream > 0) or (value > LOG_STD[1] and upstream < 0)
    assert at.grad is not None
    assert at.grad.item() == (0.0 if leaves else upstream)


def test_the_task_policy_leaves_the_least_deviation() -> None:
    """At which imitation has left it; its entropy's bonus counts again where it is free."""
    agent = learner(region_margin=-1e6, policy_delay=1, ent_coef=1.0, learning_rate=1e-2)
    actor = agent.policy.actor
    with torch.no_grad():
        actor.head.bias[actor.n_moves :] = LOG_STD[0] - 1.0
    for _ in range(100):
        agent._iteration.improve_task(states(), agent._iteration.improve_safety(states()), 0)
    assert actor.distribution(states()).scale.mean() > 0.1


@ACTIVATIONS
def test_the_slope_of_a_critic_is_what_autograd_finds(activation: type[nn.Module]) -> None:
    critic = learner(activation).policy.safety_critic
    pair = torch.rand(32, 2, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    expected = critic.values(states(), pair).amin(0)
    value, by_pair = slope(critic, states(), pair)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(by_pair, torch.autograd.grad(expected.sum(), pair)[0])


def test_the_density_of_a_squashed_gaussian() -> None:
    """Against torch's own transform; also where tanh is one in float32."""
    outputs = torch.tensor([[0.3, -1.0], [30.0, -5.0], [-2.0, 1.5]], dtype=torch.float64)
    torch.manual_seed(0)
    action, density = squashed(outputs)
    raw = torch.atanh(action[[0, 2]])
    mean, scale = outputs[[0, 2], :1], outputs[[0, 2], 1:].exp()
    normal = torch.distributions.Normal(mean, scale)
    expected = normal.log_prob(raw) - torch.log(1 - action[[0, 2]].square())
    torch.testing.assert_close(density[[0, 2]], expected.squeeze(1))
    assert torch.isfinite(density).all()


def moved(agent: DRAC, names: tuple[str, ...], step: Any) -> set[str]:
    """Which of the networks `names` a step has changed."""
    before = {name: [w.clone() for w in getattr(agent.policy, name).parameters()] for name in names}
    step()
    return {
        name
        for name in names
        if any(
            not torch.equal(old, new)
            for old, new in zip(before[name], getattr(agent.policy, name).parameters(), strict=True)
        )
    }


def test_the_safety_policy_ascends_and_its_adversary_descends() -> None:
    agent = learner(learning_rate=1e-3)
    policy, obs = agent.policy, states(256)

    def value(control: Tensor, move: Tensor) -> float:
        with torch.no_grad():
            pair = torch.cat([control, move], dim=1)
            return float(policy.safety_critic.values(obs, pair).amin(0).mean())

    with torch.no_grad():
        old = policy.safety_actor(obs), policy.safety_adversary(obs)
    names = policy.learning
    changed = moved(agent, names, lambda: agent._iteration.improve_safety(obs))
    assert changed == {"safety_actor", "safety_adversary"}
    with torch.no_grad():
        new = policy.safety_actor(obs), policy.safety_adversary(obs)
    assert value(new[0], old[1]) > value(*old)
    assert value(old[0], new[1]) < value(*old)


def test_without_a_safety_policy_the_task_policy_does_not_learn_from_its_adversary() -> None:
    agent = learner(safety_policy=False)
    changed = moved(agent, agent.policy.learning, lambda: agent._iteration.improve_safety(states()))
    assert changed == {"safety_adversary"}


@pytest.mark.parametrize("number", [0, 1])
def test_the_task_step_moves_its_own_networks_alone(number: int) -> None:
    agent = learner(policy_delay=2, multiplier_delay=2)
    iteration = agent._iteration
    safety = iteration.improve_safety(states())
    changed = moved(
        agent,
        agent.policy.learning,
        lambda: iteration.improve_task(states(), safety, number),
    )
    delayed = {"actor", "multiplier"} if number == 0 else set()
    assert changed == {"adversary", "temperature"} | delayed


def test_outside_of_the_set_the_task_policy_becomes_the_safety_policy() -> None:
    """And follows no reward: the constraint cannot be met there."""
    agent = learner(region_margin=1e6, policy_delay=1, learning_rate=1e-2, ent_coef=0.0)
    obs, policy = states(256), agent.policy
    for _ in range(200):
        safety = agent._iteration.improve_safety(obs)._replace()
        agent._iteration.improve_task(obs, safety, 1)
    with torch.no_grad():
        gap = (policy.actor(obs) - policy.safety_actor(obs)).abs().mean()
    assert gap < 0.15


def critic_loss(**options: Any) -> float:
    """Of the first update, on the same transitions, weights and draws."""
    agent = small(learning_starts=1000, **options).learn(40)
    agent.policy.set_training_mode(True)
    torch.manual_seed(3)
    data = agent.replay_buffer.sample(32)
    return float(agent._iteration.step(data, 0, 0.9)["critic_loss"])


@pytest.mark.parametrize(("margin", "counts"), [(1e6, False), (-1e6, True)])
def test_the_return_has_the_entropy_of_where_the_task_policy_is_free(
    margin: float, counts: bool
) -> None:
    with_entropy, without = (critic_loss(region_margin=margin, ent_coef=w) for w in (5.0, 0.0))
    assert (with_entropy != without) is counts


@pytest.mark.parametrize("options", [RSAC, RAC])
def test_who_has_no_outside_counts_all_entropy(options: dict[str, Any]) -> None:
    assert critic_loss(**options, ent_coef=5.0) != critic_loss(**options, ent_coef=0.0)


@pytest.mark.parametrize("options", [RSAC, RAC, {"adversary": False}, {"constraint": "scalar"}])
def test_what_an_option_leaves_out_is_not_there(options: dict[str, Any]) -> None:
    policy = small(**options).policy
    has_adversary = options.get("adversary", True)
    has_safety = options.get("constraint") != "none"
    assert hasattr(policy, "adversary") == has_adversary
    assert hasattr(policy, "safety_adversary") == (has_adversary and has_safety)
    assert hasattr(policy, "safety_critic") == has_safety
    assert hasattr(policy, "multiplier") == has_safety
    width = policy.critic.ensemble.action_dim
    assert width == 1 + has_adversary


def test_bounds_read_the_acting_policy_and_refuse_the_switch() -> None:
    agent = small().learn(40)
    first, *_, last = affine_layers(policy_layers(agent).layers)
    acting = agent.policy.followers.actor
    torch.testing.assert_close(first.weight, acting.latent[0].weight.detach())
    torch.testing.assert_close(last.bias, acting.head.bias.detach())
    agent.shield = True
    with pytest.raises(NotCoveredError, match="the switch is no plain network"):
        policy_layers(agent)
