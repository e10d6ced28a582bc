"""Policies of discrete actions: what attacks and bounds read is what the policy does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sb3_contrib as contrib
import torch
from discrete_envs import SPACES, Drift
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.bounds import NotCoveredError, surely_taken
from safer_gym.categorical import Categorical, ExpectedValue, Greedy
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.policies.choosing import ChoosingPolicy
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.stochastic import (
    greedy_policy,
    noisy_policy,
    softmax_policy,
    stochastic_policy,
)
from safer_gym.wrappers.policies.victims import as_victim
from safer_gym.wrappers.policies.view import view_of

OBS = np.random.default_rng(0).uniform(-2, 2, (40, 2)).astype(np.float32)


def small() -> dict[str, Any]:
    """Anew at each call: A2C writes into its policy_kwargs."""
    return {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}}


def on_policy(kind: Any = PPO, space: str = "Discrete") -> Any:
    return kind("MlpPolicy", Drift(SPACES[space]), n_steps=128, **small())


def valued(kind: Any = DQN) -> Any:
    return kind("MlpPolicy", Drift(), buffer_size=10, **small())


MODELS = {
    **{f"PPO {name}": (lambda name=name: on_policy(PPO, name)) for name in SPACES},
    "A2C": lambda: on_policy(A2C),
    "TRPO": lambda: on_policy(contrib.TRPO),
    "DQN": valued,
    "QRDQN": lambda: valued(contrib.QRDQN),
    "ARS": lambda: contrib.ARS("MlpPolicy", Drift(), **small()),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@every_model
def test_the_deterministic_action_is_that_of_predict(make: Any) -> None:
    model = make()
    rows = action_rows(model.action_space)
    told = rows.pack(model.predict(OBS, deterministic=True)[0])
    assert torch.equal(as_victim(model).action(torch.as_tensor(OBS)).double(), told)


@every_model
def test_the_layers_are_the_network_that_acts(make: Any) -> None:
    model = make()
    layers, obs = policy_layers(model), torch.as_tensor(OBS)
    own, read = as_victim(model).distribution(obs), layers.distribution(obs)
    assert type(own) is type(read)
    for name, part in own.parameters.items():
        torch.testing.assert_close(read.parameters[name], part, atol=1e-5, rtol=1e-5)
    assert isinstance(own, Categorical) == (make().policy.__class__.__name__ == "ActorCriticPolicy")


@pytest.mark.parametrize("space", SPACES)
def test_draws_follow_the_probabilities_and_a_row_its_own_numbers(space: str) -> None:
    policy = stochastic_policy(on_policy(PPO, space))
    assert isinstance(policy, ChoosingPolicy)
    obs = torch.as_tensor(OBS[:1]).repeat(4000, 1)
    drawn = policy.draw(obs, torch.Generator().manual_seed(0))
    p = policy.layers.distribution(obs[:1]).probabilities[0]
    assert float((drawn.mean(0) - p).abs().max()) < 4 * (0.25 / 4000) ** 0.5
    some = policy.draw(obs[:7], torch.Generator().manual_seed(0))
    assert torch.equal(some, drawn[:7])


def test_values_are_the_reward_critic_of_a_greedy_model() -> None:
    model, obs = valued(), torch.as_tensor(OBS)
    victim = as_victim(model)
    values = model.q_net(obs).detach()
    one = torch.eye(3)[[1]].expand(len(obs), -1)
    torch.testing.assert_close(victim.q_reward(obs, one).detach(), values[:, 1])
    assert victim.q_cost is None


def test_given_critics_also_take_probabilities() -> None:
    critic = lambda obs, action: (action[:, 0] - obs[:, 0]) ** 2  # noqa: E731
    victim = as_victim(on_policy(), q_cost=critic)
    assert isinstance(victim.q_cost, ExpectedValue)
    assert as_victim(on_policy(), q_cost=victim.q_cost).q_cost is victim.q_cost


class Scores(nn.Module):
    def __init__(self, space: spaces.Space) -> None:
        super().__init__()
        sizes = action_rows(space).sizes or ()
        width = len(sizes) if _is_binary(space) else sum(sizes)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, width))

    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs)


def scripted(net: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.*", DeprecationWarning)
        return torch.jit.script(net)


def _is_binary(space: spaces.Space) -> bool:
    return isinstance(space, spaces.MultiBinary)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("form", ["module", "script", "callable", "indices", "predict"])
def test_policies_that_are_no_models_are_read_alike(name: str, form: str) -> None:
    space = SPACES[name]
    net, rows = Scores(space), action_rows(space)

    def chosen(obs: np.ndarray) -> Any:
        with torch.no_grad():
            logits = net(torch.as_tensor(obs)[None])
        return rows.legal(rows.pack(logits)[0].numpy())

    class Predicts:
        def predict(self, obs: np.ndarray, deterministic: bool = True) -> Any:
            return np.stack([chosen(row) for row in obs]), None

    class Indices(nn.Module):
        def forward(self, obs: Tensor) -> Tensor:
            return torch.as_tensor(np.stack([chosen(row.detach().numpy()) for row in obs]))

    policy: Any = {
        "module": lambda: net,
        "script": lambda: scripted(net),
        "callable": lambda: chosen,
        "indices": Indices,
        "predict": Predicts,
    }[form]()
    view = admit(policy, Drift().observation_space, space)
    known = rows.pack(net(torch.as_tensor(OBS)).detach())
    assert torch.equal(view.victim().action(torch.as_tensor(OBS)).double(), known)
    leaf = torch.as_tensor(OBS).requires_grad_()
    assert view.victim().judged(leaf).requires_grad == (form in ("module", "script"))


def test_a_module_has_layers_once_its_actions_are_known() -> None:
    for space in SPACES.values():
        view = admit(Scores(space).net, Drift().observation_space, space)
        layers = policy_layers(view)
        obs = torch.as_tensor(OBS)
        assert torch.equal(layers.distribution(obs).action, view.victim().action(obs))


def test_greedy_policies_draw_on_request_alone() -> None:
    model, obs = valued(), torch.as_tensor(OBS)
    with pytest.raises(NotCoveredError, match="the best option surely"):
        stochastic_policy(model)
    warm = softmax_policy(model, temperature=0.5)
    scores = model.q_net(obs).detach() / 0.5
    torch.testing.assert_close(
        warm.layers.distribution(obs).probabilities, scores.softmax(-1), atol=1e-5, rtol=1e-5
    )
    assert stochastic_policy(warm) is warm
    with pytest.raises(ValueError, match="temperature must be a finite number > 0; got 0"):
        softmax_policy(model, temperature=0)
    steps = warm.steps(obs, LpBall(2, 0.01))
    assert bool((steps.tv > 0).all() and (steps.tv < 0.1).all())


def test_noise_on_options_is_refused() -> None:
    with pytest.raises(NotCoveredError, match="Gaussian noise is added to continuous actions"):
        noisy_policy(on_policy(), 0.1)


def test_masks_and_other_counting_are_refused_in_a_line() -> None:
    masked = contrib.MaskablePPO("MlpPolicy", Drift(), n_steps=64, **small())
    with pytest.raises(ValueError, match=r"MaskablePPO chooses among.*masks.*lambda obs"):
        as_victim(masked)
    late = PPO("MlpPolicy", Drift(spaces.Discrete(3, start=1)), n_steps=64, **small())
    with pytest.raises(ValueError, match=r"counted from 0.*starts elsewhere"):
        as_victim(late)


def test_a_policy_with_other_options_is_refused_by_its_space() -> None:
    drift = Drift()
    with pytest.raises(ValueError, match=r"action space is Discrete\(3\), .* Discrete\(4\)"):
        admit(on_policy(), drift.observation_space, spaces.Discrete(4))


class Liar(nn.Module):
    """Answers another action than its `predict` says."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def victim(self) -> Any:
        own = as_victim(self.model)
        return own._replace(action=lambda obs: Greedy(-own.distribution(obs).logits, (3,)).action)

    def predict(self, obs: np.ndarray, **options: Any) -> Any:
        return self.model.predict(obs, **options)


