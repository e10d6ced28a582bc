"""What any algorithm learned on latent actions acts as one network as it does in the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import ARS, TQC, RecurrentPPO
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor, nn

from safer_gym.agents.skills import PriorShape, SkillPrior
from safer_gym.agents.skills.latent import built, described
from safer_gym.agents.skills.network import SkillNetwork
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.skills import SkillActions, SkillPolicy
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator

ETA = 0.3
BUFFERED: dict[str, Any] = {"learning_starts": 4, "buffer_size": 50, "batch_size": 4}
ROLLED: dict[str, Any] = {"n_steps": 8, "batch_size": 4, "n_epochs": 1}
MODELS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "PPO": (PPO, ROLLED, {}),
    "PPO(use_sde, squashed)": (PPO, ROLLED | {"use_sde": True}, {"squash_output": True}),
    "A2C": (A2C, {}, {"activation_fn": nn.LeakyReLU}),
    "TD3": (TD3, BUFFERED, {}),
    "DDPG": (DDPG, BUFFERED, {"net_arch": []}),
    "SAC": (SAC, BUFFERED, {}),
    "SAC(Tanh)": (SAC, BUFFERED, {"activation_fn": nn.Tanh}),
    "SAC(linear)": (SAC, BUFFERED, {"net_arch": {"pi": [], "qf": [4]}}),
    "SAC(use_sde)": (SAC, BUFFERED | {"use_sde": True}, {}),
    "TQC": (TQC, BUFFERED, {"activation_fn": nn.ELU, "net_arch": [6]}),
}


@pytest.fixture(scope="module")
def prior() -> SkillPrior:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = SkillPrior(PriorShape((2,), 1, window=4, safety_size=3, hidden=8)).eval()
    made.encoder.fit(torch.tensor([[0.0, 0.0], [1.0, 4.0], [2.0, 3.0]]))
    return made


def given_of(kind: Any, prior: SkillPrior, *, env: Any = None, **options: Any) -> tuple[Any, ...]:
    """The arguments of `SkillNetwork.of`, and of `SkillPolicy`."""
    env = env or SkillActions(DoubleIntegrator(), prior, ETA)
    policy = "MlpLstmPolicy" if kind is RecurrentPPO else "MlpPolicy"
    options = {"policy_kwargs": {"net_arch": [4]}} | options
    extra = {} if kind is ARS else {"device": "cpu"}
    model = kind(policy, env, seed=0, **extra, **options)
    raw = DoubleIntegrator()
    return model, prior, ETA, raw.observation_space, raw.action_space


def observations(count: int = 200) -> np.ndarray:
    return 3 * np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_the_network_acts_as_the_model_does(name: str, prior: SkillPrior, tmp_path: Path) -> None:
    kind, options, of_policy = MODELS[name]
    given = given_of(kind, prior, policy_kwargs={"net_arch": [8, 5]} | of_policy, **options)
    head = getattr(given[0].policy, "action_net", None)
    if head is not None:
        nn.init.normal_(head.weight, std=3.0)  # so that the mean is often cut
    given[0].learn(24)
    network, policy = SkillNetwork.of(*given), SkillPolicy(*given)
    network.save(tmp_path / "policy.zip")
    loaded: Any = load_policy(tmp_path / "policy.zip").policy
    obs = observations()
    wanted, _ = policy.predict(obs, deterministic=True)
    assert np.ptp(wanted) > 1e-3
    for found in (network, loaded):
        actions = found(torch.as_tensor(obs))[0].numpy()
        np.testing.assert_allclose(actions, wanted, atol=1e-6, rtol=0)


def test_a_mean_beyond_the_bound_is_cut(prior: SkillPrior) -> None:
    given = given_of(PPO, prior)
    nn.init.normal_(given[0].policy.action_net.weight, std=30.0)
    features = observations()
    z = SkillNetwork.of(*given).choose(torch.as_tensor(features))
    assert (z.abs() == torch.tensor(ETA)).float().mean() > 0.5
    np.testing.assert_array_equal(z.numpy(), given[0].predict(features, deterministic=True)[0])


class Reader(BaseFeaturesExtractor):
    def __init__(self, space: Any) -> None:
        super().__init__(space, 2)

    def forward(self, obs: Tensor) -> Tensor:
        return obs.flip(1)


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.sigmoid()


@pytest.mark.parametrize(
    ("kind", "of_policy", "error", "message"),
    [
        (RecurrentPPO, {}, ValueError, "RecurrentPPO is recurrent"),
        (ARS, {}, TypeError, "PPO, A2C, TD3, DDPG, SAC, TQC or their kin; got ARS"),
        (SAC, {"features_extractor_class": Reader}, ValueError, "FlattenExtractor; got a Reader"),
        (PPO, {"features_extractor_class": Reader}, ValueError, "FlattenExtractor; got a Reader"),
        (SAC, {"activation_fn": Swish}, ValueError, "must be Linear, .*; got a Swish"),
    ],
)
def test_what_cannot_be_written_as_layers_is_refused_by_name(
    kind: Any, of_policy: dict[str, Any], error: type[Exception], message: str, prior: SkillPrior
) -> None:
    with pytest.raises(error, match=message):
        SkillNetwork.of(*given_of(kind, prior, policy_kwargs={"net_arch": [4]} | of_policy))


def test_a_model_that_acts_otherwise_than_its_layers_is_refused(prior: SkillPrior) -> None:
    given = given_of(SAC, prior)
    given[0].policy.actor.mu.register_forward_hook(lambda module, args, out: out + 1)
    with pytest.raises(ValueError, match="model acts otherwise than its layers do"):
        SkillNetwork.of(*given)
    with pytest.raises(TypeError, match="got str"):
        SkillNetwork.of("model", *given[1:])


@pytest.mark.parametrize("door", [SkillNetwork.of, SkillPolicy])
def test_both_doors_refuse_what_the_prior_does_not_show(door: Any, prior: SkillPrior) -> None:
    def make() -> SkillActions:
        return SkillActions(DoubleIntegrator(), prior, ETA)

    with pytest.raises(ValueError, match="behind a VecNormalize of observations"):
        door(*given_of(SAC, prior, env=VecNormalize(DummyVecEnv([make]))))
    only_rewards = VecNormalize(DummyVecEnv([make]), norm_obs=False)
    door(*given_of(SAC, prior, env=only_rewards))
    with pytest.raises(ValueError, match="a memory of its own; RecurrentPPO"):
        door(*given_of(RecurrentPPO, prior))


@pytest.mark.parametrize("door", [SkillNetwork.of, SkillPolicy])
@pytest.mark.parametrize(
    ("eta", "error", "message"),
    [
        (float("nan"), ValueError, "eta must be a finite number > 0; got nan"),
        (0.0, ValueError, "eta must be a finite number > 0; got 0.0"),
        ("1", TypeError, "eta must be a finite number > 0"),
        (0.31, ValueError, r"eta must be that of the .* environment, .* got 0\.31"),
    ],
)
def test_a_bound_that_is_none_or_another_is_refused(
    door: Any, eta: Any, error: type[Exception], message: str, prior: SkillPrior
) -> None:
    model, _, _, *spaces = given_of(SAC, prior)
    with pytest.raises(error, match=message):
        door(model, prior, eta, *spaces)


def test_layers_are_built_again_from_their_description() -> None:
    layers = nn.Sequential(
        nn.Linear(2, 3, bias=False), nn.LeakyReLU(0.3), nn.GELU("tanh"), nn.Softplus(2.0, 9.0),
        nn.Hardtanh(-2.0, 0.5), nn.ELU(0.7), nn.CELU(1.3), nn.Linear(3, 1),
    )  # fmt: skip
    again = built(described(layers))
    again.load_state_dict(layers.state_dict())
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again(x), layers(x), atol=0, rtol=0)
    with pytest.raises(ValueError, match="layer must be one of 'Linear'"):
        built([["Flatten", {}]])
