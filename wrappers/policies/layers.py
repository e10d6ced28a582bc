"""Which network a bound has to enclose, for a model of Stable-Baselines3 or of this package.

Whatever stands between the observation and the action has to be known exactly. What is not is
refused with the reason, never guessed.
"""

from __future__ import annotations

from dataclasses import replace
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
from safer_gym.bounds.modules import sequential_layers
from safer_gym.bounds.network import Activation, Affine, Layer, Layers, affine_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.bounds.softmax import OptionLayers
from safer_gym.networks import MlpAction
from safer_gym.types import Victim
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.policies.altered import altered
from safer_gym.wrappers.policies.normaliser import Normaliser
from safer_gym.wrappers.policies.sb3 import recurrent_parts
from safer_gym.wrappers.policies.view import PolicyView

NO_HISTORY = (
    "what an adversary shows at one step moves what the policy does at all later ones through its "
    "memory, and the enclosure of one step does not follow it there"
)
"""Why no bound over every adversary covers a policy with a memory."""


def policy_layers(
    policy: Any, *, vec_normalize: VecNormalize | Normaliser | None = None
) -> PolicyLayers | OptionLayers:
    """The network behind a policy, as `safer_gym.bounds` takes it.

    Covered: CVPO and SAFER; SAC, SAC-Lagrangian, TQC and CrossQ; PPO, A2C and TRPO; TD3, DDPG, both
    with a Lagrangian, and ARS (deterministic); the mean of a `Victim` made of a plain network; a
    torch module of the layers in `safer_gym.bounds.MODULES` (deterministic). Means are in the
    units in which the policy adds its noise: before tanh for SAC and its kin, in [-1, 1] for CVPO
    and SAFER, in the environment's for PPO. With discrete actions PPO, A2C and TRPO, which draw
    options, and DQN, QR-DQN and modules, which take the best.

    Args:
        policy: a model, its policy, a `Victim`, a module, or layers, returned as they are.
        vec_normalize: frozen statistics (training=False) that the policy's inputs go through,
            where the ball is around raw observations.

    Raises:
        NotCoveredError: a recurrent network, CrossQ in training mode, gSDE, images or Dict
            observations, running normalisation, unknown layers or objects.
    """
    actions = None
    if isinstance(policy, PolicyView):
        if policy.recurrence is not None:
            raise NotCoveredError("a policy with a memory", NO_HISTORY)
        if policy.layout is not None and policy.layout.is_dict:
            raise NotCoveredError(f"Dict observations, {policy.layout.space},", "only a Box is")
        actions, normaliser = policy.actions, policy.normaliser
        policy, vec_normalize = policy.inner, vec_normalize or normaliser
    layers = _policy_layers(policy, actions)
    return layers if vec_normalize is None else _behind(vec_normalize, layers)


def _policy_layers(policy: Any, actions: spaces.Space | None) -> PolicyLayers | OptionLayers:
    if isinstance(policy, (PolicyLayers, OptionLayers)):
        return policy
    if isinstance(policy, Victim):
        return _of_victim(policy)
    policy = getattr(policy, "policy", policy)
    if isinstance(policy, BaseModel):
        return _of_model(policy)
    if isinstance(policy, nn.Module):
        layers = sequential_layers(policy)
        if actions is not None and not isinstance(actions, spaces.Box):
            return option_layers(layers, actions, draws=False, describe="the module")
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


def _of_model(policy: BaseModel) -> PolicyLayers | OptionLayers:
    name = type(policy).__name__
    if recurrent_parts(policy) is not None:
        raise NotCoveredError(name, NO_HISTORY)
    _check_spaces(policy, name)
    if reason := altered(policy):
        raise NotCoveredError(name, f"{reason}, and the network may not be what acts")
    if not isinstance(policy.action_space, spaces.Box):
        return _choosing(policy, name)
    if isinstance(policy, ActorCriticPolicy):
        return _on_policy(policy)
    actor = getattr(policy, "actor", policy)
    _check_extractor(getattr(actor, "features_extractor", None))
    own: Any = getattr(policy, "policy_layers", None) or getattr(actor, "policy_layers", None)
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


