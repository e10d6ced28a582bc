"""Stable-Baselines3 and sb3-contrib models as victims.

Networks are called part by part, because their own `forward` stores distributions on the policy.
Critics speak of actions scaled to [-1, 1]; victims of actions in the environment's units.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel, BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from safer_gym.types import Gaussian, QFn, Victim
from safer_gym.wrappers.action_rows import ChoiceRows
from safer_gym.wrappers.obs_layout import any_part
from safer_gym.wrappers.policies.choosing import choosing_victim
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.recurrent import Ask, Step


def sb3_victim(model: Any) -> Victim | None:
    """The victim of a model or policy; None where only its `predict` is of use.

    On-policy (PPO, A2C, TRPO): the mean action cut to the action box; no critics. An action that
    is cut has no gradient: gradient attacks then try random points, and "random_search" is worth
    a try. ARS: the same, without noise. Off-policy (SAC, TD3, DDPG, TQC, CrossQ): q_reward is the
    least of the critics, for TQC the mean of all quantiles. The distribution of a squashed policy
    is the one before squashing. Of discrete actions: on-policy models draw by the softmax of their
    logits; DQN and QR-DQN take the action of the largest value, and their values are q_reward.

    Raises:
        ValueError: for recurrent policies, and for policies that need action masks.
    """
    policy = getattr(model, "policy", model)
    if _takes_masks(policy):
        raise ValueError(
            f"{type(model).__name__} chooses among the actions that the environment's masks allow: "
            "attacks and bounds ask a policy by its observation alone. To measure it without "
            "masks, pass lambda obs: model.predict(obs, deterministic=True)[0]"
        )
    if returns_state(policy):
        raise ValueError(
            f"{type(model).__name__} is recurrent, its `predict` returns a state: what it does "
            "depends on rows of memory and observation, see `PolicyView.in_space`"
        )
    if not isinstance(policy.action_space, spaces.Box):
        return _choosing(policy)
    if isinstance(policy, ActorCriticPolicy):
        return _on_policy(policy)
    actor = getattr(policy, "actor", None)
    if hasattr(actor, "get_action_dist_params"):
        return _squashed_gaussian(policy)
    if hasattr(actor, "mu"):
        return _deterministic(policy)
    if hasattr(policy, "action_net"):
        return _direct(policy)
    return None


def returns_state(policy: BasePolicy) -> bool:
    """Whether its `predict` hands on a memory."""
    with as_found(policy):
        return policy.predict(_blank(policy.observation_space), deterministic=True)[1] is not None


def _takes_masks(policy: BasePolicy) -> bool:
    return "action_masks" in inspect.signature(policy.predict).parameters


def _blank(space: spaces.Space) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _blank(part) for key, part in space.spaces.items()}
    return np.zeros(space.shape or (), space.dtype)


def _choosing(policy: BasePolicy) -> Victim | None:
    """Logits, or values, of discrete actions."""
    rows = ChoiceRows(policy.action_space)  # type: ignore[arg-type]
    if np.any(getattr(policy.action_space, "start", 0)):
        raise ValueError(
            f"Stable-Baselines3 answers with options counted from 0, and {policy.action_space} "
            "starts elsewhere: shift the actions by a wrapper of the environment"
        )
    draws = isinstance(policy, ActorCriticPolicy)
    values = getattr(policy, "q_net", None) or getattr(policy, "quantile_net", None)
    give: Callable[[Any], Tensor]
    if values is not None:
        give = lambda obs: values(_prepared(policy, obs))  # noqa: E731
    elif hasattr(policy, "action_net"):
        network: Any = policy.action_net
        give = lambda obs: network(_latent(policy, obs))  # noqa: E731
    else:
        return None

    def scores(obs: Any) -> Tensor:
        with as_found(policy):
            found = give(obs)
        # Of quantiles [B, N, A] the mean counts.
        return rows.scores(found.mean(1) if found.dim() == 3 else found).to(any_part(obs))

    return choosing_victim(scores, rows.sizes, draws=draws, are_values=values is not None)


def _latent(policy: Any, obs: Any) -> Tensor:
    """What the last layer reads; ARS has no other one."""
    if not isinstance(policy, ActorCriticPolicy):
        return policy.extract_features(_prepared(policy, obs), policy.features_extractor)
    return policy.mlp_extractor.forward_actor(_actor_features(policy, obs))


def _on_policy(policy: ActorCriticPolicy) -> Victim:
    def distribution(obs: Any) -> Gaussian:
        with as_found(policy):
            latent = _latent(policy, obs)
            return _gaussian(policy, latent, any_part(obs))

    return Victim(lambda obs: _acted(policy, distribution(obs).mean), distribution=distribution)


def recurrent_parts(model: Any) -> Ask | None:
    """The parts of an on-policy model with an LSTM; None for any other."""
    policy: Any = getattr(model, "policy", model)
    if not isinstance(policy, ActorCriticPolicy) or not hasattr(policy, "lstm_actor"):
        return None
    run: Any = policy._process_sequence

    def ask(obs: Any, state: Any) -> Step:
        like: Tensor = any_part(obs)
        lstm: Any = policy.lstm_actor
        shape = (lstm.num_layers, len(like), lstm.hidden_size)
        given = (np.zeros(shape), np.zeros(shape)) if state is None else state
        before = tuple(torch.as_tensor(part).to(policy.device).float() for part in given)
        goes_on = torch.zeros(len(like), device=policy.device)
        # cuDNN has no gradient of an LSTM in evaluation mode.
        with as_found(policy), torch.backends.cudnn.flags(enabled=False):
            features = _actor_features(policy, obs)
            hidden, after = run(features, before, goes_on, lstm)
            latent = policy.mlp_extractor.forward_actor(hidden)
            if not isinstance(policy.action_space, spaces.Box):
                return Step(policy.action_net(latent).to(like), after)
            found = _gaussian(policy, latent, like)
        return Step(_acted(policy, found.mean), after, found)

    return ask


def _actor_features(policy: ActorCriticPolicy, obs: Any) -> Tensor:
    found: Any = BaseModel.extract_features(
        policy, _prepared(policy, obs), policy.pi_features_extractor
    )
    return found


def _gaussian(policy: ActorCriticPolicy, latent: Tensor, like: Tensor) -> Gaussian:
    mean = policy.action_net(latent)
    scale = _deviation(policy.action_dist, policy.log_std, mean, latent)
    return Gaussian(mean.to(like), scale.to(like))


def _acted(policy: ActorCriticPolicy, mean: Tensor) -> Tensor:
    if policy.squash_output:
        return _unscaled(policy, torch.tanh(mean))
    low, high = _bounds(policy, mean)
    return torch.clamp(mean, low, high)


def _squashed_gaussian(policy: Any) -> Victim:
    def distribution(obs: Any) -> Gaussian:
        like, actor = any_part(obs), policy.actor
        with as_found(actor):
            mean, log_std, extra = actor.get_action_dist_params(_prepared(policy, obs))
            scale = _deviation(actor.action_dist, log_std, mean, extra.get("latent_sde"))
        return Gaussian(mean.to(like), scale.to(like))

    def action(obs: Any) -> Tensor:
        return _unscaled(policy, torch.tanh(distribution(obs).mean))

    return Victim(action, q_reward=_critic(policy), distribution=distribution)


def _deterministic(policy: Any) -> Victim:
    def action(obs: Any) -> Tensor:
        with as_found(policy.actor):
            scaled = policy.actor(_prepared(policy, obs))
        return _unscaled(policy, scaled.to(any_part(obs)))

    return Victim(action, q_reward=_critic(policy))


def _direct(policy: Any) -> Victim:
    """Of ARS: one network, without noise and without critics."""

    def action(obs: Any) -> Tensor:
        with as_found(policy):
            found = policy.action_net(_latent(policy, obs)).to(any_part(obs))
        if policy.squash_output:
            return _unscaled(policy, found)
        low, high = _bounds(policy, found)
        return torch.clamp(found, low, high)

    return Victim(action)


def _critic(policy: Any) -> QFn | None:
    if getattr(policy, "critic", None) is None:
        return None

    def q_reward(obs: Any, action: Tensor) -> Tensor:
        low, high = _bounds(policy, action)
        scaled = (2 * (action - low) / (high - low) - 1).to(policy.device).float()
        with as_found(policy.critic):
            values = policy.critic(_prepared(policy, obs), scaled)
        if isinstance(values, Tensor):
            return values.flatten(1).mean(1).to(action)
        return torch.cat(tuple(values), dim=1).amin(1).to(action)

    return q_reward


def _deviation(dist: Any, log_std: Tensor, mean: Tensor, latent: Tensor | None) -> Tensor:
    """Standard deviations [B, A]; with gSDE they depend on the latent features."""
    if not hasattr(dist, "get_std"):
        return log_std.exp().expand_as(mean)
    assert latent is not None
    latent = latent if dist.learn_features else latent.detach()
    return ((latent**2) @ dist.get_std(log_std) ** 2 + dist.epsilon).sqrt()


def _prepared(policy: BasePolicy, obs: Any) -> Any:
    if isinstance(obs, dict):
        parts = policy.observation_space.spaces  # type: ignore[attr-defined]
        return {key: _placed(policy, value, parts[key]) for key, value in obs.items()}
    return _placed(policy, obs, policy.observation_space)


def _placed(policy: BasePolicy, obs: Tensor, space: spaces.Space) -> Tensor:
    """On the policy's device; images with channels first where the policy has them so."""
    obs = obs.to(policy.device)
    if is_image_space(space) and obs.shape[1:] != space.shape:
        return obs.permute(0, 3, 1, 2)
    return obs


def _bounds(policy: BasePolicy, like: Tensor) -> tuple[Tensor, Tensor]:
    box: Any = policy.action_space
    return torch.as_tensor(box.low.reshape(-1)).to(like), torch.as_tensor(box.high.reshape(-1)).to(
        like
    )


def _unscaled(policy: BasePolicy, scaled: Tensor) -> Tensor:
    low, high = _bounds(policy, scaled)
    return low + 0.5 * (scaled + 1) * (high - low)
