"""One step of the reward and the cost critic (SAFER, Eq. 58 to 60)."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from stable_baselines3.common.policies import BaseModel
from torch import Tensor

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.finite import require_finite_loss
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.networks.plain import written_out
from safer_gym.agents.td import aggregate, td_loss, td_target, track
from safer_gym.choices import choose
from safer_gym.networks import Chain

COST_BOOTSTRAPS = ("always", "until_terminated")
COST_ACTIONS = ("mean", "sample")


class CriticPair(Protocol):
    """A policy's critics and their targets."""

    critic: QEnsemble
    critic_target: QEnsemble
    cost_critic: QEnsemble
    cost_critic_target: QEnsemble


class Targets(NamedTuple):
    """What the critics should say of a batch; each [B]."""

    reward: Tensor
    cost: Tensor


def critic_targets(
    data: CostSamples, reward_next: Tensor, cost_next: Tensor, cost_bootstrap: str
) -> Targets:
    """Eq. 58 and 59 from the values of the next states [B].

    Args:
        cost_bootstrap: "always" lets the cost go on behind an episode's end (public CVPO).
    """
    return Targets(reward_target(data, reward_next), cost_target(data, cost_next, cost_bootstrap))


def reward_target(data: CostSamples, reward_next: Tensor) -> Tensor:
    """Eq. 58 from the values of the next states [B]."""
    rewards, discounts, ended = (
        part.squeeze(-1) for part in (data.rewards, data.discounts, data.dones)
    )
    return td_target(rewards, discounts, reward_next, ended)


def cost_target(data: CostSamples, cost_next: Tensor, cost_bootstrap: str) -> Tensor:
    """Eq. 59 from the values of the next states [B]; `cost_bootstrap` as above."""
    choose("cost_bootstrap", cost_bootstrap, COST_BOOTSTRAPS)
    ended = data.dones.squeeze(-1) * float(cost_bootstrap == "until_terminated")
    return td_target(data.costs.squeeze(-1), data.discounts.squeeze(-1), cost_next, ended)


def fit_critics(
    nets: CriticPair,
    data: CostSamples,
    actions: tuple[Tensor, Tensor],
    aggregations: tuple[str, str],
    cost_bootstrap: str,
    max_grad_norm: float | None,
) -> dict[str, Tensor]:
    """One optimiser step of both critics (Eq. 58 to 60); returns the losses before it, by name.

    Args:
        actions: the next actions [B, A] whose reward, and whose cost, is counted.
        aggregations: how the members of the reward and of the cost ensemble become one value.
    """
    critics = (nets.critic_target, nets.cost_critic_target)
    with torch.no_grad():
        reward_next, cost_next = (
            aggregate(critic.values(data.next_observations, action), how)
            for critic, action, how in zip(critics, actions, aggregations, strict=True)
        )
        targets = critic_targets(data, reward_next, cost_next, cost_bootstrap)
    return {
        "critic_loss": fit_critic("critic", nets.critic, data, targets.reward, max_grad_norm),
        "cost_critic_loss": fit_critic(
            "cost critic", nets.cost_critic, data, targets.cost, max_grad_norm
        ),
    }


def track_critics(nets: CriticPair, tau: float) -> None:
    """Eq. 61 for both critics."""
    track(nets.critic, nets.critic_target, tau)
    track(nets.cost_critic, nets.cost_critic_target, tau)


def fit_critic(
    name: str, net: QEnsemble, data: CostSamples, target: Tensor, max_grad_norm: float | None
) -> Tensor:
    """One optimiser step towards `target` [B]; returns the loss before it.

    Raises:
        NotFiniteError: the loss, or a gradient; no weight has changed.
    """
    activation = written_out(net)
    if activation is not None:
        loss = _set_gradients(net, activation, data, target)
    else:
        loss = td_loss(net.values(data.observations, data.actions), target)
        net.optimizer.zero_grad(set_to_none=True)
        loss.backward()
    take_step(name, net, loss, max_grad_norm)
    return loss.detach()


@torch.no_grad()
def _set_gradients(net: QEnsemble, activation: str, data: CostSamples, target: Tensor) -> Tensor:
    """The gradients of `td_loss` by all weights, without autograd; returns the loss."""
    layers = net.ensemble.layers
    chain = Chain(layers, activation)
    obs: Tensor = net.extract_features(data.observations, net.features_extractor)
    rows = chain.of_members(torch.cat([obs, data.actions], dim=1))
    values = chain.forward(chain.affine(chain.biases[0], rows, chain.weights[0]))
    gap = values[-1] - target.unsqueeze(1)
    _, found = chain.learn(gap * (2.0 / len(target)), rows, values)
    parameters = (part for layer in layers for part in layer)
    for parameter, gradient in zip(parameters, found, strict=True):
        parameter.grad = gradient.view(parameter.shape)
    return gap.square().sum() / len(target)


def descend(name: str, loss: Tensor, net: BaseModel, max_grad_norm: float | None) -> None:
    """One step of a network's own optimiser. Raises as `fit_critic` does."""
    net.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    take_step(name, net, loss, max_grad_norm)


def take_step(name: str, net: Any, loss: Tensor, max_grad_norm: float | None) -> None:
    """One step of a network's own optimiser by the gradients it has. Raises as `fit_critic` does.

    Args:
        loss: whose gradients they are.
    """
    # Not net.parameters(): a shared extractor belongs to the actor alone.
    own = net.optimizer.param_groups[0]["params"]
    require_finite_loss(name, loss, own)
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(own, max_grad_norm)
    net.optimizer.step()
