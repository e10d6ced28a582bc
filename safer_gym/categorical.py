"""Discrete actions: one choice among options, or several independent choices.

An action is a row of zeros and ones with the options of all choices side by side [..., A], a one
for each option taken. So a row of probabilities is the mean of actions, and a critic of actions can
be asked what it expects of a policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

Sizes = tuple[int, ...]
"""How many options each choice has; they sum to A."""

MOST_ACTIONS = 256
"""Up to this many actions an expectation is a sum over all of them."""


class Categorical(NamedTuple):
    """A batch of distributions: each choice by the softmax of its logits."""

    logits: Tensor
    """[..., A]"""
    sizes: Sizes

    @property
    def log_probabilities(self) -> Tensor:
        """[..., A]; those of each choice sum to one in exponentials."""
        return each_choice(lambda part: part.log_softmax(-1), self.logits, self.sizes)

    @property
    def probabilities(self) -> Tensor:
        """[..., A], the mean of the actions drawn."""
        return each_choice(lambda part: part.softmax(-1), self.logits, self.sizes)

    @property
    def leaning(self) -> Tensor:
        """The probabilities: what critics expect of the draw is what attacks raise."""
        return self.probabilities

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What tells two of them apart, by name."""
        return {"log probabilities": self.log_probabilities}

    def detach(self) -> Categorical:
        """The same without gradients."""
        return self._replace(logits=self.logits.detach())

    def difference(self, other: Categorical) -> Tensor:
        """KL(self || other) [...] in nats, exact; choices add up."""
        own, p = self.log_probabilities, self.probabilities
        return torch.where(p > 0, p * (own - other.log_probabilities), 0.0).sum(-1)

    def fault(self) -> str:
        """What is wrong with the numbers; "" where nothing is."""
        wrong = self.logits.isnan() | (self.logits == math.inf)
        return "a logit is NaN or infinite" if bool(wrong.any()) else ""


class Greedy(NamedTuple):
    """A batch of sure choices: the option with the largest score."""

    scores: Tensor
    """[..., A]"""
    sizes: Sizes

    @property
    def action(self) -> Tensor:
        """The option taken in each choice [..., A], the first of equal ones."""
        return each_choice(_largest, self.scores, self.sizes)

    @property
    def lead(self) -> Tensor:
        """By how much the option taken leads [...], in the choice where that is least."""
        return -self.difference(self)

    @property
    def leaning(self) -> Tensor:
        """The action, with the gradient of a softmax: scores in units of their own spread.

        A sure choice is flat wherever it does not jump, so that a walk needs another slope.
        """
        soft = each_choice(_soft, self.scores, self.sizes)
        return self.action + (soft - soft.detach())

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What tells two of them apart, by name."""
        return {"scores": self.scores}

    def detach(self) -> Greedy:
        """The same without gradients."""
        return self._replace(scores=self.scores.detach())

    def difference(self, other: Greedy) -> Tensor:
        """Margin loss [...]: by how much `other` prefers an option that was not taken here.

        Positive once the action changes. Of several choices the one nearest to a change counts.
        """
        taken = self.action.bool()
        pairs = zip(other.scores.split(self.sizes, -1), taken.split(self.sizes, -1), strict=True)
        return torch.stack([_margin(*pair) for pair in pairs]).amax(0)

    def fault(self) -> str:
        """What is wrong with the numbers; "" where nothing is."""
        return Categorical(self.scores, self.sizes).fault()


@dataclass(frozen=True)
class OptionValues:
    """A critic with one output for each option: its value of an action is their sum.

    Linear in the action, so that rows of probabilities give what it expects.

    Args:
        values: observations [B, *O] to values [B, A].
    """

    takes_probabilities: ClassVar = True

    values: Callable[[Any], Tensor]

    def __call__(self, obs: Any, actions: Tensor) -> Tensor:
        return (self.values(obs) * actions).sum(-1)


@dataclass(frozen=True)
class ExpectedValue:
    """What a critic of actions expects of independent choices with these probabilities.

    Exact, a sum over all actions, up to MOST_ACTIONS of them. Beyond that the critic is asked at
    the mean action itself (mean field), which is exact for a critic linear in each choice.

    Args:
        critic: of observations [B, *O] and actions [B, A].
        sizes: of the choices.
    """

    takes_probabilities: ClassVar = True

    critic: Any
    sizes: Sizes

    def __call__(self, obs: Any, actions: Tensor) -> Tensor:
        n_actions = math.prod(self.sizes)
        if n_actions > MOST_ACTIONS:
            value: Tensor = self.critic(obs, actions)
            return value
        every, n_rows = all_actions(self.sizes).to(actions), len(actions)
        chances = [
            row @ column.mT
            for row, column in zip(
                actions.split(self.sizes, -1), every.split(self.sizes, -1), strict=True
            )
        ]
        repeated = _repeat(obs, n_actions)
        values = self.critic(repeated, every.repeat(n_rows, 1)).view(n_rows, n_actions)
        return (torch.stack(chances).prod(0) * values).sum(-1)


def expected(critic: Any, sizes: Sizes) -> Any:
    """A critic of discrete actions that also takes probabilities; None stays None."""
    if critic is None or getattr(critic, "takes_probabilities", False):
        return critic
    return ExpectedValue(critic, sizes)


def all_actions(sizes: Sizes) -> Tensor:
    """Every action [J, A]."""
    eyes = [torch.eye(size) for size in sizes]
    return torch.stack([torch.cat(rows) for rows in product(*eyes)])


def each_choice(function: Callable[[Tensor], Tensor], rows: Tensor, sizes: Sizes) -> Tensor:
    """A function of one choice's options, for each choice in rows [..., A]."""
    if len(sizes) == 1:
        return function(rows)
    return torch.cat([function(part) for part in rows.split(sizes, -1)], -1)


def _largest(scores: Tensor) -> Tensor:
    one = torch.nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)
    # A NaN is no choice: it has to show in the action.
    return one.masked_fill(scores.isnan().any(-1, keepdim=True), math.nan)


def _soft(scores: Tensor) -> Tensor:
    spread = scores.detach().std(-1, keepdim=True, correction=0)
    return (scores / torch.where(spread > 0, spread, 1.0)).softmax(-1)


def _margin(scores: Tensor, taken: Tensor) -> Tensor:
    if scores.shape[-1] == 1:
        return scores[..., 0] - math.inf
    own = torch.where(taken, scores, -math.inf).amax(-1)
    return torch.where(taken, -math.inf, scores).amax(-1) - own


def _repeat(obs: Any, times: int) -> Any:
    if isinstance(obs, dict):
        return {key: value.repeat_interleave(times, 0) for key, value in obs.items()}
    return obs.repeat_interleave(times, 0)