def _choosing(policy: Any, name: str) -> OptionLayers:
    if isinstance(policy, ActorCriticPolicy):
        layers = _on_policy_layers(policy, name)
        describe = f"the stochastic {name}"
        return option_layers(layers, policy.action_space, draws=True, describe=describe)
    q_net = getattr(policy, "q_net", None) or getattr(policy, "quantile_net", None) or policy
    _check_extractor(getattr(q_net, "features_extractor", None))
    layers = scores_network(q_net)
    return option_layers(layers, policy.action_space, draws=False, describe=f"the greedy {name}")


def option_layers(
    layers: Layers, space: spaces.Space, *, draws: bool, describe: str
) -> OptionLayers:
    """The network that gives scores of a discrete space's options."""
    rows = action_rows(space)
    if isinstance(space, spaces.MultiBinary) and rows.sizes is not None:
        # One logit a bit: that of a one, over zero.
        bits = torch.eye(len(rows.sizes)).repeat_interleave(2, 0)
        bits[::2] = 0.0
        weight = bits.to(affine_layers(layers)[-1].weight)
        layers = (*layers, Affine(weight, weight.new_zeros(len(weight))))
    assert rows.sizes is not None
    return OptionLayers(layers, rows.sizes, draws, describe)


def scores_network(q_net: Any) -> tuple[Layer, ...]:
    """The scores of a DQN, a QR-DQN or an ARS as layers; quantiles are averaged."""
    plain = getattr(q_net, "q_net", None) or getattr(q_net, "action_net", None)
    if isinstance(plain, nn.Sequential):
        return sequential_layers(plain)
    if not isinstance(getattr(q_net, "quantile_net", None), nn.Sequential):
        raise NotCoveredError(f"the network {type(q_net).__name__}", "its layers are not known")
    layers = sequential_layers(q_net.quantile_net)
    n, width = q_net.n_quantiles, len(affine_layers(layers)[-1].bias)
    mean = torch.eye(width // n).repeat(1, n) / n
    mean = mean.to(affine_layers(layers)[-1].weight)
    return (*layers, Affine(mean, mean.new_zeros(len(mean))))


def _on_policy_layers(policy: ActorCriticPolicy, name: str) -> tuple[Layer, ...]:
    _check_extractor(policy.pi_features_extractor)
    if type(policy.mlp_extractor) is not MlpExtractor:
        raise NotCoveredError(
            f"the extractor {type(policy.mlp_extractor).__name__} of {name}", "only MlpExtractor is"
        )
    return sequential_layers([policy.mlp_extractor.policy_net, policy.action_net])


def _on_policy(policy: ActorCriticPolicy) -> PolicyLayers:
    name = type(policy).__name__
    layers = _on_policy_layers(policy, name)
    if type(policy.action_dist) is not DiagGaussianDistribution:
        raise NotCoveredError(
            f"the distribution {type(policy.action_dist).__name__} of {name}",
            "only diagonal Gaussians are; train without use_sde",
        )
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
    words = f"the stochastic {name}"
    layers = [*trunk, joined]
    return PolicyLayers(layers, len(mean.bias), scale=head, describe=words, tanh_follows=True)


def _check_spaces(policy: BaseModel, name: str) -> None:
    observed = policy.observation_space
    if not isinstance(observed, spaces.Box):
        raise NotCoveredError(f"{name} with observations {observed}", "only a Box is")
    if is_image_space(observed):
        raise NotCoveredError(f"{name} of images", "only vectors are")


def _check_extractor(extractor: Any) -> None:
    if type(extractor) is not FlattenExtractor:
        raise NotCoveredError(
            f"the features extractor {type(extractor).__name__}", "only FlattenExtractor is"
        )


def _behind(normaliser: VecNormalize | Normaliser, policy: Any) -> Any:
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
    return replace(policy, layers=(*clip, *policy.layers))


def _clip_layers(scale: Tensor, limit: float) -> list[Layer]:
    """min(max(scale x, -limit), limit) = relu(scale x + limit) - relu(scale x - limit) - limit."""
    eye, limits = torch.eye(len(scale), dtype=scale.dtype), torch.full_like(scale, limit)
    ends = Affine(torch.cat([torch.diag(scale)] * 2), torch.cat([limits, -limits]))
    join = Affine(torch.cat([eye, -eye], dim=1), -limits)
    return [ends, Activation("relu"), join]
