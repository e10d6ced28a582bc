"""Policies that choose among options: how far an adversary moves their probabilities.

A softmax depends on the differences of its logits alone, so the network is enclosed with those
differences as its outputs: what all logits have in common cancels before anything is bounded.

Shapes: B states, n options of one choice, K orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.enclosure import enclose
from safer_gym.bounds.filters import ORDERS
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Affine, Layers, affine_layers, evaluate, unit_roundoff
from safer_gym.bounds.steps import Steps
from safer_gym.categorical import Categorical, Greedy, Sizes

PAIRED = 32
"""Up to this many options each pair's difference is enclosed; beyond, each logit alone."""
SUBSETS = 6
"""Up to this many options the total variation is the largest gain of any set of options."""
_ROWS = 4096
_ULPS = 8.0
"""Round-off of a computed softmax beside that of its sum, in units of round-off."""


@dataclass(frozen=True)
class OptionLayers:
    """A policy network that gives scores of options.

    Args:
        layers: from observations [B, *O] to scores [B, A], the options of all choices in a row.
        sizes: how many options each choice has.
        draws: whether options are drawn by the softmax of their scores; otherwise the largest
            score is taken.
        describe: which policy this is, in words.
    """

    layers: Layers
    sizes: Sizes
    draws: bool
    describe: str = "the policy"

    def __post_init__(self) -> None:
        outputs = len(affine_layers(self.layers)[-1].bias)
        if outputs != sum(self.sizes):
            raise ValueError(f"layers must give {sum(self.sizes)} scores; they give {outputs}")

    def scores(self, obs: Tensor) -> Tensor:
        """[B, A] at obs [B, *O], in the dtype of the layers."""
        return evaluate(self.layers, obs.to(affine_layers(self.layers)[0].weight))

    def distribution(self, obs: Tensor) -> Any:
        """A `Categorical` at obs [B, *O], or a `Greedy` where nothing is drawn."""
        return (Categorical if self.draws else Greedy)(self.scores(obs), self.sizes)


