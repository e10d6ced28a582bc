"""The few shapes and protocols that cross folder borders.

Axes: B batch, N sampled actions, O observation, A action, D disturbance. Observations may have any
trailing shape; actions are [..., B, A].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.categorical import Greedy
from safer_gym.divergences import Gaussian
from safer_gym.memory import NO_MEMORY, Memory

__all__ = [
    "CHANNELS", "ActionFn", "Attack", "AttackResult", "Channel", "Distribution", "DistributionFn",
    "DisturbedQFn", "Gaussian", "Memory", "QFn", "Victim",
]  # fmt: skip


class Distribution(Protocol):
    """How a batch of policies draws: a `Gaussian`, a `Categorical`, or surely, as a `Greedy`."""

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What tells two of them apart, by name; the batch comes first."""
        ...

    def detach(self) -> Any:
        """The same without gradients."""
        ...

    def difference(self, other: Any) -> Tensor:
        """How unlike this another one of its kind is [B]; MAD makes it large."""
        ...

    def fault(self) -> str:
        """What is wrong with the numbers; "" where nothing is."""
        ...


Channel = Literal["observation", "action", "disturbance"]
CHANNELS: tuple[Channel, ...] = ("observation", "action", "disturbance")
"""What an adversary may move: what the policy observes, what it does, what the world adds."""

ActionFn = Callable[[Tensor], Tensor]
"""Observations [B, *O] to deterministic actions [B, A]; discrete ones as rows of zeros and ones."""

QFn = Callable[[Tensor, Tensor], Tensor]
"""Observations [B, *O] and actions [B, A] to expected discounted sums [B]."""

DisturbedQFn = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Observations [B, *O], actions [B, A] and disturbances [B, D] to expected discounted sums [B]."""

DistributionFn = Callable[[Tensor], Any]
"""Observations [B, *O] to the policy's action distribution, a `Distribution`."""


class Victim(NamedTuple):
    """All that an attack may see of a policy: differentiable functions of raw observations.

    Actions are in one unit throughout (the environment's), for `action` and for both critics.
    A field is None where the policy offers no such function; an attack that needs it says so.
    """

    action: ActionFn
    q_reward: QFn | None = None
    q_cost: QFn | None = None
    distribution: DistributionFn | None = None
    q_reward_disturbed: DisturbedQFn | None = None
    q_cost_disturbed: DisturbedQFn | None = None
    """Critics that also see the disturbance, for attacks on that channel."""
    leaning: ActionFn | None = None
    """Of discrete actions: what critics are asked about, as a differentiable function. Of a policy
    that draws the probabilities, of a greedy one the action itself. None: the action is no choice.
    """
    memory: Memory = NO_MEMORY
    """What it carries from step to step. With a memory all functions take rows, see `Memory`."""

    @property
    def deterministic(self) -> Victim:
        """The policy as it acts without drawing: of discrete actions the best option."""
        distribution = self.distribution
        if self.leaning is None or distribution is None:
            return self

        def greedy(obs: Tensor) -> Greedy:
            return Greedy(*distribution(obs))

        return self._replace(distribution=greedy, leaning=lambda obs: greedy(obs).leaning)

    @property
    def judged(self) -> ActionFn:
        """What critics are asked about: differentiable where the policy is."""
        return self.leaning or self.action

    def seen_as(self, view: Callable[[Any], Any]) -> Victim:
        """The victim as a function of other observations, which `view` turns into its own."""

        def after(function: Any) -> Any:
            return function and (lambda obs, *rest: function(view(obs), *rest))

        return self.mapped(after)

    def mapped(self, change: Callable[[Any], Any]) -> Victim:
        """The victim with `change` of each of its functions."""
        *functions, memory = self
        if memory.size:
            memory = memory._replace(after=change(memory.after))
        changed: dict[str, Any] = dict(zip(self._fields, map(change, functions), strict=False))
        return Victim(**changed, memory=memory)


class AttackResult(NamedTuple):
    """What an attack found for each observation of a batch."""

    obs: Tensor
    """Perturbed observations [B, *O], inside the ball, same dtype as the input."""
    objective: Tensor
    """The attack's objective at `obs` [B]; never below `clean_objective`."""
    clean_objective: Tensor
    """The same objective at the clean observation [B]."""


class Attack(Protocol):
    """Any rule that moves points inside a ball. It keeps no state between calls.

    `obs` and `victim` are the observations and the policy, or on another channel what stands in
    their place (see `safer_gym.attacks.channels`). What an attack declares of itself is described
    in `safer_gym.attacks.traits`.
    """

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult: ...
