"""How a prior rates data: likelihoods, latent actions, and how well it tells unsafe from safe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from safer_gym.agents.skills.dataset import SkillData
from safer_gym.agents.skills.prior import SkillPrior

ROWS = 4096


@torch.no_grad()
def log_likelihoods(
    prior: SkillPrior, data: SkillData, rows: Tensor, *, silenced: bool = False
) -> Tensor:
    """log p(a | s, E[c]) of rows, in nats [B].

    Args:
        silenced: with the mean of p(c), zero, for E[c]: what is lost is what the variable said.
    """
    parts = []
    for actions, features, c in _with_context(prior, data, rows):
        said = torch.zeros_like(c) if silenced and c is not None else c
        parts.append(prior.log_prob(actions, features, said))
    return torch.cat(parts)


@torch.no_grad()
def latent_norms(prior: SkillPrior, data: SkillData, rows: Tensor) -> Tensor:
    """The largest absolute entry of z = f^-1(a; s, E[c]) of rows [B]; see `latent_bound`."""
    parts = [prior.encode(a, features, c) for a, features, c in _with_context(prior, data, rows)]
    return torch.cat(parts).abs().amax(dim=1)


@torch.no_grad()
def typicality(
    prior: SkillPrior, data: SkillData, rows: Tensor, generator: torch.Generator, draws: int = 32
) -> Tensor:
    """Share of the prior's own actions in a row's state that are less likely than the row's [B].

    Its mean over actions that the prior draws itself is a half.

    Args:
        draws: actions f(z; s, E[c]), z ~ N(0, I), that each row is held against.
    """
    parts = []
    for actions, features, c in _with_context(prior, data, rows):
        own = prior.log_prob(actions, features, c)
        less = torch.zeros_like(own)
        for _ in range(draws):
            z = torch.randn(actions.shape, generator=generator)
            less += prior.log_prob(prior.decode(z, features, c), features, c) < own
        parts.append(less / draws)
    return torch.cat(parts)


def auc(safe: Tensor, unsafe: Tensor) -> float:
    """Probability that a safe action is likelier than an unsafe one; ties count half."""
    ranks = rankdata(np.concatenate([safe.numpy(), unsafe.numpy()]))
    n, m = len(safe), len(unsafe)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def unsafe_among_likely(safe: Tensor, unsafe: Tensor, top: float) -> float:
    """Share of unsafe steps among the `top` share of all by likelihood; Figure 1."""
    both = torch.cat([safe, unsafe])
    is_unsafe = torch.cat([torch.zeros(len(safe)), torch.ones(len(unsafe))])
    count = max(1, round(top * len(both)))
    return float(is_unsafe[both.argsort(descending=True)[:count]].mean())


def _with_context(
    prior: SkillPrior, data: SkillData, rows: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Actions, features and the mean of the safety variable, a part of the rows at a time."""
    for part in rows.split(ROWS):
        features, q = data.context(prior, data.steps(part))
        yield data.actions[part], features, None if q is None else q.mean
