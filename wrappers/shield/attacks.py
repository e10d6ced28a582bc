"""Adversaries that know the shield: they lie about its own coordinates.

Both are functions of rows [memory, observation], as any attack on a policy with a memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import prepare, quiet_generator
from safer_gym.balls import LpBall
from safer_gym.types import AttackResult, Channel, Victim
from safer_gym.wrappers.shield.shield import Shield

_SHARP = 8.0
"""How much more the nearest row of a safe set counts than others."""


@dataclass(frozen=True)
class Spoof:
    """Shows a state as far inside the safe set as the ball allows: the shield lets the policy go.

    Args:
        shield: whom it knows.
    """

    channel: ClassVar[Channel] = "observation"
    cost_directed: ClassVar[bool] = True
    title: ClassVar = "spoof"
    words: ClassVar = "Shows the state farther inside the shield's safe set than it is."

    shield: Shield

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        downhill = -outward(self.shield, _observed(victim, obs))
        pull = torch.nn.functional.pad(downhill, (obs.flatten(1).shape[1] - downhill.shape[1], 0))
        moved = obs + ball.ascent_direction(pull.view_as(obs).to(obs), obs)
        return _result(ball, obs, moved, obs.new_zeros(len(obs)), obs.new_ones(len(obs)))


@dataclass(frozen=True)
class Greedy:
    """Tries lies through the whole loop, and shows the one after which the state is worst.

    For each it asks the policy, shield and all, what it would do, and the shield's own model where
    that leads within `ahead` steps of the same action.

    Args:
        shield: whom it knows.
        corners: random corners of the ball, beside the spoof, its opposite and the truth.
        ahead: steps it looks ahead.
    """

    channel: ClassVar[Channel] = "observation"
    cost_directed: ClassVar[bool] = True
    per_row_noise: ClassVar[bool] = True
    title: ClassVar = "greedy"
    words: ClassVar = "Tries corners through policy and shield, and takes the most harmful one."

    shield: Shield
    corners: int = 20
    ahead: int = 3

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs, generator = prepare(obs), quiet_generator(generator)
        spoofed = Spoof(self.shield)(victim, obs, ball).obs
        tries = [obs, spoofed, 2 * obs - spoofed]
        for _ in range(self.corners):
            signs = torch.randint(0, 2, obs.shape, generator=generator, device=generator.device)
            tries.append(obs + ball.radius(obs) * (2 * signs.to(obs) - 1))
        shown = torch.stack([ball.settle(obs, ball.project(obs, lie)) for lie in tries])
        with torch.no_grad():
            actions = victim.action(shown.flatten(0, 1)).view(len(tries), len(obs), -1)
        truth = _observed(victim, obs)
        harm = torch.stack([self._harm(truth, action) for action in actions])
        best = harm.argmax(0)
        rows = torch.arange(len(obs))
        return AttackResult(shown[best, rows], harm[best, rows].to(obs), harm[0].to(obs))

    def _harm(self, truth: Tensor, action: Tensor) -> Tensor:
        """How far the model says that the state comes out of a safe set [B]."""
        worst = []
        for part in self.shield.parts:
            z, own = part.coordinates(truth), action[:, list(part.actions)].double()
            for _ in range(self.ahead):
                z = part.step(z, own)
                size = part.rows.abs().amax(1)
                worst.append(((z @ part.rows.mT - part.limits) / size).amax(1))
        return torch.stack(worst).amax(0)


def outward(shield: Shield, obs: Tensor) -> Tensor:
    """The gradient of the nearest rows of all safe sets, as a function of observations [B, O]."""
    total = torch.zeros_like(obs.double())
    for part in shield.parts:
        size = part.rows.abs().amax(1)
        room = (part.limits - part.coordinates(obs) @ part.rows.mT) / size
        near = torch.softmax(-_SHARP * room, 1)
        total = total + (near / size) @ part.rows @ part.weight
    return total


def _observed(victim: Victim, obs: Tensor) -> Tensor:
    return victim.memory.observed(obs).flatten(1)


def _result(
    ball: LpBall, obs: Tensor, moved: Tensor, before: Tensor, after: Tensor
) -> AttackResult:
    return AttackResult(ball.settle(obs, ball.project(obs, moved)), after, before)
