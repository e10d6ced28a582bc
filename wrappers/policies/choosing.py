"""Policies of discrete actions, which give a score to each option: drawn by softmax, or greedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import ORDERS, NotCoveredError, OptionLayers, Steps, option_steps
from safer_gym.categorical import Categorical, Greedy, OptionValues, Sizes
from safer_gym.types import ActionFn, Victim


def choosing_victim(
    scores: ActionFn, sizes: Sizes, *, draws: bool = False, are_values: bool = False
) -> Victim:
    """A policy that chooses by scores, as attacks see it.

    Args:
        scores: observations [B, *O] to scores of all options [B, A].
        sizes: how many options each choice has.
        draws: whether it draws options by the softmax of their scores; its deterministic action
            takes the best all the same.
        are_values: whether scores are expected returns, and so a critic too.
    """
    kind: Any = Categorical if draws else Greedy

    def distribution(obs: Any) -> Any:
        return kind(scores(obs), sizes)

    return Victim(
        lambda obs: Greedy(scores(obs), sizes).action,
        q_reward=OptionValues(scores) if are_values else None,
        distribution=distribution,
        leaning=lambda obs: distribution(obs).leaning,
    )


@dataclass(frozen=True)
class ChoosingPolicy:
    """A policy that chooses options by a network which bounds enclose.

    Args:
        layers: the network.
    """

    layers: OptionLayers
    makes_noise: bool = False

    @staticmethod
    def drawing(layers: OptionLayers) -> ChoosingPolicy:
        """The policy that draws.

        Raises:
            NotCoveredError: it takes the best option surely.
        """
        if not layers.draws:
            raise NotCoveredError(
                layers.describe,
                "it takes the best option surely: `softmax_policy` draws by the same scores, and "
                "`greedy_policy` is bounded as far as no observation changes the option",
            )
        return ChoosingPolicy(layers)

    @property
    def orders(self) -> tuple[float, ...]:
        """Of its Renyi divergences."""
        return ORDERS

    def steps(self, obs: Tensor, ball: LpBall) -> Steps:
        """What an adversary can do at each of `obs` [T, *O]."""
        return option_steps(self.layers, obs, ball)

    def on_actions(self) -> None:
        """No noise is added to an action; see `StochasticPolicy.on_actions`."""

    def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions [B, A] at `obs` [B, *O]; each row draws numbers of its own."""
        drawn = self.layers.distribution(obs)
        if isinstance(drawn, Greedy):
            return drawn.action.to(obs)
        random = torch.rand(
            (len(obs), len(drawn.sizes)),
            generator=generator,
            device=generator.device,
            dtype=torch.float64,
        )
        p = drawn._replace(logits=drawn.logits.double()).probabilities
        columns = zip(p.split(drawn.sizes, -1), random.to(p.device).split(1, -1), strict=True)
        return torch.cat([_drawn(*column) for column in columns], -1).to(obs)

    def victim(self) -> Victim:
        """What attacks need: actions and distribution; no critics."""
        layers = self.layers
        return choosing_victim(
            lambda obs: layers.scores(obs).to(obs), layers.sizes, draws=layers.draws
        )


def _drawn(p: Tensor, random: Tensor) -> Tensor:
    """Options [B, n] by their probabilities, from numbers in [0, 1) [B, 1]."""
    # Rounding may leave the sum below one: the last option holds the rest.
    index = (random >= p.cumsum(-1)[:, :-1]).sum(-1)
    return torch.nn.functional.one_hot(index, p.shape[-1])
