"""Which network a bound has to enclose, for a model of Stable-Baselines3 or of this package.

Whatever stands between the observation and the action has to be known exactly. What is not is
refused with the reason, never guessed.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import FlattenExtractor, MlpExtractor
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN
from torch import Tensor, nn

from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.heads import ExpStd
from safer_gym.bounds.network import Activation, Affine, Layer, affine_layers, sequential_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.networks import MlpAction
from safer_gym.types import Victim
from safer_gym.wrappers.policies.altered import altered
from safer_gym.wrappers.policies.normaliser import Normaliser
from safer_gym.wrappers.policies.view import PolicyView


def policy_layers(
    policy: Any, *, vec_normalize: VecNormalize | Normaliser | None = None
) -> PolicyLayers:
    """The network behind a policy, as `safer_gym.bounds` takes it.

    Covered: CVPO and SAFER; SAC, SAC-Lagrangian, TQC and CrossQ; PPO, A2C and TRPO; TD3, DDPG and
    ARS (deterministic); the mean of a `Victim` made of a plain network; a torch module of Linear,
    ReLU, LeakyReLU and Tanh (deterministic). Means are in the units in which the policy adds its
    noise: before tanh for SAC and its kin, in [-1, 1] for CVPO and SAFER, in the environment's for
    PPO.

    Args:
        policy: a model, its policy, a `Victim`, a module, or `PolicyLayers`, returned as they are.
        vec_normalize: frozen statistics (training=False) that the policy's inputs go through,
            where the ball is around raw observations.

    Raises:
        NotCoveredError: a recurrent network, CrossQ in training mode, gSDE, images or Dict
            observations, discrete actions, running normalisation, unknown layers or objects.
    """
    if isinstance(policy, PolicyView):
        policy, vec_normalize = policy.inner, vec_normalize or policy.normaliser
    layers = _policy_layers(policy)
    return layers if vec_normalize is None else _behind(vec_normalize, layers)


def _policy_layers(policy: Any) -> PolicyLayers:
    if isinstance(policy, PolicyLayers):
        return policy
    if isinstance(policy, Victim):
        return _of_victim(policy)
    policy = getattr(policy, "policy", policy)
    if isinstance(policy, BaseModel):
        return _of_model(policy)
    if isinstance(policy, nn.Module):
        layers = sequential_layers(policy)
        return PolicyLayers(layers, len(affine_layers(layers)[-1].bias), describe="the module")
    raise NotCoveredError(f"a policy of type {type(policy).__name__}", "its network is not known")


def _of_victim(victim: Victim) -> PolicyLayers:
    if not isinstance(victim.action, MlpAction):
        raise NotCoveredError(
            "this victim", "its action is not a plain network; pass the model itself"
        )
    hidden = Activation(victim.action.activation)
    layers: list[Layer] = []
    for weight, bias in victim.action.layers:
        layers += [Affine(weight.mT, bias), hidden]
    layers = layers[:-1]
    width = len(affine_layers(layers)[-1].bias)
    return PolicyLayers(layers, width, squash="tanh", describe="the victim's mean action")


def _of_model(policy: BaseModel) -> PolicyLayers:
    name = type(policy).__name__
    _check_spaces(policy, name)
    if reason := altered(policy):
        raise NotCoveredError(name, f"{reason}, and the network may not be what acts")
    if isinstance(policy, ActorCriticPolicy):
        return _on_policy(policy)
    actor = getattr(policy, "actor", policy)
    _check_extractor(getattr(actor, "features_extractor", None))
    own: Any = getattr(actor, "policy_layers", None)
    if callable(own):
        return own()
    if hasattr(actor, "log_std") and hasattr(actor, "latent_pi"):
        return _squashed_gaussian(actor, name)
    network = getattr(actor, "mu", None) or getattr(actor, "action_net", None)
    if isinstance(network, nn.Sequential):
        layers = sequential_layers(network)
        width = len(affine_layers(layers)[-1].bias)
        return PolicyLayers(layers, width, describe=f"the deterministic {name}")
    raise NotCoveredError(f"the actor of {name}", "its network is not known")


def _on_policy(policy: ActorCriticPolicy) -> PolicyLayers:
    name = type(policy).__name__
    _check_extractor(policy.pi_features_extractor)
    if type(policy.action_dist) is not DiagGaussianDistribution:
        raise NotCoveredError(
            f"the distribution {type(policy.action_dist).__name__} of {name}",
            "only diagonal Gaussians are; train without use_sde",
        )
    if type(policy.mlp_extractor) is not MlpExtractor:
        raise NotCoveredError(
            f"the extractor {type(policy.mlp_extractor).__name__} of {name}", "only MlpExtractor is"
        )
    layers = sequential_layers([policy.mlp_extractor.policy_net, policy.action_net])
    std = policy.log_std.detach().double().exp()
    return PolicyLayers(layers, len(std), scale=std, describe=f"the stochastic {name}")


def _squashed_gaussian(actor: Any, name: str) -> PolicyLayers:
    if getattr(actor, "use_sde", False):
        raise NotCoveredError(f"gSDE of {name}", "its noise is not a Gaussian fresh at every step")
    trunk = sequential_layers(actor.latent_pi)
    mean, log_std = (
        affine_layers(sequential_layers(head))[0] for head in (actor.mu, actor.log_std)
    )
    joined = Affine(torch.cat([mean.weight, log_std.weight]), torch.cat([mean.bias, log_std.bias]))
    head = ExpStd(LOG_STD_MIN, LOG_STD_MAX)
    return PolicyLayers(
        [*trunk, joined], len(mean.bias), scale=head, describe=f"the stochastic {name}"
    )


def _check_spaces(policy: BaseModel, name: str) -> None:
    observed, action = policy.observation_space, policy.action_space
    if not isinstance(action, spaces.Box):
        raise NotCoveredError(f"{name} with actions {action}", "only continuous actions (Box) are")
    if not isinstance(observed, spaces.Box):
        raise NotCoveredError(f"{name} with observations {observed}", "only a Box is")
    if is_image_space(observed):
        raise NotCoveredError(f"{name} of images", "only vectors are")


def _check_extractor(extractor: Any) -> None:
    if type(extractor) is not FlattenExtractor:
        raise NotCoveredError(
            f"the features extractor {type(extractor).__name__}", "only FlattenExtractor is"
        )


def _behind(normaliser: VecNormalize | Normaliser, policy: PolicyLayers) -> PolicyLayers:
    """The policy as a function of raw observations: scale, shift and clip written as layers."""
    if normaliser.training:
        raise NotCoveredError("running normalisation", "set vec_normalize.training = False first")
    if not normaliser.norm_obs:
        return policy
    rms: Any = normaliser.obs_rms
    if isinstance(rms, dict):
        raise NotCoveredError("normalised Dict observations", "only a Box is")
    dtype = affine_layers(policy.layers)[0].weight.dtype
    deviation = torch.as_tensor(rms.var + normaliser.epsilon).flatten().double().sqrt()
    mean = torch.as_tensor(rms.mean).flatten().double()
    # The mean goes first, and in two parts: far from zero its float32 has too few digits.
    eye, rounded = torch.eye(len(mean), dtype=torch.float64), mean.to(dtype).double()
    ends = _clip_layers(1 / deviation, float(normaliser.clip_obs))
    clip: list[Layer] = [Affine(eye, -rounded), Affine(eye, rounded - mean), *ends]
    clip = [Affine(*(t.to(dtype) for t in c)) if isinstance(c, Affine) else c for c in clip]
    layers = (*clip, *policy.layers)
    return PolicyLayers(layers, policy.action_dim, policy.squash, policy.scale, policy.describe)


def _clip_layers(scale: Tensor, limit: float) -> list[Layer]:
    """min(max(scale x, -limit), limit) = relu(scale x + limit) - relu(scale x - limit) - limit."""
    eye, limits = torch.eye(len(scale), dtype=scale.dtype), torch.full_like(scale, limit)
    ends = Affine(torch.cat([torch.diag(scale)] * 2), torch.cat([limits, -limits]))
    join = Affine(torch.cat([eye, -eye], dim=1), -limits)
    return [ends, Activation("relu"), join]
