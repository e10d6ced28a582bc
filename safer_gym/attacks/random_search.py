"""A gradient-free attack: it needs only the values of the objective.

It reaches policies that give no gradient or a misleading one. When it beats a gradient attack at
equal cost, suspect masked gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import as_rows, checked_scores, prepare, quiet_generator, uniform
from safer_gym.attacks.objectives import MaxCost, Objective, Score
from safer_gym.balls import LpBall
from safer_gym.domains import AT_LEAST_ONE, require
from safer_gym.types import AttackResult, Victim


@dataclass(frozen=True)
class RandomSearch:
    """Jump to extreme points of the ball, then refine around each row's best point.

    A proposal moves a random subset of the coordinates by a steepest step of random sign. Subset
    and step shrink from round to round: all coordinates and the ball's diameter at first, single
    coordinates and small steps at last. Proposals are shared by the rows of a batch, so that a
    row's result does not depend on its neighbours.

    Args:
        objective: what to make large.
        rounds: number of rounds, >= 1.
        population: proposals a round, >= 1, scored in one batch of population * B rows.
    """

    per_row_noise: ClassVar = False
    title: ClassVar = "random search"
    words: ClassVar = (
        "The best of many random points. Uses no gradient, so it cannot be fooled by one that "
        "vanishes."
    )

    objective: Objective = field(default_factory=MaxCost)
    rounds: int = 20
    population: int = 10

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE, rounds=self.rounds, population=self.population)

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        clean = checked_scores(self.objective(victim, obs), obs)(obs)
        if ball.is_point:
            return AttackResult(obs, clean, clean)
        generator = quiet_generator(generator)
        many = obs.repeat(self.population, *[1] * (obs.dim() - 1))
        score = checked_scores(self.objective(victim, many), many)
        best, values = obs, clean
        for k in range(self.rounds):
            moves = self._moves(obs, ball, 1 - k / self.rounds, generator)
            best, values = self._keep_best(score, ball, many, moves, best, values)
        return AttackResult(best, values, clean)

    def _moves(self, obs: Tensor, ball: LpBall, left: float, generator: torch.Generator) -> Tensor:
        """Proposed moves [P, *O]; `left` falls from 1 to 0 over the rounds."""
        shape = (self.population, *obs.shape[1:])

        live = ball.live(obs).flatten()
        chosen = (uniform(shape, generator) < left**2).flatten(1)
        always = (uniform(shape, generator).flatten(1) * live).argmax(1, keepdim=True)
        slopes = (2 * uniform(shape, generator) - 1) * chosen.scatter(1, always, True).view(shape)
        # The diameter first, so that a move can cross to the far side of the ball.
        return 2 * left * ball.ascent_direction(slopes.to(obs))

    def _keep_best(
        self, score: Score, ball: LpBall, many: Tensor, moves: Tensor, best: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        proposals = ball.project(many, (best.unsqueeze(0) + moves.unsqueeze(1)).flatten(0, 1))
        scores = torch.nan_to_num(score(proposals), nan=-torch.inf).view(self.population, -1)
        top, winner = scores.max(0)
        rows = torch.arange(best.shape[0], device=best.device)
        found = proposals.view(self.population, *best.shape)[winner, rows]
        better = top > values
        return torch.where(as_rows(better, best), found, best), torch.where(better, top, values)
