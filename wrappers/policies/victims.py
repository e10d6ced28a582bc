"""Any policy as a victim: an SB3 model, a torch module, an object with `predict`, a callable.

A victim's functions take raw observations (a tensor [B, *O], or a dict of tensors for Dict
spaces) and speak of actions in the environment's units. Asking them changes nothing in the
policy: neither its training mode, nor its gradients, nor any random state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from safer_gym.types import ActionFn, QFn, Victim
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.normaliser import Normaliser, behind
from safer_gym.wrappers.policies.sb3 import sb3_victim


def as_victim(
    policy: Any,
    *,
    q_reward: QFn | None = None,
    q_cost: QFn | None = None,
    vec_normalize: VecNormalize | Normaliser | None = None,
    device: str | torch.device = "cpu",
) -> Victim:
    """The differentiable functions that an attack may use of `policy`.

    Args:
        policy: a `Victim`; anything with a method `victim()`; a Stable-Baselines3 or sb3-contrib
            model with a Box action space, or its policy; a torch module [B, *O] -> [B, A]; an
            object with SB3's `predict(obs, deterministic=True)`, asked with batches; or a
            callable from ONE numpy observation to one action. The last two give no gradients.
        q_reward, q_cost: critics to use instead of the policy's own, e.g. from `fit_critics`.
        vec_normalize: the VecNormalize a model was trained with, where the attack sees raw
            observations and the model normalised ones. Its statistics are read at each call and
            never updated.
        device: where the observations will be. The policy computes where it lives; only tensors
            travel.

    Raises:
        ValueError: for discrete actions and for recurrent policies.
        TypeError: for an object that is none of the above.
    """
    torch.device(device)
    victim = _as_victim(policy)
    if vec_normalize is not None:
        victim = behind(vec_normalize, victim)
    if q_reward is not None:
        victim = victim._replace(q_reward=q_reward)
    if q_cost is not None:
        victim = victim._replace(q_cost=q_cost)
    return victim


def through(layout: ObsLayout, victim: Victim) -> Victim:
    """The victim as a function of packed observations [B, *O] or [B, D]."""
    return victim.seen_as(layout.unpack) if layout.parts else victim


def _as_victim(policy: Any) -> Victim:
    if isinstance(policy, Victim):
        return policy
    if callable(getattr(policy, "victim", None)):
        return policy.victim()
    if isinstance(policy, (BaseAlgorithm, BasePolicy)):
        made = sb3_victim(policy)
        return made if made is not None else Victim(_predicted(policy))
    if isinstance(policy, nn.Module):
        return Victim(_module_action(policy))
    if callable(getattr(policy, "predict", None)):
        return Victim(_predicted(policy))
    if callable(policy):
        return Victim(_called_one_by_one(policy))
    raise TypeError(
        "policy must be a Victim, an SB3 model, a torch module, a callable, or have a method "
        f"victim() or predict(); got {type(policy).__name__}"
    )


def _module_action(module: nn.Module) -> ActionFn:
    def action(obs: Any) -> Tensor:
        like = _any_tensor(obs)
        own = next(module.parameters(), like)
        with as_found(module):
            result = module(_map(obs, lambda value: value.to(own.device, own.dtype)))
        if not isinstance(result, Tensor) or result.dim() != 2 or len(result) != len(like):
            got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
            raise ValueError(f"a torch policy must return actions [{len(like)}, A]; got {got}")
        return result.to(like)

    return action


def _predicted(policy: Any) -> ActionFn:
    def action(obs: Any) -> Tensor:
        modules = [m for m in (policy, getattr(policy, "policy", None)) if isinstance(m, nn.Module)]
        with as_found(*modules):
            actions, _ = policy.predict(_numpy(obs), deterministic=True)
        return _as_rows(actions, _any_tensor(obs))

    return action


def _called_one_by_one(function: Callable[[Any], Any]) -> ActionFn:
    def action(obs: Any) -> Tensor:
        arrays, like = _numpy(obs), _any_tensor(obs)
        rows = range(len(like))
        if isinstance(arrays, dict):
            answers = [function({key: a[row] for key, a in arrays.items()}) for row in rows]
        else:
            answers = [function(arrays[row]) for row in rows]
        return _as_rows(np.stack([np.asarray(answer) for answer in answers]), like)

    return action


def _as_rows(actions: Any, like: Tensor) -> Tensor:
    array = np.asarray(actions)
    if array.shape[:1] != (len(like),) or not np.issubdtype(array.dtype, np.number):
        raise ValueError(
            f"the policy must return one action of numbers for each of {len(like)} observations; "
            f"got shape {array.shape} of {array.dtype}"
        )
    return torch.as_tensor(array.reshape(len(like), -1)).to(like)


def _any_tensor(obs: Any) -> Tensor:
    return next(iter(obs.values())) if isinstance(obs, dict) else obs


def _map(obs: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(obs, dict):
        return {key: function(value) for key, value in obs.items()}
    return function(obs)


def _numpy(obs: Any) -> Any:
    return _map(obs, lambda value: value.detach().cpu().numpy())  # type: ignore[arg-type,return-value]
