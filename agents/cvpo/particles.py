"""The actions that the E-step weighs: drawn from the old policy, scored by the target critics.

Shapes: N sampled actions, B states, A action dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.cvpo.estep import Dual, estep_weights
from safer_gym.agents.cvpo.mstep import Posterior, weighted_moments
from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.td import aggregate
from safer_gym.divergences import sample_gaussian
from safer_gym.types import Gaussian

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the critics' products between hidden layers."""
MLE_SCALES = ("sum", "mean")


class Particles(NamedTuple):
    """Sampled actions and what they are worth."""

    old: Gaussian
    """The old policy pi_i at the states."""
    actions: Tensor
    """[N, B, A], not clipped."""
    q_reward: Tensor
    """[N, B], of the clipped actions."""
    q_cost: Tensor


@torch.no_grad()
def draw_particles(
    policy: ConstrainedPolicy,
    obs: PyTorchObs,
    n_particles: int,
    aggregations: tuple[str, str],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> Particles:
    """Draw and score.

    Args:
        aggregations: how the members of the reward and of the cost ensemble become one value.
    """
    old = policy.actor_target.distribution(obs)
    actions = sample_gaussian(old, n_particles, generator)
    clipped = actions.clamp(-1.0, 1.0)
    critics = (policy.critic_target, policy.cost_critic_target)
    q_reward, q_cost = (
        aggregate(critic.values(obs, clipped, dtype), how)
        for critic, how in zip(critics, aggregations, strict=True)
    )
    return Particles(old, actions, q_reward, q_cost)


@torch.no_grad()
def posterior_of(particles: Particles, dual: Dual, mle_scale: str) -> Posterior:
    """What the M-step fits: the actions weighed by Eq. 5.

    Args:
        mle_scale: "sum" or "mean"; see MStepOptions.
    """
    old, actions, q_reward, q_cost = particles
    weights = estep_weights(q_reward, q_cost, dual)
    full = old.scale.dim() > old.mean.dim()
    scale = 1.0 if mle_scale == "sum" else 1.0 / len(actions)
    return Posterior(weighted_moments(actions, weights, full), old, scale)
