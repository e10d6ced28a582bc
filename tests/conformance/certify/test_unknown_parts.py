"""Networks with parts that a bound does not know: measured as they act, and given no bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from policy_specimens import Track, ppo
from stable_baselines3 import DQN
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import MlpExtractor
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize

from safer_gym.attacks import make_attack
from safer_gym.bounds import NotCoveredError
from safer_gym.conformance.certify import certify
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers.policies.layers import policy_layers


class Scaled(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 9.0


class Shifted(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.9


class Extractor(MlpExtractor):
    def forward_actor(self, features: Tensor) -> Tensor:
        return super().forward_actor(features) + 9.0


class Plus(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight + 1.0


class OwnExtractor(ActorCriticPolicy):
    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = Extractor(self.features_dim, [8], nn.Tanh, "cpu")


def with_sequential() -> Any:
    model = ppo()
    extractor = model.policy.mlp_extractor
    extractor.policy_net = Scaled(*extractor.policy_net)
    return model


def with_linear() -> Any:
    model = ppo()
    old = model.policy.action_net
    model.policy.action_net = Shifted(old.in_features, old.out_features)
    model.policy.action_net.load_state_dict(old.state_dict())
    return model


def with_parametrization() -> Any:
    model = ppo()
    parametrize.register_parametrization(model.policy.action_net, "weight", Plus())
    return model


def with_weight_norm() -> Any:
    model = ppo()
    nn.utils.parametrizations.weight_norm(model.policy.action_net)
    return model


UNKNOWN: dict[str, Callable[[], Any]] = {
    "a subclass of Sequential": with_sequential,
    "a subclass of Linear": with_linear,
    "an extractor with forward_actor": lambda: ppo(OwnExtractor),
    "a parametrization": with_parametrization,
    "a weight norm": with_weight_norm,
}
unknown = pytest.mark.parametrize("name", UNKNOWN)


@unknown
def test_it_is_measured_as_it_acts(name: str) -> None:
    model = UNKNOWN[name]()
    costs = []
    for seed in range(4):
        env, cost, done = Track(), 0.0, False
        obs, _ = env.reset(seed=seed)
        while not done:
            obs, _, _, done, info = env.step(model.predict(obs, deterministic=True)[0])
            cost += info["cost"]
        costs.append(cost)
    found = evaluate(model, Track, ["natural"], eps=0.0, n_episodes=4)[0].costs
    np.testing.assert_array_equal(found, costs)


@unknown
def test_it_gets_no_bound(name: str) -> None:
    model = UNKNOWN[name]()
    with pytest.raises(NotCoveredError):
        policy_layers(model)
    certificate = certify(
        model, Track, requirement="P(cost > 1) <= 0.5 at eps = 0.01 for every adversary",
        battery={"uniform": make_attack("uniform")}, episodes=5, benign_episodes=5,
    )  # fmt: skip
    assert certificate.verdict != "PASS"
    assert all(row.rate.upper_every.value is None for row in certificate.rows)


@pytest.fixture
def global_hook() -> Iterator[None]:
    handle = torch_module.register_module_forward_hook(lambda module, args, out: None)
    yield
    handle.remove()


@pytest.mark.usefixtures("global_hook")
def test_global_hooks_are_named() -> None:
    with pytest.raises(ValueError, match="global forward hooks"):
        evaluate(ppo(), Track, ["natural"], eps=0.0, n_episodes=1)
    with pytest.raises(NotCoveredError, match="hooks"):
        policy_layers(nn.Sequential(nn.Linear(2, 1)))


@pytest.mark.parametrize("place", ["0", ""])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_module_with_hooks_is_not_covered(place: str, kind: str) -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    policy_layers(network)
    getattr(network.get_submodule(place), kind)(lambda *_: None)
    with pytest.raises(NotCoveredError, match="hooks"):
        policy_layers(network)


def test_a_forward_of_its_own_is_not_covered() -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    network[1].forward = torch.sin
    with pytest.raises(NotCoveredError, match="forward of its own"):
        policy_layers(network)


@pytest.mark.parametrize("method", ["forward", "_call_impl", "_wrapped_call_impl"])
def test_no_method_of_a_module_may_be_replaced(method: str) -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    setattr(network[1], method, torch.sin)
    with pytest.raises(NotCoveredError, match="of its own"):
        policy_layers(network)


@pytest.mark.parametrize(
    ("owner", "method"), [(MlpExtractor, "forward_actor"), (nn.Linear, "forward")]
)
def test_a_library_class_that_was_changed_is_noticed(
    owner: type[nn.Module], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where no probe looks is the answer another."""
    model, own = ppo(), getattr(owner, method)

    def another(self: nn.Module, x: Tensor) -> Tensor:
        return own(self, x) + 9.0 * (x[:, :1] > 9.99)

    monkeypatch.setattr(owner, method, another)
    with pytest.raises(NotCoveredError, match=f"{method}' of its|of its own"):
        policy_layers(model)
    with pytest.raises(ValueError, match=f"the method '{method}' of its"):
        evaluate(model, Track, ["natural"], eps=0.0, n_episodes=1)


def test_values_of_another_choice_are_not_read() -> None:
    """A network of values whose own `_predict` chooses otherwise than by the largest."""

    class Steps(Track):
        action_space = gym.spaces.Discrete(2)

        def step(self, action: Any) -> Any:
            return super().step(np.array([float(action)]))

    model = DQN("MlpPolicy", Steps(), buffer_size=10, device="cpu", seed=0)

    class Chooses(type(model.policy.q_net)):  # type: ignore[misc]
        def _predict(self, observation: Tensor, deterministic: bool = True) -> Tensor:
            best = super()._predict(observation, deterministic)
            return torch.where(observation[:, 0] > 9.99, 1 - best, best)

    evaluate(model, Steps, ["natural"], eps=0.0, n_episodes=1)
    model.policy.q_net.__class__ = Chooses
    with pytest.raises(ValueError, match="its q_net has a method '_predict' of its own"):
        evaluate(model, Steps, ["natural"], eps=0.0, n_episodes=1)
