"""How far an adversary can move the mean, in deviations, as a differentiable penalty."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.certified.options import CertifiedOptions
from safer_gym.agents.networks.actors import GaussianActor
from safer_gym.agents.networks.plain import reads_flat
from safer_gym.agents.training_attack.flat_obs import flat_bounds
from safer_gym.balls import LpBall, require_shape
from safer_gym.bounds.live import live_mean_box, squared_shift
from safer_gym.types import Gaussian


def mean_squared_shift(actor: GaussianActor, obs: Tensor, policy: Gaussian, ball: LpBall) -> Tensor:
    """The batch mean of the largest m^2 in the ball around each observation [B, O], a scalar.

    Gradients reach the network of the mean and, which widens the noise, the deviations.

    Args:
        policy: the actor's distribution at `obs`, with noise that does not depend on it.
    """
    return squared_shift(live_mean_box(actor.live_mean(), obs, ball), *policy).mean()


def certified_loss(
    agent: Any, obs: PyTorchObs, policy: Gaussian
) -> tuple[Tensor | float, dict[str, Tensor | float]]:
    """The penalty times its weight at the agent's present progress, and what is logged of it."""
    options: CertifiedOptions = agent.certified
    if options.certified_weight == 0:
        return 0.0, {}
    radius = options.radius(1.0 - agent._current_progress_remaining)
    normaliser = agent._vec_normalize_env
    shown = {} if normaliser is None else {"shown": normaliser.normalize_obs}
    box = flat_bounds(agent.observation_space, **shown)
    ball = LpBall.of(options.certified_norm, radius, *box)
    some = slice(options.certified_states)  # a batch is drawn at random: its first states are, too
    states, drawn = torch.as_tensor(obs)[some], Gaussian(*(part[some] for part in policy))
    square = mean_squared_shift(agent.actor, states, drawn, ball)
    shift, eps = square.detach().sqrt(), float(ball.eps.max())
    return options.certified_weight * square, {"certified_shift": shift, "certified_eps": eps}


def require_enclosable(actor: Any, options: CertifiedOptions) -> None:
    """Refuse a penalty on an actor that no Gaussian filter covers.

    Raises:
        ValueError: noise that depends on the observation, an observation that is no vector, a
            radius that does not fit it.
        NotCoveredError: (a ValueError) an activation without an enclosure.
    """
    if options.certified_weight == 0:
        return
    if actor.covariance != "constant":
        raise ValueError(
            "certified_weight needs noise that does not depend on the observation: policy_kwargs="
            '{"actor_kwargs": {"covariance": "constant"}}; got covariance='
            f"{actor.covariance!r}."
        )
    if not reads_flat(actor):
        raise ValueError(
            "certified_weight needs a Box observation of one axis that the network reads as it "
            f"is; got {actor.observation_space} through {type(actor.features_extractor).__name__}."
        )
    require_shape("certified_eps", options.certified_eps, actor.observation_space.shape)
    actor.live_mean()