def test_the_gate_holds_options_against_predict() -> None:
    drift = Drift()
    with pytest.raises(ValueError, match="not what attacks and bounds read"):
        admit(Liar(on_policy()), drift.observation_space, drift.action_space)


def test_options_that_are_too_close_to_tell_may_go_either_way() -> None:
    """A batch of another size adds up in another order: a tie is no lie."""
    model, drift = on_policy(), Drift()
    with torch.no_grad():
        model.policy.action_net.weight.zero_()
        model.policy.action_net.bias.copy_(torch.tensor([1.0, 1.0 + 1e-7, 0.0]))
    own = as_victim(model)
    swapped = own._replace(action=lambda obs: torch.eye(3)[[0]].expand(len(obs), -1))

    class Tied:
        def victim(self) -> Any:
            return swapped

        def predict(self, obs: np.ndarray, **options: Any) -> Any:
            return model.predict(obs, **options)

    assert admit(Tied(), drift.observation_space, drift.action_space).admitted
    assert view_of(model).action_space == drift.action_space


def test_a_greedy_policy_is_bounded_where_its_option_is_certain() -> None:
    for model in (valued(), on_policy()):
        sure, obs = greedy_policy(model), torch.as_tensor(OBS)
        drawn = sure.draw(obs, torch.Generator().manual_seed(0))
        assert torch.equal(drawn, as_victim(model).action(obs))
        ball = LpBall(2, 0.05)
        steps = sure.steps(obs, ball)
        assert torch.equal(steps.tv == 0, surely_taken(sure.layers, obs, ball))
        assert stochastic_policy(sure) is sure
    with pytest.raises(NotCoveredError, match="its actions are continuous"):
        greedy_policy(nn.Linear(2, 1))