@torch.no_grad()
def option_steps(
    policy: OptionLayers, obs: Tensor, ball: LpBall, alphas: Sequence[float] = ORDERS
) -> Steps:
    """What an adversary can do at each observation [B, *O]: TV and D_alpha of the draw.

    Of a policy that takes the largest score: nothing where no score in the ball overtakes it,
    anything elsewhere.
    """
    parts = [_steps(policy, rows, ball, alphas) for rows in obs.split(_ROWS)]
    return Steps(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


@torch.no_grad()
def surely_taken(policy: OptionLayers, obs: Tensor, ball: LpBall) -> Tensor:
    """Where every observation of the ball leads to the options taken at `obs` [B, *O], bool [B]."""
    taken = Greedy(policy.scores(obs), policy.sizes).action.bool().split(policy.sizes, -1)
    holds = torch.ones(len(obs), dtype=torch.bool, device=obs.device)
    for own, leads in zip(taken, enclose_leads(policy, obs, ball), strict=True):
        ahead = (leads.lower > 0) | torch.eye(own.shape[1], dtype=torch.bool, device=obs.device)
        holds &= (ahead.all(-1) & own).any(-1)
    return holds


def certified_radius(
    policy: OptionLayers, obs: Tensor, ball: LpBall, radii: Sequence[float]
) -> Tensor:
    """The largest of `radii` at which no observation changes the options taken, [B]; 0: none.

    Args:
        ball: at radius 1.
        radii: shares of the ball, ascending. A larger ball holds the smaller ones, so that what
            is certified at one radius is certified at all below.
    """
    found = torch.zeros(len(obs), dtype=torch.float64, device=obs.device)
    for radius in sorted(radii):
        found[surely_taken(policy, obs, ball.scaled(radius))] = radius
    return found


def enclose_leads(policy: OptionLayers, obs: Tensor, ball: LpBall) -> list[Enclosure]:
    """For each choice: by how much each option leads each other, z_a - z_b in [B, n, n]."""
    if max(policy.sizes) > PAIRED:
        box = enclose(policy.layers, obs, ball)
        ends = zip(box.lower.split(policy.sizes, 1), box.upper.split(policy.sizes, 1), strict=True)
        return [_zero_diagonal(low[:, :, None] - high[:, None], high, low) for low, high in ends]
    pairs = [_pairs(size) for size in policy.sizes]
    matrix = torch.block_diag(*pairs)
    if not len(matrix):
        return [_still(len(obs), obs)] * len(policy.sizes)
    last = affine_layers(policy.layers)[-1].weight
    differences = Affine(matrix.to(last), matrix.new_zeros(len(matrix)).to(last))
    box = enclose((*policy.layers, differences), obs, ball)
    counts = [len(part) for part in pairs]
    ends = zip(box.lower.split(counts, 1), box.upper.split(counts, 1), strict=True)
    return [_square(*end, size) for end, size in zip(ends, policy.sizes, strict=True)]


def _steps(policy: OptionLayers, obs: Tensor, ball: LpBall, alphas: Sequence[float]) -> Steps:
    if not policy.draws:
        moved = ~surely_taken(policy, obs, ball)
        endless = torch.where(moved, torch.inf, 0.0).double()
        return Steps(endless.unsqueeze(-1).expand(-1, len(alphas)), moved.double())
    scores = policy.scores(obs).double().split(policy.sizes, -1)
    relative = unit_roundoff(policy.layers) * (_ULPS + max(policy.sizes))
    apart, divergences = torch.ones(len(obs), dtype=torch.float64), 0.0
    for logits, leads in zip(scores, enclose_leads(policy, obs, ball), strict=True):
        tv = total_variation(logits, leads) + 2 * relative
        apart = apart.to(tv) * (1 - tv.clamp(max=1.0))
        rounded = [2 * alpha / (alpha - 1) * relative for alpha in alphas]
        divergences = divergences + renyi(logits, leads, alphas) + logits.new_tensor(rounded)
    return Steps(divergences, 1 - apart)  # type: ignore[arg-type]


def total_variation(logits: Tensor, leads: Enclosure) -> Tensor:
    """sup of TV(softmax of logits moved within `leads` || softmax(logits)) of one choice, [B].

    Exact for two options, and for up to SUBSETS where the leads can be attained together.

    Args:
        logits: benign ones [B, n].
        leads: of `enclose_leads`.
    """
    p = logits.softmax(-1)
    low, high = probability_box(leads)
    moved = torch.minimum((high - p).clamp(min=0).sum(-1), (p - low).clamp(min=0).sum(-1))
    own = logits.unsqueeze(-1) - logits.unsqueeze(-2)
    # Ratios of probabilities that spread over a factor e^R: randomised response is the worst.
    spread = torch.tanh((leads.upper - own).flatten(1).amax(-1).clamp(min=0) / 4)
    found = torch.minimum(moved, spread)
    n = logits.shape[-1]
    return torch.minimum(found, _largest_gain(p, leads)) if 1 < n <= SUBSETS else found


def renyi(logits: Tensor, leads: Enclosure, alphas: Sequence[float]) -> Tensor:
    """A bound of D_alpha(moved || benign) of one choice, [B, K], in nats.

    The sum over options of q (q / p)^(alpha - 1) is convex in each q, so that it lies under its
    chord between the ends of q's interval; the sum of chords is largest where probability goes to
    the steepest ones first. At most one option is left between its ends: exact for two options.
    """
    log_p = logits.log_softmax(-1)
    low, high = (end.log() for end in probability_box(leads))
    width = (high.exp() - low.exp()).clamp(min=0)
    left = (1 - low.exp().sum(-1, keepdim=True)).clamp(min=0)
    found = []
    for alpha in alphas:
        ends = [torch.exp(q + (alpha - 1) * (q - log_p)) for q in (low, high)]
        gain = torch.where(width > 0, ends[1] - ends[0], 0.0)
        steep = torch.where(width > 0, gain / width, 0.0)
        order = steep.argsort(-1, descending=True)
        wide, gains = width.gather(-1, order), gain.gather(-1, order)
        room = left - (wide.cumsum(-1) - wide)
        share = torch.where(wide > 0, room / wide, 0.0).clamp(0.0, 1.0)
        total = ends[0].sum(-1) + torch.where(share > 0, share * gains, 0.0).sum(-1)
        found.append((total.log() / (alpha - 1)).clamp(min=0).nan_to_num(nan=torch.inf))
    return torch.stack(found, -1)


def probability_box(leads: Enclosure) -> Enclosure:
    """The ends of each option's probability [B, n]."""
    low, high = (1 / torch.exp(-end).sum(-1) for end in leads)
    return Enclosure(low, high)


def _largest_gain(p: Tensor, leads: Enclosure) -> Tensor:
    """The most that the probability of a set of options grows, [B].

    With odds of its members over the rest, x_a / y_b <= e^U: the set's odds are a sum over its
    members of 1 / sum_b (y_b / x_a).
    """
    n = p.shape[-1]
    sets = torch.tensor(list(product([0.0, 1.0], repeat=n))[1:-1]).to(p)
    against = torch.exp(-leads.upper)
    rest = torch.einsum("bij,sj->bsi", against, 1 - sets)
    odds = (sets / rest).sum(-1)
    grown = torch.where(odds.isinf(), 1.0, odds / (1 + odds))
    return (grown - p @ sets.mT).amax(-1).clamp(min=0)


def _pairs(size: int) -> Tensor:
    """Rows z_a - z_b, a < b, [P, n]."""
    rows = torch.zeros(size * (size - 1) // 2, size)
    for row, (a, b) in enumerate(combinations(range(size), 2)):
        rows[row, a], rows[row, b] = 1.0, -1.0
    return rows


def _square(lower: Tensor, upper: Tensor, size: int) -> Enclosure:
    low, high = (end.new_zeros(len(end), size, size) for end in (lower, upper))
    a, b = torch.triu_indices(size, size, offset=1)
    low[:, a, b], high[:, a, b] = lower, upper
    low[:, b, a], high[:, b, a] = -upper, -lower
    return Enclosure(low, high)


def _zero_diagonal(low: Tensor, upper: Tensor, lower: Tensor) -> Enclosure:
    high = upper[:, :, None] - lower[:, None]
    here = torch.eye(low.shape[-1], dtype=torch.bool, device=low.device)
    return Enclosure(low.masked_fill(here, 0.0), high.masked_fill(here, 0.0))


def _still(rows: int, like: Tensor) -> Enclosure:
    zero = torch.zeros(rows, 1, 1, dtype=torch.float64, device=like.device)
    return Enclosure(zero, zero)
